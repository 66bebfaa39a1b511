"""Not to be had in a shop."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Finding
from ridgewise.advise.rules.rule import Rule

#: What a status of a sheet means to a buyer.
MEANS = {
    "announced": "announced and not delivered yet",
    "internal": "made for its maker's own data centres",
    "regional": "sold in one market only",
    "rare": "hardly to be had: few were made",
    "modified": "not as its maker sold it: no warranty",
}


def check(case: Case) -> Iterator[Finding]:
    """The status of the sheet."""
    status = case.device.status
    if status == "available":
        return
    yield Finding(
        "warning",
        f"{case.device.name} is {MEANS[status]}"
        + (f" (from {case.device.released})" if status == "announced" and case.device.released else ""),
        cost="the plan waits for hardware that may not come",
        cure=cures.first(cures.other_hardware(case), cures.does),
    )


RULE = Rule("not-on-sale", "warning", "site", "Not on sale", "Can it be bought or rented?", check)

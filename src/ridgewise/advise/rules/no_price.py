"""Nobody is known to ask a price for it."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding
from ridgewise.advise.rules.rule import Rule


def check(case: Case) -> Iterator[Finding]:
    """Neither a purchase nor a rent in the catalogue."""
    option = case.option
    if option is None or option.cost.buy is not None or option.cost.rent_low is not None:
        return
    yield Finding(
        "note",
        f"the catalogue knows 0 prices of {case.device.name}, to buy or to rent",
        cost="nothing can be said about its cost",
        cure=Cure(f"get a quote, and plan with it (--price '{case.device.id}=…')"),
    )


RULE = Rule("no-price", "note", "site", "No price known", "Is there a sourced price?", check)

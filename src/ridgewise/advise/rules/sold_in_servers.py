"""Fewer boards wanted than are sold together."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Finding, Measure
from ridgewise.advise.rules.rule import Rule
from ridgewise.economics.cost import sold
from ridgewise.units import digits, money


def check(case: Case) -> Iterator[Finding]:
    """Boards in the smallest unit that is sold against the boards of the idea."""
    option = case.option
    bought = sold(case.device, case.count)
    if not case.wanted or bought <= case.count or option is None:
        return
    rented = option.cost.tenure == "rent"
    price = f": {money(option.cost.buy)} for all" if option.cost.buy else ""
    yield Finding(
        "note" if rented else "warning",
        f"{case.device.name} has no slot and is sold in servers of {digits(bought)}{price}"
        + ("; by the hour it is let singly" if rented else ""),
        Measure("boards paid for", float(bought), float(case.count), "1"),
        f"{digits(bought - case.count)} boards paid for and not used",
        cures.first(cures.other_hardware(case), lambda other: other.feasible and _single(other.device.id, other.count)),
    )


def _single(name: str, count: int) -> bool:
    from ridgewise.hardware.sheets import load_devices

    return sold(load_devices()[name], count) == count


RULE = Rule("sold-in-servers", "warning", "site", "Sold by the server only", "Can so many be bought?", check)

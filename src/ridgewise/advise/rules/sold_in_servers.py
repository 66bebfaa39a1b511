"""Fewer boards wanted than are sold together."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Finding, Measure
from ridgewise.advise.option import Option
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
        cures.first(cures.other_hardware(case), _singly),
    )


def _singly(other: Option) -> bool:
    """Does it do the job, and is it sold in that number?"""
    return other.feasible and sold(other.device, other.count) == other.count


RULE = Rule("sold-in-servers", "warning", "site", "Sold by the server only", "Can so many be bought?", check)

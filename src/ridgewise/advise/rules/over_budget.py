"""Dearer than what may be spent."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Finding, Measure
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import money


def check(case: Case) -> Iterator[Finding]:
    """The middle of the price, or the rent of a run where that is less, against the budget."""
    option, budget = case.option, case.question.budget
    price = option.outlay if option is not None else None
    if option is None or budget is None or price is None or price <= budget:
        return
    yield Finding(
        "error",
        f"{option.name} costs {money(price)}, {money(price - budget)} more than the budget of {money(budget)}",
        Measure("price", price, budget, "USD"),
        f"{money(price - budget)} over",
        cures.first(cures.other_hardware(case), cures.does),
        price - budget,
    )


RULE = Rule("over-budget", "error", "site", "Over the budget", "Does everything that must be bought fit the budget?",
            check)  # fmt: skip

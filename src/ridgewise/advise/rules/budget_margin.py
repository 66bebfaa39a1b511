"""Within the budget at the middle of its price, over it at the upper end."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import money


def check(case: Case) -> Iterator[Finding]:
    """The highest price known against the budget."""
    option, budget = case.option, case.question.budget
    price = option.outlay if option is not None else None
    if option is None or budget is None or price is None or price != option.cost.buy:
        return
    high = option.cost.buy_high or price
    if not price <= budget < high:
        return
    yield Finding(
        "warning",
        f"{option.name} costs {money(option.cost.buy_low or price)} to {money(high)}, the budget is {money(budget)}",
        Measure("highest price", high, budget, "USD"),
        f"up to {money(high - budget)} over",
        Cure(f"get a quote first, and plan with it (--price '{case.device.id}=…')"),
        high - budget,
    )


RULE = Rule(
    "budget-margin", "warning", "site", "The price may pass the budget", "Does the upper end of the price fit too?",
    check,
)  # fmt: skip

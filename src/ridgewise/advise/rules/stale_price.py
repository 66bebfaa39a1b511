"""A price of years ago."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.rules.rule import Rule
from ridgewise.economics.cost import STALE_YEARS
from ridgewise.hardware.offers import price_age
from ridgewise.units import digits


def check(case: Case) -> Iterator[Finding]:
    """The date of the device's price against the newest of the catalogue."""
    option = case.option
    if option is None or not option.cost.stale or case.device.id in case.question.prices:
        return
    age = price_age(option.cost.as_of)
    yield Finding(
        "warning",
        f"the price of {case.device.name} is of {option.cost.as_of[:4]}, {digits(age, 2)} years older than the newest "
        "of the catalogue",
        Measure("age of the price", age, float(STALE_YEARS), "years"),
        "it may cost more or less today, or not be sold any more",
        Cure(f"get a quote, and plan with it (--price '{case.device.id}=…')"),
    )


RULE = Rule("stale-price", "warning", "site", "A price of years ago", "Is the price of today?", check)

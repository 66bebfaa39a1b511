"""A price of years ago."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.rules.rule import Rule
from ridgewise.economics.cost import STALE_YEARS
from ridgewise.hardware.offers import newest_price_year
from ridgewise.units import digits


def check(case: Case) -> Iterator[Finding]:
    """The date of the device's price against the newest of the catalogue."""
    option = case.option
    if option is None or not option.cost.stale or case.device.id in case.question.prices:
        return
    year = int(option.cost.as_of[:4])
    age = newest_price_year() - year
    yield Finding(
        "warning",
        f"the price of {case.device.name} is of {year}, {digits(age)} years older than the newest of the catalogue",
        Measure("age of the price", float(age), float(STALE_YEARS), "years"),
        "it may cost more or less today, or not be sold any more",
        Cure(f"get a quote, and plan with it (--price '{case.device.id}=…')"),
    )


RULE = Rule("stale-price", "warning", "site", "A price of years ago", "Is the price of today?", check)

"""A purchase that rests on a datasheet."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import digits, duration

#: An interval this wide says hardly more than a factor of two each way.
WIDE = 4.0


def check(case: Case) -> Iterator[Finding]:
    """Nobody measured its speed: the width of the interval, high over low."""
    option = case.option
    if option is None or not option.unmeasured or not case.fits:
        return
    if option.speed is not None:
        band = option.speed.tpot_band
        low, high = 1 / (option.speed.tpot * band.high), 1 / (option.speed.tpot * band.low)
        said = f"{digits(low, 2)} to {digits(high, 2)} tokens/s"
    elif option.run is not None:
        low, high = option.run.low, option.run.high
        said = f"{duration(low)} to {duration(high)}"
    else:
        return
    ratio = high / low if low > 0 else math.inf
    yield Finding(
        "warning" if ratio > WIDE else "note",
        f"nobody measured {option.name} at this (tier {option.tier}): {said}, a factor of {digits(ratio, 2)}",
        Measure("high over low end of the interval", ratio, WIDE, "times"),
        "it may be the slow end that is delivered",
        Cure("rent or borrow one, measure, and `ridgewise import` what comes out, before buying many"),
    )


RULE = Rule("unmeasured", "warning", "site", "Bought on a datasheet", "Has anybody measured it at this work?", check)

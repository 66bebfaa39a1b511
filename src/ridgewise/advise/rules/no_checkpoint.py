"""A run long and wide enough that it will be interrupted."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ridgewise.advise.case import Case
from ridgewise.advise.failures import BETWEEN
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import digits, duration, share

#: More likely interrupted than not.
EVEN = 0.5


def check(case: Case) -> Iterator[Finding]:
    """The chance that no device fails during the run: exp(−device-hours / device-hours per interruption)."""
    option = case.option
    if option is None or option.run is None or not option.run.fits or not math.isfinite(option.run.seconds):
        return
    hours = option.count * option.run.seconds / 3600
    expected = hours / BETWEEN
    chance = math.exp(-expected)
    if chance >= EVEN or not option.feasible:
        return
    apart = BETWEEN / option.count
    yield Finding(
        "note",
        f"{digits(expected, 2)} interruptions are to be expected, one in {duration(apart * 3600)}: the chance of a run "
        f"without any is {share(chance) if chance > 0.001 else 'nil'}",
        Measure("chance of no interruption", chance, EVEN, "ratio"),
        "without checkpoints each of them costs the whole run so far",
        Cure("write checkpoints and try a restart before the run; `ridgewise train` says how often and what they cost"),
    )


RULE = Rule(
    "no-checkpoint", "note", "training", "It will be interrupted", "Will a device fail before the run ends?", check
)

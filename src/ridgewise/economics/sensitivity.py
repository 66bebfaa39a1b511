"""What an answer hangs on: one input at a time (a tornado), and all of them at once (Monte Carlo)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ridgewise.units import Num

DoubtKind = Literal["interval", "range"]
#: Standard deviations from the middle to the end of an 80 % interval of a normal distribution.
Z80 = 1.2815515655446004


@dataclass(frozen=True, slots=True)
class Doubt:
    """An input that is not known exactly.

    kind  "interval": low to high hold it in 80 % of cases, multiplicatively; "range": anywhere between quotes
    """

    value: float
    low: float
    high: float
    kind: DoubtKind = "range"


@dataclass(frozen=True, slots=True)
class Swing:
    """A result at both ends of one input, everything else at its value."""

    name: str
    low: float
    high: float

    @property
    def width(self) -> float:
        return abs(self.high - self.low)


def tornado(result: Callable[[Mapping[str, Num]], Num], doubts: Mapping[str, Doubt]) -> tuple[Swing, ...]:
    """The swing of ``result`` over every doubt that moves it, widest first. ``result`` takes the inputs that differ by
    name."""
    found = [
        Swing(name, float(result({name: doubt.low})), float(result({name: doubt.high})))
        for name, doubt in doubts.items()
        if doubt.low != doubt.high
    ]
    moving = [swing for swing in found if swing.width > 1e-9 * abs(swing.low)]
    return tuple(sorted(moving, key=lambda swing: -swing.width))


def draws(doubts: Mapping[str, Doubt], rows: int, seed: int) -> dict[str, Num]:
    """``rows`` values of every input, independent, the same for the same seed: uniform over ranges; of intervals
    log-normal on either side of the value, so that a tenth lies beyond each end."""
    made: dict[str, Num] = {}
    for name in sorted(doubts):  # a stream of its own per input: another doubt leaves the others as they were
        doubt = doubts[name]
        stream = np.random.default_rng([seed, *name.encode()])
        if doubt.kind == "range":
            made[name] = stream.uniform(doubt.low, doubt.high, rows)
            continue
        z = stream.standard_normal(rows) / Z80
        sides = np.where(z < 0, np.log(doubt.value / doubt.low), np.log(doubt.high / doubt.value))
        made[name] = doubt.value * np.exp(z * sides)
    return made


def middle_80(values: Num) -> tuple[float, float, float]:
    """Median and the ends of the middle 80 %."""
    low, median, high = np.quantile(np.asarray(values, dtype=float), (0.1, 0.5, 0.9))
    return float(median), float(low), float(high)

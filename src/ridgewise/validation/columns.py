"""Engine steps of many rows side by side: work, rates and shape as columns, timed by the product's own formula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from ridgewise.models.architecture import Architecture
from ridgewise.timing import Efficiency, Rates, step_seconds
from ridgewise.units import Num
from ridgewise.work import Plan, Step, Work, forward
from ridgewise.work.columns import stacked

_NAMES = tuple(field.name for field in fields(Efficiency))


def efficiency(coefficients: Mapping[str, np.ndarray]) -> Efficiency:
    """The coefficients that the step formula reads; those a block does not fit keep their defaults."""
    return Efficiency(**{name: coefficients[name] for name in _NAMES if name in coefficients})


@dataclass(frozen=True, slots=True)
class Pass:
    """One engine step of one row; ``beside``: work of an engine's own beside the model's."""

    arch: Architecture
    step: Step
    plan: Plan
    rates: Rates
    beside: Mapping[str, Work] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Passes:
    """One engine step per row, as columns."""

    work: Mapping[str, Work]
    rates: Rates
    layers: np.ndarray
    expert_layers: np.ndarray
    message: np.ndarray
    group: np.ndarray
    sequences: np.ndarray

    def seconds(self, coefficients: Mapping[str, np.ndarray]) -> np.ndarray:
        """Seconds of each step by :func:`ridgewise.timing.step_seconds`."""
        found = step_seconds(
            self.work, self.rates, efficiency(coefficients), self.layers, self.expert_layers,
            self.message, self.group, self.sequences,
        )  # fmt: skip
        return np.asarray(found, dtype=float)


def side_by_side(passes: Sequence[Pass]) -> Passes:
    """Columns from single steps."""

    def column(values: Sequence[Num]) -> np.ndarray:
        return np.array([float(v) for v in values])

    return Passes(
        stacked([{**forward(p.arch, p.step, p.plan), **p.beside} for p in passes]),
        Rates(*(column([getattr(p.rates, f.name) for p in passes]) for f in fields(Rates))),
        column([p.arch.layers for p in passes]),
        column([sum(g.count for g in p.arch.kinds if g.feed.experts) for p in passes]),
        column([p.step.tokens * p.arch.hidden * 2.0 for p in passes]),
        column([p.plan.tp for p in passes]),
        column([p.plan.each(p.step.sequences) for p in passes]),
    )

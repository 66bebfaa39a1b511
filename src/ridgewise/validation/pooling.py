"""Fit coefficients of a formula to measurements, with partial pooling, robustly, and the same way every time.

The formula predicts the logarithm of a measured value from coefficients, one column each. A coefficient is a
value of the block times a factor for every group a row belongs to. Found is the most probable set under

    Σ w·ρ((log measured − log predicted)/σ) + Σ (log factor / spread of its level)²

with ρ(z) = 2(√(1+z²) − 1), which counts large misses by their size and not its square, by Gauss–Newton steps
with reweighting (Holland & Welsch 1977), damped where they overshoot (Marquardt 1963). Groups of a level are
exchangeable before evidence; their spread decides how far thin ones borrow from the rest (Gelman & Hill 2007).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ridgewise.timing.coefficients import Coefficient, Deviation

#: A prediction: coefficients by name, a column each → log of the predicted values.
Formula = Callable[[Mapping[str, np.ndarray]], np.ndarray]

#: Size of a miss [log] up to which it counts by its square.
NOISE = 0.08
#: Change of a coefficient [log] over which a slope is taken: rooflines have kinks, and a fit that sees one side of
#: them alone ends there.
STEP = 0.02
#: First damping of a step that overshot; how much more the next one gets, and how often.
DAMPING, HARDER, TRIALS = 0.05, 4.0, 8


@dataclass(frozen=True, slots=True)
class Spec:
    """A coefficient to be fitted.

    prior    its value before any evidence (physics, documentation, other engines)
    doubt    standard deviation of its logarithm before any evidence; 0: held at the prior
    levels   level → standard deviation of the logarithm of a group's factor
    low, high   what is physically possible
    """

    name: str
    prior: float
    doubt: float = 0.5
    levels: Mapping[str, float] = field(default_factory=dict)
    low: float = 0.0
    high: float = np.inf


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each coefficient's base and groups stand in the vector of unknowns."""

    specs: tuple[Spec, ...]
    names: tuple[tuple[str, str, str], ...]  # coefficient, level ("" = base), group
    spreads: np.ndarray
    columns: Mapping[str, tuple[np.ndarray, ...]]  # coefficient → per level the unknown of each row (-1: none)

    def coefficients(self, unknowns: np.ndarray) -> dict[str, np.ndarray]:
        """Columns of every coefficient."""
        found = {}
        padded = np.append(unknowns, 0.0)
        for spec in self.specs:
            logs = sum((padded[index] for index in self.columns[spec.name]), np.zeros(1))
            found[spec.name] = np.clip(spec.prior * np.exp(logs), spec.low, spec.high)
        return found


def layout(specs: Sequence[Spec], keys: Mapping[str, Sequence[str]], rows: int) -> Layout:
    """The unknowns of these coefficients over rows with these group keys (level → key of each row)."""
    names: list[tuple[str, str, str]] = []
    spreads: list[float] = []
    columns: dict[str, tuple[np.ndarray, ...]] = {}
    for spec in specs:
        own = []
        if spec.doubt > 0:
            own.append(np.full(rows, len(names)))
            names.append((spec.name, "", ""))
            spreads.append(spec.doubt)
        for level, spread in spec.levels.items():
            place = {}
            for key in sorted(set(keys[level]) - {""}):
                place[key] = len(names)
                names.append((spec.name, level, key))
                spreads.append(spread)
            own.append(np.array([place.get(key, -1) for key in keys[level]]))
        columns[spec.name] = tuple(own)
    return Layout(tuple(specs), tuple(names), np.array(spreads), columns)


@dataclass(frozen=True, slots=True)
class Found:
    """The most probable unknowns and the standard deviation of each."""

    layout: Layout
    unknowns: np.ndarray
    doubts: np.ndarray

    def coefficients(self) -> dict[str, np.ndarray]:
        return self.layout.coefficients(self.unknowns)

    def written(self, weights: np.ndarray, digits: int = 5) -> dict[str, Coefficient]:
        """Coefficients with the factors of every group that has measurements (weight above 0)."""

        def short(x: float) -> float:
            return float(f"{x:.{digits}g}")

        place = {name: i for i, name in enumerate(self.layout.names)}
        found = {}
        for spec in self.layout.specs:
            levels: dict[str, dict[str, Deviation]] = {}
            index = iter(self.layout.columns[spec.name])
            base = place.get((spec.name, "", ""))
            if base is not None:
                next(index)
            for level in spec.levels:
                column = next(index)
                counts = np.bincount(column[(column >= 0) & (weights > 0)], minlength=len(self.layout.names))
                groups = {
                    key: Deviation(short(np.exp(self.unknowns[i])), short(self.doubts[i]), int(counts[i]))
                    for (name, at, key), i in place.items()
                    if name == spec.name and at == level and counts[i]
                }
                if groups:
                    levels[level] = groups
            value = spec.prior * (1.0 if base is None else float(np.exp(self.unknowns[base])))
            doubt = 0.0 if base is None else short(self.doubts[base])
            found[spec.name] = Coefficient(
                spec.name, short(value), doubt, spec.low, spec.high, dict(spec.levels), levels
            )
        return found


def _objective(misses: np.ndarray, weights: np.ndarray, unknowns: np.ndarray, spreads: np.ndarray) -> float:
    z = misses / NOISE
    return float(np.sum(weights * 2 * (np.sqrt(1 + z * z) - 1)) + np.sum((unknowns / spreads) ** 2))


def fit(
    formula: Formula,
    measured: np.ndarray,
    weights: np.ndarray,
    plan: Layout,
    steps: int = 40,
    tolerance: float = 1e-7,
) -> Found:
    """The most probable coefficients. ``measured`` is logarithms; rows of weight 0 take no part."""
    count = len(plan.names)
    unknowns = np.zeros(count)
    used = weights > 0
    misses = np.where(used, measured - formula(plan.coefficients(unknowns)), 0.0)
    before = _objective(misses, weights, unknowns, plan.spreads)
    inverse = np.diag(1.0 / plan.spreads**2)
    curvature, damping = inverse, 0.0
    for _ in range(steps):
        slope = _slope(formula, plan, unknowns, used)
        robust = weights / NOISE**2 / np.sqrt(1 + (misses / NOISE) ** 2)
        curvature = slope.T @ (slope * robust[:, None]) + inverse
        downhill = slope.T @ (robust * misses) - unknowns / plan.spreads**2
        for _ in range(TRIALS):
            trial = unknowns + np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), downhill)
            missed = np.where(used, measured - formula(plan.coefficients(trial)), 0.0)
            after = _objective(missed, weights, trial, plan.spreads)
            if after < before:
                break
            damping = max(HARDER * damping, DAMPING)
        else:
            break
        damping = damping / HARDER if damping > DAMPING / 100 else 0.0
        unknowns, misses = trial, missed
        if before - after < tolerance * max(before, 1.0):
            break
        before = after
    doubts = np.sqrt(np.diag(np.linalg.inv(curvature)))
    return Found(plan, unknowns, doubts)


def _slope(formula: Formula, plan: Layout, unknowns: np.ndarray, used: np.ndarray) -> np.ndarray:
    """∂ log predicted / ∂ unknown: one evaluation per coefficient, spread over the groups of its rows."""
    now = plan.coefficients(unknowns)
    at = formula(now)
    slope = np.zeros((len(at), len(plan.names)))
    rows = np.arange(len(at))
    for spec in plan.specs:
        if not plan.columns[spec.name]:
            continue
        moved = np.clip(now[spec.name] * np.exp(STEP), spec.low, spec.high)
        change = np.where(used, (formula({**now, spec.name: moved}) - at) / STEP, 0.0)
        for index in plan.columns[spec.name]:
            has = index >= 0
            slope[rows[has], index[has]] += change[has]
    return slope

"""Fit a block, withhold whole sources and whole devices, and say how far off the predictions were.

An interval is what 80 % of the withheld measurements fell into, by regime and by how well a row is supported
by the measurements that were left (split conformal prediction: Vovk 2005; Lei et al. 2018). A group with few
measurements leans on the wider group around it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ridgewise.evidence import Row
from ridgewise.evidence.tables import number
from ridgewise.timing.coefficients import Band, Block, Coefficient, phase
from ridgewise.validation.domain import Cases, Domain, predicted
from ridgewise.validation.pooling import Found, Layout, fit, layout

#: Groups (source × device × model) at which an interval leans half on the wider group around it.
LEAN = 20
#: Half of the interval [log] that a block itself leans on: of the withheld measurements of all blocks together four
#: fifths lie within a factor of 1.5. One publication's own scatter says little about the next one's.
ALIKE = 0.4
#: Narrowest interval: what rounding in print leaves open.
LEAST = 1.002
COVERED = 0.80
#: Factor on what the fit missed where it had seen the same publisher's other measurements.
OWN_STRETCH = 1.25
#: Steps of a fit that is only judged, and the relative gain below which it ends.
FOLD_STEPS, FOLD_TOLERANCE = 25, 1e-3


def figure(row: Row) -> float:
    """The measured figure of a row; NaN where there is none. A vLLM breakdown is what it sums to beside the cache."""
    if "activation_gib" in row:
        parts = ("weights_gib_per_gpu", "activation_gib", "non_torch_gib", "cuda_graph_gib")
        return sum(number(row, part) or 0.0 for part in parts)
    value = number(row, "value")
    return float("nan") if value is None else value


def measured(cases: Cases) -> np.ndarray:
    """Logarithms of the measured figures; NaN where there is none."""
    values = np.array([figure(row) for row in cases.rows])
    return np.log(np.where(values > 0, values, np.nan))


def groups(cases: Cases) -> list[str]:
    """Source × device × model of each row: near-duplicates of each other."""
    return ["|".join((r.get("source_key", ""), r.get("device_id", ""), r.get("model_id", ""))) for r in cases.rows]


def weights(cases: Cases) -> np.ndarray:
    """How much each row counts: scored rows only, a group of n rows like √n."""
    scored = np.array([r.get("use", "score") == "score" for r in cases.rows]) & np.isfinite(measured(cases))
    names = np.array(groups(cases))
    size = Counter(names[scored])
    return np.array([size[name] ** -0.5 if use else 0.0 for name, use in zip(names, scored, strict=True)])


@dataclass(frozen=True, slots=True)
class Fitting:
    """A block with what its fit needs."""

    domain: Domain
    cases: Cases
    plan: Layout
    target: np.ndarray
    weight: np.ndarray

    @property
    def alike(self) -> float | None:
        """What the block's intervals lean on."""
        return ALIKE if self.plan.specs else None

    def solve(self, weight: np.ndarray | None = None, steps: int = 60, tolerance: float = 1e-7) -> Found:
        """The fit of the rows with weight, from the values before any evidence."""
        used = self.weight if weight is None else weight
        target = np.where(used > 0, self.target, 0.0)
        return fit(lambda c: self.domain.predict(self.cases, c), target, used, self.plan, steps, tolerance)

    def predict(self, found: Found, weight: np.ndarray | None = None) -> np.ndarray:
        """Predictions of all rows, using the factors of those groups only that have weight."""
        used = self.weight if weight is None else weight
        known = _supported(self.plan, used)
        return predicted(self.domain, self.cases, self.plan.coefficients(np.where(known, found.unknowns, 0.0)))


def _supported(plan: Layout, weight: np.ndarray) -> np.ndarray:
    """Unknowns that rest on at least one row; the base of a coefficient always counts."""
    known = np.array([level == "" for _, level, _ in plan.names])
    for columns in plan.columns.values():
        for index in columns:
            known[index[(index >= 0) & (weight > 0)]] = True
    return known


def fitting(domain: Domain, cases: Cases) -> Fitting:
    """Set up the fit of a block."""
    plan = layout(domain.specs(cases.block), cases.keys, len(cases.rows))
    return Fitting(domain, cases, plan, measured(cases), weights(cases))


def support(cases: Cases, weight: np.ndarray) -> np.ndarray:
    """How well each row is supported by the rows with weight that tell of the same phase: same cell, device and
    stack, stack, or nothing."""
    found = np.full(len(cases.rows), "none", dtype=object)
    told = phases(cases)
    for name, keys in places(cases).items():
        seen = {(t, key) for t, key, w in zip(told, keys, weight, strict=True) if w > 0 and key}
        found[[(t, key) in seen for t, key in zip(told, keys, strict=True)]] = name
    return found


def phases(cases: Cases) -> list[str]:
    """The phase that each row tells of."""
    return [phase(metric(row)) for row in cases.rows]


def places(cases: Cases) -> dict[str, tuple[str, ...]]:
    """Levels of support, widest first, with the group of each row."""
    pairs = tuple(f"{d}|{s}" for d, s in zip(cases.keys["device"], cases.keys["stack"], strict=True))
    return {"stack": cases.keys["stack"], "device": pairs, "cell": cases.keys["cell"]}


def seen_groups(cases: Cases, weight: np.ndarray) -> dict[str, frozenset[str]]:
    """Level → groups among the rows with weight, and "phase level" → those of one phase where the rows tell of
    both."""
    told, found = phases(cases), {}
    for level, keys in places(cases).items():
        used = [(t, key) for t, key, w in zip(told, keys, weight, strict=True) if w > 0 and key]
        found[level] = frozenset(key for _, key in used)
        if len(set(told)) > 1:
            for name in sorted(set(told)):
                found[f"{name} {level}"] = frozenset(key for t, key in used if t == name)
    return found


def anchors(cases: Cases, weight: np.ndarray) -> frozenset[str]:
    """The anchors among the rows with weight."""
    return frozenset(name for name, w in zip(cases.anchor, weight, strict=False) if w > 0 and name)


@dataclass(frozen=True, slots=True)
class Withheld:
    """Predictions of rows whose whole source or device took no part in the fit.

    scheme     "source" or "device" (or "model" where there is but one source)
    rows       indices into the cases
    ratio      log of measured over predicted; NaN where the rest allows no prediction
    support    how well the rest supported each row
    """

    scheme: str
    rows: np.ndarray
    ratio: np.ndarray
    support: np.ndarray


def cross_validate(job: Fitting) -> list[Withheld]:
    """Refit without each source, without each device and, where one source is all there is, without each model:
    from nothing each time, since a start that has seen the withheld rows may remember them."""
    cases = job.cases
    lone = len(set(withheld_names(cases, "source")[job.weight > 0])) < 2
    schemes = {scheme: withheld_names(cases, scheme) for scheme in ("model" if lone else "source", "device")}
    found = []
    for scheme, names in schemes.items():
        rows, ratios, supports = [], [], []
        for name in sorted(set(names[job.weight > 0])):
            out = names == name
            left = np.where(out, 0.0, job.weight)
            refit = job.solve(left, FOLD_STEPS, FOLD_TOLERANCE)
            judged = np.flatnonzero(out & (job.weight > 0))
            rows.append(judged)
            ratio = np.where(cases.held(anchors(cases, left)), job.target - job.predict(refit, left), np.nan)
            ratios.append(ratio[judged])
            supports.append(support(cases, left)[judged])
        if rows:
            found.append(Withheld(scheme, np.concatenate(rows), np.concatenate(ratios), np.concatenate(supports)))
    return found


def withheld_names(cases: Cases, scheme: str) -> np.ndarray:
    """What is left out together: the source, model or device of each row."""
    if scheme == "device":
        return np.array(cases.keys["device"])
    return np.array([row.get(f"{scheme}_key" if scheme == "source" else f"{scheme}_id", "") for row in cases.rows])


def metric(row: Row) -> str:
    """What was measured; a vLLM breakdown is judged by its total."""
    return row.get("metric") or "engine_total_gib"


def chain(metric: str, regime: str, support: str) -> tuple[str, ...]:
    """Names of the groups a row belongs to, widest first."""
    return "/", f"{metric}/", f"{metric} {regime}/", f"{metric} {regime}/{support}"


def bands(cases: Cases, withheld: Sequence[Withheld], alike: float | None = ALIKE) -> dict[str, Band]:
    """Intervals by "metric regime/support", with an empty part standing for all of it.

    Each group's quantiles lean on those of the wider group around it, with the weight of ``LEAN`` source × device ×
    model groups: measurements of one group are near-duplicates, and few groups say little about the next one. The
    block leans on what all blocks have in common (``alike``; None, for arithmetic without coefficients: on nothing).
    """
    names = groups(cases)
    gathered: dict[str, list[tuple[float, str]]] = {}
    parents: dict[str, str] = {"/": ""}
    for part in withheld:
        for row, ratio, kind in zip(part.rows, part.ratio, part.support, strict=True):
            if not np.isfinite(ratio):
                continue
            keys = chain(metric(cases.rows[row]), cases.regimes[row], str(kind))
            for parent, key in zip(("", *keys), keys, strict=False):
                gathered.setdefault(key, []).append((float(ratio), names[row]))
                parents[key] = parent
    logs: dict[str, tuple[float, float]] = {}
    found = {}
    for key in sorted(gathered, key=lambda key: len(_above(key, parents))):
        ratios, cells = zip(*gathered[key], strict=True)
        low, high = quantiles(np.array(ratios), cells)
        above = logs.get(parents[key], None if alike is None else (-alike, alike))
        if above is not None:
            share = len(set(cells)) / (len(set(cells)) + LEAN)
            low, high = share * low + (1 - share) * above[0], share * high + (1 - share) * above[1]
        logs[key] = low, high
        found[key] = interval(low, high, len(ratios))
    return dict(sorted(found.items()))


def _above(key: str, parents: Mapping[str, str]) -> list[str]:
    found = []
    while parents.get(key):
        key = parents[key]
        found.append(key)
    return found


def quantiles(ratios: np.ndarray, cells: Sequence[str]) -> tuple[float, float]:
    """The middle 80 % of log ratios, a group of n counting like √n; a little wider for few groups."""
    size = Counter(cells)
    weight = np.array([size[cell] ** -0.5 for cell in cells])
    order = np.argsort(ratios, kind="stable")
    rank = (np.cumsum(weight[order]) - weight[order] / 2) / weight.sum()
    tail = max((1 - COVERED) / 2 - 0.5 / (len(size) + 1), 0.004)
    low, high = np.interp([tail, 1 - tail], rank, ratios[order])
    return float(low), float(high)


def interval(low: float, high: float, rows: int) -> Band:
    """The band of two log ratios, never narrower than what rounding in print leaves open."""
    down, up = np.exp(min(low, -np.log(LEAST))), np.exp(max(high, np.log(LEAST)))
    return Band(float(f"{down:.4g}"), float(f"{up:.4g}"), rows)


def block(job: Fitting, found: Found, withheld: Sequence[Withheld], note: str = "") -> Block:
    """What is kept of a fit."""
    cases, used = job.cases, job.weight > 0
    coefficients: Mapping[str, Coefficient] = found.written(job.weight)
    seen = seen_groups(cases, job.weight)
    if cases.anchor:
        seen["anchor"] = anchors(cases, job.weight)
    sources = Counter(row.get("source_key", "") for row, u in zip(cases.rows, used, strict=True) if u)
    roof = job.target - job.domain.roofline(cases)
    around = {**bands(cases, withheld, job.alike), **own_bands(job, found)}
    scale = {}
    for name in sorted({metric(row) for row in cases.rows}):
        mine = used & np.array([metric(row) == name for row in cases.rows]) & np.isfinite(roof)
        if mine.any():
            scale[name] = float(f"{np.exp(np.median(roof[mine])):.4g}")
    return Block(
        cases.block, coefficients, seen, dict(sorted(around.items())), int(used.sum()), dict(sorted(sources.items())),
        digest([row for row, u in zip(cases.rows, used, strict=True) if u]), scale, note=note,
    )  # fmt: skip


def own_bands(job: Fitting, found: Found) -> dict[str, Band]:
    """Intervals where the publisher itself was in the fit: what is left when a user's own machine was measured.

    Residuals of the fit flatter, so their logarithms are stretched by a quarter.
    """
    used = np.flatnonzero(job.weight > 0)
    part = Withheld("fit", used, OWN_STRETCH * (job.target - job.predict(found))[used], np.full(len(used), "own"))
    made = bands(job.cases, [part], None)
    kept = {key: band for key, band in made.items() if key.endswith("/own")}
    return kept | {f"{key}own": band for key, band in made.items() if key.endswith("/") and " " not in key}


def digest(rows: Sequence[Row]) -> str:
    """A hash of measurements, whatever their order."""
    lines = sorted(json.dumps(dict(row), sort_keys=True, ensure_ascii=False) for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Score:
    """Errors of a set of predictions; ratios are of measured over predicted.

    ape_median, ape_mean, ape_p90   absolute percentage error, |predicted − measured| / measured
    bias          median of predicted / measured − 1
    coverage      share of measurements inside the interval
    width         median of high / low
    macro         mean over (source × device) of the medians
    """

    n: int
    ape_median: float
    ape_mean: float
    ape_p90: float
    bias: float
    macro: float
    coverage: float = float("nan")
    width: float = float("nan")


def score(
    ratio: np.ndarray, cells: Sequence[str], low: np.ndarray | None = None, high: np.ndarray | None = None
) -> Score:
    """Errors from log ratios of measured over predicted; ``low`` and ``high`` are the interval's log ratios."""
    off = np.expm1(-ratio)
    errors = np.abs(off)
    names = np.array(cells)
    macro = float(np.mean([np.median(errors[names == name]) for name in sorted(set(cells))]))
    coverage = width = float("nan")
    if low is not None and high is not None:
        coverage = float(np.mean((ratio >= low) & (ratio <= high)))
        width = float(np.median(np.exp(high - low)))
    return Score(
        len(ratio), float(np.median(errors)), float(np.mean(errors)), float(np.quantile(errors, 0.9)),
        float(np.median(off)), macro, coverage, width,
    )  # fmt: skip


def crossed(cases: Cases, part: Withheld, alike: float | None = ALIKE) -> list[Band]:
    """For every withheld row the interval made from the withheld rows of other groups: sources (or devices)
    that this row has no share in, so that coverage is judged on what the interval has not seen."""
    names = withheld_names(cases, part.scheme)[part.rows]
    found: list[Band | None] = [None] * len(part.rows)
    for name in sorted(set(names)):
        rest = names != name
        others = Withheld(part.scheme, part.rows[rest], part.ratio[rest], part.support[rest])
        made = Block("", {}, bands=bands(cases, [others], alike)) if rest.any() else Block("", {})
        for i in np.flatnonzero(~rest):
            row = part.rows[i]
            found[i] = made.band(metric(cases.rows[row]), cases.regimes[row], str(part.support[i]))
    return [band or Band(0.5, 2.0) for band in found]

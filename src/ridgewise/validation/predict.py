"""Predict measured rows with the coefficients that are kept, and compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ridgewise.evidence import Table
from ridgewise.serving.setup import UNSURE, tier_of
from ridgewise.timing.coefficients import Band, Block
from ridgewise.validation import judge
from ridgewise.validation.domain import Cases, Domain, predicted
from ridgewise.validation.domains import domain_of

BASELINES = ("datasheet roofline", "constant efficiency")


@dataclass(frozen=True, slots=True)
class Prediction:
    """One row: what was measured, what was predicted, in the row's own unit.

    predicted, low, high   NaN where the row cannot be predicted; ``reason`` then says why
    """

    row_id: str
    measured: float
    predicted: float
    low: float
    high: float
    tier: str
    reason: str
    metric: str
    regime: str
    cell: str
    scored: bool
    baselines: Mapping[str, float]


def from_block(domain: Domain, cases: Cases, block: Block | None) -> tuple[np.ndarray, list[str], list[Band]]:
    """Log predictions of the cases with a kept block, how well it supports each, and the interval's ratios."""
    count = len(cases.rows)
    keys = [{level: column[i] for level, column in cases.keys.items()} for i in range(count)]
    columns: dict[str, np.ndarray] = {}
    for spec in domain.specs(cases.block):
        kept = block.coefficients.get(spec.name) if block else None
        columns[spec.name] = np.array([kept.at(key) if kept else spec.prior for key in keys])
    found = predicted(domain, cases, columns)
    supports, bands = [], []
    for i, key in enumerate(keys):
        metric = judge.metric(cases.rows[i])
        support = block.support(key, metric) if block else "none"
        supports.append(support)
        bands.append(block.band(metric, cases.regimes[i], support) if block else Band(0.33, 3.0))
    return found, supports, bands


def predict(table: Table, blocks: Mapping[str, Block], configs: Path | None = None) -> list[Prediction]:
    """Every row of a table, once, in order. What senseless conditions divide by zero has no prediction."""
    with np.errstate(all="ignore"):
        return _predict(table, blocks, configs)


def _predict(table: Table, blocks: Mapping[str, Block], configs: Path | None) -> list[Prediction]:
    domain = domain_of(table.kind.name)
    ready = domain.prepare(table.rows, table.kind.name, configs)
    found: dict[int, Prediction] = {}
    loose: dict[int, str] = {}
    for cases in ready.cases:
        block = blocks.get(cases.block)
        held = cases.held(block.seen.get("anchor", frozenset()) if block else frozenset())
        for lost in np.flatnonzero(~held):
            name = cases.anchor[lost]
            loose[int(cases.place[lost])] = f"no run of {name} was measured, and its work cannot be counted"
        logs, supports, bands = from_block(domain, cases, block)
        roof = domain.roofline(cases)
        cells = judge.groups(cases)
        for i, place in enumerate(cases.place):
            row = cases.rows[i]
            assumed = bool(len(cases.assumed) and cases.assumed[i])
            value, wider = float(np.exp(logs[i])), UNSURE if assumed else 1.0
            metric = judge.metric(row)
            scale = block.scale.get(metric, 1.0) if block else 1.0
            base = float(np.exp(roof[i]))
            good = bool(np.isfinite(value)) and value > 0
            found[int(place)] = Prediction(
                table.row_id(int(place)), judge.figure(row),
                value if good else float("nan"),
                value * bands[i].low / wider, value * bands[i].high * wider,
                ("assumed" if assumed else tier_of(block, cases.keys["cell"][i], metric, supports[i])) if good else "",
                "" if good else "unsupported: a figure of the device that enters is not in the catalogue",
                metric, cases.regimes[i], cells[i], row.get("use", "score") == "score",
                dict(zip(BASELINES, (base, base * scale), strict=True)),
            )  # fmt: skip
    reasons = {**loose, **ready.unsupported, **_other_units(table)}
    return [_without(table, i, reasons) if i in reasons or i not in found else found[i] for i in range(len(table.rows))]


def _other_units(table: Table) -> dict[int, str]:
    """Rows in another unit than their metric's: a prediction beside them would compare two things."""
    wanted = table.kind.metrics
    return {
        i: f"{row['metric']} in {row['unit']!r} instead of {wanted[row['metric']]!r}"
        for i, row in enumerate(table.rows)
        if row.get("unit") and row.get("metric", "") in wanted and row["unit"] != wanted[row["metric"]]
    }


def _without(table: Table, place: int, reasons: Mapping[int, str]) -> Prediction:
    row, nan = table.rows[place], float("nan")
    return Prediction(
        table.row_id(place), judge.figure(row), nan, nan, nan, "",
        f"unsupported: {reasons.get(place, 'no rule for it')}", judge.metric(row), "", "",
        row.get("use", "score") == "score", {},
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Regime:
    """Errors of one metric in one regime."""

    regime: str
    metric: str
    n: int
    n_predicted: int
    score: judge.Score | None
    baselines: Mapping[str, float]


def compared(rows: Sequence[Prediction]) -> list[Regime]:
    """Errors of the scored rows by metric and regime, after one line per metric over all of its regimes."""
    scored = [row for row in rows if row.scored and np.isfinite(row.measured) and row.measured > 0]
    found = []
    for metric in sorted({row.metric for row in scored}):
        mine = [row for row in scored if row.metric == metric]
        found.append(_regime("all", metric, mine))
        regimes = sorted({row.regime for row in mine if row.regime})
        if len(regimes) > 1:
            found += [_regime(regime, metric, [row for row in mine if row.regime == regime]) for regime in regimes]
    return found


def _regime(regime: str, metric: str, rows: Sequence[Prediction]) -> Regime:
    good = [row for row in rows if np.isfinite(row.predicted)]
    if not good:
        return Regime(regime, metric, len(rows), 0, None, {})

    def ratio(of: Callable[[Prediction], float]) -> np.ndarray:
        found: np.ndarray = np.log(np.array([row.measured / of(row) for row in good]))
        return found

    low = np.log(np.array([row.low / row.predicted for row in good]))
    high = np.log(np.array([row.high / row.predicted for row in good]))
    made = judge.score(ratio(lambda row: row.predicted), [row.cell for row in good], low, high)
    baselines = {}
    for name in BASELINES:
        errors = [abs(row.baselines[name] / row.measured - 1) for row in good if np.isfinite(row.baselines[name])]
        if errors:
            baselines[name] = float(np.median(errors))
    return Regime(regime, metric, len(rows), len(good), made, baselines)


def withheld(job: judge.Fitting, parts: Sequence[judge.Withheld]) -> dict[str, list[Regime]]:
    """Errors of rows whose source or device was left out, with the interval the other rows gave, by scheme."""
    cases = job.cases
    roof = job.domain.roofline(cases)
    cells = judge.groups(cases)
    found: dict[str, list[Regime]] = {}
    for part in parts:
        limits = judge.crossed(cases, part, job.alike)
        names = judge.withheld_names(cases, part.scheme)
        rows = []
        for i, ratio, limit in zip(part.rows, part.ratio, limits, strict=True):
            measured = float(np.exp(job.target[i]))
            value = measured / float(np.exp(ratio))
            base = float(np.exp(roof[i]))
            rows.append(
                Prediction(
                    "", measured, value, value * limit.low, value * limit.high, "", "",
                    judge.metric(cases.rows[i]), cases.regimes[i], cells[i], True,
                    dict(zip(BASELINES, (base, base * _scale(job, roof, names, i)), strict=True)),
                )
            )  # fmt: skip
        found[part.scheme] = compared(rows)
    return found


def _scale(job: judge.Fitting, roof: np.ndarray, names: np.ndarray, row: int) -> float:
    """Median of measured over roofline among the rows that were not left out with this one: the best constant
    efficiency, without what the fit did without. ``names``: what is left out together."""
    metric = judge.metric(job.cases.rows[row])
    alike = np.array([judge.metric(r) == metric for r in job.cases.rows])
    ratios = (job.target - roof)[alike & (names != names[row]) & (job.weight > 0) & np.isfinite(roof)]
    return float(np.exp(np.median(ratios))) if len(ratios) else 1.0

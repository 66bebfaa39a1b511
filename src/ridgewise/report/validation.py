"""What ``validate`` answers: errors by regime beside the baselines, as a document and for people."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ridgewise.units import digits, duration
from ridgewise.validation.predict import BASELINES, Prediction, Regime

#: Columns of text where the output is no terminal.
WIDTH = 120
#: Columns a narrow terminal goes without.
WIDE, SPARED = 112, ("macro", "p90", "bias", "constant")
COLUMNS = ("row_id", "measured", "predicted", "low", "high", "tier", "reason")


@dataclass(frozen=True, slots=True)
class RegimeDocument:
    """Errors of one metric in one regime; ratios, so 0.12 is 12 %.

    n, n_predicted   rows to score, and those predicted
    bias             median of predicted over measured, less 1
    coverage_80      share of measurements inside the 80 % interval
    interval_width   median of high over low
    withheld         what was left out of the fit: "source", "device", "model"; "" with a file of one's own
    """

    regime: str
    metric: str
    n: int
    n_predicted: int
    ape_median: float | None
    ape_mean: float | None
    ape_p90: float | None
    bias: float | None
    coverage_80: float | None
    interval_width: float | None
    macro_ape_median: float | None
    baselines: Mapping[str, float]
    withheld: str = ""
    kind: str = ""
    one_source: bool = False


@dataclass(frozen=True, slots=True)
class Totals:
    """All rows together. ``seen``: rows to score of publications that took part in the fit: what is predicted there
    flatters."""

    rows: int
    scored: int
    predicted: int
    share_predicted: float
    coverage_80: float | None
    seen: int = 0


@dataclass(frozen=True, slots=True)
class ValidationDocument:
    """The answer of ``validate``."""

    schema_version: int
    command: str
    totals: Totals
    regimes: tuple[RegimeDocument, ...]


@dataclass(frozen=True, slots=True)
class RunDocument:
    """The answer of ``validate --run``: latency → statistic → seconds, as measured and as simulated."""

    schema_version: int
    command: str
    run: str
    requests: int
    measured: Mapping[str, Mapping[str, float]]
    predicted: Mapping[str, Mapping[str, float]]


def run_table(found: RunDocument) -> None:
    """Measured beside predicted, with the error of each statistic."""
    drawn = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 1))
    for place, title in enumerate(("latency", "", "measured", "predicted", "error")):
        drawn.add_column(title, justify="left" if place < 2 else "right")
    for latency, statistics in found.predicted.items():
        for statistic, value in statistics.items():
            real = found.measured.get(latency, {}).get(statistic)
            error = "" if not real else f"{100 * (value / real - 1):+.0f} %"
            drawn.add_row(
                latency.removesuffix("_s"), statistic, "" if real is None else duration(real), duration(value), error
            )
    console = Console(highlight=False)
    console.print(Text(f"{found.run}: {found.requests:,} requests, simulated from arrivals and lengths", style="bold"))
    console.print(drawn)


def regime_document(found: Regime, kind: str, withheld: str = "", one_source: bool = False) -> RegimeDocument:
    """One line of the answer."""
    s = found.score
    return RegimeDocument(
        found.regime, found.metric, found.n, found.n_predicted,
        s.ape_median if s else None, s.ape_mean if s else None, s.ape_p90 if s else None, s.bias if s else None,
        s.coverage if s else None, s.width if s else None, s.macro if s else None,
        {name.replace(" ", "_"): value for name, value in found.baselines.items()}, withheld, kind, one_source,
    )  # fmt: skip


def totals(rows: int, regimes: Sequence[RegimeDocument], seen: int = 0) -> Totals:
    """Sums over the lines that stand for a whole metric."""
    whole = [r for r in regimes if r.regime == "all" and r.withheld != "device"]  # each row once
    scored, predicted = sum(r.n for r in whole), sum(r.n_predicted for r in whole)
    covered = [(r.coverage_80, r.n_predicted) for r in whole if r.coverage_80 is not None]
    weight = sum(n for _, n in covered)
    coverage = sum(c * n for c, n in covered) / weight if weight else None
    return Totals(rows, scored, predicted, predicted / scored if scored else 0.0, coverage, seen)


def rows_text(rows: Sequence[Prediction]) -> str:
    """Every row as CSV: an empty ``predicted`` where there is none, and why."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        numbers = (row.measured, row.predicted, row.low, row.high)
        cells = ["" if not math.isfinite(n) else f"{n:.{d}g}" for n, d in zip(numbers, (12, 6, 6, 6), strict=True)]
        writer.writerow([row.row_id, *cells, row.tier, row.reason])
    return out.getvalue()


def _per_cent(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{100 * value:.0f} %"


def table(found: ValidationDocument, console: Console | None = None) -> None:
    """The regimes as a table."""
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH, file=console.file)
    drawn = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 1))
    titles = (
        "metric",
        "withheld",
        "rows",
        "median",
        "macro",
        "p90",
        "bias",
        "in 80 %",
        "high/low",
        "roofline",
        "constant",
    )
    held = [title for title in titles if console.width >= WIDE or title not in SPARED]
    for place, title in enumerate(held):
        drawn.add_column(title, justify="left" if place < 2 else "right", no_wrap=True)
    kind = None
    for regime in found.regimes:
        if regime.kind != kind:
            kind = regime.kind
            drawn.add_row(kind, style="bold")
        whole = regime.regime == "all"
        name = f"  {regime.metric}" if whole else f"    {regime.regime}"
        base = [regime.baselines.get(key.replace(" ", "_")) for key in BASELINES]
        width = regime.interval_width
        count = f"{regime.n}" if regime.n == regime.n_predicted else f"{regime.n_predicted} of {regime.n}"
        cells = (
            name, regime.withheld + ("*" if regime.one_source else ""), count,
            _per_cent(regime.ape_median), _per_cent(regime.macro_ape_median), _per_cent(regime.ape_p90),
            _signed(regime.bias), _per_cent(regime.coverage_80),
            "" if width is None or not math.isfinite(width) else digits(width), *map(_per_cent, base),
        )  # fmt: skip
        kept = [cell for cell, title in zip(cells, titles, strict=True) if title in held]
        drawn.add_row(*kept, style="" if whole else "dim")
    console.print(drawn)
    console.print(
        Text("errors are |predicted − measured| / measured: median over rows, mean over source × device (macro)")
    )
    t = found.totals
    share = _per_cent(t.share_predicted)
    console.print(Text(f"{t.predicted:,} of {t.scored:,} rows to score predicted ({share}), {t.rows:,} rows in all"))
    if t.seen:
        console.print(
            Text(
                f"{t.seen:,} of them are of publications that the fit has seen: their errors flatter. "
                "`ridgewise validate` without a file leaves sources and devices out"
            )
        )
    if any(r.one_source for r in found.regimes):
        console.print(Text("* one source: devices and models are left out instead of sources"))


def _signed(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{100 * value:+.0f} %"

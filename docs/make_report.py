"""Writes the page that says how wrong the predictions are, and its plots, from fits of the shipped measurements.

python docs/make_report.py     fits every block anew and leaves out each source and device in turn: minutes
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from make_tables import table

if TYPE_CHECKING:
    from ridgewise.timing.coefficients import Block
    from ridgewise.validation.calibrate import Fitted

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "validation"
BUDGET = ROOT / "tests" / "validation" / "budget.toml"
SHIPPED = ROOT / "src" / "ridgewise" / "catalog" / "calibration" / "shipped"
UNITS = {"tok_s": "tokens/s", "ms": "ms", "mib": "MiB", "gib": "GiB", "gpu": "per device", "watts": "W"}


def fits() -> list[Fitted]:
    """Every block fitted on the shipped measurements, with what withheld rows missed by."""
    from ridgewise.evidence.shipped import shipped
    from ridgewise.validation.calibrate import fit_all, gathered

    return list(fit_all(gathered(shipped()), lambda line: print(line, file=sys.stderr)))


def error_rows(blocks: Iterable[Block], whole: bool = True) -> list[list[str]]:
    """A table row per block, metric and way of withholding; ``whole``: without the single regimes."""
    rows = []
    for block in blocks:
        for key, (n, median, macro, inside, width, roof, constant) in block.errors.items():
            scheme, _, rest = key.partition(" ")
            metric, _, regime = rest.partition(" ")
            if whole and regime != "all":
                continue
            cells = [f"{100 * x:.0f} %" if np.isfinite(x) else "" for x in (median, macro, inside)]
            base = [f"{100 * x:.0f} %" if np.isfinite(x) else "" for x in (roof, constant)]
            wide = f"{width:.2f}" if np.isfinite(width) else ""
            rows.append([block.name, metric, *([] if whole else [regime]), scheme, f"{n:.0f}", *cells, wide, *base])
    return rows


HEADERS = ["block", "metric", "withheld", "rows", "median", "macro", "in 80 %", "high/low", "roofline", "constant"]


def files(made: Sequence[Fitted]) -> dict[Path, str]:
    """Path and text of the block files of the shipped fit, the table of its errors, and the plots."""
    from ridgewise.validation.calibrate import written

    wanted = {SHIPPED / f"{fitted.block.name}.toml": written(fitted.block) for fitted in made}
    wanted[FOLDER / "regimes.md"] = regimes([fitted.block for fitted in made])
    for fitted in made:
        for path, text in plots(fitted):
            wanted[path] = text
    return wanted


def regimes(blocks: Sequence[Block]) -> str:
    """Errors by regime, as a page."""
    headers = [HEADERS[0], HEADERS[1], "regime", *HEADERS[2:]]
    return (
        "# Errors by regime\n\nThe fit of the shipped measurements, refitted without each source (or model, where there"
        " is but one source) and without each device. [How wrong it may be](../how-wrong.md) explains the columns.\n\n"
        + table(headers, error_rows(blocks, whole=False))
    )


def plots(fitted: Fitted) -> Iterable[tuple[Path, str]]:
    """One plot per metric of a block: the first way of withholding."""
    from ridgewise.report.scatter import scatter
    from ridgewise.validation import judge

    if not fitted.withheld:
        return
    job, part = fitted.job, fitted.withheld[0]
    names = np.array([judge.metric(job.cases.rows[i]) for i in part.rows])
    for metric in sorted(set(names)):
        series: dict[str, list[tuple[float, float]]] = {}
        for i, ratio in zip(part.rows[names == metric], part.ratio[names == metric], strict=True):
            value = float(np.exp(job.target[i]))
            if np.isfinite(ratio):
                series.setdefault(job.cases.regimes[i], []).append((value, value / float(np.exp(ratio))))
        unit = next((name for end, name in UNITS.items() if metric.endswith(end)), metric)
        drawn = scatter(f"{fitted.block.name}: {metric}, {part.scheme} left out", unit, dict(sorted(series.items())))
        if drawn:
            yield FOLDER / f"{fitted.block.name}-{metric}.svg", drawn


def budget(blocks: Sequence[Block]) -> str:
    """The most that each block may miss by: what it missed by now, or before on the same measurements if less."""
    before = tomllib.loads(BUDGET.read_text(encoding="utf-8")) if BUDGET.is_file() else {}
    lines = [
        "# Median errors on what was left out, by block: the most a change may leave. Kept by docs/make_report.py; for",
        "# the same measurements (data) a budget only shrinks.",
    ]
    for block in blocks:
        known = before.get(block.name, {})
        same = known.get("errors", {}) if known.get("data") == block.data else {}
        lines += ["", f"[{block.name}]", f'data = "{block.data}"', f"[{block.name}.errors]"]
        for key, numbers in sorted(block.errors.items()):
            if key.endswith(" all"):
                lines.append(f'"{key}" = {min(numbers[1], same.get(key, numbers[1])):g}')
    return "\n".join(lines) + "\n"


def main() -> None:
    made = fits()
    for path, text in {**files(made), BUDGET: budget([fitted.block for fitted in made])}.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

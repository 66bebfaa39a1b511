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
    from ridgewise.validation.predict import Regime

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


def error_rows(blocks: Iterable[Block]) -> list[list[str]]:
    """A table row per block, metric and way of withholding, over all regimes."""
    rows = []
    for block in blocks:
        for key, (n, median, macro, inside, width, roof, constant) in block.errors.items():
            scheme, _, rest = key.partition(" ")
            metric, _, regime = rest.partition(" ")
            if regime != "all":
                continue
            cells = [f"{100 * x:.0f} %" if np.isfinite(x) else "" for x in (median, macro, inside)]
            base = [f"{100 * x:.0f} %" if np.isfinite(x) else "" for x in (roof, constant)]
            wide = f"{width:.2f}" if np.isfinite(width) else ""
            rows.append([block.name, metric, scheme, f"{n:.0f}", *cells, wide, *base])
    return rows


HEADERS = ["block", "metric", "withheld", "rows", "median", "macro", "in 80 %", "high/low", "roofline", "constant"]


def files(made: Sequence[Fitted]) -> dict[Path, str]:
    """Path and text of the block files of the shipped fit, the table of its errors, and the plots."""
    from ridgewise.validation.calibrate import written

    wanted = {SHIPPED / f"{fitted.block.name}.toml": written(fitted.block) for fitted in made}
    wanted[FOLDER / "regimes.md"] = regimes(made)
    for fitted in made:
        for path, text in plots(fitted):
            wanted[path] = text
    return wanted


#: What each block is about, in the words of a reader.
TITLES = {
    "energy": "Power and energy of services",
    "local-cpu": "One user on a processor",
    "local-gpu": "One user on GPUs, llama.cpp and its kin",
    "local-gpu-other": "One user on GPUs, other engines",
    "local-hybrid": "One user, experts in RAM",
    "local-memory": "Memory of llama.cpp",
    "local-npu": "One user on an NPU",
    "matmul": "Matrix products",
    "serving": "Services for many users",
    "training": "Training of language models",
    "training-classic": "Training of encoders, vision and diffusion models",
    "training-memory": "Memory of training",
    "vllm-memory": "Memory of vLLM",
}
REGIMES = """# Errors by regime

Every number here was made without the measurements it is judged on: a whole publication (*source*), a whole *device*
or, where one publication is all there is, a whole *model* is left out, everything is fitted anew from nothing, and the
rows left out are predicted. So it says what to expect of a device or a set-up that nobody here has measured; those that
were are predicted better.

| column | meaning |
| --- | --- |
| rows | measurements predicted |
| median, mean, p90 | of the absolute error, `|predicted − measured| / measured` |
| bias | median of `predicted / measured − 1`: above zero the prediction is the larger one |
| macro | mean over source × device of the medians, so that one diligent publisher does not decide |
| in 80 % | share of the measurements inside the interval that the *other* sources or devices gave; 80 % is right |
| high/low | median width of that interval |
| roofline, constant | median error of the datasheet roofline, and of it times a constant fitted to the rest |

In the plots a dot on the line is right; the dashed lines are a factor of two. Colours are regimes.
This is the fit of the measurements that ship with Ridgewise and that anyone can repeat (`ridgewise validate`); the
shipped calibration also rests on some that may not be passed on: [How wrong it may be](../how-wrong.md).
"""


def regimes(made: Sequence[Fitted]) -> str:
    """Errors by regime with their plots, as a page."""
    return REGIMES + "".join(section(fitted) for fitted in made if fitted.withheld)


def section(fitted: Fitted) -> str:
    """One block: what it rests on, its errors, its plots."""
    from ridgewise.validation.predict import withheld

    block = fitted.block
    found = withheld(fitted.job, fitted.withheld)
    sources = ", ".join(f"{name} ({rows:,})" for name, rows in sorted(block.sources.items(), key=lambda x: -x[1]))
    alone = "" if "source" in found else " One publication is all there is: whole models are left out instead."
    rows = [
        [regime.metric, regime.regime, scheme, *_numbers(regime)]
        for scheme, list_of in found.items()
        for regime in list_of
        if regime.score is not None
    ]
    headers = ("metric", "regime", "withheld", "rows", "median", "mean", "p90", "bias", "macro", "in 80 %", "high/low",
               "roofline", "constant")  # fmt: skip
    pictures = "".join(f"![{path.stem}]({path.name}){{ width=45% }}\n" for path, _ in plots(fitted))
    return (
        f"\n## {TITLES.get(block.name, block.name)} (`{block.name}`)\n\n"
        f"{block.rows:,} measurements from {sources}.{alone}\n\n{table(headers, rows)}\n{pictures}"
    )


def _numbers(regime: Regime) -> list[str]:
    """The cells of a regime's errors."""
    from ridgewise.validation.predict import BASELINES

    s = regime.score
    assert s is not None
    of = f"{regime.n_predicted:,}" + (f" of {regime.n:,}" if regime.n > regime.n_predicted else "")
    base = [regime.baselines.get(name, float("nan")) for name in BASELINES]
    percent = [f"{100 * x:.0f} %" for x in (s.ape_median, s.ape_mean, s.ape_p90)]
    return [
        of, *percent, f"{100 * s.bias:+.0f} %", f"{100 * s.macro:.0f} %", f"{100 * s.coverage:.0f} %",
        f"{s.width:.2f}", *(f"{100 * x:.0f} %" if np.isfinite(x) else "" for x in base),
    ]  # fmt: skip


def plots(fitted: Fitted) -> Iterable[tuple[Path, str]]:
    """One plot per metric of a block: the first way of withholding."""
    from ridgewise.report.charts.scatter import scatter
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

"""Fit every block from nothing but measurements and the catalogue, and write what is kept of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ridgewise.errors import RequestError
from ridgewise.evidence import KINDS, Row, Table, read_table
from ridgewise.timing.coefficients import Block
from ridgewise.validation import judge
from ridgewise.validation.domains import DOMAINS
from ridgewise.validation.predict import BASELINES, withheld
from ridgewise.validation.steady import steadily

#: Most digits of a kept number: further ones are below the doubt of any of them, and differ between machines.
DIGITS = 5


@dataclass(frozen=True, slots=True)
class Fitted:
    """A block with the fit it was made from."""

    job: judge.Fitting
    block: Block
    withheld: tuple[judge.Withheld, ...]


def extra_tables(folder: Path, said: Callable[[str], None] = lambda _: None) -> list[Table]:
    """Every table of measurements below a folder, in the order of their paths; other CSV files are left aside, and
    said to be."""
    if not folder.is_dir():
        raise RequestError("is no folder of measurements", str(folder))
    found = []
    for path in sorted(folder.rglob("*.csv")):
        try:
            found.append(read_table(path))
        except RequestError as error:
            if "none of the measurement schemas" not in error.what:
                raise
            said(f"left aside, no table of measurements: {path}")
    return found


def gathered(tables: Sequence[Table]) -> dict[str, tuple[Row, ...]]:
    """Rows by kind; a row that stands in several tables counts once. Order does not depend on the tables'."""
    found: dict[str, dict[tuple[str, ...], Row]] = {name: {} for name in KINDS}
    for table in tables:
        for i, row in enumerate(table.rows):
            identity = (row.get("source_key", ""), table.row_id(i), row.get("metric", ""))
            if table.kind.name == "matmul":
                identity = (row["device_id"], row["precision"], row["value"])
            found[table.kind.name].setdefault(identity, row)
    return {name: tuple(rows[key] for key in sorted(rows)) for name, rows in found.items()}


def fit_all(
    rows: Mapping[str, Sequence[Row]],
    said: Callable[[str], None] = lambda _: None,
    only: Sequence[str] = (),
    cross: bool = True,
) -> Iterator[Fitted]:
    """Every block, its intervals from sources and devices left out; the same digits wherever it runs."""
    tasks = [
        (name, kind, tuple(rows[kind]), cross)
        for name, domain in DOMAINS.items()
        if not only or name in only
        for kind in domain.kinds
        if rows.get(kind)
    ]
    for made in steadily(_fits, tasks):
        for fitted in made:
            said(f"{fitted.block.name}: {fitted.block.rows} measurements, {len(fitted.job.plan.names)} unknowns")
            yield fitted


def _fits(task: tuple[str, str, Sequence[Row], bool]) -> list[Fitted]:
    name, kind, rows, cross = task
    domain = DOMAINS[name]
    return [_fitted(judge.fitting(domain, cases), cross) for cases in domain.prepare(rows, kind).cases]


def _fitted(job: judge.Fitting, cross: bool) -> Fitted:
    found = job.solve()
    parts = tuple(judge.cross_validate(job)) if cross else ()
    made = replace(judge.block(job, found, parts), errors=errors(job, parts))
    return Fitted(job, made, parts)


def errors(job: judge.Fitting, parts: Sequence[judge.Withheld]) -> dict[str, tuple[float, ...]]:
    """Errors of withheld rows, as a block keeps them."""
    found = {}
    for scheme, regimes in withheld(job, parts).items():
        for regime in regimes:
            s = regime.score
            if s is not None:
                base = [regime.baselines.get(name, float("nan")) for name in BASELINES]
                numbers = (s.ape_median, s.macro, s.coverage, s.width, *base)
                key = " ".join(filter(None, (scheme, regime.metric, regime.regime)))
                found[key] = (float(regime.n_predicted), *(float(f"{x:.3g}") for x in numbers))
    return found


def written(block: Block) -> str:
    """A block as a readable TOML file."""
    lines = [
        f"# {block.name}: fitted on {block.rows} measurements; made by `ridgewise calibrate`, not by hand.",
        "# coefficients: value, doubt (standard deviation of its logarithm), bounds, spread of each level, and per",
        "# level the groups as [factor, doubt, measurements]. bands: measured over predicted within [low, high] for",
        '# 80 % of the measurements of sources and devices left out, by "metric regime/support", with their number.',
        f"rows = {block.rows}",
        f'data = "{block.data}"',
        "",
        "[sources]",
        *(f"{_key(name)} = {count}" for name, count in block.sources.items()),
        "",
        "[scale]",
        *(f"{_key(name)} = {_number(value)}" for name, value in block.scale.items()),
        "",
        "[bands]",
        *(f"{_key(k)} = [{_number(b.low)}, {_number(b.high)}, {b.rows}]" for k, b in sorted(block.bands.items())),
    ]
    lines += ["", "[errors]"]
    lines += [f"{_key(k)} = [{', '.join(map(_number, numbers))}]" for k, numbers in sorted(block.errors.items())]
    for name, coefficient in sorted(block.coefficients.items()):
        lines += ["", f"[coefficients.{_key(name)}]", f"value = {_number(coefficient.value)}"]
        lines.append(f"doubt = {_number(coefficient.doubt)}")
        lines.append(f"low = {_number(coefficient.low)}")
        if math.isfinite(coefficient.high):
            lines.append(f"high = {_number(coefficient.high)}")
        if coefficient.spreads:
            spreads = ", ".join(f"{_key(level)} = {_number(s)}" for level, s in sorted(coefficient.spreads.items()))
            lines.append(f"spreads = {{ {spreads} }}")
        for level, groups in sorted(coefficient.levels.items()):
            lines += ["", f"[coefficients.{_key(name)}.levels.{_key(level)}]"]
            lines += [
                f"{_key(group)} = [{_number(d.factor)}, {_number(d.doubt)}, {d.rows}]"
                for group, d in sorted(groups.items())
            ]
    lines += ["", "[seen]"]
    for level, seen in sorted(block.seen.items()):
        lines += [f"{_key(level)} = [", *(f"  {_text(group)}," for group in sorted(seen)), "]"]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    plain = name and all(c.isascii() and (c.isalnum() or c in "_-") for c in name)
    return name if plain else _text(name)


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped) + '"'


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf"
    short = float(f"{value:.{DIGITS}g}")
    return str(int(short)) if short == int(short) and abs(short) < 1e15 else repr(short)

"""What a sweep will be and what came of it, as a document and for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from ridgewise.report.document import SCHEMA_VERSION
from ridgewise.sweep import Grid, Sweep
from ridgewise.sweep.run import manifest
from ridgewise.units import digits, duration

#: Rows and columns of the result that are shown.
ROWS, COLUMNS = 10, 8


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """How much a grid is, before anything is computed."""

    schema_version: int
    command: str
    kind: str
    cases: int
    rows_per_case: int
    rows: int
    parts: int
    folder: str


@dataclass(frozen=True, slots=True)
class SweepDocument:
    """What a sweep left. ``skipped_cases`` could not be, by what forbids them; ``head``: first rows of the result."""

    schema_version: int
    command: str
    kind: str
    grid_hash: str
    catalogue_hash: str
    cases: int
    skipped_cases: dict[str, int]
    skipped_examples: dict[str, str]
    rows_computed: int
    rows_kept: int
    parts: int
    parts_found: int
    elapsed_s: float
    rows_per_s: float
    executor: str
    workers: int
    folder: str
    result: str
    head: tuple[dict[str, Any], ...]


def announced(grid: Grid, folder: Path) -> SweepPlan:
    """The size of a grid."""
    return SweepPlan(SCHEMA_VERSION, "sweep", grid.kind, grid.cases, grid.per_case, grid.rows, grid.parts, str(folder))


def document(grid: Grid, found: Sweep, elapsed: float, executor: str, workers: int) -> SweepDocument:
    """The published form."""
    fresh = found.rows * (found.parts - found.done) / found.parts
    return SweepDocument(
        SCHEMA_VERSION, "sweep", grid.kind, grid.hash, manifest(grid)["catalogue"], grid.cases, dict(found.skipped),
        dict(found.examples), found.rows, found.kept, found.parts, found.done, elapsed, fresh / elapsed, executor,
        workers, str(found.folder), str(found.result), tuple(_head(found.result)),
    )  # fmt: skip


def _head(result: Path) -> list[dict[str, Any]]:
    """The first rows of the result, of the first part that has some."""
    import pyarrow.parquet as pq

    for path in sorted(result.glob("part-*.parquet")) if result.is_dir() else [result]:
        file = pq.ParquetFile(path)
        for batch in file.iter_batches(ROWS):
            if batch.num_rows:
                rows: list[dict[str, Any]] = batch.to_pylist()
                return [{name: _plain(value) for name, value in row.items()} for row in rows]
    return []


def _plain(value: Any) -> Any:
    """A value as JSON has it: what is not known is null."""
    return None if isinstance(value, float) and not np.isfinite(value) else value


def show_plan(found: SweepPlan) -> None:
    """How much a grid is, for people."""
    parts = f"{found.parts:,} part{'s' if found.parts != 1 else ''}"
    Console(highlight=False).print(
        f"{found.cases:,} cases of {found.rows_per_case:,} rows: {found.rows:,} rows in {parts}, into {found.folder}"
    )


def show(found: SweepDocument) -> None:
    """What came of a sweep, for people."""
    console = Console(highlight=False)
    skipped = sum(found.skipped_cases.values())
    again = f", {found.parts_found:,} of {found.parts:,} parts found" if found.parts_found else ""
    console.print(
        f"{found.rows_computed:,} rows of {found.cases - skipped:,} cases in {duration(found.elapsed_s)} "
        f"({digits(found.rows_per_s)} rows/s on {found.executor}{again}); {found.rows_kept:,} kept"
    )
    for place, many in found.skipped_cases.items():
        console.print(f"{many:,} cases cannot be ({place}), such as {found.skipped_examples[place]}")
    if found.head:
        console.print(_table(found.head))
    console.print(f"{found.result}", style="bold")
    source = f"{found.result}/*.parquet" if Path(found.result).is_dir() else found.result
    console.print(f"  duckdb: select * from '{source}'    polars: pl.scan_parquet('{source}')", style="dim")


def _table(head: Sequence[dict[str, Any]]) -> Table:
    """The first columns that vary, or that say the most, of the first rows."""
    names = [name for name in head[0] if name != "row"]
    telling = [name for name in names if len({row[name] for row in head}) > 1] or names
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in telling[:COLUMNS]:
        table.add_column(name, overflow="fold")
    for row in head:
        table.add_row(*(_cell(row[name]) for name in telling[:COLUMNS]))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return "?"
    return digits(value) if isinstance(value, float) else str(value)

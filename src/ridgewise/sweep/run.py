"""A sweep into a folder: a manifest, a file per part, and where rows are reduced one result.

A part is written whole or not at all, so that a sweep killed at any moment goes on with the parts that are missing, and
nothing is lost or doubled. ``parts/`` is a Parquet data set that DuckDB, Polars and pandas read as it is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from ridgewise import __version__
from ridgewise.errors import RequestError
from ridgewise.facts.catalog import catalog_path
from ridgewise.sweep.executors import executor
from ridgewise.sweep.grid import Grid
from ridgewise.sweep.keep import Columns
from ridgewise.sweep.part import ACCOUNT, as_table

MANIFEST, PARTS, RESULT = "manifest.json", "parts", "result.parquet"
#: What a folder's manifest and a grid must agree in, to go on.
SAME = {"ridgewise": "version", "grid": "grid", "catalogue": "catalogue", "part_rows": "size of parts"}
#: Rows that are gathered from parts before they are reduced again.
GATHERED = 1_000_000


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep left: its folder, the file or folder of its rows, and how many.

    rows      computed; ``kept`` of them are in the result
    skipped   cases that cannot be, by what forbids them; ``examples`` of each
    done      parts that were there before
    """

    folder: Path
    result: Path
    rows: int
    kept: int
    parts: int
    done: int
    skipped: Mapping[str, int]
    examples: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Progress:
    """Parts done of all, as a sweep goes on."""

    done: int
    of: int


@cache
def catalogue_hash(*own: str) -> str:
    """What tells this catalogue, calibration and the user's ``own`` folders included, from others."""
    told = sha256()
    for root in (catalog_path(), *map(Path, own)):
        for path in sorted(path for path in root.rglob("*") if path.suffix in (".toml", ".json", ".csv")):
            told.update(str(path.relative_to(root)).encode())
            told.update(path.read_bytes())
    return told.hexdigest()


def manifest(grid: Grid) -> dict[str, Any]:
    """What a folder must say to hold the parts of a grid."""
    return {
        "schema_version": 1, "command": "sweep", "ridgewise": __version__, "kind": grid.kind, "seed": grid.seed,
        "grid": grid.hash, "catalogue": catalogue_hash(*filter(None, grid.own.values())),
        "names": {name: list(values) for name, values in grid.names.items()},
        "numbers": {axis.name: axis.size for axis in grid.axes},
        "cases": grid.cases, "rows": grid.rows, "parts": grid.parts, "part_rows": grid.part,
    }  # fmt: skip


def opened(grid: Grid, folder: Path) -> set[int]:
    """Make the folder of a sweep, or find the parts it holds already; RequestError where it is another sweep's."""
    wanted, parts = manifest(grid), folder / PARTS
    try:
        if (folder / MANIFEST).exists():
            held = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            for name, what in SAME.items():
                if not isinstance(held, dict) or held.get(name) != wanted[name]:
                    raise RequestError(f"holds a sweep of another {what}", str(folder), ("another --out",))
        elif folder.exists() and any(folder.iterdir()):
            raise RequestError("is not empty and holds no sweep", str(folder), ("another --out",))
        parts.mkdir(parents=True, exist_ok=True)
        for rest in parts.glob("*.partial"):
            rest.unlink()
        _write(folder / MANIFEST, (json.dumps(wanted, indent=1, ensure_ascii=False) + "\n").encode())
    except (OSError, ValueError) as error:
        raise RequestError(f"cannot be used: {getattr(error, 'strerror', None) or error}", str(folder)) from None
    return {int(path.stem.removeprefix("part-")) for path in parts.glob("part-*.parquet")}


def computed(grid: Grid, folder: Path, on: str, workers: int, address: str = "") -> Generator[Progress, None, None]:
    """Compute the parts that are missing; says after each how many there are."""
    have = opened(grid, folder)
    done = len(have)
    yield Progress(done, grid.parts)
    missing = (number for number in range(grid.parts) if number not in have)
    if done == grid.parts:
        return
    for number, content in executor(on).run(grid, missing, workers, address):
        _write(folder / PARTS / f"part-{number:07d}.parquet", content)
        done += 1
        yield Progress(done, grid.parts)


def swept(grid: Grid, folder: Path, on: str = "serial", workers: int = 1, address: str = "") -> Sweep:
    """The whole sweep, without a word between."""
    before = len(opened(grid, folder))
    for _ in computed(grid, folder, on, workers, address):
        pass
    return finished(grid, folder, before)


def finished(grid: Grid, folder: Path, before: int = 0) -> Sweep:
    """Account for every part and, where rows are reduced, reduce what the parts left to one file."""
    import pyarrow.parquet as pq

    rows = kept = 0
    skipped: dict[str, int] = {}
    examples: dict[str, str] = {}
    files = sorted((folder / PARTS).glob("part-*.parquet"))
    for path in files:
        told = pq.read_metadata(path)
        account = json.loads(told.metadata[ACCOUNT])
        rows, kept = rows + account["rows"], kept + told.num_rows
        for place, many in account["skipped"].items():
            skipped[place] = skipped.get(place, 0) + many
        examples = {**account["examples"], **examples}
    result = folder / PARTS
    if grid.keep.reduces:
        result = folder / RESULT
        kept = _reduced(grid, files, result)
    return Sweep(folder, result, rows, kept, grid.parts, before, dict(sorted(skipped.items())), examples)


def _reduced(grid: Grid, files: list[Path], result: Path) -> int:
    """One file of what the parts left, reduced as it is gathered; how many rows it has."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    waiting: list[Any] = []
    for path in files:
        waiting.append(pq.read_table(path))
        if len(waiting) > 1 and sum(table.num_rows for table in waiting) > GATHERED:
            rows, words = _columns(waiting)
            waiting = [as_table(grid.keep.reduced(rows), words)]
    rows, words = _columns(waiting)
    table = as_table(grid.keep.finished(rows), words)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    _write(result, bytes(sink.getvalue()))
    return int(table.num_rows)


def _columns(tables: list[Any]) -> tuple[Columns, dict[str, list[str]]]:
    """The columns of several tables, words as places in one list."""
    import pyarrow as pa

    whole = pa.concat_tables([table.replace_schema_metadata(None) for table in tables]).unify_dictionaries()
    rows, words = {}, {}
    for name in whole.column_names:
        column = whole[name].combine_chunks()
        if pa.types.is_dictionary(column.type):
            column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
            words[name], column = column.dictionary.to_pylist(), column.indices
        rows[name] = np.asarray(column)
    return rows, words


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and before it counts on the disk."""
    scratch = path.with_name(f"{path.name}.partial")
    try:
        with scratch.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        scratch.replace(path)
    except OSError as error:
        raise RequestError(f"cannot be written: {error.strerror}", str(path)) from None

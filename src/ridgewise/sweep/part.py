"""One part of a sweep: its rows computed box by box, what is kept of them, as the bytes of a Parquet file.

The unit that is handed to an executor and written to disk: the same bytes wherever it is computed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ridgewise.errors import RequestError
from ridgewise.sweep.axes import boxes, columns
from ridgewise.sweep.grid import Grid
from ridgewise.sweep.keep import ROW, Columns

#: Rows up to which cases are computed side by side.
FEW = 64
#: Rows of a row group.
GROUP = 131_072
#: Where a part's own account stands in its file.
ACCOUNT = b"ridgewise"


@dataclass(slots=True)
class Words:
    """Columns of words as numbers: the place of each word among those seen."""

    seen: dict[str, dict[str, int]] = field(default_factory=dict)

    def code(self, column: str, words: str | Sequence[str]) -> np.ndarray:
        """The place of a word, or of a word for each of several cases, as a column of shape (cases, 1)."""
        known = self.seen.setdefault(column, {})
        if isinstance(words, str):
            return np.asarray(known.setdefault(words, len(known)))
        return np.array([[known.setdefault(word, len(known))] for word in words])


def part_bytes(grid: Grid, number: int) -> bytes:
    """A part as a Parquet file that also says how many rows there were and which cases could not be."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    words, account = Words(), Account()
    found = [_empty(grid), *_computed(grid, number, words, account)]
    whole = {name: np.concatenate([rows[name] for rows in found]) for name in found[0]}
    kept = grid.keep.shown(grid.keep.reduced(whole))
    table = as_table(kept, {name: list(words.seen.get(name, ())) for name in grid.does.WORDS})
    sink = pa.BufferOutputStream()
    pq.write_table(
        table.replace_schema_metadata({ACCOUNT: account.text()}), sink, compression="zstd", row_group_size=GROUP
    )
    return bytes(sink.getvalue())


def _wanted(grid: Grid) -> list[str]:
    """The columns of a part before it is reduced, in the order in which they are written."""
    drawn = ("draw",) if any(axis.name == "draw" for axis in grid.axes) else ()
    needed = grid.keep.needed
    return [name for name in (*grid.does.COLUMNS, *drawn) if not needed or name in needed]


def _empty(grid: Grid) -> Columns:
    """No rows, of the types that rows have."""
    whole = {ROW: np.int64, "fits": np.bool_} | dict.fromkeys(grid.does.WORDS, np.int64)
    return {name: np.zeros(0, dtype=whole.get(name, np.float64)) for name in (ROW, *_wanted(grid))}


@dataclass(slots=True)
class Account:
    """What became of the rows of a part: how many were computed, and of cases that cannot be, where and how many."""

    rows: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def skip(self, case: Mapping[str, Any], error: RequestError) -> None:
        place = error.where or "case"
        self.skipped[place] += 1
        self.examples.setdefault(place, f"{case['model']} on {case['hardware']}: {error.what}")

    def text(self) -> str:
        told = {"rows": self.rows, "skipped": dict(sorted(self.skipped.items())), "examples": self.examples}
        return json.dumps(told, ensure_ascii=False, sort_keys=True)


def _computed(grid: Grid, number: int, words: Words, account: Account) -> Iterator[Columns]:
    """The rows of a part that pass."""
    begin, per_case = number * grid.part, grid.per_case
    end = min(begin + grid.part, grid.rows)
    ready: list[tuple[int, Any]] = []
    for place in range(begin // per_case, -(-end // per_case)):
        case, before = grid.case(place), place * per_case
        try:
            found = grid.does.prepared(case, grid.settings)
        except RequestError as error:
            if before >= begin:  # else the part in which the case begins has told
                account.skip(case, error)
            continue
        if per_case <= FEW and grid.part % per_case == 0 and hasattr(grid.does, "together"):
            ready.append((before, found))
            continue
        for box in boxes(grid.shape, max(begin - before, 0), min(end - before, per_case)):
            account.rows += box.rows
            row = np.arange(before + box.begin, before + box.begin + box.rows).reshape(box.shape)
            yield _rows(grid, found, columns(grid.axes, box), row, words)
    if ready:
        account.rows += len(ready) * per_case
        yield _side_by_side(grid, ready, words)


def _side_by_side(grid: Grid, ready: Sequence[tuple[int, Any]], words: Words) -> Columns:
    """Cases of few rows each: those that can be are computed as one, case by case below each other."""
    (whole,) = boxes(grid.shape, 0, grid.per_case)
    wide = {name: np.broadcast_to(column, whole.shape) for name, column in columns(grid.axes, whole).items()}
    numbers = {name: column.reshape(1, -1) for name, column in wide.items()}
    found = []
    for places, cases in grid.does.together([case for _, case in ready]):  # type: ignore[attr-defined]
        row = np.array([[ready[place][0]] for place in places]) + np.arange(grid.per_case)
        found.append(_rows(grid, cases, numbers, row, words))
    rows = {name: np.concatenate([some[name] for some in found]) for name in found[0]}
    order = np.argsort(rows[ROW])
    return {name: column[order] for name, column in rows.items()}


def _rows(grid: Grid, ready: Any, numbers: Columns, row: np.ndarray, words: Words) -> Columns:
    """The rows that pass, of numbers that broadcast to the shape of their places ``row``."""
    found = {**grid.does.computed(ready, numbers, grid.keep.needed), "draw": numbers.get("draw", 0.0), ROW: row}
    found |= {column: numbers[name] for name, (column, *_) in grid.does.NUMBERS.items()}
    looked_at = {condition.column for condition in grid.keep.where}
    mask = grid.keep.passing({name: np.broadcast_to(_column(found[name]), row.shape) for name in looked_at})
    rows: Columns = {}
    for name in (ROW, *_wanted(grid)):
        value = words.code(name, found[name]) if name in grid.does.WORDS else found[name]
        wide = np.broadcast_to(value, row.shape)
        rows[name] = wide.ravel() if mask is None else wide[mask]
    return rows


def _column(values: Any) -> Any:
    """Words of several cases as a column."""
    return np.array(values)[:, np.newaxis] if isinstance(values, list) else values


def as_table(rows: Columns, words: Mapping[str, list[str]]) -> Any:
    """Columns as an Arrow table, words by dictionary."""
    import pyarrow as pa

    made = {}
    for name, column in rows.items():
        if name in words:
            made[name] = pa.DictionaryArray.from_arrays(
                pa.array(column, pa.int32()), pa.array(words[name], pa.string())
            )
        else:
            made[name] = pa.array(np.ascontiguousarray(column))
    return pa.table(made)

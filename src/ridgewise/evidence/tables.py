"""Tables of measurements: one schema per kind, recognised by its header.

Every row is one printed figure with its conditions. A cell is kept as printed; an empty cell is unknown,
not zero. Reading is bounded, and what is malformed is named by line and column.
"""

from __future__ import annotations

import csv
import io
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ridgewise.errors import RequestError, nearest
from ridgewise.facts.catalog import read_bytes

Row = Mapping[str, str]

#: Most bytes and rows of one table, and most characters of one cell.
LIMIT, ROWS, CELL = 256 << 20, 1_000_000, 1 << 16


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of measurement.

    signature   columns that tell this kind from the others
    required    columns without which a row says nothing
    metrics     metric → unit; empty: the table is wide, one column per figure
    figures     columns that hold measured figures, which no prediction may read
    """

    name: str
    about: str
    signature: tuple[str, ...]
    required: tuple[str, ...]
    metrics: Mapping[str, str]
    figures: tuple[str, ...] = ("value",)


_LOCAL = {"prefill_tok_s": "tok/s", "decode_tok_s": "tok/s", "output_tok_s": "tok/s"}
_SERVING = {
    "ttft_ms": "ms",
    "tpot_ms": "ms",
    "itl_ms": "ms",
    "e2e_ms": "ms",
    "output_tok_s": "tok/s",
    "total_tok_s": "tok/s",
    "req_s": "req/s",
    "prefill_tok_s": "tok/s",
}
_TRAINING = {
    "tokens_s_per_gpu": "tokens/s/device",
    "iter_time_s": "s",
    "samples_s": "samples/s total",
    "tflops_per_gpu": "TFLOP/s/device",
    "mfu": "percent",
    "hfu": "percent",
    "minutes_to_train": "min",
    "gpu_hours": "device-hours",
}
_MEMORY = {"model_buffer_mib": "MiB", "kv_buffer_mib": "MiB", "compute_buffer_mib": "MiB"}

#: Most specific first: the first kind whose signature a header holds is the table's kind.
KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "vllm-memory", "memory breakdown of a vLLM start-up log",
            ("activation_gib", "kv_cache_gib"), ("model_id", "precision"), {},
            ("weights_gib_per_gpu", "activation_gib", "non_torch_gib", "cuda_graph_gib", "kv_cache_gib"),
        ),
        Kind(
            "matmul", "best matrix-multiply rate of a device",
            ("theory_tflops", "best_shape_mnk"), ("device_id", "precision", "value"),
            {"matmul_tflops_best_shape": "TFLOP/s/device"},
        ),
        Kind(
            "training-memory", "peak device memory of training",
            ("mem_kind", "micro_batch"), ("metric", "value"), {"peak_mem_gib": "GiB"},
            ("value", "value_gib_low", "value_gib_high", "value_as_printed"),
        ),
        Kind(
            "training", "training speed",
            ("flops_convention_id", "micro_batch"), ("metric", "value"), _TRAINING, ("value", "value_as_printed"),
        ),
        Kind(
            "local-memory", "buffers of a llama.cpp load log",
            ("placement", "per_device"), ("metric", "value"), _MEMORY, ("value", "per_device"),
        ),
        Kind(
            "energy", "power and energy of serving",
            ("power_scope", "load"), ("metric", "value"), {"watts": "W", "joules_per_token": "J/token"},
        ),
        Kind("serving", "latency and throughput of serving", ("load", "tp"), ("metric", "value"), _SERVING),
        Kind(
            "local", "single-user speed",
            ("compute_unit", "parallelism"), ("metric", "value"), _LOCAL, ("value", "stdev"),
        ),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one file, in order."""

    kind: Kind
    rows: tuple[Row, ...]
    place: str = ""

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def row_id(self, index: int) -> str:
        """The row's own id; its number (from 1) where the table has none."""
        return self.rows[index].get("row_id") or str(index + 1)


def kind_of(columns: tuple[str, ...], place: str) -> Kind:
    """The kind whose signature the header holds."""
    held = set(columns)
    for kind in KINDS.values():
        if held.issuperset(kind.signature):
            return kind
    known = [f"{kind.name} ({', '.join(kind.signature)})" for kind in KINDS.values()]
    raise RequestError("the header is none of the measurement schemas", place, tuple(known))


def read_table(path: Path, *, strict: bool = False) -> Table:
    """A CSV file of measurements; RequestError names line and column of what cannot be read.

    ``strict``: a metric or unit that the kind does not know is refused; otherwise the row is kept as it is.
    """
    return parse_table(table_text(path), str(path), strict=strict)


def parse_table(text: str, place: str, *, strict: bool = False) -> Table:
    """The table in ``text``."""
    header, lines = _parsed(text, place)
    kind = kind_of(header, place)
    _holds(header, kind.required, f"a {kind.name} table", place)
    rows: list[Row] = []
    for line, row in lines:
        if len(rows) >= ROWS:
            raise RequestError(f"more than {ROWS:,} rows", place)
        _check(kind, row, f"{place}, line {line}", strict)
        rows.append(row)
    return Table(kind, tuple(rows), place)


def csv_rows(path: Path, required: Sequence[str], most: int = ROWS) -> list[Row]:
    """The rows of a CSV file of another kind that has these columns."""
    header, lines = _parsed(table_text(path), str(path))
    _holds(header, required, "this table", str(path))
    rows = [row for _, row in islice(lines, most + 1)]
    if len(rows) > most:
        raise RequestError(f"more than {most:,} rows", str(path))
    return rows


def table_text(path: Path) -> str:
    """The text of a table; of a packed one (``.gz``) at most the limit is unpacked."""
    content = read_bytes(path, LIMIT)
    if path.suffix == ".gz":
        content = _unpacked(content, str(path))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(f"is not UTF-8 text (byte {error.start})", str(path)) from None


def _unpacked(content: bytes, place: str) -> bytes:
    unpack = zlib.decompressobj(wbits=31)
    try:
        found = unpack.decompress(content, LIMIT + 1)
    except zlib.error:
        raise RequestError("is no gzip file", place) from None
    if len(found) > LIMIT:
        raise RequestError(f"unpacks to more than {LIMIT >> 20} MiB", place)
    if not unpack.eof:
        raise RequestError("ends in the middle: a gzip file cut short", place)
    return found


def _holds(header: tuple[str, ...], required: Sequence[str], what: str, place: str) -> None:
    missing = [name for name in required if name not in header]
    if missing:
        raise RequestError(f"{what} needs a column {missing[0]!r}", place, nearest(missing[0], header))


def _parsed(text: str, place: str) -> tuple[tuple[str, ...], Iterator[tuple[int, Row]]]:
    """The header, and every line with its number as it is asked for."""
    if "\0" in text:
        raise RequestError("holds a NUL character: not a text table", place)
    lines = _lines(text, place)
    _, first = next(lines, (1, []))
    header = tuple(cell.strip() for cell in first)
    if not header:
        raise RequestError("is empty", place)
    double = [name for name in header if header.count(name) > 1]
    if double:
        raise RequestError(f"column {double[0]!r} stands twice", f"{place}, line 1")

    def rows() -> Iterator[tuple[int, Row]]:
        for line, cells in lines:
            if not cells:
                continue
            if len(cells) != len(header):
                raise RequestError(f"{len(cells)} cells under {len(header)} columns", f"{place}, line {line}")
            yield line, dict(zip(header, (cell.strip() for cell in cells), strict=True))

    return header, rows()


def _lines(text: str, place: str) -> Iterator[tuple[int, list[str]]]:
    """Cells by line; no cell longer than the limit."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise RequestError(f"not a CSV table: {error}", f"{place}, line {reader.line_num}") from None
        if any(len(cell) > CELL for cell in cells):
            raise RequestError(f"a cell of more than {CELL:,} characters", f"{place}, line {reader.line_num}")
        yield reader.line_num, cells


def _check(kind: Kind, row: Row, place: str, strict: bool) -> None:
    """The figure is a finite number, and in a strict table in the unit of a known metric."""
    if strict and kind.metrics and "metric" in row:
        metric = row["metric"]
        if metric not in kind.metrics:
            raise RequestError(f"unknown metric {metric!r}", f"{place}, metric", nearest(metric, kind.metrics))
        unit = row.get("unit", "")
        if unit and unit != kind.metrics[metric]:
            raise RequestError(f"{metric} in {unit!r}", f"{place}, unit", (kind.metrics[metric],))
    for column in ("value",) if kind.metrics else kind.figures:
        if row.get(column):
            number(row, column, place)


def number(row: Row, column: str, place: str = "") -> float | None:
    """A cell as a finite number; None where it is empty; RequestError where it is neither."""
    cell = row.get(column, "")
    if cell == "":
        return None
    try:
        value = float(cell)
    except ValueError:
        raise RequestError(f"{cell!r} is not a number", f"{place}, {column}".lstrip(", ")) from None
    if not math.isfinite(value):
        raise RequestError(f"{cell!r} is not a finite number", f"{place}, {column}".lstrip(", "))
    return value

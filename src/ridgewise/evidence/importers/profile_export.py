"""What genai-perf and its successor AIPerf share: statistics by metric, as JSON or as two CSV tables."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from typing import Any

from ridgewise.errors import RequestError
from ridgewise.evidence.importers.reading import Found, at, figures, nothing, parsed, positive, stated

#: metric → ours; both tools' inter-token latency is per request, without the first token.
LATENCIES = {"time_to_first_token": "ttft_ms", "inter_token_latency": "tpot_ms", "request_latency": "e2e_ms"}
RATES = {"output_token_throughput": "output_tok_s", "request_throughput": "req_s"}
STATISTICS = (("avg", "mean"), ("p50", "median"), ("p99", "p99"))
MS = {"ms": 1.0, "s": 1e3, "sec": 1e3, "us": 1e-3, "ns": 1e-6}
NAME = re.compile(r"(?P<name>[\w ]{1,80}?)(?: \((?P<unit>[^()]{1,40})\))?")

Statistics = Mapping[str, Mapping[str, Any]]


def is_json(document: Mapping[str, Any]) -> bool:
    """Whether a document holds metrics as both tools write them."""
    return all(isinstance(at(document, f"{name}.unit"), str) for name in ("request_latency", "request_throughput"))


def is_csv(text: str) -> bool:
    """Whether a text starts with a table of metrics by statistic."""
    return text.startswith(("Metric,avg,min,max", "Metric,Value")) and "Request Throughput" in text


def from_json(text: str, place: str) -> tuple[list[Found], Mapping[str, Any]]:
    """Rows of an exported JSON, and the document."""
    document = parsed(text, place)
    if not isinstance(document, Mapping):
        raise RequestError("is not a JSON object", place)
    known = {name: entry for name, entry in document.items() if isinstance(entry, Mapping)}
    return rows(known, _asked(document.get("input_config"), place), place), document


def from_csv(text: str, place: str) -> list[Found]:
    """Rows of an exported CSV: one table of statistics, one of single values."""
    found: dict[str, dict[str, Any]] = {}
    header: list[str] = []
    reader = csv.reader(io.StringIO(text))
    try:
        for cells in reader:
            if cells[:1] == ["Metric"]:
                header = [{"Value": "avg"}.get(cell, cell) for cell in cells[1:]]
            elif len(cells) == len(header) + 1 and (name := NAME.fullmatch(cells[0])):
                entry: dict[str, Any] = dict(zip(header, cells[1:], strict=True))
                found.setdefault(name["name"].casefold().replace(" ", "_"), {**entry, "unit": name["unit"] or ""})
            elif cells and len(found) > 500:
                break
    except csv.Error as error:
        raise RequestError(f"not a CSV table: {error}", f"{place}, line {reader.line_num}") from None
    return rows(found, {}, place)


def rows(statistics: Statistics, asked: Mapping[str, str], place: str) -> list[Found]:
    """One row per metric and statistic."""

    def value(name: str, statistic: str) -> float | None:
        return positive(statistics.get(name, {}).get(statistic), f"{place}, {name}.{statistic}")

    cells = {**asked, **stated(
        input_tokens=value("input_sequence_length", "avg"), output_tokens=value("output_sequence_length", "avg"),
        num_requests=value("request_count", "avg"), lengths_origin="source", serving_mode="aggregated",
    )}  # fmt: skip
    values: list[tuple[str, str, float | None]] = []
    for name, metric in LATENCIES.items():
        unit = str(statistics.get(name, {}).get("unit") or "ms")
        if unit not in MS:
            raise RequestError(f"{name} in {unit[:40]!r}", place, tuple(MS))
        for theirs, ours in STATISTICS:
            found = value(name, theirs)
            values.append((metric, ours, found and found * MS[unit]))
    values += [(metric, "mean", value(name, "avg")) for name, metric in RATES.items()]
    made = figures("serving", cells, values)
    if not made:
        raise nothing("metric with a value", place)
    return made


def _asked(config: Any, place: str) -> dict[str, str]:
    """Model and load of the input configuration, wherever the version keeps them."""

    def some(*paths: str) -> Any:
        for path in paths:
            held = at(config, path)
            held = held[0] if isinstance(held, list) and held else held
            if held not in (None, "", {}, []):
                return held
        return None

    phases = at(config, "phases") or at(config, "load")
    phase = phases[-1] if isinstance(phases, list) and phases else None
    concurrency = some("loadgen.concurrency", "perf_analyzer.stimulus.concurrency", "concurrency")
    rate = some("loadgen.request_rate", "perf_analyzer.stimulus.request_rate", "request_rate")
    concurrency, rate = concurrency or at(phase, "concurrency"), rate or at(phase, "rate") or at(phase, "request_rate")
    load: dict[str, str] = {}
    if isinstance(rate, int | float) and rate:
        load = stated(load="open_loop", request_rate=positive(rate, f"{place}, request_rate"))
    elif isinstance(concurrency, int | float) and concurrency:
        load = stated(load="closed_loop", concurrency=positive(concurrency, f"{place}, concurrency"))
    model = some("endpoint.model_names", "model_names", "models.items", "models", "model")
    model = at(model, "name") if isinstance(model, Mapping) else model
    fixed = some("input.prompt.input_tokens.stddev", "input.synthetic_tokens.stddev")
    kept = isinstance(fixed, int | float) and fixed == 0
    return stated(model_id=model, lengths="fixed" if kept else "") | load

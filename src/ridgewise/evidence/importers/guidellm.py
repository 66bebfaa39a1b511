"""guidellm: the JSON report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ridgewise.errors import RequestError
from ridgewise.evidence.importers.reading import (
    Found,
    Importer,
    at,
    figures,
    first_object,
    nothing,
    parsed,
    positive,
    stated,
)

#: guidellm's "time per output token" counts the first token; its inter-token latency is ours without it.
METRICS = {
    "time_to_first_token_ms": ("ttft_ms", 1.0, ("mean", "median", "p99")),
    "inter_token_latency_ms": ("tpot_ms", 1.0, ("mean", "median", "p99")),
    "request_latency": ("e2e_ms", 1e3, ("mean", "median", "p99")),
    "output_tokens_per_second": ("output_tok_s", 1.0, ("mean",)),
    "tokens_per_second": ("total_tok_s", 1.0, ("mean",)),
    "requests_per_second": ("req_s", 1.0, ("mean",)),
}
#: Where versions keep the model's name, in the report or in a benchmark.
MODELS = ("args.model", "config.model", "config.backend.model", "benchmarker.backend.model", "worker.backend_model")


def recognises(text: str, path: str) -> bool:
    """By a benchmark with its metrics."""
    benchmarks = first_object(text).get("benchmarks")
    return isinstance(benchmarks, list) and any(at(one, "metrics.time_to_first_token_ms") for one in benchmarks[:10])


def read(text: str, place: str) -> list[Found]:
    """Successful requests of each benchmark of the report."""
    report = parsed(text, place)
    benchmarks = report.get("benchmarks") if isinstance(report, Mapping) else None
    if not isinstance(benchmarks, list):
        raise RequestError("holds no list of benchmarks", f"{place}, benchmarks")
    model = next((name for path in MODELS if isinstance(name := at(report, path), str)), "")
    found = [row for i, one in enumerate(benchmarks) for row in _benchmark(one, model, f"{place}, benchmarks[{i}]")]
    if not found:
        raise nothing("figure of a successful request", place)
    return found


def _benchmark(one: Any, model: str, where: str) -> list[Found]:
    metrics = at(one, "metrics")
    if not isinstance(metrics, Mapping):
        raise RequestError("is missing", f"{where}.metrics")

    def stat(name: str, which: str) -> float | None:
        entry = at(metrics, f"{name}.successful")
        if not isinstance(entry, Mapping):
            return None
        raw = at(entry, f"percentiles.{which}") if which == "p99" else entry.get(which)
        return positive(raw, f"{where}.metrics.{name}.successful.{which}")

    held = next((name for path in MODELS if isinstance(name := at(one, path), str)), model)
    cells = stated(
        model_id=held, input_tokens=stat("prompt_token_count", "mean"),
        output_tokens=stat("output_token_count", "mean"), lengths_origin="source", serving_mode="aggregated",
        num_requests=positive(_total(one), where), **_load(one, where),
    )  # fmt: skip
    values: list[tuple[str, str, float | None]] = []
    for name, (metric, scale, statistics) in METRICS.items():
        for which in statistics:
            value = stat(name, which)
            values.append((metric, which, value and value * scale))
    return figures("serving", cells, values)


def _total(one: Any) -> Any:
    for path in ("metrics.request_totals.successful", "run_stats.requests_made.successful"):
        if (value := at(one, path)) is not None:
            return value
    return None


def _load(one: Any, where: str) -> dict[str, Any]:
    strategy = at(one, "config.strategy") or at(one, "args.strategy") or at(one, "scheduler.strategy")
    kind = str(at(strategy, "type_") or "")
    if kind == "concurrent":
        return {"load": "closed_loop", "concurrency": positive(at(strategy, "streams"), f"{where}, streams")}
    if kind == "synchronous":
        return {"load": "closed_loop", "concurrency": 1.0}
    if kind in ("constant", "poisson", "async"):
        return {"load": "open_loop", "request_rate": positive(at(strategy, "rate"), f"{where}, rate")}
    if kind == "throughput":
        return {"load": "burst"}
    return {}


IMPORTER = Importer("guidellm", "guidellm: the JSON report", recognises, read)

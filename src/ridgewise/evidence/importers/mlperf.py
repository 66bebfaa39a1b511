"""MLPerf inference: the summary that the load generator writes."""

from __future__ import annotations

import re

from ridgewise.evidence.importers.reading import (
    COLOUR,
    NUMBER,
    Found,
    Importer,
    figures,
    first,
    nothing,
    positive,
    stated,
)

NS_PER_MS = 1e6
LATENCIES = {
    "e2e_ms": ("Mean latency", "50.00 percentile latency", "99.00 percentile latency"),
    "ttft_ms": (
        "Mean First Token latency", "50.00 percentile first token latency", "99.00 percentile first token latency",
    ),
    "tpot_ms": (
        "Mean Time per Output Token", "50.00 percentile time to output token", "99.00 percentile time to output token",
    ),
}  # fmt: skip
LOADS = {"Offline": "offline", "Server": "open_loop", "SingleStream": "closed_loop"}


def recognises(text: str, path: str) -> bool:
    """By its heading."""
    return "MLPerf Results Summary" in text[:4096]


def read(text: str, place: str) -> list[Found]:
    """Throughput and latencies of a performance run; an invalid result is kept as context."""
    text = COLOUR.sub("", text)

    def number(name: str) -> float | None:
        return positive(first(rf"^ *{re.escape(name)}(?: \((?:ns|inferred)\))? *: *{NUMBER}", text), f"{place}, {name}")

    def each(name: str) -> float | None:
        value = number(name)
        return value and value / NS_PER_MS

    scenario = first(r"^Scenario *: *(\w+)", text)
    load = LOADS.get(scenario, "")
    samples = number("Samples per second") or number("Completed samples per second")
    tokens = number("Tokens per second") or number("Completed tokens per second")
    valid = first(r"^Result is *: *(\w+)", text)
    cells = stated(
        load=load, concurrency="1" if load == "closed_loop" else "", lengths="dataset", serving_mode="aggregated",
        request_rate=number("target_qps") if load == "open_loop" else None,
        slo_ttft_ms=each("ttft_latency"), slo_tpot_ms=each("tpot_latency"),
        output_tokens=tokens / samples if tokens and samples else None,
    )  # fmt: skip
    if valid != "VALID" or first(r"^Mode *: *(\w+)", text) != "PerformanceOnly":
        cells["use_reason"] = f"the load generator calls the result {valid.lower() or 'nothing'}"
    values = [("output_tok_s", "mean", tokens), ("req_s", "mean", samples)]
    if load != "offline":
        for metric, names in LATENCIES.items():
            values += [(metric, stat, each(name)) for stat, name in zip(("mean", "median", "p99"), names, strict=True)]
    found = figures("serving", cells, values)
    if not found:
        raise nothing("rate and no latency", place)
    return found


IMPORTER = Importer("mlperf", "MLPerf loadgen: mlperf_log_summary.txt", recognises, read)

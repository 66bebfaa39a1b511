"""``vllm bench serve``, ``latency`` and ``throughput``: the result files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ridgewise.evidence.importers.reading import (
    Found,
    Importer,
    figure,
    figures,
    first_object,
    nothing,
    objects,
    positive,
    stated,
)

LATENCIES = {"ttft": "ttft_ms", "tpot": "tpot_ms", "itl": "itl_ms", "e2el": "e2e_ms"}
SERVE = {"num_prompts", "total_output_tokens", "output_throughput", "request_throughput"}
LATENCY, THROUGHPUT = {"avg_latency", "latencies"}, {"requests_per_second", "tokens_per_second", "elapsed_time"}


def recognises(text: str, path: str) -> bool:
    """By the keys of one of the three."""
    held = set(first_object(text))
    return any(keys <= held for keys in (SERVE, LATENCY, THROUGHPUT))


def read(text: str, place: str) -> list[Found]:
    """Latencies and throughputs of each result."""
    found: list[Found] = []
    entries = objects(text, place)
    for i, entry in enumerate(entries, 1):
        where = place if len(entries) == 1 else f"{place}, result {i}"
        if set(entry) >= SERVE:
            found += _serve(entry, where)
        elif set(entry) >= LATENCY:
            found += _latency(entry, where)
        else:
            found += _throughput(entry, where)
    if not found:
        raise nothing("figure", place)
    return found


def load_of(rate: Any, concurrency: float | None, requests: float | None, where: str) -> dict[str, str]:
    """How requests arrived: at a rate, from so many clients, or all at once."""
    finite = rate not in (None, "inf", "Infinity", "trace") and rate != float("inf")
    if finite:
        return stated(load="open_loop", request_rate=positive(rate, where), concurrency=concurrency)
    if concurrency and (requests is None or concurrency < requests):
        return stated(load="closed_loop", concurrency=concurrency)
    return stated(load="burst", concurrency=requests)


def _serve(entry: Mapping[str, Any], where: str) -> list[Found]:
    def number(name: str) -> float | None:
        return positive(entry.get(name), f"{where}, {name}")

    done, asked = number("completed"), number("num_prompts")
    prompts, outputs = number("total_input_tokens"), number("total_output_tokens")
    cells = stated(
        date=_date(entry.get("date")), engine=str(entry.get("backend") or entry.get("endpoint_type") or ""),
        model_id=entry.get("model_id"), num_requests=asked, tp=entry.get("tensor_parallel_size"),
        input_tokens=prompts / done if prompts and done else None,
        output_tokens=outputs / done if outputs and done else None,
        lengths_origin="source", serving_mode="aggregated",
    )  # fmt: skip
    if cells.get("engine") in ("openai", "openai-chat", "openai-comp"):
        cells.pop("engine")
    cells |= load_of(entry.get("request_rate"), number("max_concurrency"), asked, f"{where}, request_rate")
    failed = (asked or 0) - (done or 0)
    if failed > 0:
        cells["notes"] = f"{failed:g} of {asked:g} requests failed"
    values = [
        (metric, stat, positive(entry.get(f"{name}_{short}_ms"), f"{where}, {name}_{short}_ms"))
        for short, metric in LATENCIES.items()
        for name, stat in (("mean", "mean"), ("median", "median"), ("p99", "p99"))
    ]
    values += [
        ("output_tok_s", "mean", number("output_throughput")),
        ("total_tok_s", "mean", number("total_token_throughput")),
        ("req_s", "mean", number("request_throughput")),
    ]
    return figures("serving", cells, values)


def _date(raw: Any) -> str:
    """20250801-101530 is 2025-08-01."""
    text = str(raw or "")[:8]
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 and text.isdecimal() else ""


def _latency(entry: Mapping[str, Any], where: str) -> list[Found]:
    cells = stated(engine="vllm", load="static_batch", serving_mode="aggregated")
    mean = positive(entry.get("avg_latency"), f"{where}, avg_latency")
    median = positive((entry.get("percentiles") or {}).get("50"), f"{where}, percentiles") if isinstance(
        entry.get("percentiles"), dict
    ) else None  # fmt: skip
    return figures(
        "serving", cells, [("e2e_ms", "mean", mean and mean * 1e3), ("e2e_ms", "median", median and median * 1e3)]
    )


def _throughput(entry: Mapping[str, Any], where: str) -> list[Found]:
    requests = figure(entry.get("num_requests"), f"{where}, num_requests")
    cells = stated(engine="vllm", load="offline", num_requests=requests, serving_mode="aggregated")
    return figures("serving", cells, [
        ("total_tok_s", "mean", positive(entry.get("tokens_per_second"), f"{where}, tokens_per_second")),
        ("req_s", "mean", positive(entry.get("requests_per_second"), f"{where}, requests_per_second")),
    ])  # fmt: skip


IMPORTER = Importer("vllm-bench", "vllm bench serve, latency, throughput: result JSON", recognises, read)

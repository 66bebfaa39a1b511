"""trtllm-bench throughput and latency: the report as JSON or as printed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ridgewise.errors import RequestError
from ridgewise.evidence.importers.reading import (
    COLOUR,
    Found,
    Importer,
    at,
    figures,
    first_object,
    nothing,
    parsed,
    positive,
    stated,
    text_of,
)

#: Printed lines: what stands before the colon → column or metric.
CELLS = {
    "Model": "model_id", "TensorRT-LLM Version": "engine_version", "TP Size": "tp", "PP Size": "pp", "EP Size": "ep",
    "Number of requests": "num_requests", "Average Input Length (tokens)": "input_tokens",
    "Average Output Length (tokens)": "output_tokens", "Max Runtime Batch Size": "max_num_seqs",
    "Max Runtime Tokens": "max_num_batched_tokens",
}  # fmt: skip
METRICS = {
    "Request Throughput (req/sec)": "req_s",
    "Total Output Throughput (tokens/sec)": "output_tok_s",
    "Total Token Throughput (tokens/sec)": "total_tok_s",
    "Average request latency (ms)": "e2e_ms",
    "Average time-to-first-token [TTFT] (ms)": "ttft_ms",
    "Average time-per-output-token [TPOT] (ms)": "tpot_ms",
}
LINE = re.compile(r"^(?:\[[^\]\n]{1,80}\] *){0,6}(?P<name>[A-Za-z][^:\n]{1,80}?) *: +(?P<value>\S.{0,200}?) *$", re.M)
#: What the engine calls its number formats → ours.
FORMATS = {"bfloat16": "bf16", "float16": "fp16", "w4a16_awq": "w4a16", "w4a8_awq": "w4a8"}


def recognises(text: str, path: str) -> bool:
    """By the report's parts, or by the heading of the printed one."""
    document = first_object(text)
    if document:
        return {"world_info", "performance", "engine"} <= set(document)
    return "= PERFORMANCE OVERVIEW" in text and "TensorRT-LLM Version" in text


def read(text: str, place: str) -> list[Found]:
    """Throughput and latencies. Everything is queued at the start unless a concurrency was asked."""
    made = _report(parsed(text, place), place) if text.lstrip().startswith("{") else _printed(text, place)
    if not made:
        raise nothing("performance figure", place)
    return made


def _common(dtype: str, quantised: str, tp: float | None, pp: float | None) -> dict[str, str]:
    weights = FORMATS.get(quantised.casefold().removeprefix("quantalgo."), quantised.casefold())
    dtype = dtype.casefold().removeprefix("torch.")
    weights = FORMATS.get(dtype, dtype) if weights in ("", "none") else weights
    devices = tp * (pp or 1.0) if tp else None
    return stated(engine="tensorrt-llm", weight_dtype=weights, n_devices=devices, serving_mode="aggregated",
                  lengths_origin="source")  # fmt: skip


def _load(concurrency: float | None, asked: float | None) -> dict[str, str]:
    if concurrency and concurrency > 0 and (asked is None or concurrency < asked):
        return stated(load="closed_loop", concurrency=concurrency)
    return stated(load="offline")


def _report(report: Any, place: str) -> list[Found]:
    if not isinstance(report, Mapping):
        raise RequestError("is not a JSON object", place)

    def number(path: str) -> float | None:
        return positive(at(report, path), f"{place}, {path}")

    tp, pp, asked = number("world_info.tp_size"), number("world_info.pp_size"), number("request_info.num_requests")
    cells = _common(
        str(at(report, "engine.dtype") or ""), str(at(report, "engine.quantization") or ""), tp, pp
    ) | stated(
        device_label=at(report, "machine.name"), model_id=at(report, "engine.model"),
        engine_version=at(report, "engine.version"), tp=tp, pp=pp, ep=number("world_info.ep_size"),
        kv_dtype=_kept(str(at(report, "engine.kv_cache_dtype") or "")), num_requests=asked,
        max_num_seqs=number("world_info.max_batch_size"), max_num_batched_tokens=number("world_info.max_num_tokens"),
        input_tokens=number("request_info.avg_input_length"), output_tokens=number("request_info.avg_output_length"),
    )  # fmt: skip
    asked_at_once = number("world_info.max_concurrency") or number("request_info.concurrency")
    cells |= _load(asked_at_once, asked)
    latencies = [
        ("e2e_ms", "performance.avg_request_latency_ms"), ("ttft_ms", "streaming_metrics.avg_ttft_ms"),
        ("tpot_ms", "streaming_metrics.avg_tpot_ms"),
    ]  # fmt: skip
    rates = [
        ("req_s", "performance.request_throughput_req_s"),
        ("output_tok_s", "performance.system_output_throughput_tok_s"),
        ("total_tok_s", "performance.system_total_throughput_tok_s"),
    ]
    wanted = rates if cells["load"] == "offline" else rates + latencies
    return figures("serving", cells, [(metric, "mean", number(path)) for metric, path in wanted])


def _printed(text: str, place: str) -> list[Found]:
    lines = {match["name"].strip(): match["value"] for match in LINE.finditer(COLOUR.sub("", text))}
    cells: dict[str, str] = {}
    for name, column in CELLS.items():
        value = lines.get(name, "")
        if value and value != "None":
            cells[column] = text_of(value)
    numbers = {name: positive(cells.get(name), f"{place}, {name}") for name in ("tp", "pp", "num_requests")}
    cells |= _common(lines.get("Dtype", ""), lines.get("Quantization", ""), numbers["tp"], numbers["pp"])
    cells |= stated(kv_dtype=_kept(lines.get("KV Cache Dtype", "")))
    for column in ("input_tokens", "output_tokens", "max_num_seqs", "max_num_batched_tokens", "tp", "pp", "ep"):
        if column in cells:
            cells |= stated(**{column: positive(cells[column], f"{place}, {column}")})
    cells |= _load(positive(lines.get("Max Concurrency"), place), numbers["num_requests"])
    values = [(metric, "mean", positive(lines.get(name), f"{place}, {name}")) for name, metric in METRICS.items()]
    if cells["load"] == "offline":
        values = [entry for entry in values if not entry[0].endswith("_ms")]
    return figures("serving", cells, values)


def _kept(name: str) -> str:
    return "" if name.casefold() in ("none", "auto", "") else name.casefold()


IMPORTER = Importer("trtllm-bench", "trtllm-bench: report JSON or printed report", recognises, read)

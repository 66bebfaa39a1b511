"""SGLang's ``bench_serving``: the result lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ridgewise.evidence.importers.reading import (
    Found,
    Importer,
    at,
    figures,
    first_object,
    nothing,
    objects,
    positive,
    stated,
)
from ridgewise.evidence.importers.vllm_bench import load_of

LATENCIES = {"ttft": "ttft_ms", "tpot": "tpot_ms", "itl": "itl_ms", "e2e_latency": "e2e_ms"}
KEYS = {"backend", "dataset_name", "mean_e2e_latency_ms", "output_throughput"}


def recognises(text: str, path: str) -> bool:
    """By the keys of a result."""
    return set(first_object(text)) >= KEYS


def read(text: str, place: str) -> list[Found]:
    """Latencies and throughputs of each line."""
    entries = objects(text, place)
    found = [
        row
        for i, entry in enumerate(entries, 1)
        for row in _result(entry, place if len(entries) == 1 else f"{place}, result {i}")
    ]
    if not found:
        raise nothing("figure", place)
    return found


def _result(entry: Mapping[str, Any], where: str) -> list[Found]:
    def number(name: str) -> float | None:
        return positive(entry.get(name), f"{where}, {name}")

    done, prompts, outputs = number("completed"), number("total_input_tokens"), number("total_output_tokens")
    engine = str(entry.get("backend") or "").removesuffix("-oai").removesuffix("-native").removesuffix("-chat")
    fixed = entry.get("dataset_name") in ("random", "random-ids") and entry.get("random_range_ratio") == 1.0
    cells = stated(
        engine=engine, model_id=at(entry, "server_info.model_path") or entry.get("model"),
        engine_version=at(entry, "server_info.version"), tp=at(entry, "server_info.tp_size"),
        dp=at(entry, "server_info.dp_size"), kv_dtype=_kept(at(entry, "server_info.kv_cache_dtype")),
        num_requests=done, lengths="fixed" if fixed else "dataset", lengths_origin="source", serving_mode="aggregated",
        input_tokens=prompts / done if prompts and done else None,
        output_tokens=outputs / done if outputs and done else None,
    )  # fmt: skip
    cells |= load_of(entry.get("request_rate"), number("max_concurrency"), done, f"{where}, request_rate")
    values = [
        (metric, stat, positive(entry.get(f"{stat}_{name}_ms"), f"{where}, {stat}_{name}_ms"))
        for name, metric in LATENCIES.items()
        for stat in ("mean", "median", "p99")
    ]
    total = number("total_throughput") or (number("input_throughput") or 0.0) + (number("output_throughput") or 0.0)
    values += [
        ("output_tok_s", "mean", number("output_throughput")),
        ("total_tok_s", "mean", total or None),
        ("req_s", "mean", number("request_throughput")),
    ]
    return figures("serving", cells, values)


def _kept(name: Any) -> Any:
    return "" if name == "auto" else name


IMPORTER = Importer("sglang-bench", "SGLang bench_serving: result JSON lines", recognises, read)

"""The start-up log of vLLM: what its memory went to, per GPU."""

from __future__ import annotations

import re

from ridgewise.evidence.importers.reading import (
    COLOUR,
    NUMBER,
    Found,
    Importer,
    figure,
    first,
    last,
    nothing,
    plain,
    stated,
)

#: Figure → the lines that print it, by version; the last match counts.
LINES = {
    "weights_gib_per_gpu": (
        rf"weights memory: {NUMBER} ?GiB", rf"model weights take {NUMBER} ?GiB",
        rf"Model loading took {NUMBER} ?GiB", rf"Loading model weights took {NUMBER} ?GB",
    ),
    "activation_gib": (
        rf"torch peak memory increase: {NUMBER} ?GiB", rf"PyTorch activation peak memory takes {NUMBER} ?GiB",
    ),
    "non_torch_gib": (
        rf"non-torch forward increase memory: {NUMBER} ?GiB", rf"non_torch_memory takes {NUMBER} ?GiB",
    ),
    "cuda_graph_gib": (rf"Graph capturing finished in [^\n]{{1,60}}?took {NUMBER} ?GiB",),
    "kv_cache_gib": (
        rf"Available KV cache memory: {NUMBER} ?GiB", rf"the rest of the memory reserved for KV Cache is {NUMBER} ?GiB",
    ),
}  # fmt: skip
#: Most of a log that can belong to the start.
START = 8 << 20
#: Settings as the engine prints them: a keyword of its configuration, or an argument.
SETTING = r"['\"]?\b{name}['\"]?\s?[=:]\s?['\"]?([\w./+-]{{1,200}})"


def recognises(text: str, path: str) -> bool:
    """By the memory left for the cache."""
    return any(re.search(line, text) for line in LINES["kv_cache_gib"])


def read(text: str, place: str) -> list[Found]:
    """One row: weights, activation peak, other memory, graphs and cache [GiB per GPU]."""
    text = COLOUR.sub("", text[:START])
    values: dict[str, str] = {}
    for column, patterns in LINES.items():
        for pattern in patterns:
            value = figure(last(pattern, text), f"{place}, {column}")
            if value is not None:
                values[column] = plain(value)
                break
    if "kv_cache_gib" not in values:
        raise nothing("line about KV cache memory", place)

    def setting(name: str) -> str:
        value = first(SETTING.format(name=name), text)
        return "" if value in ("None", "auto") else value.rstrip(".")

    dtype = {"bfloat16": "bf16", "float16": "fp16", "half": "fp16"}.get(setting("dtype").removeprefix("torch."), "")
    cells = stated(
        model_id=setting("model"), precision=setting("quantization") or dtype, engine="vllm",
        engine_version=first(r"(?:LLM engine|vLLM (?:API server )?version) \(?(v?\d[\w.+-]{0,40})", text).rstrip(".)"),
        tensor_parallel=setting("tensor_parallel_size"),
        max_model_len=setting("max_seq_len") or setting("max_model_len"),
        gpu_memory_utilization=setting("gpu_memory_utilization")
        or first(rf"gpu_memory_utilization \({NUMBER}\)", text),
        block_size=setting("block_size"),
    )  # fmt: skip
    return [Found("vllm-memory", cells | values)]


IMPORTER = Importer("vllm-log", "start-up log of vLLM: weights, activations, graphs, KV cache", recognises, read)

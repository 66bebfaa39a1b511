"""optimum-benchmark: benchmark.json (configuration and report) or benchmark_report.json (the report alone)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ridgewise.errors import RequestError
from ridgewise.evidence.importers.reading import (
    Found,
    Importer,
    at,
    first_object,
    nothing,
    parsed,
    plain,
    positive,
    stated,
)

ENGINES = {"pytorch": "transformers", "vllm": "vllm", "tensorrt-llm": "tensorrt-llm", "llama_cpp": "llama.cpp",
           "openvino": "openvino-genai"}  # fmt: skip
FORMATS = {"float16": "fp16", "bfloat16": "bf16", "float32": "fp32"}


def recognises(text: str, path: str) -> bool:
    """By the latency of a prefill."""
    document = first_object(text)
    return bool(at(document.get("report", document), "prefill.latency.unit") == "s")


def read(text: str, place: str) -> list[Found]:
    """Prefill and decode rates of the whole batch."""
    document = parsed(text, place)
    if not isinstance(document, Mapping):
        raise RequestError("is not a JSON object", place)
    report, config = document.get("report", document), document.get("config")
    cells = _stated(config, place)
    batch = positive(at(config, "scenario.input_shapes.batch_size"), f"{place}, batch_size")
    prompt = positive(at(config, "scenario.input_shapes.sequence_length"), f"{place}, sequence_length")
    output = positive(at(config, "scenario.generate_kwargs.max_new_tokens"), f"{place}, max_new_tokens")
    found: list[Found] = []
    for part, metric, lengths in (
        ("prefill", "prefill_tok_s", stated(prompt_tokens=prompt, gen_tokens="0", context_depth="0")),
        ("decode", "decode_tok_s", stated(prompt_tokens="0", gen_tokens=output, context_depth=prompt)),
    ):
        unit, value = at(report, f"{part}.throughput.unit"), at(report, f"{part}.throughput.value")
        rate = positive(value, f"{place}, {part}.throughput.value")
        if rate is None:
            continue
        if unit != "tokens/s":
            raise RequestError(f"a rate in {str(unit)[:40]!r}", f"{place}, {part}.throughput.unit", ("tokens/s",))
        lengths |= stated(batch=batch)
        found.append(Found("local", {**cells, **lengths, "metric": metric, "value": plain(rate)}))
    if not found:
        raise nothing("throughput", place)
    return found


def _stated(config: Any, place: str) -> dict[str, str]:
    backend = str(at(config, "backend.name") or "")
    graphics = at(config, "environment.gpu")
    names = [str(name) for name in graphics] if isinstance(graphics, list) else [str(graphics)] if graphics else []
    device = str(at(config, "backend.device") or "")
    on_cpu = device == "cpu"
    quantised = at(config, "backend.quantization_scheme")
    dtype = str(at(config, "backend.torch_dtype") or at(config, "backend.dtype") or "")
    used = at(config, "backend.device_ids")
    count = len(str(used).split(",")) if used not in (None, "") else len(names)
    return stated(
        device_label=at(config, "environment.cpu") if on_cpu else names[0] if names else "",
        n_devices=1.0 if on_cpu else float(count) if count else None,
        compute_unit="cpu" if on_cpu else "gpu" if device else "", engine=ENGINES.get(backend, backend),
        parallelism="single" if on_cpu or count == 1 else "", engine_version=at(config, "backend.version"),
        backend="cpu" if on_cpu else "cuda" if device == "cuda" else "", model_id=at(config, "backend.model"),
        precision="" if quantised else FORMATS.get(dtype, dtype), precision_raw=quantised or dtype, n_runs="1",
        derived="0",
    )  # fmt: skip


IMPORTER = Importer("optimum-benchmark", "optimum-benchmark: benchmark.json, benchmark_report.json", recognises, read)

"""The log of llama.cpp's programs: buffers at loading, rates at the end."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ridgewise.evidence.importers.ggml import device_line, file_type, from_file_name
from ridgewise.evidence.importers.reading import (
    COLOUR,
    Found,
    Importer,
    figure,
    first,
    nothing,
    plain,
    positive,
    stated,
)

BUFFER = re.compile(
    r": +(?P<device>[\w.-]+)(?P<kind> model| KV| RS| compute| output)? buffer size = *(?P<mib>[\d.]+) MiB"
)
RATE = re.compile(
    r"(?P<what>prompt eval|eval) time = *[\d.]+ ms / +(?P<count>\d+) (?:tokens|runs) *"
    r"\( *[\d.]+ ms per token, +(?P<rate>[\d.]+) tokens per second\)"
)
HOSTS = ("CPU", "_Host", "BLAS")


@dataclass(frozen=True, slots=True)
class Start:
    """What the program says before it loads a model: its cards, its processor, its build."""

    label: str
    count: int
    processor: str
    build: str


def recognises(text: str, path: str) -> bool:
    """By a buffer line, or by the lines of times."""
    return BUFFER.search(text) is not None or "prompt eval time =" in text


def read(text: str, place: str) -> list[Found]:
    """Model, KV and compute buffers of the last model loaded, and the rates of each request."""
    text = COLOUR.sub("", text)
    start = Start(
        *device_line(text), first(r"  - CPU +: (.{1,100}?) \(\d+ MiB,", text),
        first(r"\bbuild(?:: | = )(\d+ \(\w+\))", text) or first(r"build_info: (b\d+-\w+)", text),
    )  # fmt: skip
    text = text[max(text.rfind("loaded meta data with"), 0) :]
    found = [*_memory(text, start, place), *_rates(text, start, place)]
    if not found:
        raise nothing("buffer and no rate", place)
    return found


def _shared(text: str) -> dict[str, str]:
    name = first(r"general\.name *= *(.{1,200})$", text)
    path = first(r"key-value pairs and \d+ tensors from (\S{1,400}\.gguf)", text)
    stem, named = from_file_name(path) if path else ("", "")
    size = first(r"(?:file size|model size) *= *([\d.]+) GiB", text)
    small = first(r"(?:file size|model size) *= *([\d.]+) MiB", text)
    quant = file_type(first(r"(?:file type|model ftype) *= *(.{1,80})$", text))
    quant = named if named.startswith("UD-") else quant or named
    weight = figure(size, "file size") or (figure(small, "file size") or 0.0) / 1024
    return stated(model_label=stem or name, precision=quant, weight_gib=weight or None, engine="llama.cpp")


def _memory(text: str, start: Start, place: str) -> list[Found]:
    held: dict[str, dict[str, float]] = {"model": {}, "kv": {}, "compute": {}}
    for match in BUFFER.finditer(text):
        kind = (match["kind"] or " model").strip().casefold()
        size = figure(match["mib"], f"{place}, buffer size") or 0.0
        if kind in held:
            sizes = held[kind]
            device = match["device"].removesuffix("_Mapped")
            sizes[device] = sizes.get(device, 0.0) + size if kind != "compute" else size
    if not any(held.values()):
        return []
    on_card = [name for name in held["model"] if not any(host in name for host in HOSTS)]
    layers = re.search(r"offloaded (\d+)/(\d+) layers", text)
    part = layers is not None and layers[1] != layers[2]
    placement = "cpu" if not on_card else "hybrid" if part else "gpu"
    each = " ".join(
        f"{kind}[{' '.join(f'{device}={size:.2f}' for device, size in sizes.items())}]"
        for kind, sizes in held.items() if sizes
    )  # fmt: skip
    keys, values = first(r"K \((\w+)\):", text), first(r"V \((\w+)\):", text)
    flash = first(r"Flash Attention (enabled|disabled)", text) or first(r"flash_attn *= *(\w+)", text)
    cells = _shared(text) | stated(
        device_label=start.label, n_gpus=float(start.count or len(on_card)), placement=placement, per_device=each,
        context=first(r"\bn_ctx *= *(\d+)", text), batch=first(r"\bn_batch *= *(\d+)", text),
        ubatch=first(r"\bn_ubatch *= *(\d+)", text),
        kv_type=keys if keys == values else f"{keys}/{values}",
        flash_attention={"1": "1", "enabled": "1", "true": "1", "0": "0", "disabled": "0", "false": "0"}.get(flash, ""),
    )  # fmt: skip
    totals = {
        "model_buffer_mib": sum(held["model"].values()),
        "kv_buffer_mib": sum(held["kv"].values()),
        "compute_buffer_mib": sum(
            size for device, size in held["compute"].items()
            if placement == "cpu" or not any(host in device for host in HOSTS)
        ),
    }  # fmt: skip
    return [
        Found("local-memory", {**cells, "metric": metric, "value": plain(round(value, 2))})
        for metric, value in totals.items()
        if value > 0
    ]


def _rates(text: str, start: Start, place: str) -> list[Found]:
    count = start.count
    layers = re.search(r"offloaded (\d+)/(\d+) layers", text)
    none = (layers is not None and layers[1] == "0") or not count
    part = layers is not None and not none and layers[1] != layers[2]
    cells = _shared(text) | stated(
        device_label=start.processor if none else start.label, n_devices=1.0 if none else float(count),
        compute_unit="hybrid" if part else "cpu" if none else "gpu",
        parallelism="cpu-offload" if part else "single" if none or count == 1 else "layer",
        batch="1", derived="0", n_runs="1", engine_version=start.build,
    )  # fmt: skip
    found, prompt = [], 0.0
    for match in RATE.finditer(text):
        tokens = figure(match["count"], f"{place}, tokens") or 0.0
        rate = positive(match["rate"], f"{place}, tokens per second")
        if match["what"] == "prompt eval":
            prompt = tokens
            lengths = stated(prompt_tokens=tokens, gen_tokens="0", context_depth="")
        else:
            lengths = stated(prompt_tokens="0", gen_tokens=tokens, context_depth=prompt)
        metric = "prefill_tok_s" if match["what"] == "prompt eval" else "decode_tok_s"
        if rate is not None and tokens > 1:
            found.append(Found("local", {**cells, **lengths, "metric": metric, "value": plain(rate)}))
    return found


IMPORTER = Importer("llama.cpp-log", "log of llama-cli, llama-server: buffers and rates", recognises, read)

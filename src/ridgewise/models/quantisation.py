"""How a checkpoint is stored: the format of its weights, and the modules it leaves in high precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ridgewise.models.fields import Fields

_DTYPES = {
    "bfloat16": "bf16", "float16": "fp16", "float32": "fp32", "float64": "fp32", "half": "fp16",
    "float": "fp32", "bf16": "bf16", "fp16": "fp16", "fp32": "fp32", "float8_e4m3fn": "fp8",
}  # fmt: skip
_ALGORITHMS = {
    "FP8": "fp8", "FP8_PB_WO": "fp8", "FP8_PER_CHANNEL_PER_TOKEN": "fp8", "MXFP8": "fp8",
    "NVFP4": "nvfp4", "W4A16_NVFP4": "nvfp4", "MXFP4": "mxfp4",
    "W4A16": "w4a16", "W4A16_AWQ": "w4a16", "W4A8": "w4a16", "W4A8_AWQ": "w4a16",
    "W8A16": "int8", "INT8": "int8", "INT8_SQ": "int8",
}  # fmt: skip
_KEPT = ("modules_to_not_convert", "ignore", "exclude_modules", "ignored_layers", "llm_int8_skip_modules")
MOST_KEPT = 64


def dtype(f: Fields) -> str:
    """The storage format: quantisation where stated, else the tensor type, else an assumption."""
    quantised = quantisation(f)
    if quantised is not None:
        found = _format(Fields(quantised, f"{f.where}: quantization_config", f.notes))
        if found == "fp8" and f.text("expert_dtype") == "fp4":
            f.assume("Experts are stored in 4 bits (MXFP4), other layers in FP8: read as mxfp4.")
            return "mxfp4"
        return found
    for fields in _levels(f):
        for name in ("torch_dtype", "dtype", "params_dtype"):
            if fields.has(name):
                text = fields.text(name).removeprefix("torch.")
                if text in _DTYPES:
                    return _DTYPES[text]
                if text not in ("auto", ""):
                    raise fields.refuse(f"{text!r} is not a known tensor type", name)
    f.assume("The configuration states no tensor type: bf16 is assumed.")
    return "bf16"


def quantisation(f: Fields) -> Mapping[str, Any] | None:
    """The quantisation section, wherever the publisher put it."""
    for fields in _levels(f):
        for name in ("quantization_config", "compression_config"):
            if fields.has(name):
                return fields.sub(name).data
    for name in ("hf_quant_config", "_hf_quant_config"):
        if f.has(name):
            section = f.sub(name)
            return section.sub("quantization").data if section.has("quantization") else section.data
    return None


def kept(f: Fields) -> tuple[str, ...]:
    """Patterns of the modules left unquantised, layer numbers folded to ``*``, at most 64."""
    quantised = quantisation(f)
    if quantised is None:
        return ()
    fields = Fields(quantised, f"{f.where}: quantization_config", f.notes)
    found: dict[str, None] = {}
    for name in _KEPT:
        for module in fields.items(name, str):
            found.setdefault(_folded(module))
    return tuple(found)[:MOST_KEPT]


def _folded(module: str) -> str:
    return ".".join("*" if part.strip("*").isdigit() else part for part in module.split("."))


def _levels(f: Fields) -> list[Fields]:
    nested = [f.sub(name) for name in ("text_config", "llm_config", "language_config") if f.has(name)]
    return [f, *nested]


def _format(q: Fields) -> str:
    algorithm = q.text("quant_algo").upper()
    if algorithm == "MIXED_PRECISION":
        return _mixed(q)
    if algorithm:
        if algorithm not in _ALGORITHMS:
            raise q.refuse(f"quantisation {algorithm!r} is not known", "quant_algo")
        return _ALGORITHMS[algorithm]
    method = q.text("quant_method").lower().replace("_", "-")
    if method in ("compressed-tensors", "modelopt", "quark"):
        return _groups(q)
    bits = q.optional("bits", "w_bit", "num_bits", least=1, most=16)
    match method:
        case "fp8" | "fbgemm-fp8" | "mxfp8":
            return "fp8"
        case "mxfp4" | "nvfp4":
            return method
        case "gptq" | "awq" | "auto-round" | "autoround" | "hqq" | "intel/auto-round":
            return _integer(q, bits)
        case "bitsandbytes":
            return "nf4" if q.flag("load_in_4bit", "_load_in_4bit") else "int8"
        case "bitnet":
            return "int2"
        case "":
            return _groups(q)
    raise q.refuse(f"quantisation {method!r} is not known", "quant_method")


def _mixed(q: Fields) -> str:
    """Mixed precision: the format most layers have, by the algorithms listed per layer."""
    named = q.text("moe_quant_algo").upper()
    counts: dict[str, int] = {named: 1} if named else {}
    if q.has("quantized_layers"):
        layers = q.sub("quantized_layers")
        for key in layers.data:
            algorithm = layers.sub(key).text("quant_algo").upper()
            counts[algorithm] = counts.get(algorithm, 0) + 1
    if not counts:
        raise q.refuse("mixed precision without a list of layers", "quant_algo")
    most = max(counts, key=lambda key: counts[key])
    if most not in _ALGORITHMS:
        raise q.refuse(f"quantisation {most!r} is not known", "quantized_layers")
    q.assume(f"Mixed precision ({', '.join(sorted(counts))}): read as {most}, the format of most listed layers.")
    return _ALGORITHMS[most]


def _groups(q: Fields) -> str:
    """compressed-tensors and kin: bits and type of the first weight group."""
    if not q.has("config_groups"):
        raise q.refuse("names no format", "quant_method")
    groups = q.sub("config_groups")
    if not groups.data:
        raise q.refuse("is empty", "config_groups")
    group = groups.sub(next(iter(groups.data)))
    weights = group.sub("weights")
    bits, kind = weights.size("num_bits", most=16), weights.text("type", "int")
    if (bits, kind) == (4, "float"):
        packed = group.text("format") or q.text("format")
        return "mxfp4" if "mxfp4" in packed else "nvfp4"
    if kind == "float":
        return {8: "fp8", 16: "bf16"}.get(bits) or _integer(weights, bits)
    return _integer(weights, bits)


def _integer(q: Fields, bits: int | None) -> str:
    """Integer weights by width."""
    if bits not in (2, 3, 4, 8):
        raise q.refuse(f"{bits}-bit weights are not known", "bits")
    return {4: "w4a16", 8: "int8"}.get(bits, f"int{bits}")

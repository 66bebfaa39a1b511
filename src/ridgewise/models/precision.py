"""Weight formats as measurements and users spell them: file types, mixtures, dialects of one engine."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

from ridgewise.errors import RequestError
from ridgewise.models.architecture import Architecture
from ridgewise.models.formats import Format, load_formats, model_bytes, weight_format
from ridgewise.models.ggml import TYPES

#: Spellings of the catalogue's formats.
ALIASES = {
    "float16": "fp16", "half": "fp16", "bfloat16": "bf16", "float32": "fp32", "f32": "fp32",
    "int4": "w4a16", "awq-int4": "w4a16", "awq": "w4a16", "gptq": "w4a16", "gptq-int4": "w4a16",
    "marlin": "w4a16", "bnb-nf4": "nf4", "gptq-int8": "int8", "w8a16": "int8", "bnb-int8": "int8", "q8": "q8_0",
    "q4": "q4_k_m", "q5": "q5_k_m", "q6": "q6_k", "q3": "q3_k_m", "q2": "q2_k", "q4_k": "q4_k_m", "q2_k_m": "q2_k",
    "mxfp8": "fp8", "e4m3": "fp8", "q4k-isq": "q4_k_m", "q8_0-isq": "q8_0", "q6k-isq": "q6_k",
}  # fmt: skip
#: GGUF mixtures that are no table of their own: bits of most matrices (ik_llama.cpp's own types included).
MIXTURES = {
    "q2_k_s": 2.625, "q3_k_s": 3.4375, "q3_k_l": 3.8, "q4_k_s": 4.55, "q5_k_s": 5.5, "iq1_s": 1.6, "iq1_m": 1.85,
    "iq2_xxs": 2.1, "iq2_xs": 2.35, "iq2_s": 2.5, "iq2_m": 2.7, "iq3_xxs": 3.1, "iq3_xs": 3.3, "iq3_s": 3.4375,
    "iq3_m": 3.65, "iq4_nl": 4.5, "iq2_k": 2.375, "iq2_ks": 2.1875, "iq3_k": 3.4375, "iq3_ks": 3.1875, "iq4_k": 4.5,
    "iq4_ks": 4.25, "iq4_kss": 4.0, "iq5_k": 5.5, "iq5_ks": 5.25, "iq6_k": 6.625, "q8_k": 9.125,
}  # fmt: skip
#: Bits taken where a spelling says nothing.
UNKNOWN = 4.5


@cache
def precision(text: str) -> tuple[Format, bool]:
    """The format a spelling means, and whether that was guessed. Never refuses: an unknown one counts 4.5 bits."""
    name = text.casefold().strip()
    formats = load_formats()
    if name in formats:
        return formats[name], False
    if name in ALIASES:
        return formats[ALIASES[name]], False
    if name == "mxfp4+f16":
        return replace(formats["gguf-mxfp4"], id=name, name=text, default=16.0, embedding=16.0, head=16.0), False
    if name == "w4":
        return replace(formats["w4a16"], id=name, name=text), False
    if mlx := re.fullmatch(r"mlx-?(?:q|int)?(\d)(?:-?bit)?(?:-g(\d+))?", name):
        return _grouped(text, float(mlx[1]), float(mlx[2] or 64)), False
    if found := _gguf(text, name):
        return found, False
    if rest := re.search(r"w(\d+)a(\d+)|(?:int|uint|fp|float|q|b)(\d+)|(\d+)[-_ ]?bit|(\d+\.?\d*) ?bpw", name):
        return _plain(text, name, rest), False
    try:
        return weight_format(text, "precision"), True
    except RequestError:
        return Format("unknown", text, "hf", UNKNOWN, 16.0, UNKNOWN, 6.0, "fp16"), True


def _grouped(text: str, bits: float, group: float) -> Format:
    """MLX: groups with a 16-bit scale and a 16-bit bias."""
    wide = bits + 32.0 / group
    return Format(text, text, "mlx", wide, 16.0, wide, wide, "fp16")


def _gguf(text: str, name: str) -> Format | None:
    """A GGUF file type, however its maker marks it."""
    formats = load_formats()
    bpw = re.search(r"(\d+\.?\d*) ?bpw", name)
    for word in re.split(r"[ ,;+]", name):
        plain = word.removeprefix("ud-").removesuffix("-isq").removesuffix("_r4").removesuffix("_r8")
        plain = re.sub(r"-\d+\.?\d*bpw$", "", plain)
        stem = re.sub(r"_x{1,2}l$", "_m", plain)
        larger = 1.04 if stem != plain else 1.0
        for key in (plain, stem, stem.removesuffix("_m"), stem.removesuffix("_l") + "_m"):
            if key == "mxfp4" or key == "mxfp4_moe":
                return formats["gguf-mxfp4"]
            if key in formats and formats[key].family == "gguf":
                base = formats[key]
                bits = float(bpw[1]) if bpw else base.default * larger
                return replace(base, id=plain, name=text, default=bits)
            if key in MIXTURES:
                bits = float(bpw[1]) if bpw else MIXTURES[key] * larger
                block = 0 if key == "iq4_nl" else 256
                head = max(bits, 6.5625)
                return Format(plain, text, "gguf", bits, 32.0, bits, head, "int8", {"router": 32.0}, block=block)
        known = {kind.name.casefold(): kind.bits for kind in TYPES.values()}
        if plain in known:
            bits = known[plain]
            head = bits if bits >= 8 else max(bits, 6.5625)
            return Format(plain, text, "gguf", bits, 32.0, bits, head, "int8" if bits < 16 else "fp16")
    return None


def _plain(text: str, name: str, found: re.Match[str]) -> Format:
    """Weights of so many bits; activations of 8 bits multiply in INT8."""
    weights, activations, other, worded, exact = found.groups()
    bits = float(exact or weights or other or worded)
    eight = activations == "8" or (bits == 8 and "fp" not in name and activations is None)
    group = re.search(r"g(\d+)", name)
    wide = bits if bits >= 16 or exact else bits + (20.0 / float(group[1]) if group else 0.16 if bits < 8 else 0.01)
    compute = "int8" if eight else "fp8" if bits == 8 and "fp" in name else "fp16"
    tables = 16.0 if not exact else max(wide, 6.0)
    if name.startswith("uqff"):
        tables, wide = max(wide, 8.5), bits + 0.5
    if name.startswith("exl"):
        tables = 6.0
    return Format(name, text, "hf", wide, 16.0, tables, tables, compute)


def sized(arch: Architecture, fmt: Format, size: float) -> Format:
    """``fmt`` with every width scaled such that the main model takes ``size`` bytes: the file's own.

    Widths of 16 bits and more are kept (norms, routers, and what a mixed file leaves unquantised), unless
    nothing else is there to scale. A factor outside 1/3 … 3 means that the size is of something else.
    """
    whole, fmt = replace(arch, extra={}), replace(fmt, block=0)

    def scaled(factor: float, most: float) -> Format:
        def one(bits: float) -> float:
            return bits * factor if bits < most else bits

        return replace(
            fmt, default=one(fmt.default), embedding=one(fmt.embedding), head=one(fmt.head),
            roles={role: one(bits) for role, bits in fmt.roles.items()},
        )  # fmt: skip

    for most in (16.0, 1e9):
        fixed, moving = model_bytes(whole, scaled(0.0, most)), model_bytes(whole, fmt)
        if moving - fixed < 0.2 * moving:
            continue
        factor = (size - fixed) / (moving - fixed)
        if 0.33 < factor < 3.0:
            return scaled(factor, most)
    return fmt

"""How weights are stored: bits per element by role, read from ``catalog/formats.toml``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from ridgewise.errors import RequestError
from ridgewise.facts import NameIndex
from ridgewise.facts.catalog import catalog_path, frozen, read_toml
from ridgewise.models.architecture import Architecture, LayerGroup


@dataclass(frozen=True, slots=True)
class Format:
    """A weight format. ``bits`` includes scales and zero points, so bytes = elements · bits / 8.

    block   elements a row must be a multiple of (k-quants of GGUF: 256); 0: any row will do
    """

    id: str
    name: str
    family: str
    default: float
    small: float
    embedding: float
    head: float
    compute: str
    roles: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    sources: tuple[str, ...] = ()
    block: int = 0

    def bits(self, role: str, *, expert: bool = False) -> float:
        """Bits per element of a weight matrix with this role."""
        for name in (f"expert_{role}", "expert") if expert else ():
            if name in self.roles:
                return self.roles[name]
        return self.roles.get(role.removeprefix("shared_"), self.default)


@cache
def load_formats() -> dict[str, Format]:
    """Every weight format of the catalogue, by id."""
    sheet: dict[str, dict[str, Any]] = read_toml(catalog_path("formats.toml"))
    return {key: Format(id=key, **frozen(entry)) for key, entry in sheet.items()}


def weight_format(name: str, where: str = "--quant") -> Format:
    """A format by id or printed name; RequestError names the nearest ones."""
    return load_formats()[_index().resolve(name, where)]


@cache
def _index() -> NameIndex:
    return NameIndex("weight format", {key: (entry.name,) for key, entry in load_formats().items()})


def native_format(arch: Architecture) -> Format:
    """The format of the published checkpoint; FP32 ones are served in 16 bits."""
    formats = load_formats()
    aliases = {"bfloat16": "bf16", "float16": "fp16", "float32": "bf16", "fp32": "bf16"}
    dtype = aliases.get(arch.dtype, arch.dtype)
    if dtype not in formats:
        raise RequestError(f"checkpoint format {arch.dtype!r} is not in the catalogue", arch.name, tuple(formats)[:4])
    return formats[dtype]


#: What llama.cpp stores instead where a row is no multiple of 256: Q2_K, Q3_K and IQ4_XS → IQ4_NL, Q4_K → Q5_0,
#: Q5_K → Q5_1, Q6_K → Q8_0 (``src/llama-quant.cpp``) [bits per element].
FALLBACK = {2.625: 4.5, 3.4375: 4.5, 4.25: 4.5, 4.5: 5.5, 5.5: 6.0, 6.5625: 8.5}
#: Bits of Q6_K, the wide part of the mixtures.
WIDE = 6.5625


def _fallback(bits: float, default: float) -> float:
    """Bits per element in blocks of 32 instead of 256. Between the types stand mixtures: of ``default`` and Q6_K
    where that is Q4_K or Q5_K; else of neighbours."""
    if bits in FALLBACK:
        return FALLBACK[bits]
    if not min(FALLBACK) <= bits <= max(FALLBACK):
        return bits
    if default in (4.5, 5.5) and bits > default:
        share = (bits - default) / (WIDE - default)
        return FALLBACK[default] + share * (FALLBACK[WIDE] - FALLBACK[default])
    return float(np.interp(bits, tuple(FALLBACK), tuple(FALLBACK.values())))


def _rows(arch: Architecture) -> Iterator[tuple[str, str, int, int]]:
    """(role, place of its bits, elements, length of a row) of every weight matrix of the model."""
    h = arch.hidden
    for group in (*arch.kinds, *arch.encoder):
        mixer, feed = group.mixer, group.feed
        inner = {"o": mixer.heads * mixer.v_dim, "q_b": mixer.weights.get("q_a", 0) // h, "kv_b": mixer.latent}
        inner["out"] = mixer.weights.get("out", 0) // h
        for role, n in mixer.weights.items():
            yield role, role, group.count * n, inner.get(role) or h
        for role, n in feed.weights.items():
            yield role, role.removeprefix("shared_"), group.count * n, n // h if role.endswith("down") else h
        wide = min(feed.expert.get("up", 0) // h, h) if feed.expert else 0
        for role, n in feed.expert.items():
            yield role, f"expert_{role}", group.count * feed.experts * n, wide if role == "down" else h


def stored(arch: Architecture, fmt: Format) -> Format:
    """The format as a file of this model holds it: matrices whose rows are no multiple of the block take the next
    wider type (Falcon-7B with rows of 4,544). The same format where every row is one."""
    if not fmt.block:
        wide = fmt.family == "gguf" and fmt.head == WIDE and arch.hidden % 256 != 0
        return replace(fmt, head=FALLBACK[WIDE]) if wide else fmt
    elements: dict[str, float] = {}
    taken: dict[str, float] = {}
    changed = arch.hidden % fmt.block != 0
    for role, place, n, row in _rows(arch):
        bits = fmt.bits(role, expert=place.startswith("expert_"))
        odd = row % fmt.block != 0 and role != "router"
        changed |= odd
        elements[place] = elements.get(place, 0.0) + n
        taken[place] = taken.get(place, 0.0) + n * (_fallback(bits, fmt.default) if odd else bits)
    if not changed:
        return replace(fmt, block=0)
    tables = (fmt.embedding, fmt.head)
    if arch.hidden % fmt.block:
        tables = (_fallback(fmt.embedding, fmt.default), _fallback(fmt.head, fmt.default))
    roles = {place: taken[place] / elements[place] for place in elements if elements[place]}
    return replace(fmt, embedding=tables[0], head=tables[1], roles={**fmt.roles, **roles}, block=0)


def mixer_bytes(group: LayerGroup, fmt: Format) -> float:
    """Bytes of the token mixer of one layer."""
    mixer = group.mixer
    return (sum(n * fmt.bits(role) for role, n in mixer.weights.items()) + mixer.small * fmt.small) / 8


def feed_bytes(group: LayerGroup, fmt: Format) -> float:
    """Bytes of the always-used part of the feed-forward of one layer, norms of the layer included."""
    feed = group.feed
    weights = sum(n * fmt.bits(role) for role, n in feed.weights.items())
    return (weights + (feed.small + group.small) * fmt.small) / 8


def expert_bytes(group: LayerGroup, fmt: Format) -> float:
    """Bytes of ONE routed expert."""
    feed = group.feed
    weights = sum(n * fmt.bits(role, expert=True) for role, n in feed.expert.items())
    return (weights + feed.expert_small * fmt.small) / 8


def layer_bytes(group: LayerGroup, fmt: Format) -> float:
    """Bytes of one layer, all experts included."""
    return mixer_bytes(group, fmt) + feed_bytes(group, fmt) + group.feed.experts * expert_bytes(group, fmt)


def embedding_bytes(arch: Architecture, fmt: Format) -> float:
    """Bytes of the input table; a tied table is stored as the head."""
    return arch.embedding * (fmt.head if arch.tied else fmt.embedding) / 8


def head_bytes(arch: Architecture, fmt: Format) -> float:
    """Bytes read to compute logits: the head, or the tied table."""
    return arch.vocab * arch.hidden * fmt.head / 8 if arch.head or arch.tied else 0.0


def model_bytes(arch: Architecture, fmt: Format) -> float:
    """Bytes of the whole model: main weights, tied tables once, and the modules counted apart
    (vision and audio towers, MTP heads) at 16 bits or the format's own width."""
    fmt, stacks = stored(arch, fmt), (*arch.groups, *arch.encoder)
    body = sum(group.count * layer_bytes(group, fmt) for group in stacks)
    head = arch.head * fmt.head / 8
    apart = sum(arch.extra.values()) * fmt.embedding / 8
    return embedding_bytes(arch, fmt) + body + head + arch.small * fmt.small / 8 + apart

"""How weights are stored: bits per element by role, read from ``catalog/formats.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ridgewise.errors import RequestError
from ridgewise.facts import NameIndex
from ridgewise.facts.catalog import catalog_path, frozen, read_toml
from ridgewise.models.architecture import Architecture, LayerGroup


@dataclass(frozen=True, slots=True)
class Format:
    """A weight format. ``bits`` includes scales and zero points, so bytes = elements · bits / 8."""

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

    def bits(self, role: str, *, expert: bool = False) -> float:
        """Bits per element of a weight matrix with this role."""
        if expert and "expert" in self.roles:
            return self.roles["expert"]
        return self.roles.get(role.removeprefix("shared_"), self.default)


@cache
def load_formats() -> dict[str, Format]:
    """Every weight format of the catalogue, by id."""
    sheet: dict[str, dict[str, Any]] = read_toml(catalog_path("formats.toml"))
    return {key: Format(id=key, **frozen(entry)) for key, entry in sheet.items()}


def weight_format(name: str, where: str = "--quant") -> Format:
    """A format by id or printed name; RequestError names the nearest ones."""
    formats = load_formats()
    index = NameIndex("weight format", {key: (entry.name,) for key, entry in formats.items()})
    return formats[index.resolve(name, where)]


def native_format(arch: Architecture) -> Format:
    """The format of the published checkpoint; FP32 ones are served in 16 bits."""
    formats = load_formats()
    aliases = {"bfloat16": "bf16", "float16": "fp16", "float32": "bf16", "fp32": "bf16"}
    dtype = aliases.get(arch.dtype, arch.dtype)
    if dtype not in formats:
        raise RequestError(f"checkpoint format {arch.dtype!r} is not in the catalogue", arch.name, tuple(formats)[:4])
    return formats[dtype]


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
    stacks = (*arch.groups, *arch.encoder)
    body = sum(group.count * layer_bytes(group, fmt) for group in stacks)
    head = arch.head * fmt.head / 8
    apart = sum(arch.extra.values()) * fmt.embedding / 8
    return embedding_bytes(arch, fmt) + body + head + arch.small * fmt.small / 8 + apart

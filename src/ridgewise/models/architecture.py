"""What a model is: layer groups with their weights by role, sizes, and what each token leaves behind.

Nothing here knows a machine, an engine or a quantisation. Counts are exact integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from types import MappingProxyType
from typing import Literal

MixerKind = Literal["full", "sliding", "chunked", "mla", "linear", "ssm", "conv", "cross", "none"]
FeedKind = Literal["dense", "moe", "none"]
Weights = Mapping[str, int]


def _no_weights() -> Weights:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Mixer:
    """The part of a layer that mixes tokens: attention, or a recurrence.

    Attention (``full``, ``sliding``, ``chunked``, ``cross``) caches ``kv_heads·(qk_dim + v_dim)``
    values per token; ``mla`` caches one latent of ``latent + rope_dim`` values shared by all heads;
    ``linear`` and ``ssm`` keep ``state`` values per sequence, whatever its length.

    weights     elements by role: q k v o · q_a q_b kv_a kv_b (MLA) · in conv out ssm (recurrent) · index
    small       elements of biases and norms inside the mixer (kept in high precision by every format)
    window      tokens a query can see (sliding), or the chunk length (chunked); None: all
    selected    tokens a query attends after sparse selection (DeepSeek sparse attention); None: all
    index_dim   values cached per token by the selector
    state       values kept per sequence and layer whatever its length: recurrent state, inputs of short
                convolutions (16-bit values, counted in values of ``state_bits``), an encoder's cached keys
                and values, the window part of a compressed cache
    state_bits  precision the state is kept in
    cached      False where keys and values are shared with an earlier layer (cross-layer sharing)
    """

    kind: MixerKind
    heads: int = 0
    kv_heads: int = 0
    qk_dim: int = 0
    v_dim: int = 0
    latent: int = 0
    rope_dim: int = 0
    window: int | None = None
    selected: int | None = None
    index_heads: int = 0
    index_dim: int = 0
    state: int = 0
    state_bits: int = 32
    cached: bool = True
    weights: Weights = field(default_factory=_no_weights)
    small: int = 0

    @property
    def kv_values(self) -> int:
        """Values cached per token and layer by the textbook rule of the attention kind."""
        if not self.cached:
            return 0
        if self.kind == "mla":
            return self.latent + self.rope_dim + self.index_dim
        if self.kind in ("full", "sliding", "chunked"):
            return self.kv_heads * (self.qk_dim + self.v_dim) + self.index_dim
        return 0

    @property
    def parameters(self) -> int:
        return sum(self.weights.values()) + self.small


@dataclass(frozen=True, slots=True)
class Feed:
    """The feed-forward part of a layer: dense, or a mixture of experts.

    weights   elements used by every token: gate up down (dense), router, shared_gate shared_up shared_down
    expert    elements of ONE routed expert by role: gate up down
    experts   number of routed experts; ``active`` of them serve each token
    small     biases and norms used by every token; ``expert_small`` those of one expert
    """

    kind: FeedKind
    weights: Weights = field(default_factory=_no_weights)
    expert: Weights = field(default_factory=_no_weights)
    experts: int = 0
    active: int = 0
    small: int = 0
    expert_small: int = 0

    @property
    def expert_parameters(self) -> int:
        """Elements of one routed expert."""
        return sum(self.expert.values()) + self.expert_small

    @property
    def parameters(self) -> int:
        return sum(self.weights.values()) + self.small + self.experts * self.expert_parameters

    @property
    def parameters_active(self) -> int:
        return sum(self.weights.values()) + self.small + self.active * self.expert_parameters


@dataclass(frozen=True, slots=True)
class LayerGroup:
    """``count`` equal layers. ``small`` holds the norms (and biases) outside mixer and feed.

    stride   a layer of a U-Net works on a picture this many times smaller on each side
    """

    count: int
    mixer: Mixer
    feed: Feed
    small: int = 0
    stride: int = 1

    @property
    def parameters(self) -> int:
        """Elements of one layer."""
        return self.mixer.parameters + self.feed.parameters + self.small

    @property
    def parameters_active(self) -> int:
        return self.mixer.parameters + self.feed.parameters_active + self.small


@dataclass(frozen=True, slots=True)
class Canvas:
    """How a diffusion model sees the picture or clip it makes, and what its pipeline does unless told otherwise.

    shrink        pixels of a side per latent value of the autoencoder, and ``frames`` pictures per latent one
    patch         latent values of a side per token of the denoiser
    guided        classifier-free guidance: every step passes the denoiser with and without the text
    steps         denoising steps
    text          tokens of the text the denoiser attends to
    width, height, length   pixels, and pictures of a clip
    autoencoder   channels by level of the decoder that makes pixels of latent values, ``latent`` of which it reads;
                  () where it is not counted
    """

    shrink: int
    patch: int
    guided: bool
    steps: int
    text: int
    width: int
    height: int
    frames: int = 1
    length: int = 1
    autoencoder: tuple[int, ...] = ()
    latent: int = 4


@dataclass(frozen=True, slots=True)
class Architecture:
    """A model, exact by component.

    groups        the decoder (or only) stack, in order; equal neighbours merged
    kinds         the same layers with all equal ones merged, whatever their place: what sums run over
    encoder       a second stack: the encoder of an encoder-decoder model
    embedding     elements of the token (and position) embedding tables
    head          elements of the output head; 0 when tied to the embedding
    extra         modules reported apart from ``parameters_total``: {"vision": n, "mtp": n, "audio": n}
    small         norms outside the layers
    dtype         storage format of the checkpoint: bf16 fp16 fp32 fp8 mxfp4 nvfp4 …
    kept          roles or components a quantised checkpoint leaves at 16 bits (patterns of the file)
    causal        a decoder with a KV cache; False: encoders, vision towers, diffusion transformers
    canvas        pictures a diffusion model makes; None: it makes none
    assumptions   what the reader had to assume, one sentence each
    """

    name: str
    family: str
    hidden: int
    vocab: int
    groups: tuple[LayerGroup, ...]
    embedding: int = 0
    head: int = 0
    tied: bool = False
    small: int = 0
    encoder: tuple[LayerGroup, ...] = ()
    extra: Weights = field(default_factory=_no_weights)
    max_context: int = 0
    dtype: str = "bf16"
    kept: tuple[str, ...] = ()
    causal: bool = True
    reduced: bool = False
    canvas: Canvas | None = None
    assumptions: tuple[str, ...] = ()
    kinds: tuple[LayerGroup, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        merged: list[LayerGroup] = []
        for group in self.groups:
            for place, known in enumerate(merged):
                if replace(known, count=group.count) == group:
                    merged[place] = replace(known, count=known.count + group.count)
                    break
            else:
                merged.append(group)
        object.__setattr__(self, "kinds", tuple(merged))

    @property
    def layers(self) -> int:
        return sum(group.count for group in self.groups)

    @property
    def parameters_total(self) -> int:
        """All weights of the main model: tied embeddings once, ``extra`` apart."""
        stacks = (*self.groups, *self.encoder)
        return self.embedding + self.head + self.small + sum(g.count * g.parameters for g in stacks)

    @property
    def parameters_active(self) -> int:
        """Weights of the active experts and everything else, embedding and head included; published figures of
        active parameters often leave the embedding out."""
        stacks = (*self.groups, *self.encoder)
        return self.embedding + self.head + self.small + sum(g.count * g.parameters_active for g in stacks)

    @property
    def parameters(self) -> dict[str, int]:
        """Elements by component; sums to ``parameters_total``."""
        parts = {"embedding": self.embedding, "head": self.head, "norms": self.small}
        parts |= dict.fromkeys(("mixer", "feed", "shared_experts", "router", "experts"), 0)
        for group in (*self.groups, *self.encoder):
            feed = group.feed
            shared = sum(n for role, n in feed.weights.items() if role.startswith("shared"))
            router = sum(n for role, n in feed.weights.items() if role == "router")
            parts["norms"] += group.count * (group.small + group.mixer.small + feed.small)
            parts["mixer"] += group.count * sum(group.mixer.weights.values())
            parts["feed"] += group.count * (sum(feed.weights.values()) - shared - router)
            parts["shared_experts"] += group.count * shared
            parts["router"] += group.count * router
            parts["experts"] += group.count * prod((feed.experts, feed.expert_parameters))
        return {component: n for component, n in parts.items() if n}

    @property
    def moe(self) -> bool:
        return any(group.feed.experts > 0 for group in self.groups)

    @property
    def kv_values_per_token(self) -> int:
        """Values one more token adds to the cache while no window is full."""
        return sum(group.count * group.mixer.kv_values for group in self.groups)

    @property
    def state_bytes_per_sequence(self) -> float:
        """Bytes of recurrent state each sequence holds, whatever its length."""
        return sum(g.count * g.mixer.state * g.mixer.state_bits / 8 for g in self.groups)

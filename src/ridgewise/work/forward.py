"""The demand of one forward pass, operator by operator.

Conventions: a multiply-add is 2 FLOP; bytes are read or written once per pass; everything is **per
device** of a tensor-parallel group and for all layers of the replica together. Weight matrices and
experts divide by ``tp``; the KV cache divides by ``min(tp, kv_heads)``, and an MLA latent, shared by
all heads, not at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ridgewise.models.architecture import Architecture, LayerGroup, Mixer
from ridgewise.models.formats import Format, expert_bytes, feed_bytes, head_bytes, mixer_bytes, stored
from ridgewise.units import Bytes, Count, Flop, Num, Tokens
from ridgewise.work.plan import Plan
from ridgewise.work.step import Slice, Step

#: Routing while answering is skewed: T sequences touch as many experts as T**0.8 evenly routed ones. From decode steps
#: of 1 to 32 sequences of gpt-oss-120b and Qwen3-30B-A3B on one bandwidth-bound device (llama.cpp's own benchmarks),
#: which evenly routed would have read more than its memory can deliver. Prompts of benchmarks are routed evenly.
ROUTING = 0.8
#: Bytes of one activation value between operators (16 bits in every engine modelled).
ACTIVATION_BYTES = 2.0


@dataclass(frozen=True, slots=True)
class Work:
    """What one operator asks of one device.

    flops        multiply-adds counted as two
    weights      weight bytes read
    cache        KV-cache or recurrent-state bytes read and written
    activations  activation bytes read and written
    rows         tokens each weight matrix multiplies: how well a matrix unit can be filled
    """

    flops: Flop = 0.0
    weights: Bytes = 0.0
    cache: Bytes = 0.0
    activations: Bytes = 0.0
    rows: Tokens = 1.0

    def __add__(self, other: Work) -> Work:
        return Work(
            self.flops + other.flops,
            self.weights + other.weights,
            self.cache + other.cache,
            self.activations + other.activations,
            np.maximum(self.rows, other.rows),
        )

    def __mul__(self, n: Num) -> Work:
        return Work(self.flops * n, self.weights * n, self.cache * n, self.activations * n, self.rows)

    @property
    def bytes(self) -> Bytes:
        return self.weights + self.cache + self.activations

    @property
    def intensity(self) -> Num:
        """Arithmetic intensity [FLOP/B], to be held against a device's ridge point."""
        return self.flops / np.maximum(self.bytes, 1.0)


def distinct_experts(experts: int, active: int, tokens: Tokens) -> Count:
    """Expected number of different experts touched by ``tokens`` tokens under uniform routing:
    ``E·(1 − (1 − k/E)^T)``. Real routing is skewed and touches fewer."""
    if not experts:
        return 0.0
    return experts * (1.0 - (1.0 - active / experts) ** tokens)


def forward(arch: Architecture, step: Step, plan: Plan) -> dict[str, Work]:
    """Work of one pass by operator name, per device (columns allowed in ``step`` and ``plan``)."""
    work: dict[str, Work] = {}
    plan = replace(plan, format=stored(arch, plan.format)) if plan.format.block else plan

    def add(operator: str, part: Work) -> None:
        work[operator] = work[operator] + part if operator in work else part

    for group in arch.kinds:
        add("projections", _projections(group, step, plan) * group.count)
        for piece in step.slices:
            for operator, part in _mixing(arch, group.mixer, piece, plan).items():
                add(operator, part * group.count)
        if group.feed.kind != "none":
            add("feed-forward", _feed(group, step, plan) * group.count)
        if group.feed.experts:
            add("experts", _experts(group, step, plan) * group.count)
    add("embedding", Work(activations=step.tokens * arch.hidden * ACTIVATION_BYTES))
    add("head", _head(arch, step, plan.format, plan.tp))
    return work


def pointwise(arch: Architecture, step: Step, plan: Plan) -> Work:
    """Traffic of what stands between the products: norms, residuals, rotations and quantisation read and write
    the hidden state about four times a layer, on every device of the group; a mixture of experts gathers and
    scatters it once per active expert, and passes the inner width of each through its activation."""
    hidden = step.tokens / plan.attn_dp * arch.hidden * ACTIVATION_BYTES
    moved: Num = 0.0
    for group in arch.kinds:
        inner = max(group.feed.expert.values(), default=0) / arch.hidden
        routed = group.feed.active * (4.0 + 3.0 * inner / arch.hidden / plan.tp)
        moved = moved + group.count * hidden * (8.0 + routed)
    return Work(activations=moved)


def _projections(group: LayerGroup, step: Step, plan: Plan) -> Work:
    """Weights of the token mixer times the new tokens."""
    elements = sum(group.mixer.weights.values())
    hidden_traffic = 4 * step.tokens * _width(group) * ACTIVATION_BYTES
    return Work(
        2 * elements * step.tokens / plan.tp,
        mixer_bytes(group, plan.format) / plan.attn_tp,
        activations=hidden_traffic / plan.tp,
        rows=step.tokens / plan.attn_dp,
    )


def _width(group: LayerGroup) -> int:
    """Widest activation of the mixer, for its traffic: the query width or the recurrent width."""
    return max(group.mixer.heads * max(group.mixer.qk_dim, group.mixer.v_dim), 1)


def _feed(group: LayerGroup, step: Step, plan: Plan) -> Work:
    elements = sum(group.feed.weights.values())
    return Work(2 * elements * step.tokens / plan.tp, feed_bytes(group, plan.format) / plan.tp, rows=step.tokens)


def _experts(group: LayerGroup, step: Step, plan: Plan) -> Work:
    """Routed experts: FLOPs by active ones, bytes by the distinct ones the step touches."""
    feed = group.feed
    touched = distinct_experts(feed.experts, feed.active, _routed(step))
    return Work(
        2 * feed.active * sum(feed.expert.values()) * step.tokens / plan.tp,
        touched * expert_bytes(group, plan.format) / plan.tp,
        rows=step.tokens * feed.active / np.maximum(touched, 1e-9),
    )


def _routed(step: Step) -> Tokens:
    """Evenly routed tokens that would touch as many experts as the step does."""
    answering: Tokens = sum((s.tokens for s in step.slices if s.phase == "decode"), 0.0)
    return step.tokens - answering + answering**ROUTING


def _head(arch: Architecture, step: Step, fmt: Format, tp: Num) -> Work:
    if not (arch.head or arch.tied):
        return Work()
    return Work(2 * arch.vocab * arch.hidden * step.logits / tp, head_bytes(arch, fmt) / tp, rows=step.logits)


def _mixing(arch: Architecture, mixer: Mixer, piece: Slice, plan: Plan) -> dict[str, Work]:
    """Scores and cache traffic of one layer for one slice; prefill and decode kernels stay apart."""
    if mixer.kind in ("full", "sliding", "chunked", "mla"):
        return {f"attention ({piece.phase})": _attention(arch, mixer, piece, plan)}
    if mixer.state:
        return {"recurrence": _recurrence(mixer, piece, plan)}
    return {}


def attended(mixer: Mixer, piece: Slice, *, causal: bool = True) -> Num:
    """Query–key pairs of one layer, after windows, chunks and sparse selection."""
    window = mixer.selected or mixer.window
    return piece.pairs(window, causal=causal, chunked=mixer.kind == "chunked" and not mixer.selected)


def _attention(arch: Architecture, mixer: Mixer, piece: Slice, plan: Plan) -> Work:
    """softmax(QKᵀ)V: ``2·heads·(d_qk + d_v)`` FLOP per pair; MLA decodes in its latent space
    (DeepSeek-V2, arXiv 2405.04434): ``2·heads·(2·latent + rope)``."""
    pairs = attended(mixer, piece, causal=arch.causal)
    absorbed = mixer.kind == "mla" and piece.phase == "decode"
    per_pair = 2 * mixer.latent + mixer.rope_dim if absorbed else mixer.qk_dim + mixer.v_dim
    flops = 2 * mixer.heads * per_pair * pairs
    if mixer.selected:
        flops = flops + 2 * mixer.index_heads * mixer.index_dim * piece.pairs(None, causal=arch.causal)
    cache = cache_traffic(mixer, piece, plan) / plan.attn_dp / kv_shards(mixer, plan.attn_tp)
    return Work(flops / plan.tp, cache=cache)


def cache_traffic(mixer: Mixer, piece: Slice, plan: Plan) -> Bytes:
    """KV bytes one layer reads and writes in a pass: the span once, the new tokens once.

    Layers that share an earlier layer's cache (``cached`` False) still read it.
    """
    values = kv_values_read(mixer)
    reads = piece.span(mixer.selected or mixer.window) * values
    if mixer.selected:
        reads = reads + piece.span(None) * mixer.index_dim
    return (reads + piece.tokens * values) * plan.kv_bits / 8


def kv_values_read(mixer: Mixer) -> int:
    """Values read per attended token and layer (without the selector's own keys)."""
    if mixer.kind == "mla":
        return mixer.latent + mixer.rope_dim
    return mixer.kv_heads * (mixer.qk_dim + mixer.v_dim)


def kv_shards(mixer: Mixer, tp: Count) -> Count:
    """Into how many parts tensor parallelism really splits the cache of a layer: a device holds whole KV heads."""
    heads = 1 if mixer.kind == "mla" else max(mixer.kv_heads, 1)
    shards: Count = heads / np.ceil(heads / (tp + 0.0))
    return shards


def _recurrence(mixer: Mixer, piece: Slice, plan: Plan) -> Work:
    """A linear recurrence reads and writes its state once per sequence and pass, and updates it with
    about 6 FLOP per state value and token (Mamba-2, arXiv 2405.21060: decay, outer product, read-out)."""
    state = mixer.state * mixer.state_bits / 8
    return Work(6.0 * mixer.state * piece.tokens / plan.tp, cache=2 * state * piece.sequences / plan.tp)

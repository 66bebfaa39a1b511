"""The parts models are built of, with exact element counts. h is the hidden size throughout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from ridgewise.models.architecture import Feed, LayerGroup, Mixer, MixerKind

Layer = tuple[Mixer, Feed, int]
NO_MIXER = Mixer("none")
NO_FEED = Feed("none")


def attention(
    h: int,
    heads: int,
    kv_heads: int,
    qk_dim: int,
    v_dim: int | None = None,
    *,
    kind: MixerKind = "full",
    window: int | None = None,
    qkv_bias: bool = False,
    o_bias: bool = False,
    gate: int = 0,
    small: int = 0,
    rope_dim: int | None = None,
) -> Mixer:
    """Multi-head, grouped or multi-query attention (Vaswani 2017; Shazeer 2019; Ainslie 2023).

    ``gate``: elements of an output gate; ``small``: further norms and sinks.
    """
    v = qk_dim if v_dim is None else v_dim
    weights = {"q": h * heads * qk_dim, "k": h * kv_heads * qk_dim, "v": h * kv_heads * v, "o": heads * v * h}
    bias = (heads * qk_dim + kv_heads * (qk_dim + v)) * qkv_bias + h * o_bias
    return Mixer(
        kind, heads=heads, kv_heads=kv_heads, qk_dim=qk_dim, v_dim=v, window=window,
        rope_dim=qk_dim if rope_dim is None else rope_dim,
        weights=weights | ({"g": gate} if gate else {}), small=bias + small,
    )  # fmt: skip


def mla(
    h: int,
    heads: int,
    latent: int,
    nope: int,
    rope: int,
    v_dim: int,
    q_latent: int | None = None,
    *,
    gate: int = 0,
    small: int = 0,
) -> Mixer:
    """Multi-head latent attention: one cached latent of ``latent + rope`` values (2405.04434)."""
    qk = nope + rope
    query = {"q_a": h * q_latent, "q_b": q_latent * heads * qk} if q_latent else {"q": h * heads * qk}
    weights = {"kv_a": h * (latent + rope), "kv_b": latent * heads * (nope + v_dim), "o": heads * v_dim * h}
    return Mixer(
        "mla", heads=heads, kv_heads=1, qk_dim=qk, v_dim=v_dim, latent=latent, rope_dim=rope,
        weights=query | weights | ({"g": gate} if gate else {}), small=latent + (q_latent or 0) + small,
    )  # fmt: skip


def remembering(mixer: Mixer, recurrent: int, convolved: int, bits: int = 32) -> Mixer:
    """The mixer with its state: ``recurrent`` values at ``bits``, and the inputs its convolution keeps
    (channels × kernel, at 16 bits), counted in values of ``bits``."""
    return replace(mixer, state=recurrent + -(-convolved * 16 // bits), state_bits=bits)


def delta_net(h: int, k_heads: int, v_heads: int, k_dim: int, v_dim: int, kernel: int, *, bits: int = 32) -> Mixer:
    """Gated DeltaNet (2412.06464) as in Qwen3-Next: q k v z b a projections, one short convolution.

    State: a k_dim × v_dim matrix per value head.
    """
    keys, values = k_heads * k_dim, v_heads * v_dim
    channels = 2 * keys + values
    weights = {"in": h * (channels + values + 2 * v_heads), "conv": channels * kernel, "out": values * h}
    mixer = Mixer(
        "linear", heads=v_heads, kv_heads=k_heads, qk_dim=k_dim, v_dim=v_dim, weights=weights,
        small=2 * v_heads + v_dim,
    )  # fmt: skip
    return remembering(mixer, v_heads * k_dim * v_dim, channels * kernel, bits)


def kda(h: int, heads: int, dim: int, kernel: int, *, full_decay: bool = False, full_gate: bool = False) -> Mixer:
    """Kimi Delta Attention (2510.26692): per-channel decay and an output gate, low-rank unless full."""
    width = heads * dim
    decay = h * width if full_decay else h * dim + dim * width
    gate = h * width if full_gate else h * dim + dim * width
    weights = {"in": h * (3 * width + heads) + decay + gate, "conv": 3 * width * kernel, "out": width * h}
    small = width + heads + dim
    mixer = Mixer("linear", heads=heads, kv_heads=heads, qk_dim=dim, v_dim=dim, weights=weights, small=small)
    return remembering(mixer, heads * dim * dim, 3 * width * kernel)


def mamba1(
    h: int, inner: int, states: int, kernel: int, rank: int, *, bias: bool = False, norms: bool = False
) -> Mixer:
    """Mamba (2312.00752): selective state space with ``states`` values per inner channel."""
    weights = {
        "in": h * 2 * inner,
        "conv": inner * kernel,
        "ssm": inner * (rank + 2 * states) + rank * inner + inner * states,
        "out": inner * h,
    }
    small = 3 * inner + bias * (2 * inner + h) + norms * (rank + 2 * states)
    return remembering(Mixer("ssm", heads=1, weights=weights, small=small), inner * states, inner * kernel)


def mamba2(
    h: int, heads: int, dim: int, groups: int, states: int, kernel: int,
    *, conv_bias: bool = True, bias: bool = False, norm: bool = True, bits: int = 32,
) -> Mixer:  # fmt: skip
    """Mamba-2 (2405.21060): heads × dim × states recurrent values, one convolution over x, B and C."""
    inner = heads * dim
    channels = inner + 2 * groups * states
    projected = inner + channels + heads
    weights = {"in": h * projected, "conv": channels * kernel, "out": inner * h}
    small = 3 * heads + norm * inner + conv_bias * channels + bias * (projected + h)
    mixer = Mixer("ssm", heads=heads, qk_dim=states, v_dim=dim, weights=weights, small=small)
    return remembering(mixer, heads * dim * states, channels * kernel, bits)


def short_conv(h: int, kernel: int, *, bias: bool = False) -> Mixer:
    """Gated short convolution (LFM2): three projections in, a depthwise kernel, one projection out."""
    weights = {"in": 3 * h * h, "conv": h * kernel, "out": h * h}
    return remembering(Mixer("conv", weights=weights, small=bias * 5 * h), 0, h * kernel, 16)


def mlp(h: int, inner: int, *, gated: bool = True, bias: bool = False, small: int = 0) -> Feed:
    """A dense feed-forward: gate, up, down (SwiGLU and kin), or up and down."""
    weights = {"gate": h * inner} if gated else {}
    biases = (inner * (1 + gated) + h) * bias
    return Feed("dense", weights=weights | {"up": h * inner, "down": inner * h}, small=biases + small)


def moe(
    h: int,
    experts: int,
    active: int,
    inner: int,
    *,
    shared: int = 0,
    shared_gate: bool = False,
    correction: bool = False,
    gated: bool = True,
    bias: bool = False,
    latent: int = 0,
    router: int | None = None,
    small: int = 0,
) -> Feed:
    """A mixture of experts. ``inner``: width of one expert; ``shared``: total width of the shared experts.

    ``correction``: the load-balancing bias of the router, stored with the weights (2408.15664).
    ``latent``: experts work on a down-projected input (Nemotron-3 LatentMoE).
    ``router``: rows of the router where they differ from ``experts``.
    """
    rows = experts if router is None else router
    width = latent or h
    roles = ("gate", "up", "down") if gated else ("up", "down")
    expert = dict.fromkeys(roles, width * inner)
    weights = {"router": h * rows}
    weights |= {f"shared_{role}": h * shared for role in roles if shared}
    if latent:
        weights |= {"latent_in": h * latent, "latent_out": latent * h}
    return Feed(
        "moe", weights=weights, expert=expert, experts=experts, active=active,
        small=h * shared_gate + rows * correction + rows * bias + small,
        expert_small=(inner * (1 + gated) + width) * bias,
    )  # fmt: skip


def merged(layers: Sequence[Layer]) -> tuple[LayerGroup, ...]:
    """Equal neighbours become one group."""
    groups = []
    for (mixer, feed, small), run in groupby(layers):
        groups.append(LayerGroup(sum(1 for _ in run), mixer, feed, small))
    return tuple(groups)

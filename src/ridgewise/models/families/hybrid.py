"""Attention mixed with recurrence, and pure recurrence: linear attention, state spaces, convolutions."""

from __future__ import annotations

from dataclasses import replace

from ridgewise.models.architecture import Architecture, Feed, Mixer
from ridgewise.models.families.base import (
    Builder,
    Rule,
    assemble,
    dense,
    feed_layers,
    grouped,
    mixture,
    mla_mixer,
    with_mtp,
)
from ridgewise.models.families.deepseek import with_indexer
from ridgewise.models.fields import Fields
from ridgewise.models.parts import (
    NO_FEED,
    NO_MIXER,
    Layer,
    attention,
    delta_net,
    kda,
    mamba1,
    mamba2,
    mlp,
    moe,
    remembering,
    short_conv,
)

_LINEAR = ("linear_attention", "kda", "lightning")


def _kinds(f: Fields, n: int) -> list[bool]:
    """True where a layer is linear: by name, or every layer but each ``full_attention_interval``-th."""
    named = f.items("layer_types", str, n)
    if named:
        return [kind in _LINEAR for kind in named]
    every = f.size("full_attention_interval", "layer_group_size", default=4)
    return [(i + 1) % every != 0 for i in range(n)]


def _bits(f: Fields) -> int:
    """The precision of the recurrent state the configuration names; 32 bits where it names none."""
    stated = f.text("mamba_ssm_dtype") or f.text("mamba_ssm_cache_dtype")
    return 16 if stated in ("bfloat16", "float16") else 32


# Qwen3-Next, Qwen3.5


def qwen_next(f: Fields, name: str) -> Architecture:
    """Qwen3-Next and Qwen3.5: three Gated DeltaNet layers, then one gated attention layer.

    The query projection of an attention layer is twice as wide: half of it gates the output.
    """
    n, h = f.layers, f.hidden
    rule = Rule(qk_norm="head", shared_gate=True)
    linear = delta_net(
        h, f.size("linear_num_key_heads"), f.size("linear_num_value_heads"), f.size("linear_key_head_dim"),
        f.size("linear_value_head_dim"), f.size("linear_conv_kernel_dim"), bits=_bits(f),
    )  # fmt: skip
    full = _qwen_attention(f, rule)
    feeds = feed_layers(f, rule)
    layers = [(linear if is_linear else full, feeds[i], 2 * h) for i, is_linear in enumerate(_kinds(f, n))]
    arch = assemble(rule, f, name, layers)
    count = f.optional("mtp_num_hidden_layers", "num_nextn_predict_layers", most=64)
    if not count:
        return arch
    modules = count * (full.parameters + feeds[-1].parameters + 2 * h) + 2 * h * h + 3 * h
    return replace(arch, extra={"mtp": modules})


def _qwen_attention(f: Fields, rule: Rule) -> Mixer:
    gate = f.hidden * f.heads * f.head_dim if f.flag("attn_output_gate", default=True) else 0
    return grouped(f, rule, "full", None, gate=gate)


# Kimi Linear, Kimi K3, Ling, GLM-5.3-Flash


def kimi_linear(f: Fields, name: str) -> Architecture:
    """Kimi Linear and K3: Kimi Delta Attention with latent attention every fourth layer (2510.26692)."""
    n, h = f.layers, f.hidden
    rule = Rule(correction=True, window="none")
    if f.has("linear_attn_config"):
        part = f.sub("linear_attn_config")
        full = {i - 1 for i in part.items("full_attn_layers", int)}
        linear = [i not in full for i in range(n)]
        heads, dim, kernel = (
            part.size("num_heads"),
            part.size("head_dim"),
            part.size("short_conv_kernel_size"),
        )
        full_gate = part.flag("use_full_rank_gate")
    else:
        linear = _kinds(f, n)
        heads, dim, kernel = (
            f.size("linear_num_heads"),
            f.size("linear_head_dim"),
            f.size("linear_conv_kernel_dim"),
        )
        full_gate = False
    recurrent = kda(h, heads, dim, kernel, full_gate=full_gate)
    gate = h * f.heads * f.size("v_head_dim") if f.flag("mla_use_output_gate") else 0
    latent = mla_mixer(f, gate=gate)
    feeds = _kimi_feeds(f, rule)
    return assemble(rule, f, name, [(recurrent if linear[i] else latent, feeds[i], 2 * h) for i in range(n)])


def _kimi_feeds(f: Fields, rule: Rule) -> list[Feed]:
    """Experts; in K3 they work on a narrower input between two projections and a norm."""
    feeds = feed_layers(f, rule)
    latent = f.optional("routed_expert_hidden_size", least=1)
    if latent is None:
        return feeds
    inner = f.size("moe_intermediate_size")
    norm = latent * f.flag("latent_moe_use_norm")
    shared = f.size("num_shared_experts", default=0, least=0) * inner
    narrow = moe(
        f.hidden, f.size("num_experts"), f.size("num_experts_per_token"), inner, shared=shared,
        correction=True, latent=latent, small=norm,
    )  # fmt: skip
    return [narrow if feed.kind == "moe" else feed for feed in feeds]


def bailing_hybrid(f: Fields, name: str) -> Architecture:
    """Ling 3.0: delta attention with full-rank decay and gate, latent attention every sixth layer."""
    n, h = f.layers, f.hidden
    rule = Rule(correction=True, window="none")
    recurrent = kda(
        h, f.size("linear_num_heads"), f.size("linear_head_dim"), f.size("linear_conv_kernel_dim"),
        full_decay=True, full_gate=True,
    )  # fmt: skip
    latent = mla_mixer(f, gate=h * f.heads)
    feeds = feed_layers(f, rule)
    layers = [(recurrent if is_linear else latent, feeds[i], 2 * h) for i, is_linear in enumerate(_kinds(f, n))]
    return with_mtp(f, assemble(rule, f, name, layers))


def glm5_next(f: Fields, name: str) -> Architecture:
    """GLM-5.3-Flash: delta attention, sparse latent attention with pooled index keys, hyper-connections."""
    n, h = f.layers, f.hidden
    rule = Rule(correction=True, window="none")
    recurrent = kda(h, f.size("linear_num_heads"), f.size("linear_head_dim"), f.size("linear_conv_kernel_dim"))
    latent = _pooled_index(f)
    streams = f.size("hc_mult", default=1)
    hyper = 2 * ((2 * streams + streams * streams) * (streams * h + 1) + 3)
    feeds = feed_layers(f, rule)
    layers = [(recurrent if is_linear else latent, feeds[i], 2 * h + hyper) for i, is_linear in enumerate(_kinds(f, n))]
    return with_mtp(f, assemble(rule, f, name, layers))


def _pooled_index(f: Fields) -> Mixer:
    pool, dim = f.size("index_kpool", default=1), f.size("index_head_dim")
    mixer = with_indexer(f, mla_mixer(f))
    if pool == 1:
        return mixer
    weights = {**mixer.weights, "index": mixer.weights["index"] + f.hidden * dim}
    return replace(mixer, weights=weights, small=mixer.small + pool * dim, index_dim=-(-dim // pool))


# MiniMax-Text-01 and M1


def minimax_text(f: Fields, name: str) -> Architecture:
    """MiniMax-Text-01, M1: seven lightning-attention layers, then one softmax layer (2501.08313)."""
    n, h = f.layers, f.hidden
    kinds = f.items("attn_type_list", int, n)
    named = f.items("layer_types", str, n)
    if not kinds:
        kinds = [int(kind == "full_attention") for kind in named] or [int((i + 1) % 8 == 0) for i in range(n)]
    heads, dim = f.heads, f.head_dim
    width = heads * dim
    weights = {"in": h * 3 * width, "g": h * width, "out": width * h}
    lightning = Mixer(
        "linear", heads=heads, kv_heads=heads, qk_dim=dim, v_dim=dim, weights=weights, small=width,
        state=heads * dim * dim,
    )  # fmt: skip
    full = attention(h, heads, f.kv_heads, dim)
    feed = mixture(f, Rule()) if f.has("num_local_experts") or f.has("num_experts") else dense(f, Rule())
    return assemble(Rule(), f, name, [(full if kind else lightning, feed, 2 * h) for kind in kinds])


# OLMo-Hybrid


def olmo_hybrid(f: Fields, name: str) -> Architecture:
    """OLMo-Hybrid: Gated DeltaNet layers with norms before, OLMo-3 attention layers with norms after."""
    n, h = f.layers, f.hidden
    rule = Rule(qk_norm="full", window="none")
    linear = delta_net(
        h, f.size("linear_num_key_heads"), f.size("linear_num_value_heads"), f.size("linear_key_head_dim"),
        f.size("linear_value_head_dim"), f.size("linear_conv_kernel_dim"),
    )  # fmt: skip
    full, feed = grouped(f, rule, "full", None), dense(f, rule)
    return assemble(rule, f, name, [(linear if is_linear else full, feed, 2 * h) for is_linear in _kinds(f, n)])


# Mamba, Jamba, Zamba, Falcon-H1, Granite-4, Nemotron-H


def mamba(f: Fields, name: str) -> Architecture:
    """Mamba and Falcon-Mamba: one block a layer, no feed-forward (modeling_mamba.py)."""
    h = f.hidden
    inner = f.size("intermediate_size", default=f.size("expand", default=2) * h)
    rank = f.size("time_step_rank", default=-(-h // 16))
    mixer = mamba1(
        h, inner, f.size("state_size", default=16), f.size("conv_kernel", default=4), rank,
        bias=f.flag("use_bias"),
    )  # fmt: skip
    return assemble(Rule(tied=True), f, name, [(mixer, NO_FEED, h)] * f.layers)


def mamba_2(f: Fields, name: str) -> Architecture:
    """Mamba-2: one block a layer, no feed-forward (modeling_mamba2.py)."""
    h = f.hidden
    mixer = mamba2(
        h, f.size("num_heads"), f.size("head_dim"), f.size("n_groups"), f.size("state_size"),
        f.size("conv_kernel"), conv_bias=f.flag("use_conv_bias", default=True), bias=f.flag("use_bias"),
    )  # fmt: skip
    return assemble(Rule(), f, name, [(mixer, NO_FEED, h)] * f.layers)


def bamba(f: Fields, name: str) -> Architecture:
    """Bamba: Mamba-2 with attention at the listed layers (modeling_bamba.py)."""
    n, h = f.layers, f.hidden
    listed = set(f.items("attn_layer_indices", int))
    heads = f.size("mamba_n_heads")
    recurrent = mamba2(
        h, heads, f.size("mamba_expand", default=2) * h // heads, f.size("mamba_n_groups", default=1),
        f.size("mamba_d_state"), f.size("mamba_d_conv", default=4),
        conv_bias=f.flag("mamba_conv_bias", default=True), bias=f.flag("mamba_proj_bias"),
    )  # fmt: skip
    full, feed = grouped(f, Rule(), "full", None), dense(f, Rule())
    return assemble(Rule(), f, name, [(full if i in listed else recurrent, feed, 2 * h) for i in range(n)])


def jamba(f: Fields, name: str) -> Architecture:
    """Jamba: Mamba, attention every ``attn_layer_period`` layers, experts every second (2403.19887)."""
    n, h = f.layers, f.hidden
    recurrent = mamba1(
        h, f.size("mamba_expand", default=2) * h, f.size("mamba_d_state", default=16),
        f.size("mamba_d_conv", default=4), f.size("mamba_dt_rank", default=-(-h // 16)),
        bias=f.flag("mamba_proj_bias"), norms=True,
    )  # fmt: skip
    full = attention(h, f.heads, f.kv_heads, f.head_dim)
    experts, plain = f.size("num_experts", default=1), mlp(h, f.inner)
    mixed = moe(h, experts, f.size("num_experts_per_tok"), f.inner) if experts > 1 else plain
    attn = _every(f, n, "attn_layer_period", "attn_layer_offset", 8, 4)
    sparse = _every(f, n, "expert_layer_period", "expert_layer_offset", 2, 1)
    layers: list[Layer] = [(full if attn[i] else recurrent, mixed if sparse[i] else plain, 2 * h) for i in range(n)]
    return assemble(Rule(), f, name, layers)


def _every(f: Fields, n: int, period: str, offset: str, every: int, first: int) -> list[bool]:
    step, start = f.size(period, default=every), f.size(offset, default=first, least=0)
    return [i % step == start for i in range(n)]


def zamba(f: Fields, name: str) -> Architecture:
    """Zamba: Mamba layers and one shared transformer block applied at every hybrid layer (2405.16712).

    The shared weights are counted once; each application keeps its own cache.
    """
    n, h = f.layers, f.hidden
    heads, expand = f.size("n_mamba_heads"), f.size("mamba_expand", default=2)
    inner = expand * h
    rank, states = f.size("mamba_dt_rank"), f.size("mamba_d_state")
    per_head = inner // heads
    weights = {
        "in": h * 2 * inner, "conv": inner * f.size("mamba_d_conv"), "out": inner * h,
        "ssm": heads * ((rank + 2 * states) * per_head + per_head * rank + per_head * states),
    }  # fmt: skip
    recurrent = Mixer("ssm", heads=heads, weights=weights, small=3 * inner)
    recurrent = remembering(recurrent, inner * states, inner * f.size("mamba_d_conv"))
    dim, wide = f.size("attention_head_dim"), f.size("attention_hidden_size")
    shared = _shared_attention(f, wide, dim)
    feed = mlp(h, f.inner, small=wide + h)
    return _shared_block(f, name, n, recurrent, shared, feed, extra_feed={})


def zamba2(f: Fields, name: str) -> Architecture:
    """Zamba 2: Mamba-2 layers and shared transformer blocks with low-rank adapters per application."""
    n, h = f.layers, f.hidden
    heads = f.size("n_mamba_heads")
    inner = f.size("mamba_expand", default=2) * h
    recurrent = mamba2(
        h, heads, inner // heads, f.size("mamba_ngroups"), f.size("mamba_d_state"), f.size("mamba_d_conv")
    )
    dim, wide = f.size("attention_head_dim"), f.size("attention_hidden_size")
    shared = _shared_attention(f, wide, dim)
    feed = mlp(h, f.inner, small=wide + h)
    rank = f.size("adapter_rank", default=128)
    if f.flag("use_shared_attention_adapter"):
        raise f.refuse("adapters on the shared attention are not supported", "use_shared_attention_adapter")
    if f.size("num_mem_blocks", default=1) != 1:
        f.assume("Several shared blocks take turns; each is counted once at its first use.")
    return _shared_block(f, name, n, recurrent, shared, feed, extra_feed={"adapter": rank * h + rank * 2 * f.inner})


def _shared_attention(f: Fields, wide: int, dim: int) -> Mixer:
    """Attention on the concatenation of stream and embedding, back to the stream."""
    heads = f.heads
    weights = {
        "q": wide * heads * dim,
        "k": wide * heads * dim,
        "v": wide * heads * dim,
        "o": heads * dim * f.hidden,
    }
    return Mixer("full", heads=heads, kv_heads=heads, qk_dim=dim, v_dim=dim, weights=weights)


def _shared_block(
    f: Fields, name: str, n: int, recurrent: Mixer, shared: Mixer, feed: Feed, extra_feed: dict[str, int]
) -> Architecture:
    """A hybrid layer is a shared transformer layer, a projection, then its own recurrent layer."""
    kinds = f.items("layers_block_type", str, n)
    blocks = f.size("num_mem_blocks", default=1)
    h = f.hidden
    layers: list[Layer] = []
    uses = 0
    for kind in kinds:
        if kind == "hybrid":
            own = uses < blocks
            mixer = shared if own else replace(shared, weights={})
            weights = {"linear": h * h, **extra_feed, **(feed.weights if own else {})}
            layers.append((mixer, Feed("dense", weights=weights, small=feed.small if own else 0), 0))
            uses += 1
        layers.append((recurrent, NO_FEED, h))
    if uses > blocks:
        f.assume("Shared transformer blocks are counted once; work on them is done at every hybrid layer.")
    return assemble(Rule(tied=True), f, name, layers)


def falcon_h1(f: Fields, name: str) -> Architecture:
    """Falcon-H1: attention and Mamba-2 side by side in every layer (2507.22448)."""
    h, n = f.hidden, f.layers
    heads = f.size("mamba_n_heads")
    inner = f.size("mamba_d_ssm", default=f.size("mamba_expand", default=2) * h)
    recurrent = mamba2(
        h, heads, inner // heads, f.size("mamba_n_groups"), f.size("mamba_d_state"), f.size("mamba_d_conv"),
        conv_bias=f.flag("mamba_conv_bias", default=True), bias=f.flag("mamba_proj_bias"),
        norm=f.flag("mamba_rms_norm", default=False),
    )  # fmt: skip
    bias = f.flag("attention_bias")
    full = attention(h, f.heads, f.kv_heads, f.head_dim, qkv_bias=bias, o_bias=bias)
    mixer = side_by_side(full, recurrent)
    return assemble(Rule(), f, name, [(mixer, dense(f, Rule()), 2 * h)] * n)


def side_by_side(full: Mixer, recurrent: Mixer) -> Mixer:
    """Attention and recurrence on the same input: the attention's cache and the recurrence's state."""
    weights = {**full.weights, **recurrent.weights}
    return replace(
        full, weights=weights, small=full.small + recurrent.small, state=recurrent.state,
        state_bits=recurrent.state_bits,
    )  # fmt: skip


def granite_hybrid(f: Fields, name: str) -> Architecture:
    """Granite 4.0: Mamba-2 or attention per layer, experts beside a shared feed-forward."""
    n, h = f.layers, f.hidden
    kinds = f.items("layer_types", str, n) or f.items("layers_block_type", str, n) or ["mamba"] * n
    full = grouped(f, Rule(), "full", None)
    recurrent = full
    if any(kind in ("mamba", "linear_attention") for kind in kinds):
        heads = f.size("mamba_n_heads")
        inner = f.size("mamba_expand", default=2) * h
        recurrent = mamba2(
            h, heads, inner // heads, f.size("mamba_n_groups", default=1), f.size("mamba_d_state"),
            f.size("mamba_d_conv", default=4), conv_bias=f.flag("mamba_conv_bias", default=True),
            bias=f.flag("mamba_proj_bias"),
        )  # fmt: skip
    shared = f.size("shared_intermediate_size", least=0)
    experts = f.size("num_local_experts", default=0, least=0)
    feed = moe(h, experts, f.size("num_experts_per_tok"), f.inner, shared=shared) if experts else mlp(h, shared)
    layers = [(recurrent if kind in ("mamba", "linear_attention") else full, feed, 2 * h) for kind in kinds]
    return assemble(Rule(tied=True), f, name, layers)


_PATTERN = {"M": "mamba", "E": "moe", "*": "attention", "-": "mlp"}


def nemotron_h(f: Fields, name: str) -> Architecture:
    """Nemotron-H and Nemotron 3: a layer is Mamba-2, attention, feed-forward or experts (2504.03624)."""
    h = f.hidden
    kinds = _nemotron_kinds(f, "layers_block_type", "hybrid_override_pattern")
    parts = {kind: _nemotron_part(f, kind) for kind in set(kinds)}
    arch = assemble(Rule(), f, name, [(*parts[kind], h) for kind in kinds])
    count = f.optional("num_nextn_predict_layers", most=64)
    if not count:
        return arch
    mtp = _nemotron_kinds(f, "mtp_layers_block_type", "mtp_hybrid_override_pattern", default=["attention", "moe"])
    own = {kind: _nemotron_part(f, kind) for kind in set(mtp)}
    layer = sum(own[kind][0].parameters + own[kind][1].parameters + h for kind in mtp)
    f.assume("Multi-token-prediction modules: the listed layers, a 2h × h projection and three norms.")
    return replace(arch, extra={"mtp": count * (layer + 2 * h * h + 3 * h)})


def _nemotron_kinds(f: Fields, listed: str, pattern: str, default: list[str] | None = None) -> list[str]:
    kinds = f.items(listed, str)
    if not kinds:
        text = f.text(pattern)
        unknown = set(text) - set(_PATTERN)
        if unknown:
            raise f.refuse(f"names unknown layers {''.join(sorted(unknown))!r}", pattern)
        kinds = [_PATTERN[letter] for letter in text] or (default or [])
    if not 0 < len(kinds) <= 10_000:
        raise f.refuse("field is missing", listed)
    return kinds


def _nemotron_part(f: Fields, kind: str) -> tuple[Mixer, Feed]:
    h = f.hidden
    bias = f.flag("mlp_bias")
    match kind:
        case "mamba" | "linear_attention":
            return mamba2(
                h, f.size("mamba_num_heads"), f.size("mamba_head_dim"), f.size("n_groups"),
                f.size("ssm_state_size"),
                f.size("conv_kernel"), conv_bias=f.flag("use_conv_bias", default=True),
                bias=f.flag("mamba_proj_bias"), bits=_bits(f),
            ), NO_FEED  # fmt: skip
        case "attention" | "full_attention":
            return grouped(f, Rule(), "full", None), NO_FEED
        case "mlp":
            return NO_MIXER, mlp(h, f.inner, gated=False, bias=bias)
        case "moe":
            inner = f.size("moe_intermediate_size")
            shared = f.size("n_shared_experts", default=0, least=0) * f.size(
                "moe_shared_expert_intermediate_size", default=inner
            )
            return NO_MIXER, moe(
                h, f.size("n_routed_experts"), f.size("num_experts_per_tok"), inner, shared=shared,
                correction=True, gated=False, latent=f.optional("moe_latent_size") or 0,
            )  # fmt: skip
    raise f.refuse(f"layer kind {kind!r} is not known", "layers_block_type")


# LFM2


def lfm2(f: Fields, name: str) -> Architecture:
    """LFM2: short gated convolutions with a few attention layers, experts in the MoE (modeling_lfm2.py)."""
    n, h = f.layers, f.hidden
    named = f.items("layer_types", str, n)
    attn = set(f.items("full_attn_idxs", int))
    full_layer = [kind == "full_attention" for kind in named] if named else [i in attn for i in range(n)]
    if not named and not attn:
        raise f.refuse("field is missing", "layer_types or full_attn_idxs")
    conv = short_conv(h, f.size("conv_L_cache"), bias=f.flag("conv_bias"))
    full = grouped(f, Rule(qk_norm="head"), "full", None)
    feeds = _lfm2_feeds(f, n)
    layers = [(full if full_layer[i] else conv, feeds[i], 2 * h) for i in range(n)]
    return assemble(Rule(tied=True), f, name, layers)


def _lfm2_feeds(f: Fields, n: int) -> list[Feed]:
    h = f.hidden
    if f.has("num_experts"):
        first = f.size("num_dense_layers", default=2, least=0)
        correction = f.flag("use_expert_bias", default=True)
        mixed = moe(
            h, f.size("num_experts"), f.size("num_experts_per_tok"), f.size("moe_intermediate_size"),
            correction=correction,
        )  # fmt: skip
        plain = mlp(h, f.inner)
        return [plain if i < first else mixed for i in range(n)]
    inner = f.size("block_ff_dim", "intermediate_size")
    if f.flag("block_auto_adjust_ff_dim", default=True):
        inner = int(f.number("block_ffn_dim_multiplier", 1.0) * (2 * inner // 3))
        step = f.size("block_multiple_of", default=256)
        inner = -(-inner // step) * step
    return [mlp(h, inner)] * n


# RWKV-5


def rwkv5(f: Fields, name: str) -> Architecture:
    """RWKV-5 "Eagle": matrix-valued state per head, gated output (2404.05892)."""
    h, n = f.hidden, f.layers
    width = f.size("attention_hidden_size", default=h)
    dim = f.size("head_size", default=64)
    if width % dim:
        raise f.refuse(f"{width} is not a multiple of {dim}", "head_size")
    heads = width // dim
    inner = f.size("intermediate_size", default=int(h * 3.5) // 32 * 32)
    if not f.has("intermediate_size"):
        f.assume(f"No intermediate size is stated: 3.5 h rounded down to 32 ({inner}), as RWKV-5 does.")
    mixer = Mixer(
        "linear", heads=heads, kv_heads=heads, qk_dim=dim, v_dim=dim,
        weights={"in": 4 * h * width, "out": width * h}, small=4 * h + 2 * width + 2 * width,
        state=heads * dim * dim + 2 * h,
    )  # fmt: skip
    feed = Feed("dense", weights={"gate": h * h, "up": h * inner, "down": inner * h}, small=2 * h)
    arch = assemble(Rule(norm=2), f, name, [(mixer, feed, 4 * h)] * n, small=2 * h)
    return arch


FAMILIES: dict[str, Builder] = {
    "qwen3_next": qwen_next,
    "qwen3_5_text": qwen_next,
    "qwen3_5_moe_text": qwen_next,
    "kimi_linear": kimi_linear,
    "bailing_hybrid": bailing_hybrid,
    "glm5_next_text": glm5_next,
    "minimax": minimax_text,
    "minimax_text_01": minimax_text,
    "minimax_m1": minimax_text,
    "olmo_hybrid": olmo_hybrid,
    "mamba": mamba,
    "falcon_mamba": mamba,
    "mamba2": mamba_2,
    "bamba": bamba,
    "jamba": jamba,
    "zamba": zamba,
    "zamba2": zamba2,
    "falcon_h1": falcon_h1,
    "granitemoehybrid": granite_hybrid,
    "nemotron_h": nemotron_h,
    "lfm2": lfm2,
    "lfm2_moe": lfm2,
    "rwkv5": rwkv5,
}

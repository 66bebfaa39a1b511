"""The generic decoder: one rule says what a family does differently from Llama."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from ridgewise.models.architecture import Architecture, Feed, Mixer, MixerKind
from ridgewise.models.fields import Fields
from ridgewise.models.parts import attention, merged, mla, mlp, moe

Builder = Callable[[Fields, str], Architecture]
Windows = list[tuple[MixerKind, int | None]]


@dataclass(frozen=True)
class Rule:
    """What one family does differently from Llama (RMSNorm ×2, SwiGLU, no biases, untied head).

    norm         vectors of h per norm: 1 RMSNorm, 2 LayerNorm with bias, 0 without weights
    norms        norms of width h per layer
    bias_field   the flag that switches attention biases on; ``qkv_bias`` where it is absent
    o_bias       whether the output projection follows the flag
    qk_norm      "head": one norm shared by all heads; "full": over all heads
    window       where ``layer_types`` is absent: "all" layers slide, "qwen" flags, or every n-th is full
    correction   the router keeps a load-balancing bias
    qk_flag      the flag that switches those norms on, and its default
    feed_small   parameters of a learned activation
    sinks        one learned attention sink per head
    mtp          multi-token-prediction modules are stored where ``num_nextn_predict_layers`` asks for them
    """

    mixers: Callable[[Fields, Rule], Sequence[Mixer]] = field(default=lambda f, rule: mixer_layers(f, rule))
    feeds: Callable[[Fields, Rule], Sequence[Feed]] = field(default=lambda f, rule: feed_layers(f, rule))
    norm: int = 1
    norms: int = 2
    bias_field: str = "attention_bias"
    qkv_bias: bool = False
    o_bias: bool = True
    mlp_bias_field: str = "mlp_bias"
    mlp_bias: bool = False
    gated: bool = True
    feed_small: int = 0
    qk_norm: Literal["", "head", "full"] = ""
    qk_flag: tuple[str, bool] = ("", True)
    sinks: bool = False
    mtp: bool = False
    window: str | int = "all"
    tied: bool = False
    head_bias: bool = False
    correction: bool = False
    shared_gate: bool = False
    expert_bias: bool = False
    head_dim: int = 0
    positions: int | None = None
    embedding_norm: bool = False
    inner_factor: int = 0
    head: bool = True


def sliding(f: Fields, n: int, rule: Rule) -> Windows:
    """The attention span of every layer: full, sliding(window) or chunked(length)."""
    named = f.items("layer_types", str, n)
    if named:
        return [_span(f, kind) for kind in named]
    window = f.optional("sliding_window", "sliding_window_size", least=1, most=10**12)
    if window is None or rule.window == "none":
        return [("full", None)] * n
    if f.context and window >= f.context:
        return [("full", None)] * n
    slide: tuple[MixerKind, int | None] = ("sliding", window)
    if rule.window == "qwen":
        first = f.size("max_window_layers", default=n, least=0) if f.flag("use_sliding_window") else n
        return [slide if i >= first else ("full", None) for i in range(n)]
    pattern = f.optional("sliding_window_pattern", least=1) if _is_int(f, "sliding_window_pattern") else None
    every = pattern or (rule.window if isinstance(rule.window, int) else None)
    if every is None:
        return [slide] * n
    return [("full", None) if (i + 1) % every == 0 else slide for i in range(n)]


def _is_int(f: Fields, name: str) -> bool:
    return type(f.data.get(name)) is int


def _span(f: Fields, kind: str) -> tuple[MixerKind, int | None]:
    match kind:
        case "full_attention" | "attention" | "global_attention" | "hybrid":
            return "full", None
        case "sliding_attention" | "hybrid_sliding" | "local_attention" | "window_attention":
            window = f.size("sliding_window", "sliding_window_size", "local_attention", most=10**12)
            return ("full", None) if f.context and window >= f.context else ("sliding", window)
        case "chunked_attention":
            return "chunked", f.size("attention_chunk_size", most=10**12)
        case "indexed_attention" | "deepseek_sparse_attention":
            return "mla", None
    raise f.refuse(f"layer type {kind!r} is not known here", "layer_types")


def mixer_layers(f: Fields, rule: Rule) -> list[Mixer]:
    """Attention of every layer: MLA where a key-value rank is given, else grouped heads with windows."""
    n = f.layers
    if f.has("kv_lora_rank"):
        return [mla_mixer(f)] * n
    spans = sliding(f, n, rule)
    built = {span: grouped(f, rule, *span) for span in set(spans)}
    return [built[span] for span in spans]


def grouped(f: Fields, rule: Rule, kind: MixerKind, window: int | None, **sizes: int) -> Mixer:
    """One grouped-attention mixer under the rule."""
    dim = sizes.get("dim") or (rule.head_dim if rule.head_dim and not f.has("head_dim") else f.head_dim)
    heads, kv = sizes.get("heads") or f.heads, sizes.get("kv") or f.kv_heads
    bias = f.flag(rule.bias_field, default=rule.qkv_bias)
    norms = {"": 0, "head": 2 * dim, "full": (heads + kv) * dim}[rule.qk_norm]
    flag, default = rule.qk_flag
    norms *= f.flag(flag, default=default) if flag else 1
    gate = sizes.get("gate", 0)
    return attention(
        f.hidden, heads, kv, dim, sizes.get("v_dim"), kind=kind, window=window,
        qkv_bias=bias, o_bias=bias and rule.o_bias, gate=gate,
        small=norms + heads * rule.sinks,
    )  # fmt: skip


def mla_mixer(f: Fields, *, small: int = 0, gate: int = 0) -> Mixer:
    """Latent attention from the DeepSeek field names."""
    return mla(
        f.hidden, f.heads,
        latent=f.size("kv_lora_rank"),
        nope=f.size("qk_nope_head_dim", least=0),
        rope=f.size("qk_rope_head_dim", least=0),
        v_dim=f.size("v_head_dim"),
        q_latent=f.optional("q_lora_rank", least=1),
        small=small, gate=gate,
    )  # fmt: skip


EXPERTS = ("n_routed_experts", "num_local_experts", "num_experts", "moe_num_experts")
ACTIVE = (
    "num_experts_per_tok",
    "num_experts_per_token",
    "moe_top_k",
    "experts_per_token",
    "moe_topk",
    "moe_k",
    "top_k_experts",
)
EXPERT_WIDTH = ("moe_intermediate_size", "expert_ffn_hidden_size", "intermediate_size", "ffn_hidden_size")


def feed_layers(f: Fields, rule: Rule) -> list[Feed]:
    """The feed-forward of every layer: dense, or experts where the configuration names them."""
    n = f.layers
    if not (f.optional(*EXPERTS) or 0) > 1:
        return [dense(f, rule)] * n
    sparse = sparse_layers(f, n)
    experts = mixture(f, rule) if any(sparse) else None
    plain = dense(f, rule) if not all(sparse) else None
    return [feed for is_sparse in sparse if (feed := experts if is_sparse else plain)]


def dense(f: Fields, rule: Rule, inner: int | None = None) -> Feed:
    """One dense feed-forward under the rule."""
    width = inner or f.optional("dense_intermediate_size") or _inner(f, rule)
    bias = f.flag(rule.mlp_bias_field, default=rule.mlp_bias)
    return mlp(f.hidden, width, gated=rule.gated, bias=bias, small=rule.feed_small)


def _inner(f: Fields, rule: Rule) -> int:
    if rule.inner_factor and f.first(("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size")) is None:
        return rule.inner_factor * f.hidden
    return f.inner


def mixture(f: Fields, rule: Rule) -> Feed:
    """One mixture of experts under the rule."""
    experts, active = f.size(*EXPERTS, most=10**6), f.size(*ACTIVE, most=10**6)
    if active > experts:
        raise f.refuse(f"{active} active of {experts} experts", f.first(ACTIVE) or "")
    inner = f.size(*EXPERT_WIDTH, most=10**7)
    return moe(
        f.hidden, experts, active, inner, shared=shared_width(f, inner), shared_gate=rule.shared_gate,
        correction=rule.correction, gated=rule.gated, bias=rule.expert_bias,
    )  # fmt: skip


def shared_width(f: Fields, inner: int) -> int:
    """Total width of the experts every token passes through."""
    width = f.optional("shared_expert_intermediate_size", "moe_shared_expert_intermediate_size", "share_expert_dim")
    if width is not None:
        return width
    count = f.optional("n_shared_experts", "num_shared_experts", "moe_num_shared_experts", "num_shared_expert")
    return (count or 0) * (f.optional("shared_intermediate_size") or inner)


def sparse_layers(f: Fields, n: int) -> list[bool]:
    """Which layers hold experts, under the field names in use."""
    named = f.items("mlp_layer_types", str, n)
    if named:
        return [kind == "sparse" for kind in named]
    if isinstance(f.data.get("moe_layer_freq"), list):
        return [bool(flag) for flag in f.items("moe_layer_freq", int, n)]
    enumerated = f.text("moe_layers_enum") if isinstance(f.data.get("moe_layers_enum"), str) else ""
    if enumerated:
        return [str(i) in enumerated.split(",") for i in range(n)]
    first = f.size("first_k_dense_replace", "moe_layer_start_index", default=0, least=0)
    last = f.size("moe_layer_end_index", default=n - 1, least=-1)
    last = n - 1 if last < 0 else last
    every = f.size("moe_layer_freq", "moe_layer_interval", "decoder_sparse_step", default=1)
    only_dense = set(f.items("mlp_only_layers", int))
    step = f.has("decoder_sparse_step")
    return [first <= i <= last and (i + step) % every == 0 and i not in only_dense for i in range(n)]


def decoder(rule: Rule, f: Fields, name: str) -> Architecture:
    """A decoder-only model: embedding, layers, last norm, head."""
    h = f.hidden
    mixers, feeds = rule.mixers(f, rule), rule.feeds(f, rule)
    small = rule.norms * rule.norm * h
    arch = assemble(rule, f, name, [(m, d, small) for m, d in zip(mixers, feeds, strict=True)])
    return with_mtp(f, arch) if rule.mtp else arch


def with_mtp(f: Fields, arch: Architecture, layer: int | None = None, norms: int = 3) -> Architecture:
    """Multi-token prediction (2412.19437): per module one layer, the last again where none is given,
    a 2h × h projection and norms. Copies of embedding and head that checkpoints store are not counted."""
    count = f.optional("num_nextn_predict_layers", most=64)
    if not count:
        return arch
    h = arch.hidden
    own = arch.groups[-1].parameters if layer is None else layer
    f.assume("Multi-token-prediction modules are counted without stored copies of embedding and head.")
    return replace(arch, extra={**arch.extra, "mtp": count * (own + 2 * h * h + norms * h)})


def assemble(
    rule: Rule, f: Fields, name: str, layers: Sequence[tuple[Mixer, Feed, int]], small: int = 0
) -> Architecture:
    """The architecture around a list of layers. ``small``: norms beyond the last one."""
    h, vocab = f.hidden, f.vocab
    tied = f.flag("tie_word_embeddings", default=rule.tied)
    positions = 0 if rule.positions is None else (f.context + rule.positions) * h
    bias = vocab * f.flag("lm_head_bias", default=rule.head_bias)
    return Architecture(
        name=name,
        family=f.text("model_type", "decoder"),
        hidden=h,
        vocab=vocab,
        groups=merged(layers),
        embedding=vocab * h + positions,
        head=0 if tied or not rule.head else vocab * h,
        tied=tied and rule.head,
        small=rule.norm * h * (1 + rule.embedding_norm) + small + bias,
        max_context=f.context,
        causal=True,
    )

"""Latent attention and its descendants: DeepSeek V2 to V4, Kimi K2, GLM-5, LongCat, MiniCPM3, Mistral 4."""

from __future__ import annotations

from dataclasses import replace

from ridgewise.models.architecture import Architecture, Mixer
from ridgewise.models.families.base import (
    Builder,
    Rule,
    assemble,
    decoder,
    feed_layers,
    mla_mixer,
    with_mtp,
)
from ridgewise.models.fields import Fields
from ridgewise.models.parts import mlp, moe


def latent(f: Fields, _rule: Rule) -> list[Mixer]:
    """Latent attention in every layer: a configuration without a latent rank is refused."""
    return [mla_mixer(f)] * f.layers


V2 = Rule(mixers=latent)
V3 = replace(V2, correction=True, mtp=True)


def indexed(f: Fields, rule: Rule) -> list[Mixer]:
    """Latent attention with the lightning indexer (DeepSeek-V3.2): its own cached key, a top-k selection.

    Layers marked "shared" reuse the selection of an earlier layer and hold no indexer (GLM-5.2).
    """
    n, own = f.layers, mla_mixer(f)
    kinds = f.items("indexer_types", str, n) or ["full"] * n
    with_index = with_indexer(f, own)
    shared = replace(own, selected=with_index.selected)
    return [with_index if kind == "full" else shared for kind in kinds]


def with_indexer(f: Fields, mixer: Mixer, *, rows: int | None = None) -> Mixer:
    """The mixer with an indexer: queries from the query latent, one key per token, a weight per head."""
    heads, dim = f.size("index_n_heads"), f.size("index_head_dim")
    q_latent = f.size("q_lora_rank") if rows is None else rows
    weights = {**mixer.weights, "index": q_latent * heads * dim + f.hidden * dim + f.hidden * heads}
    return replace(
        mixer, weights=weights, small=mixer.small + 2 * dim, selected=f.size("index_topk"),
        index_heads=heads, index_dim=dim,
    )  # fmt: skip


DSA = replace(V3, mixers=indexed, mtp=False)


def deepseek_v32(f: Fields, name: str) -> Architecture:
    """DeepSeek-V3.2, GLM-5: latent attention with sparse selection (modeling_deepseek_v32.py).

    The layer of a multi-token-prediction module always has an indexer of its own.
    """
    arch = decoder(DSA, f, name)
    last = replace(arch.groups[-1], mixer=with_indexer(f, mla_mixer(f)))
    return with_mtp(f, arch, last.parameters)


def axk1(f: Fields, name: str) -> Architecture:
    """A.X K1: a further norm after the experts (modeling_axk1.py)."""
    feeds = [replace(feed, small=feed.small + f.hidden) if feed.kind == "moe" else feed for feed in feed_layers(f, V3)]
    rule = replace(V3, feeds=lambda _f, _rule: feeds)
    return decoder(rule, f, name)


def longcat(f: Fields, name: str) -> Architecture:
    """LongCat-Flash: each layer is two attention + dense halves beside one mixture (2509.01322).

    Zero-computation experts have a router row and no weights; they are not counted among the experts.
    A layer therefore becomes two: the first half carries the experts and its own dense feed-forward.
    """
    h, n = f.hidden, f.layers
    experts, zero = f.size("n_routed_experts"), f.size("zero_expert_num", default=0, least=0)
    mixer, plain = mla_mixer(f), mlp(h, f.size("ffn_hidden_size"))
    mixed = moe(
        h, experts, min(f.size("moe_topk"), experts), f.size("expert_ffn_hidden_size"),
        router=experts + zero, correction=True,
    )  # fmt: skip
    mixed = replace(mixed, weights={**mixed.weights, **{f"shared_{r}": w for r, w in plain.weights.items()}})
    if zero:
        f.assume(f"{zero} zero-computation experts hold no weights; active parameters count the top-k as real.")
    return with_mtp(f, assemble(V3, f, name, [(mixer, mixed, 2 * h), (mixer, plain, 2 * h)] * n))


def deepseek_v4(f: Fields, name: str) -> Architecture:
    """DeepSeek-V4: one latent, key and value at once, windowed or compressed (modeling_deepseek_v4.py).

    Compression ratio 0: a sliding window of full entries. Ratio 4: one entry per 4 tokens, selected by an
    indexer. Ratio 128: one entry per 128 tokens. Sizes of a compressed layer are per source token (entry
    width over ratio), so its cache and work are those of entries; its window of full entries is the
    ``state``. Hyper-connections hold ``hc_mult`` residual streams.
    """
    h, n, streams = f.hidden, f.layers, f.size("hc_mult", default=1)
    ratios = _ratios(f, n)
    hyper = 2 * ((2 * streams + streams * streams) * (streams * h + 1) + 3)
    built = {ratio: _v4_mixer(f, ratio) for ratio in set(ratios)}
    hashed = f.size("num_hash_layers", default=0, least=0)
    inner = f.size("moe_intermediate_size")
    experts, active = f.size("n_routed_experts"), f.size("num_experts_per_tok")
    shared = f.size("n_shared_experts", default=1, least=0) * inner
    feeds = {c: moe(h, experts, active, inner, shared=shared, correction=c) for c in (False, True)}
    layers = [(built[ratio], feeds[i >= hashed], 2 * h + hyper) for i, ratio in enumerate(ratios)]
    if hashed:
        f.assume(f"The first {hashed} layers route by a fixed token table, which holds no weights.")
    f.assume(
        "Compressed layers are described per source token: widths are those of an entry over the compression "
        "ratio, rounded up; their window of full entries is counted as state."
    )
    ends = streams * (streams * h + 1) + 1
    arch = assemble(V3, f, name, layers, small=ends)
    return _v4_mtp(f, arch)


def _ratios(f: Fields, n: int) -> list[int]:
    if f.has("compress_ratios"):
        found = f.items("compress_ratios", int, n)
        return [int(ratio) for ratio in found]
    raise f.refuse("field is missing", "compress_ratios")


def _v4_mixer(f: Fields, ratio: int) -> Mixer:
    h, heads, dim = f.hidden, f.heads, f.head_dim
    q_rank, o_rank, groups = f.size("q_lora_rank"), f.size("o_lora_rank"), f.size("o_groups")
    if heads % groups:
        raise f.refuse(f"{heads} heads are not a multiple of {groups} groups", "o_groups")
    weights = {
        "q_a": h * q_rank,
        "q_b": q_rank * heads * dim,
        "k": h * dim,
        "o_a": heads // groups * dim * groups * o_rank,
        "o_b": groups * o_rank * h,
    }
    small = heads + q_rank + dim
    index_heads = index_dim = 0
    selected = None
    if ratio:
        wide = 2 if ratio == 4 else 1
        weights["compress"] = 2 * h * wide * dim
        small += ratio * wide * dim + dim
    if ratio == 4:
        index_heads, index_dim = f.size("index_n_heads"), f.size("index_head_dim")
        weights["index"] = 2 * h * 2 * index_dim + q_rank * index_heads * index_dim + h * index_heads
        small += ratio * 2 * index_dim + index_dim
        selected = f.size("index_topk") * ratio
    own = -(-dim // ratio) if ratio else dim
    window = f.size("sliding_window")
    return Mixer(
        "mla", heads=heads, kv_heads=1, qk_dim=own, v_dim=own, latent=own,
        window=None if ratio else window,
        selected=selected, index_heads=index_heads, index_dim=-(-index_dim // ratio) if ratio else 0,
        state=window * dim if ratio else 0, state_bits=16,
        weights=weights, small=small,
    )  # fmt: skip


def _v4_mtp(f: Fields, arch: Architecture) -> Architecture:
    count = f.size("num_nextn_predict_layers", default=0, least=0, most=64)
    if not count:
        return arch
    h = arch.hidden
    plain = _v4_mixer(f, 0)
    last = replace(arch.groups[-1], mixer=plain)
    streams = f.size("hc_mult", default=1)
    modules = count * (last.parameters + 2 * h * h + 3 * h + streams * (streams * h + 1) + 1)
    return replace(arch, extra={**arch.extra, "mtp": modules})


def mistral4(f: Fields, name: str) -> Architecture:
    """Mistral Small 4: latent attention, experts in every layer (modeling_mistral4.py)."""
    return decoder(V2, f, name)


def minicpm3(f: Fields, name: str) -> Architecture:
    """MiniCPM3: latent attention, dense (modeling_minicpm3.py)."""
    return decoder(replace(V2, tied=True), f, name)


FAMILIES: dict[str, Builder] = {
    "deepseek_v2": lambda f, name: decoder(V2, f, name),
    "deepseek_v3": lambda f, name: decoder(V3, f, name),
    "kimi_k2": lambda f, name: decoder(V3, f, name),
    "glm4_moe_lite": lambda f, name: decoder(V3, f, name),
    "deepseek_v32": deepseek_v32,
    "glm_moe_dsa": deepseek_v32,
    "deepseek_v4": deepseek_v4,
    "deepseek_ref": deepseek_v4,
    "axk1": axk1,
    "longcat_flash": longcat,
    "mistral4": mistral4,
    "minicpm3": minicpm3,
    "youtu": minicpm3,
}

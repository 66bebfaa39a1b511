"""Gemma 1 to 4 (modeling_gemma*.py): wide heads, alternating windows, shared caches, per-layer inputs."""

from __future__ import annotations

from dataclasses import replace

from ridgewise.models.architecture import Architecture, Feed, Mixer, MixerKind
from ridgewise.models.families.base import Builder, Rule, assemble, decoder, sliding
from ridgewise.models.fields import Fields
from ridgewise.models.parts import attention, mlp, moe

GEMMA = Rule(tied=True, window="none", head_dim=256)
GEMMA2 = Rule(tied=True, norms=4, window=2, head_dim=256)
GEMMA3 = Rule(tied=True, norms=4, window=6, qk_norm="head", head_dim=256)
GEMMA4 = Rule(tied=True, norms=4, window=6)


def gemma4(f: Fields, name: str) -> Architecture:
    """Gemma 4: full layers have wider heads and, where asked, keys that serve as values.

    The last ``num_kv_shared_layers`` layers reuse an earlier layer's cache and hold no key or value weights.
    """
    n, h = f.layers, f.hidden
    shared_from = n - f.size("num_kv_shared_layers", default=0, least=0, most=n)
    spans = sliding(f, n, GEMMA4)
    keys = [(kind, window, i >= shared_from) for i, (kind, window) in enumerate(spans)]
    mixers = {key: _gemma4_mixer(f, key[0] == "full", key[1], key[2]) for key in set(keys)}
    feeds = {reuse: _gemma4_feed(f, reuse) for reuse in (False, True)}
    per_layer = f.size("hidden_size_per_layer_input", default=0, least=0)
    inputs = 2 * h * per_layer + h * bool(per_layer)
    layers = [(mixers[key], feeds[key[2]], 4 * h + inputs) for key in keys]
    arch = assemble(GEMMA4, f, name, layers)
    if not per_layer:
        return arch
    width = n * per_layer
    table = f.size("vocab_size_per_layer_input", default=f.vocab) * width
    f.assume("Per-layer input embeddings are a lookup table; they are counted with the embedding.")
    return replace(arch, embedding=arch.embedding + table, small=arch.small + h * width + per_layer)


def _gemma4_mixer(f: Fields, full: bool, window: int | None, reuse: bool) -> Mixer:
    dim = f.size("global_head_dim", default=512) if full else f.head_dim
    same = full and f.flag("attention_k_eq_v")
    kv = f.kv_heads
    if full:
        kv = f.size("num_global_key_value_heads", default=kv) if f.has("num_global_key_value_heads") else kv
    built = attention(
        f.hidden, f.heads, kv, dim, kind="full" if full else "sliding", window=window, small=2 * dim,
        qkv_bias=f.flag("attention_bias"), o_bias=f.flag("attention_bias"),
    )  # fmt: skip
    weights = dict(built.weights)
    if reuse:
        del weights["k"], weights["v"]
        return replace(built, weights=weights, small=dim, cached=False)
    if same:
        del weights["v"]
    return replace(built, weights=weights)


def _gemma4_feed(f: Fields, reuse: bool) -> Feed:
    h = f.hidden
    wide = 2 if reuse and f.flag("use_double_wide_mlp") else 1
    plain = mlp(h, f.inner * wide)
    if not f.flag("enable_moe_block"):
        return plain
    experts = f.size("num_experts")
    mixed = moe(h, experts, f.size("top_k_experts"), f.size("moe_intermediate_size"), small=4 * h + experts)
    shared = {f"shared_{role}": n for role, n in plain.weights.items()}
    return replace(mixed, weights={**mixed.weights, **shared})


def gemma3n(f: Fields, name: str) -> Architecture:
    """Gemma 3n: alternating updates over several streams, low-rank residuals, per-layer inputs, shared caches.

    Published checkpoints also store unused key and value weights of the layers that share a cache.
    """
    n, h = f.layers, f.hidden
    rule = Rule(tied=True, norms=4, window=5)
    shared_from = n - f.size("num_kv_shared_layers", default=0, least=0, most=n)
    streams, rank = f.size("altup_num_inputs", default=4, most=64), f.size("laurel_rank", default=64)
    width, vocab = f.size("hidden_size_per_layer_input", default=256), f.size("vocab_size_per_layer_input")
    spans = [(kind, window, i >= shared_from) for i, (kind, window) in enumerate(sliding(f, n, rule))]
    mixers = {span: _gemma3n_mixer(f, *span) for span in set(spans)}
    around = 2 * h + streams**2 + streams**3 + streams * h + 2 * h * rank + h + 2 * h * width + h
    inners = f.items("intermediate_size", int, n) if isinstance(f.data.get("intermediate_size"), list) else []
    feeds = [mlp(h, inner) for inner in inners] or [mlp(h, f.inner)] * n
    layers = [(mixers[spans[i]], feeds[i], 4 * h + around) for i in range(n)]
    arch = assemble(rule, f, name, layers)
    f.assume("Per-layer input embeddings are a lookup table; they are counted with the embedding.")
    ends = h * n * width + width + 2 * (streams - 1) * h * h
    return replace(arch, embedding=arch.embedding + vocab * n * width, small=arch.small + ends)


def _gemma3n_mixer(f: Fields, kind: MixerKind, window: int | None, reuse: bool) -> Mixer:
    dim = f.head_dim
    built = attention(f.hidden, f.heads, f.kv_heads, dim, kind=kind, window=window, small=2 * dim)
    if not reuse:
        return built
    weights = {role: n for role, n in built.weights.items() if role not in ("k", "v")}
    return replace(built, weights=weights, small=dim, cached=False)


FAMILIES: dict[str, Builder] = {
    "gemma": lambda f, name: decoder(GEMMA, f, name),
    "gemma2": lambda f, name: decoder(GEMMA2, f, name),
    "gemma3_text": lambda f, name: decoder(GEMMA3, f, name),
    "gemma4_text": gemma4,
    "gemma4_unified_text": gemma4,
    "gemma3n_text": gemma3n,
}

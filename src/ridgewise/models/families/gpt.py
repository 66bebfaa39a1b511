"""The GPT-2 line: LayerNorm with bias, an ungated feed-forward of four times the width, biases.

GPT-2, GPT-BigCode, GPT-Neo, GPT-J, GPT-NeoX (Pythia), OPT, BLOOM, Falcon, MPT, Phi 1 to 2: sizes as in
the modelling files of the same names in Hugging Face transformers.
"""

from __future__ import annotations

from dataclasses import replace

from ridgewise.models.architecture import Architecture, Feed, Mixer
from ridgewise.models.families.base import Builder, Rule, assemble
from ridgewise.models.fields import Fields
from ridgewise.models.parts import attention, mlp, moe

GPT2 = Rule(norm=2, gated=False, tied=True, positions=0)


def uniform(
    rule: Rule, f: Fields, name: str, mixer: Mixer, feed: Feed, *, norms: int = 2, small: int = 0
) -> Architecture:
    """Equal layers under a rule."""
    return assemble(rule, f, name, [(mixer, feed, norms * rule.norm * f.hidden)] * f.layers, small)


def _inner(f: Fields) -> int:
    names = ("intermediate_size", "n_inner", "ffn_hidden_size", "ffn_dim", "ffn_embed_dim")
    return f.size(*names, default=4 * f.hidden, most=10**8)


def gpt2(f: Fields, name: str) -> Architecture:
    """GPT-2: learned positions, tied head."""
    h = f.hidden
    mixer = attention(h, f.heads, f.heads, f.head_dim, qkv_bias=True, o_bias=True)
    return uniform(GPT2, f, name, mixer, mlp(h, _inner(f), gated=False, bias=True))


def gpt_bigcode(f: Fields, name: str) -> Architecture:
    """GPT-BigCode (SantaCoder, StarCoder): GPT-2 with one key-value head (multi-query)."""
    h = f.hidden
    kv = 1 if f.flag("multi_query", default=True) else f.heads
    mixer = attention(h, f.heads, kv, f.head_dim, qkv_bias=True, o_bias=True)
    return uniform(GPT2, f, name, mixer, mlp(h, _inner(f), gated=False, bias=True))


def gpt_neo(f: Fields, name: str) -> Architecture:
    """GPT-Neo: no qkv biases; every second layer attends in a window of 256."""
    h, n = f.hidden, f.layers
    window = f.size("window_size", default=256)
    kinds = _neo_kinds(f, n)
    spans = {
        "global": attention(h, f.heads, f.heads, f.head_dim, o_bias=True),
        "local": attention(h, f.heads, f.heads, f.head_dim, o_bias=True, kind="sliding", window=window),
    }
    feed = mlp(h, _inner(f), gated=False, bias=True)
    return assemble(GPT2, f, name, [(spans[kind], feed, 4 * h) for kind in kinds])


def _neo_kinds(f: Fields, n: int) -> list[str]:
    named = f.items("attention_layers", str, n)
    if named:
        if not set(named) <= {"global", "local"}:
            raise f.refuse("names kinds other than global and local", "attention_layers")
        return named
    return ["local" if i % 2 else "global" for i in range(n)]


def gptj(f: Fields, name: str) -> Architecture:
    """GPT-J: one norm a layer, parallel feed-forward, a head with bias."""
    h = f.hidden
    mixer = attention(h, f.heads, f.heads, f.head_dim, rope_dim=f.size("rotary_dim", default=f.head_dim))
    rule = Rule(norm=2, head_bias=True)
    return uniform(rule, f, name, mixer, mlp(h, _inner(f), gated=False, bias=True), norms=1)


def gpt_neox(f: Fields, name: str) -> Architecture:
    """GPT-NeoX, Pythia, RedPajama-INCITE: biases everywhere, untied head."""
    h = f.hidden
    bias = f.flag("attention_bias", default=True)
    mixer = attention(h, f.heads, f.heads, f.head_dim, qkv_bias=bias, o_bias=bias)
    return uniform(Rule(norm=2), f, name, mixer, mlp(h, _inner(f), gated=False, bias=True))


def opt(f: Fields, name: str) -> Architecture:
    """OPT: learned positions from 2, tied head; OPT-350m embeds in fewer dimensions and norms after."""
    h = f.hidden
    mixer = attention(h, f.heads, f.heads, f.head_dim, qkv_bias=True, o_bias=True)
    before = f.flag("do_layer_norm_before", default=True)
    rule = replace(GPT2, positions=2)
    arch = uniform(rule, f, name, mixer, mlp(h, _inner(f), gated=False, bias=True))
    arch = replace(arch, small=arch.small - (0 if before else 2 * h))
    width = f.size("word_embed_proj_dim", default=h)
    if width == h:
        return arch
    positions = arch.embedding - arch.vocab * h
    return replace(arch, embedding=arch.vocab * width + positions + 2 * width * h)


def bloom(f: Fields, name: str) -> Architecture:
    """BLOOM: ALiBi, a norm after the embedding, tied head."""
    h = f.hidden
    mixer = attention(h, f.heads, f.heads, f.head_dim, qkv_bias=True, o_bias=True)
    rule = Rule(norm=2, tied=True, embedding_norm=True)
    return uniform(rule, f, name, mixer, mlp(h, _inner(f), gated=False, bias=True))


def falcon(f: Fields, name: str) -> Architecture:
    """Falcon: one key-value head (7B) or grouped heads (40B); ``num_kv_heads`` counts only in the new layout.

    The 7B configuration repeats the query heads in ``num_kv_heads``: multi-query attention is what is built
    (modeling_falcon.py).
    """
    h, bias = f.hidden, f.flag("bias")
    new = f.flag("new_decoder_architecture")
    kv = f.kv_heads if new else 1 if f.flag("multi_query", default=True) else f.heads
    mixer = attention(h, f.heads, kv, f.head_dim, qkv_bias=bias, o_bias=bias)
    norms = (
        2
        if not f.flag("parallel_attn", default=True) or (new and f.size("num_ln_in_parallel_attn", default=2) == 2)
        else 1
    )
    rule = Rule(norm=2, tied=True)
    return uniform(rule, f, name, mixer, mlp(h, _inner(f), gated=False, bias=bias), norms=norms)


def mpt(f: Fields, name: str) -> Architecture:
    """MPT: ALiBi, norms without bias, no biases, tied head."""
    h = f.hidden
    part = f.sub("attn_config") if f.has("attn_config") else Fields({}, f.where, f.notes)
    kv = part.size("kv_n_heads", default=f.heads)
    inner = f.size("expansion_ratio", default=4) * h
    mixer = attention(h, f.heads, kv, f.head_dim)
    return uniform(Rule(tied=True), f, name, mixer, mlp(h, inner, gated=False))


def phi(f: Fields, name: str) -> Architecture:
    """Phi 1, 1.5 and 2: parallel feed-forward after one norm, biases everywhere, a head with bias."""
    h = f.hidden
    kv = f.kv_heads if f.first(("num_key_value_heads", "n_head_kv")) == "num_key_value_heads" else f.heads
    norms = 4 * f.head_dim * f.flag("qk_layernorm")
    mixer = attention(h, f.heads, kv, f.head_dim, qkv_bias=True, o_bias=True, small=norms)
    rule = Rule(norm=2, head_bias=True)
    return uniform(rule, f, name, mixer, mlp(h, _inner(f), gated=False, bias=True), norms=1)


def persimmon(f: Fields, name: str) -> Architecture:
    """Persimmon: LayerNorm on query and key heads, biases, untied head."""
    h = f.hidden
    norms = 4 * f.head_dim * f.flag("qk_layernorm", default=True)
    mixer = attention(h, f.heads, f.heads, f.head_dim, qkv_bias=True, o_bias=True, small=norms)
    return uniform(Rule(norm=2), f, name, mixer, mlp(h, _inner(f), gated=False, bias=True))


def dbrx(f: Fields, name: str) -> Architecture:
    """DBRX: grouped queries, norms without bias, sixteen experts of which four serve (modeling_dbrx.py)."""
    h = f.hidden
    attn, ffn = f.sub("attn_config"), f.sub("ffn_config")
    mixer = attention(h, f.heads, attn.size("kv_n_heads", default=f.heads), f.head_dim)
    experts, active = ffn.size("moe_num_experts", default=4), ffn.size("moe_top_k", default=1)
    feed = moe(h, experts, min(active, experts), ffn.size("ffn_hidden_size"))
    return uniform(Rule(), f, name, mixer, feed)


def codegen(f: Fields, name: str) -> Architecture:
    """CodeGen: GPT-J with fused projections."""
    return gptj(f, name)


FAMILIES: dict[str, Builder] = {
    "gpt2": gpt2,
    "gpt_bigcode": gpt_bigcode,
    "gpt_neo": gpt_neo,
    "gptj": gptj,
    "gpt_neox": gpt_neox,
    "opt": opt,
    "bloom": bloom,
    "falcon": falcon,
    "RefinedWebModel": falcon,
    "RefinedWeb": falcon,
    "mpt": mpt,
    "gpt-sw3": gpt2,
    "persimmon": persimmon,
    "dbrx": dbrx,
    "codegen": codegen,
    "phi": phi,
    "phi-msft": phi,
}

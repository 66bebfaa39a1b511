"""Decoders that are Llama with one or two differences: one line each.

Names follow the ``model_type`` of the modelling files in Hugging Face transformers (or of the
publisher's own ``modeling_*.py`` for types that live outside the library).
"""

from __future__ import annotations

from dataclasses import replace

from ridgewise.models.architecture import Architecture, Feed, Mixer
from ridgewise.models.families.base import (
    Builder,
    Rule,
    Windows,
    assemble,
    decoder,
    dense,
    grouped,
    mixture,
    sliding,
    sparse_layers,
    with_mtp,
)
from ridgewise.models.fields import Fields
from ridgewise.models.parts import NO_FEED, NO_MIXER, attention, mlp, moe

LLAMA = Rule(window="none")
QWEN2 = Rule(qkv_bias=True, o_bias=False, bias_field="qkv_bias", window="qwen")
QWEN3 = Rule(qk_norm="head", window="qwen")
OLMO2 = Rule(qk_norm="full", window="none")

RULES: dict[str, Rule] = {
    "llama": LLAMA,
    "mistral": Rule(),
    "ministral": Rule(),
    "ministral3": Rule(),
    "mixtral": Rule(),
    "qwen2": QWEN2,
    "qwen2_5_vl_text": QWEN2,
    "qwen2_vl_text": QWEN2,
    "qwen2_moe": replace(QWEN2, shared_gate=True),
    "qwen3": QWEN3,
    "qwen3_moe": QWEN3,
    "qwen3_vl_text": QWEN3,
    "qwen3_vl_moe_text": QWEN3,
    "gpt_oss": Rule(qkv_bias=True, sinks=True, expert_bias=True),
    "olmo": Rule(norm=0, window="none"),
    "olmo2": OLMO2,
    "olmo3": Rule(qk_norm="full", window=4),
    "olmoe": OLMO2,
    "flex_olmo": OLMO2,
    "smollm3": LLAMA,
    "seed_oss": Rule(qkv_bias=True, o_bias=False, window="none"),
    "cohere": Rule(norms=1, tied=True, window="none", qk_norm="full", qk_flag=("use_qk_norm", False)),
    "cohere2": Rule(norms=1, tied=True, window=4),
    "granite": LLAMA,
    "granitemoe": LLAMA,
    "granite_swa": Rule(sinks=True, tied=True),
    "stablelm": Rule(norm=2, bias_field="use_qkv_bias", o_bias=False, window="none"),
    "starcoder2": Rule(norm=2, bias_field="use_bias", qkv_bias=True, mlp_bias_field="use_bias", mlp_bias=True,
                       gated=False, tied=True),
    "ernie4_5": Rule(bias_field="use_bias", mlp_bias_field="use_bias", tied=True, window="none"),
    "exaone4": Rule(qk_norm="head", window=4),
    "glm": Rule(o_bias=False, qkv_bias=True, window="none"),
    "glm4": Rule(o_bias=False, qkv_bias=True, norms=4, window="none"),
    "glm4v_text": Rule(o_bias=False, qkv_bias=True, norms=4, window="none"),
    "solar_open": Rule(correction=True, window="none"),
    "mellum": Rule(qk_norm="head"),
    "hy_v3": Rule(qk_norm="head", correction=True, window="none", mtp=True),
    "hunyuan_v1_dense": Rule(qk_norm="head", qk_flag=("use_qk_norm", True), tied=True, window="none"),
    "internlm": Rule(bias_field="bias", window="none"),
    "internlm2": Rule(bias_field="bias", window="none"),
    "internlm3": Rule(bias_field="qkv_bias", mlp_bias_field="bias", window="none"),
    "orion": Rule(norm=2, window="none"),
    "baichuan": LLAMA,
    "mimo": Rule(qkv_bias=True, o_bias=False, window="qwen", mtp=True),
    "phi3": Rule(),
    "minimax_m2": Rule(qk_norm="full", qk_flag=("use_qk_norm", True), correction=True, window="none"),
    "bailing_moe": Rule(qk_norm="head", qk_flag=("use_qk_norm", True), correction=True, window="none",
                        mtp=True),
    "glm4_moe": Rule(o_bias=False, qk_norm="head", qk_flag=("use_qk_norm", False), correction=True,
                     window="none", mtp=True),
    "deepseek": LLAMA,
    "exaone": LLAMA,
    "arcee": Rule(gated=False, window="none"),
    "apertus": Rule(gated=False, qk_norm="head", feed_small=2, window="none"),
    "jais2": Rule(norm=2, gated=False, qkv_bias=True, mlp_bias=True, window="none"),
    "nemotron": Rule(norm=2, gated=False, window="none"),
    "dots1": Rule(qk_norm="head", correction=True),
    "nanochat": Rule(norm=0, gated=False, window="none"),
}  # fmt: skip


def ernie_moe(f: Fields, name: str) -> Architecture:
    """ERNIE 4.5 MoE: experts between two layers, a correction bias; a dense layer for MTP."""
    rule = replace(RULES["ernie4_5"], correction=True)
    arch = decoder(rule, f, name)
    layer = grouped(f, rule, "full", None).parameters + dense(f, rule).parameters + 2 * f.hidden
    return with_mtp(f, arch, layer, norms=2)


def phimoe(f: Fields, name: str) -> Architecture:
    """Phi-3.5-MoE: LayerNorm with bias (modeling_phimoe.py)."""
    return decoder(Rule(norm=2), f, name)


def hunyuan_moe(f: Fields, name: str) -> Architecture:
    """Hunyuan-A13B: sizes of the experts stand as one number, or as a list with one number per layer."""
    data = dict(f.data)
    for field in ("moe_topk", "moe_intermediate_size", "num_shared_expert"):
        if isinstance(data.get(field), list):
            listed = set(f.items(field, int, f.layers))
            if len(listed) != 1:
                raise f.refuse("differs between layers", field)
            data[field] = listed.pop()
    return decoder(RULES["hunyuan_v1_dense"], Fields(data, f.where, f.notes), name)


def bitnet(f: Fields, name: str) -> Architecture:
    """BitNet b1.58: a further norm before both output projections (modeling_bitnet.py)."""
    mixer = grouped(f, LLAMA, "full", None)
    mixer = replace(mixer, small=mixer.small + f.hidden)
    feed = mlp(f.hidden, f.inner, small=f.inner)
    return assemble(Rule(tied=True), f, name, [(mixer, feed, 2 * f.hidden)] * f.layers)


def qwen1(f: Fields, name: str) -> Architecture:
    """Qwen 1: fused qkv with bias; the given inner size is gate and up together (modeling_qwen.py)."""
    if f.inner % 2:
        raise f.refuse("gate and up together are not even", "intermediate_size")
    h, heads, dim = f.hidden, f.heads, f.head_dim
    mixer = attention(h, heads, heads, dim, qkv_bias=True, o_bias=not f.flag("no_bias", default=True))
    feed = mlp(h, f.inner // 2, bias=not f.flag("no_bias", default=True))
    return assemble(Rule(), f, name, [(mixer, feed, 2 * h)] * f.layers)


def chatglm(f: Fields, name: str) -> Architecture:
    """ChatGLM 2 and 3, GLM-4-9B: grouped queries named multi-query groups (modeling_chatglm.py)."""
    h, heads, dim = f.hidden, f.heads, f.head_dim
    kv = f.size("multi_query_group_num") if f.flag("multi_query_attention") else heads
    linear_bias = f.flag("add_bias_linear")
    bias = f.flag("add_qkv_bias") or linear_bias
    mixer = attention(h, heads, kv, dim, qkv_bias=bias, o_bias=linear_bias)
    feed = mlp(h, f.size("ffn_hidden_size"), bias=linear_bias)
    norm = 1 if f.flag("rmsnorm", default=True) else 2
    return assemble(Rule(norm=norm), f, name, [(mixer, feed, 2 * norm * h)] * f.layers)


def minicpm(f: Fields, name: str) -> Architecture:
    """MiniCPM 1 and 2: Llama shapes, experts where named (modeling_minicpm.py)."""
    return decoder(Rule(window="none", tied=True), f, name)


def llama4(f: Fields, name: str) -> Architecture:
    """Llama 4: three layers in four attend in chunks, experts every n-th layer (modeling_llama4.py).

    Experts sit beside one shared expert of the same width; dense layers have their own width.
    """
    n, h = f.layers, f.hidden
    chunk = f.optional("attention_chunk_size", least=1)
    nope = f.items("no_rope_layers", int) or [int((i + 1) % 4 != 0) for i in range(n)]
    if len(nope) < n:
        raise f.refuse(f"lists {len(nope)} layers where the model has {n}", "no_rope_layers")
    named = f.items("layer_types", str, n)
    full = [t == "full_attention" for t in named] if named else [not flag or chunk is None for flag in nope[:n]]
    mixers: dict[bool, Mixer] = {is_full: grouped(f, LLAMA, "full" if is_full else "chunked",
                                    None if is_full else chunk) for is_full in set(full)}  # fmt: skip
    step = f.size("interleave_moe_layer_step", default=1, least=0)
    listed = set(f.items("moe_layers", int))
    sparse = [i in listed if listed else bool(step) and (i + 1) % step == 0 for i in range(n)]
    inner = f.size("intermediate_size")
    experts = moe(h, f.size("num_local_experts"), f.size("num_experts_per_tok"), inner, shared=inner)
    plain = mlp(h, f.size("intermediate_size_mlp", default=inner))
    layers = [(mixers[full[i]], experts if sparse[i] else plain, 2 * h) for i in range(n)]
    return assemble(Rule(), f, name, layers)


def gated_heads(f: Fields, name: str, rule: Rule) -> Architecture:
    """Attention with one sigmoid gate per head (Step-3.5, Laguna): a projection of h × heads.

    Sliding layers may have their own number of heads. Multi-token prediction: a dense sliding layer.
    """
    n, h = f.layers, f.hidden
    spans = sliding(f, n, rule)
    keys = list(zip(_heads_per_layer(f, n, spans), spans, strict=True))
    built = {key: grouped(f, rule, *key[1], heads=key[0], gate=h * key[0]) for key in set(keys)}
    sparse = sparse_layers(f, n)
    feeds = {True: mixture(f, rule), False: dense(f, rule)}
    arch = assemble(rule, f, name, [(built[keys[i]], feeds[sparse[i]], 2 * h) for i in range(n)])
    most = max(built.values(), key=lambda mixer: mixer.parameters)
    return with_mtp(f, arch, most.parameters + feeds[False].parameters + 2 * h)


def _heads_per_layer(f: Fields, n: int, spans: Windows) -> list[int]:
    listed = f.items("num_attention_heads_per_layer", int, n)
    if any(not 0 < heads <= 10**4 for heads in listed):
        raise f.refuse("lists a number of heads that is not between 1 and 10000", "num_attention_heads_per_layer")
    if listed:
        return listed
    other = f.size("num_sliding_attention_heads", default=f.heads, most=10**4)
    if f.has("attention_other_setting"):
        other = f.sub("attention_other_setting").size("num_attention_heads", default=other, most=10**4)
    return [other if kind == "sliding" else f.heads for kind, _ in spans]


def step3(f: Fields, name: str) -> Architecture:
    """Step-3.5 and 3.7 Flash (modeling_step3p7.py)."""
    return gated_heads(f, name, Rule(qk_norm="head", correction=True))


def laguna(f: Fields, name: str) -> Architecture:
    """Laguna XS (modeling_laguna.py)."""
    return gated_heads(f, name, Rule(qk_norm="head", correction=True))


def mimo_v2(f: Fields, name: str) -> Architecture:
    """MiMo-V2-Flash: sliding layers have their own heads and sinks (modeling_mimo_v2_flash.py)."""
    n, h = f.layers, f.hidden
    pattern = f.items("hybrid_layer_pattern", int, n) or [int(kind != "full") for kind, _ in sliding(f, n, Rule())]
    full = attention(
        h, f.heads, f.kv_heads, f.head_dim, f.size("v_head_dim", default=f.head_dim),
        small=f.heads * f.flag("add_full_attention_sink_bias"),
    )  # fmt: skip
    heads = f.size("swa_num_attention_heads", default=f.heads)
    dim = f.size("swa_head_dim", default=f.head_dim)
    local = attention(
        h, heads, f.size("swa_num_key_value_heads", default=f.kv_heads), dim,
        f.size("swa_v_head_dim", default=dim), kind="sliding",
        window=f.size("sliding_window", "sliding_window_size"),
        small=heads * f.flag("add_swa_attention_sink_bias"),
    )  # fmt: skip
    rule = Rule(correction=True)
    sparse = sparse_layers(f, n)
    feeds: dict[bool, Feed] = {True: mixture(f, rule), False: dense(f, rule)}
    layers = [(local if pattern[i] else full, feeds[sparse[i]], 2 * h) for i in range(n)]
    return assemble(rule, f, name, layers)


def muse(f: Fields, name: str) -> Architecture:
    """Muse Glimmer: a gate as wide as the heads, four norms a layer (modeling_muse_glimmer.py)."""
    rule = Rule(norms=4)
    h, n = f.hidden, f.layers
    spans = sliding(f, n, rule)
    gate = h * f.heads * f.head_dim
    built = {span: grouped(f, rule, *span, gate=gate) for span in set(spans)}
    return assemble(rule, f, name, [(built[span], dense(f, rule), 4 * h) for span in spans])


def nemotron_nas(f: Fields, name: str) -> Architecture:
    """Puzzle/NAS models (DeciLM): every block has its own group size and width, or none."""
    h, n = f.hidden, f.layers
    layers = [(_nas_mixer(f, block), _nas_feed(f, block), 2 * h) for block in f.subs("block_configs", n)]
    if not layers:
        raise f.refuse("field is missing", "block_configs")
    fixed = [(m, d, h * ((m.kind != "none") + (d.kind != "none"))) for m, d, _ in layers]
    return assemble(Rule(), f, name, fixed)


def _nas_mixer(f: Fields, block: Fields) -> Mixer:
    part = block.sub("attention")
    h = f.hidden
    if part.flag("no_op"):
        return NO_MIXER
    if part.flag("replace_with_linear"):
        return Mixer("none", weights={"o": h * h})
    group = part.size("n_heads_in_group")
    if f.heads % group:
        raise part.refuse(f"{f.heads} heads are not a multiple of {group}", "n_heads_in_group")
    window = part.optional("window_length", least=1)
    return attention(h, f.heads, f.heads // group, f.head_dim, kind="sliding" if window else "full", window=window)


def _nas_feed(f: Fields, block: Fields) -> Feed:
    part = block.sub("ffn")
    h = f.hidden
    if part.flag("no_op"):
        return NO_FEED
    if part.flag("replace_with_linear"):
        return Feed("dense", weights={"up": h * h})
    inner = int(2 * part.number("ffn_mult", 0.0) * h / 3)
    return mlp(h, -(-inner // 256) * 256)


def rule_builder(rule: Rule) -> Builder:
    """A builder from a rule alone."""
    return lambda f, name: decoder(rule, f, name)


FAMILIES: dict[str, Builder] = {key: rule_builder(rule) for key, rule in RULES.items()} | {
    "ernie4_5_moe": ernie_moe,
    "phimoe": phimoe,
    "hunyuan_v1_moe": hunyuan_moe,
    "bitnet": bitnet,
    "qwen": qwen1,
    "chatglm": chatglm,
    "minicpm": minicpm,
    "llama4_text": llama4,
    "step3p5": step3,
    "step3p7": step3,
    "laguna": laguna,
    "mimo_v2_flash": mimo_v2,
    "muse_glimmer_text": muse,
    "nemotron-nas": nemotron_nas,
}

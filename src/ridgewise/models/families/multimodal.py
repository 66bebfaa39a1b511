"""Wrappers: a language model with a vision or audio tower beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ridgewise.models.architecture import Architecture, Mixer, MixerKind
from ridgewise.models.families import deepseek, gemma, gpt, hybrid, llama, towers
from ridgewise.models.families.base import (
    Builder,
    Rule,
    assemble,
    dense,
    grouped,
    mixture,
    sparse_layers,
)
from ridgewise.models.families.towers import Tower
from ridgewise.models.fields import Fields
from ridgewise.models.parts import Layer, attention, mlp, moe, remembering

TEXT: dict[str, Builder] = {
    **llama.FAMILIES, **deepseek.FAMILIES, **gemma.FAMILIES, **gpt.FAMILIES, **hybrid.FAMILIES,
}  # fmt: skip

# What publishers leave out of ``text_config``: the defaults of the configuration classes in transformers.
DEFAULTS: dict[str, dict[str, Any]] = {
    "llama": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
              "num_attention_heads": 32, "vocab_size": 32000},
    "mistral": {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
                "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 32000},
    "gemma3_text": {"vocab_size": 262208, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256,
                    "sliding_window": 4096, "max_position_embeddings": 131072},
}  # fmt: skip


def text_fields(f: Fields, text_type: str) -> Fields:
    """The language model's own fields: nested or flat, with what the wrapper says of tying and storage."""
    data: dict[str, Any] = dict(f.sub("text_config").data if f.has("text_config") else f.data)
    kind = f.sub("text_config").text("model_type") if f.has("text_config") else ""
    if kind and kind not in TEXT:
        raise f.refuse(f"language model type {kind!r} is not known", "text_config: model_type")
    data["model_type"] = kind or text_type
    if f.has("tie_word_embeddings") and data.get("tie_word_embeddings") is None:
        data["tie_word_embeddings"] = f.flag("tie_word_embeddings")
    for name, value in _defaults(str(data["model_type"]) if f.has("text_config") else "").items():
        if data.get(name) is None:
            f.assume(f"text_config leaves out {name}: {value}, the default of the library.")
            data[name] = value
    return Fields(data, f"{f.where}: text_config" if f.has("text_config") else f.where, f.notes)


def _defaults(kind: str) -> Mapping[str, Any]:
    return DEFAULTS.get(kind, {})


def wrapper(text_type: str, tower: Tower, f: Fields, name: str) -> Architecture:
    """The language model, with its towers apart; without a tower's configuration it is read as text only."""
    text = text_fields(f, text_type)
    arch = TEXT[str(text.data["model_type"])](text, name)
    arch = replace(arch, family=f.text("model_type", arch.family))
    if not any(f.has(part) for part in ("vision_config", "audio_config", "img_processor")):
        f.assume("No vision or audio tower is described: the language model alone is counted.")
        return arch
    return replace(arch, extra={**arch.extra, **tower(f, arch.hidden)})


NESTED = ("text_config", "llm_config", "language_config")


def language_model(f: Fields, name: str, family: str) -> Architecture:
    """A wrapper not known here around a language model that is: the language model alone, and said so."""
    part = next((f.sub(key) for key in NESTED if f.has(key)), f)
    kind = part.text("model_type")
    if kind not in TEXT:
        raise f.refuse(f"model type {family!r} wraps {kind or 'a model without type'!r}, unknown here", "model_type")
    f.assume(f"Model type {family!r} is not known here: its language model ({kind}) alone is counted.")
    return replace(TEXT[kind](part, name), family=family)


def mllama_text(f: Fields, name: str) -> Architecture:
    """Llama 3.2 Vision's decoder: gated cross-attention layers among Llama layers (modeling_mllama.py).

    Cross layers hold the image's keys and values, whatever the text's length; text alone skips them.
    """
    h, n = f.hidden, f.layers
    cross = set(f.items("cross_attention_layers", int))
    own = grouped(f, Rule(), "full", None)
    image = replace(own, kind="cross", small=2 * f.head_dim)
    feed = mlp(h, f.inner)
    layers: list[Layer] = [(image, feed, 2 * h + 2) if i in cross else (own, feed, 2 * h) for i in range(n)]
    f.assume("Cross-attention layers cache the keys and values of the image only; text alone skips them.")
    arch = assemble(Rule(), f, name, layers)
    return replace(arch, embedding=arch.embedding + 8 * h)


def inkling_text(f: Fields, name: str) -> Architecture:
    """Inkling: short convolutions on keys, values and residual branches, relative positions."""
    h, n = f.hidden, f.layers
    kernel = f.size("conv_kernel_size", "sconv_kernel_size", default=4)
    kinds = f.items("layer_types", str, n)
    built = {kind: _inkling_mixer(f, kernel, kind == "hybrid_sliding") for kind in set(kinds)}
    experts, shared = f.size("n_routed_experts"), f.size("n_shared_experts", default=0, least=0)
    inner = f.size("moe_intermediate_size")
    feeds = {
        "sparse": moe(
            h, experts, f.size("num_experts_per_tok"), inner, shared=shared * inner,
            router=experts + shared, small=experts + 1,
        ),
        "dense": mlp(h, f.inner, small=1),
    }  # fmt: skip
    sparse = f.items("mlp_layer_types", str, n) or ["sparse"] * n
    small = 2 * h + 2 * h * kernel
    layers = [
        (built[kind], feeds["sparse" if sparse[i] == "sparse" else "dense"], small) for i, kind in enumerate(kinds)
    ]
    return assemble(Rule(embedding_norm=True), f, name, layers)


def _inkling_mixer(f: Fields, kernel: int, local: bool) -> Mixer:
    h, rel = f.hidden, f.size("d_rel")
    heads = f.size("swa_num_attention_heads") if local else f.heads
    kv = f.size("swa_num_key_value_heads") if local else f.kv_heads
    dim = f.size("swa_head_dim") if local else f.head_dim
    window = f.size("sliding_window_size") if local else None
    kind: MixerKind = "sliding" if local else "full"
    built = attention(h, heads, kv, dim, kind=kind, window=window, small=2 * dim)
    extent = window or f.size("rel_extent")
    weights = {**built.weights, "r": h * heads * rel, "conv": 2 * kv * dim * kernel, "rel": rel * extent}
    return remembering(replace(built, weights=weights), 0, (2 * kv * dim + 2 * h) * kernel, 16)


def minimax_m3_text(f: Fields, name: str) -> Architecture:
    """MiniMax-M3: grouped attention, block-sparse by a small indexer (modeling_minimax_m3_vl.py).

    The indexer keeps one key per token; ``sparse_topk_blocks`` blocks of tokens are attended.
    """
    n, h = f.layers, f.hidden
    rule = Rule(qk_norm="head", correction=True)
    full = grouped(f, rule, "full", None)
    part = f.sub("sparse_attention_config")
    heads, dim = part.size("sparse_num_index_heads"), part.size("sparse_index_dim")
    selected = part.size("sparse_topk_blocks") * part.size("sparse_block_size")
    picked = replace(
        full, weights={**full.weights, "index": h * heads * dim + h * dim}, small=full.small + 2 * dim,
        selected=selected, index_heads=heads, index_dim=dim,
    )  # fmt: skip
    uses = part.items("sparse_attention_freq", int, n) or [1] * n
    sparse = sparse_layers(f, n)
    feeds = {True: mixture(f, rule), False: dense(f, rule)}
    layers = [(picked if uses[i] else full, feeds[sparse[i]], 2 * h) for i in range(n)]
    if f.optional("num_nextn_predict_layers", "num_mtp_modules"):
        f.assume("The multi-token-prediction modules it names are not in the published files and not counted.")
    return assemble(rule, f, name, layers)


TEXT |= {
    "mllama_text_model": mllama_text,
    "inkling_text": inkling_text,
    "minimax_m3": minimax_m3_text,
    "minimax_m3_vl_text": minimax_m3_text,
}

WRAPPERS: dict[str, tuple[str, Tower]] = {
    "qwen2_vl": ("qwen2", towers.qwen2_vl),
    "qwen2_5_vl": ("qwen2", towers.qwen2_vl),
    "qwen3_vl": ("qwen3", towers.qwen_vl),
    "qwen3_vl_moe": ("qwen3_moe", towers.qwen_vl),
    "qwen3_5": ("qwen3_5_text", towers.qwen_vl),
    "qwen3_5_moe": ("qwen3_5_moe_text", towers.qwen_vl),
    "gemma3": ("gemma3_text", towers.gemma3),
    "gemma4": ("gemma4_text", towers.gemma4),
    "gemma4_unified": ("gemma4_text", towers.gemma4_unified),
    "lfm2_vl": ("lfm2", towers.lfm2_vl),
    "llava": ("llama", towers.llava),
    "mistral3": ("mistral", towers.pixtral),
    "kimi_k25": ("deepseek_v3", towers.moonvit),
    "kimi_k3": ("kimi_linear", towers.moonvit),
    "glm4v": ("glm4v_text", towers.glm4v),
    "glm5_next": ("glm5_next_text", towers.glm5_next),
    "llama4": ("llama4_text", towers.llama4),
    "mllama": ("mllama_text_model", towers.mllama),
    "minimax_m3_vl": ("minimax_m3", towers.minimax_m3),
    "muse_glimmer": ("muse_glimmer_text", towers.muse),
    "voxtral": ("llama", towers.voxtral),
    "phi3_v": ("phi3", towers.phi3_v),
    "inkling_mm_model": ("inkling_text", towers.inkling),
}


def step3p7(f: Fields, name: str) -> Architecture:
    """Step-3.7 Flash: text fields flat or nested, a tower where described."""
    return wrapper("step3p5", towers.step3, f, name)


def ministral3(f: Fields, name: str) -> Architecture:
    """Ministral 3: the text model, or the wrapper some files give the same type."""
    if f.has("text_config"):
        return wrapper("ministral3", towers.pixtral, f, name)
    return llama.FAMILIES["ministral3"](f, name)


FAMILIES: dict[str, Builder] = {kind: partial(wrapper, text, tower) for kind, (text, tower) in WRAPPERS.items()} | {
    "minimax_m3": minimax_m3_text,
    "minimax_m3_vl_text": minimax_m3_text,
    "mllama_text_model": mllama_text,
    "inkling_text": inkling_text,
    "step3p7": step3p7,
    "ministral3": ministral3,
}

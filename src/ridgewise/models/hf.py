"""From a Hugging Face ``config.json`` to an Architecture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ridgewise.errors import RequestError
from ridgewise.models import quantisation
from ridgewise.models.architecture import Architecture
from ridgewise.models.families import FAMILIES
from ridgewise.models.families.base import Rule, decoder
from ridgewise.models.families.multimodal import NESTED, language_model
from ridgewise.models.fields import Fields
from ridgewise.models.reduced import read_reduced, recognised

GENERIC = Rule()
MOST_ELEMENTS = 10**15


def read_config(config: Mapping[str, Any], name: str) -> Architecture:
    """The architecture a configuration describes; RequestError naming the field where it does not."""
    if not isinstance(config, Mapping):
        raise RequestError("is not a JSON object", name)
    f = Fields(config, name)
    if recognised(config):
        arch, notes = read_reduced(config, name, lambda data, said: build(Fields(data, name, said), name))
        f.notes.extend(notes)
        arch = replace(arch, reduced=True)
    else:
        arch = build(f, name)
    stored = quantisation.dtype(f)
    arch = replace(
        arch,
        dtype=stored,
        kept=quantisation.kept(f),
        assumptions=tuple(f.notes),
    )
    return _checked(arch, f)


def build(f: Fields, name: str) -> Architecture:
    """The architecture alone: sizes and weights, without storage."""
    family = f.text("model_type") or f.text("_class_name")
    builder = FAMILIES.get(family)
    if builder is not None:
        return builder(f, name)
    return unknown(f, name, family)


def unknown(f: Fields, name: str, family: str) -> Architecture:
    """A model type not known here, read as a Llama-like decoder, and said so; refused where it cannot be."""
    if any(f.has(key) for key in NESTED):
        return language_model(f, name, family)
    unread = sorted(set(f.data) & _TELLTALES)
    if unread:
        raise f.refuse(
            f"model type {family or 'missing'!r} is not known, and {', '.join(unread)} show that it is no "
            "plain decoder", "model_type",
        )  # fmt: skip
    f.assume(
        f"Model type {family or 'missing'!r} is not known here: read as a Llama-like decoder "
        "(gated feed-forward, two RMSNorms a layer, no biases)."
    )
    if f.first(("num_key_value_heads", "num_kv_heads", "n_kv_heads")) is None:
        f.assume("No key-value heads are stated: as many as attention heads are assumed.")
    return decoder(GENERIC, f, name)


_TELLTALES = frozenset({
    "attn_config", "attn_type_list", "block_configs", "block_types", "compress_ratios", "conv_L_cache",
    "cross_attention_layers", "d_kv", "decoder_layers", "encoder_layers", "ffn_config", "hc_mult",
    "hybrid_layer_pattern", "hybrid_override_pattern", "index_topk", "kv_lora_rank",
    "layers_block_type", "linear_attn_config", "linear_num_value_heads", "lru_width", "mamba_d_state",
    "num_decoder_layers", "num_kv_shared_layers", "relative_attention_num_buckets", "ssm_state_size",
    "state_size", "thinker_config", "type_vocab_size", "vision_config",
})  # fmt: skip


def _checked(arch: Architecture, f: Fields) -> Architecture:
    """Refuse totals beyond any model: a slip of a field, not an architecture."""
    if not 0 < arch.parameters_total < MOST_ELEMENTS:
        raise f.refuse(f"{arch.parameters_total:.3g} parameters are beyond any model")
    return arch

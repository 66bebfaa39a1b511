"""What ``models show`` prints: the architecture as one JSON object, units in the keys."""

from __future__ import annotations

from typing import Any

from ridgewise.models.architecture import Architecture, LayerGroup
from ridgewise.models.read import Entry, model_sources

KV_BITS = 16


def describe(arch: Architecture, entry: Entry | None = None) -> dict[str, Any]:
    """The architecture by component; cache figures at 16 bits per value. ``entry`` adds where it was read."""
    shown: dict[str, Any] = {
        "name": arch.name,
        "family": arch.family,
        "parameters_total": arch.parameters_total,
        "parameters_active": arch.parameters_active,
        "parameters": arch.parameters,
        "extra": dict(arch.extra),
        "kv_bytes_per_token": arch.kv_values_per_token * KV_BITS // 8,
        "state_bytes_per_sequence": int(arch.state_bytes_per_sequence),
        "layers": [_group(group) for group in arch.groups],
        "encoder_layers": [_group(group) for group in arch.encoder],
        "hidden_size": arch.hidden,
        "vocabulary": arch.vocab,
        "tied_embeddings": arch.tied,
        "causal": arch.causal,
        "dtype": arch.dtype,
        "kept": list(arch.kept),
        "max_context_tokens": arch.max_context,
        "reduced": arch.reduced,
        "assumptions": list(arch.assumptions),
    }
    if entry is not None:
        shown["source"] = _source(entry)
    return shown


def _group(group: LayerGroup) -> dict[str, Any]:
    """``count`` equal layers; parameters are those of one."""
    mixer, feed = group.mixer, group.feed
    row: dict[str, Any] = {
        "count": group.count,
        "kind": mixer.kind,
        "heads": mixer.heads,
        "kv_heads": mixer.kv_heads,
        "head_dim": mixer.qk_dim,
        "window": mixer.window,
        "feed": feed.kind,
        "experts": feed.experts,
        "experts_active": feed.active,
        "parameters": group.parameters,
        "kv_bytes_per_token": mixer.kv_values * KV_BITS // 8,
    }
    optional = {
        "value_dim": mixer.v_dim if mixer.v_dim != mixer.qk_dim else 0,
        "latent": mixer.latent,
        "rope_dim": mixer.rope_dim if mixer.kind == "mla" else 0,
        "tokens_selected": mixer.selected or 0,
        "state_bytes": int(mixer.state * mixer.state_bits / 8),
        "shares_cache": int(not mixer.cached),
    }
    return row | {key: value for key, value in optional.items() if value}


def _source(entry: Entry) -> dict[str, Any]:
    """Where the catalogue file was read, and the published total it was held against."""
    known = model_sources()
    return {
        "id": entry.id,
        "kind": entry.kind,
        "aliases": list(entry.aliases),
        "note": entry.note,
        "version": entry.version,
        "published_total": entry.hub_total,
        "sources": [
            {"key": key, "title": known[key].title, "url": known[key].url} for key in entry.source if key in known
        ],
    }

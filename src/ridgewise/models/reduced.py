"""Reduced sheets: shape fields without the rest of a configuration, as other sizing tools keep them.

Two schemas are recognised: flat fields with ``architecture`` and ``parameters_raw`` (llmfit), and
``hidden_dim``/``ffn_embed_dim`` (llm-analysis). Both are turned into configuration fields; what they do not
say is tried in turn until the count equals the published total, and stated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

from ridgewise.errors import RequestError
from ridgewise.models.architecture import Architecture
from ridgewise.models.fields import Fields

Read = Callable[[Mapping[str, Any], list[str]], Architecture]
_GATED = ("llama", "mistral", "qwen2", "qwen3", "gemma")


def recognised(config: Mapping[str, Any]) -> bool:
    """True for either schema."""
    return ("architecture" in config and "model_type" not in config) or "ffn_embed_dim" in config


def read_reduced(config: Mapping[str, Any], name: str, read: Read) -> tuple[Architecture, list[str]]:
    """The architecture whose count equals the published total; else the first readable, and the gap."""
    published = Fields(config, name).optional("parameters_raw", least=1, most=10**15)
    base = _from_width(config, name) if "ffn_embed_dim" in config else _from_flat(config, name)
    first: tuple[Architecture, list[str]] | None = None
    failure: RequestError | None = None
    for change in _candidates(base):
        notes: list[str] = []
        try:
            arch = read({**base, **change}, notes)
        except RequestError as error:
            failure = failure or error
            continue
        if published and published in _totals(arch):
            notes.insert(0, _said(change) + "the count equals the published total.")
            return arch, notes
        first = first or (arch, notes)
    if first is None:
        raise failure or RequestError("holds no readable shape", name)
    return _with_gap(*first, published)


def _from_flat(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Fields of the first schema; its ``moe_intermediate_size`` is the dense width of a dense model."""
    f = Fields(config, name)
    data = {key: value for key, value in config.items() if value is not None}
    data["model_type"] = f.text("architecture")
    data["max_position_embeddings"] = f.size("context_length", default=0, least=0, most=10**12)
    experts = f.size("num_experts", default=1, most=10**6)
    if experts > 1:
        data["num_experts_per_tok"] = f.size("active_experts", "num_experts_per_tok", most=10**6)
    else:
        data.pop("num_experts", None)
        if "moe_intermediate_size" in data:
            data["intermediate_size"] = data.pop("moe_intermediate_size")
    if experts > 1 and data["model_type"] == "mixtral":
        data["intermediate_size"] = data.pop("moe_intermediate_size")
    return data


def _from_width(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Fields of the second schema; its width is that of an ungated feed-forward."""
    f = Fields(config, name)
    data = dict(config)
    kind = f.text("model_type")
    if kind in _GATED:
        inner = f.size("ffn_embed_dim", most=10**7)
        data["intermediate_size"] = -(-(2 * inner // 3) // 256) * 256
    return data


def _candidates(base: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What a reduced sheet leaves open: the tied head, then attention biases and head norms."""
    ties: list[dict[str, Any]] = [{}, {"tie_word_embeddings": True}, {"tie_word_embeddings": False}]
    flags: list[dict[str, Any]] = [
        {}, {"attention_bias": True}, {"attention_bias": False}, {"use_qk_norm": True},
    ]  # fmt: skip
    for tie, flag in product(ties, flags):
        yield {**tie, **flag}


def _totals(arch: Architecture) -> tuple[int, ...]:
    """The totals a publisher may state: with or without modules apart, tied heads once or twice."""
    twice = arch.vocab * arch.hidden if arch.tied else 0
    apart = sum(arch.extra.values())
    return (arch.parameters_total, arch.parameters_total + apart, arch.parameters_total + twice)


def _said(change: Mapping[str, Any]) -> str:
    if not change:
        return "Reduced sheet: "
    fields = ", ".join(f"{key} = {str(value).lower()}" for key, value in change.items())
    return f"Reduced sheet, completed with {fields}: "


def _with_gap(arch: Architecture, notes: list[str], published: int | None) -> tuple[Architecture, list[str]]:
    if published is None:
        notes.insert(0, "Reduced sheet without a published total: what it leaves out follows the family.")
        return arch, notes
    gap = arch.parameters_total / published - 1
    notes.insert(0, f"Reduced sheet: the count differs from the published total by {100 * gap:+.2f} %.")
    return arch, notes

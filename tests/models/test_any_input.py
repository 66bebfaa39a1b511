"""Whatever is read gives an architecture or a RequestError, in bounded time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ridgewise.errors import RequestError
from ridgewise.facts import catalog_path
from ridgewise.models.architecture import Architecture
from ridgewise.models.families import FAMILIES
from ridgewise.models.hf import read_config
from ridgewise.models.read import parse_json

SETTINGS = settings(max_examples=150, deadline=2000, suppress_health_check=[HealthCheck.too_slow])

FIELDS = sorted({
    "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "vocab_size",
    "intermediate_size", "num_local_experts", "num_experts_per_tok", "moe_intermediate_size", "layer_types",
    "sliding_window", "tie_word_embeddings", "quantization_config", "text_config", "vision_config", "kv_lora_rank",
    "q_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "block_configs", "torch_dtype",
    "max_position_embeddings", "layers_block_type", "hybrid_override_pattern", "unet", "transformer",
})  # fmt: skip
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.integers(0, 70), st.floats(), st.text(max_size=8),
    st.lists(st.one_of(st.integers(-3, 300), st.text(max_size=4), st.none()), max_size=5),
    st.dictionaries(st.sampled_from(FIELDS), st.integers(-2, 99), max_size=3),
)  # fmt: skip
SHIPPED = sorted(catalog_path("models").glob("*.json"))


def read(config: dict[str, Any]) -> None:
    """Reads, or refuses with a place."""
    try:
        arch = read_config(config, "any")
    except RequestError as error:
        assert error.what
        assert error.where.startswith("any")
    else:
        assert isinstance(arch, Architecture)
        assert arch.parameters_total == sum(arch.parameters.values()) > 0
        assert arch.parameters_active >= 0
        assert arch.kv_values_per_token >= 0


@SETTINGS
@given(st.sampled_from(sorted(FAMILIES)), st.dictionaries(st.sampled_from(FIELDS), ODD, max_size=12))
def test_random_fields_of_every_family(family: str, fields: dict[str, Any]) -> None:
    read({"model_type": family, **fields})


@SETTINGS
@given(st.data())
def test_mutated_configurations(data: st.DataObject) -> None:
    path: Path = data.draw(st.sampled_from(SHIPPED))
    config = json.loads(path.read_text("utf-8"))
    del config["_catalogue"]
    target = config
    for part in ("text_config", "transformer", "unet"):
        if part in config and data.draw(st.booleans()):
            target = config[part]
    for key in data.draw(st.lists(st.sampled_from(sorted(target)), max_size=3)):
        if data.draw(st.booleans()):
            target.pop(key, None)
        else:
            target[key] = data.draw(ODD)
    read(config)


@SETTINGS
@given(st.recursive(ODD, lambda inner: st.dictionaries(st.text(max_size=12), inner, max_size=4), max_leaves=12))
def test_random_objects(value: Any) -> None:
    if isinstance(value, dict):
        read(value)
    else:
        with pytest.raises(RequestError):
            read_config(value, "any")


@SETTINGS
@given(st.text(max_size=200))
def test_random_text(text: str) -> None:
    try:
        parsed = parse_json(text, "any")
    except RequestError as error:
        assert error.where == "any"
    else:
        assert isinstance(parsed, dict)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_bare_type_is_refused_by_name_of_field(family: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_config({"model_type": family, "_class_name": family}, "any")
    assert caught.value.what

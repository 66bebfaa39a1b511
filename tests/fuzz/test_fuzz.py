"""A short run of the fuzzer for every change; ``make fuzz`` is the long one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgewise.errors import RequestError
from ridgewise.models.hf import read_config
from tests.fuzz.__main__ import run
from tests.fuzz.readers import check_config, readers

COUNT = 400
NAMES = ("config.json", "GGUF", "safetensors")


@pytest.mark.parametrize("name", NAMES)
def test_malformed_inputs(name: str) -> None:
    reader = next(reader for reader in readers() if reader.name == name)
    ends, _, _ = run(reader, COUNT, seed=7)
    assert ends["read"] and ends["refused"]  # some inputs stay sound, some do not


@pytest.mark.parametrize("name", NAMES)
def test_seeds_are_sound(name: str) -> None:
    reader = next(reader for reader in readers() if reader.name == name)
    assert {reader.check(seed) for seed in reader.seeds} == {"read"}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)
_FIELDS = st.sampled_from([
    "model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim",
    "intermediate_size", "vocab_size", "max_position_embeddings", "torch_dtype", "layer_types", "sliding_window",
    "kv_lora_rank", "num_experts", "num_experts_per_tok", "quantization_config", "text_config", "vision_config",
    "tie_word_embeddings", "architecture", "ffn_embed_dim", "_class_name",
])  # fmt: skip
_TYPES = st.sampled_from(["llama", "deepseek_v3", "gemma3", "gpt_oss", "mamba", "bert", "t5", "nemotron_h", "unknown"])
_SIZES = st.integers(-2, 2**40) | st.sampled_from([1, 2, 4, 64, 128, 4096])


@settings(max_examples=300, deadline=1000)
@given(st.dictionaries(_FIELDS, _SIZES | _TYPES | _JSON), _TYPES)
def test_any_configuration_gives_an_answer_or_a_named_error(config: dict[str, object], kind: str) -> None:
    try:
        assert read_config({**config, "model_type": config.get("model_type", kind)}, "x").parameters_total > 0
    except RequestError as error:
        assert error.what


@settings(max_examples=200, deadline=1000)
@given(st.binary(max_size=200))
def test_any_bytes_are_no_configuration(data: bytes) -> None:
    assert check_config(data) in ("refused", "not UTF-8", "read")

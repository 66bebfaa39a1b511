"""Reading files: what is accepted, and how mistakes are named."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ridgewise.errors import RequestError
from ridgewise.models.hf import read_config
from ridgewise.models.read import LIMIT, load

LLAMA: dict[str, Any] = {
    "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256, "torch_dtype": "bfloat16",
    "max_position_embeddings": 131072, "tie_word_embeddings": False,
}  # fmt: skip


def written(folder: Path, text: str | bytes, name: str = "config.json") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_file_and_its_folder_read_alike(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps(LLAMA))
    written(tmp_path, '{"temperature": 0.6}', "generation_config.json")
    assert load(path).parameters_total == load(tmp_path).parameters_total == 8_030_261_248
    assert load(tmp_path).dtype == "bf16"


def test_a_folder_with_modelopt_quantisation(tmp_path: Path) -> None:
    written(tmp_path, json.dumps(LLAMA))
    quantised = {"quantization": {"quant_algo": "NVFP4", "exclude_modules": ["lm_head", "model.layers.0.self_attn"]}}
    written(tmp_path, json.dumps(quantised), "hf_quant_config.json")
    arch = load(tmp_path)
    assert (arch.dtype, arch.kept) == ("nvfp4", ("lm_head", "model.layers.*.self_attn"))


def test_the_path_wins_over_the_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Llama-3.1-8B").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load("Llama-3.1-8B").name == "meta-llama/Meta-Llama-3.1-8B"  # an empty folder is no model
    written(tmp_path / "Llama-3.1-8B", json.dumps(LLAMA | {"num_hidden_layers": 1}))
    assert load("Llama-3.1-8B").layers == 1


BROKEN = {
    "[1, 2]": "not a JSON object",
    "{": "not valid JSON",
    '{"hidden_size": 1, "hidden_size": 2}': "twice",
    "[" * 100_000: "deeply",
    '{"hidden_size": ' + "9" * 5000 + "}": "not valid JSON",
    "": "not valid JSON",
}


@pytest.mark.parametrize(("text", "what"), BROKEN.items(), ids=list(BROKEN.values()))
def test_broken_files(tmp_path: Path, text: str, what: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(RequestError, match=what) as caught:
        load(path)
    assert caught.value.where == str(path)


def test_an_empty_configuration_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where it lies in the folder one stands in, which has no name then."""
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    for path in ("config.json", str(tmp_path / "config.json"), str(tmp_path)):
        with pytest.raises(RequestError) as caught:
            load(path)
        assert caught.value.where.startswith(path) and caught.value.where.partition(":")[2]


def test_not_utf8(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="UTF-8"):
        load(written(tmp_path, b'{"name": "\xff\xfe"}'))


def test_too_large(tmp_path: Path) -> None:
    path = written(tmp_path, "{}")
    os.truncate(path, LIMIT + 1)
    with pytest.raises(RequestError, match="larger than 8 MiB"):
        load(path)


@pytest.mark.parametrize("name", ["model.bin", "model.pt", "model.onnx", "model.safetensors"])
def test_weight_files_are_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(RequestError, match=r"config\.json"):
        load(written(tmp_path, b"GGUF", name))


def test_a_folder_without_configuration(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"holds no config\.json"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["", ".", "no/such/model", "a" * 5000, "nul\0byte", "../../etc/passwd"])
def test_odd_names_are_refused(name: str) -> None:
    with pytest.raises(RequestError):
        load(name)


WRONG: dict[str, dict[str, Any]] = {
    "num_hidden_layers": {"num_hidden_layers": "32"},
    "hidden_size": {"hidden_size": 4096.0},
    "vocab_size": {"vocab_size": True},
    "num_attention_heads": {"num_attention_heads": 0},
    "intermediate_size": {"intermediate_size": -1},
    "num_key_value_heads": {"num_key_value_heads": 64},
    "tie_word_embeddings": {"tie_word_embeddings": "no"},
    "torch_dtype": {"torch_dtype": "bfloat17"},
    "layer_types": {"layer_types": ["full_attention"]},
    "quant_method": {"quantization_config": {"quant_method": "magic"}},
}


@pytest.mark.parametrize(("field", "change"), WRONG.items())
def test_wrong_fields_are_named(field: str, change: dict[str, Any]) -> None:
    with pytest.raises(RequestError) as caught:
        read_config(LLAMA | change, "mine")
    assert field in caught.value.where
    assert caught.value.where.startswith("mine")


@pytest.mark.parametrize("field", ["hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size"])
def test_missing_fields_are_named(field: str) -> None:
    config = {key: value for key, value in LLAMA.items() if key != field}
    with pytest.raises(RequestError, match="field is missing") as caught:
        read_config(config, "mine")
    assert field in caught.value.where


def test_absurd_sizes_are_refused() -> None:
    for change in ({"num_hidden_layers": 10**8}, {"hidden_size": 10**12}, {"vocab_size": 10**12}):
        with pytest.raises(RequestError, match="not between"):
            read_config(LLAMA | change, "mine")


def test_infinity_matters_only_where_a_size_is_read(tmp_path: Path) -> None:
    text = json.dumps(LLAMA | {"time_step_limit": [0.0, float("inf")]})
    assert load(written(tmp_path, text)).layers == 32
    with pytest.raises(RequestError, match="not an integer"):
        load(written(tmp_path, json.dumps(LLAMA | {"hidden_size": float("nan")})))


def test_an_unknown_type_is_read_as_a_decoder_and_says_so() -> None:
    arch = read_config(LLAMA | {"model_type": "brand_new"}, "mine")
    assert arch.parameters_total == 8_030_261_248
    assert any("'brand_new' is not known" in said for said in arch.assumptions)


def test_an_unknown_type_that_is_no_plain_decoder_is_refused() -> None:
    with pytest.raises(RequestError, match="ssm_state_size"):
        read_config(LLAMA | {"model_type": "brand_new", "ssm_state_size": 128}, "mine")


def test_an_unknown_wrapper_counts_its_language_model() -> None:
    arch = read_config({"model_type": "new_vl", "text_config": LLAMA, "vision_config": {}}, "mine")
    assert arch.parameters_total == 8_030_261_248
    assert any("alone is counted" in said for said in arch.assumptions)


def test_latent_attention_without_a_rank_is_refused() -> None:
    with pytest.raises(RequestError, match="field is missing") as caught:
        read_config(LLAMA | {"model_type": "deepseek_v3"}, "mine")
    assert "kv_lora_rank" in caught.value.where


def test_reduced_sheets_are_completed_by_the_published_total() -> None:
    sheet = {
        "architecture": "qwen2", "hidden_size": 1536, "moe_intermediate_size": 8960, "num_attention_heads": 12,
        "num_hidden_layers": 28, "num_key_value_heads": 2, "head_dim": 128, "vocab_size": 151936,
        "context_length": 32768, "parameters_raw": 1_543_714_304,
    }  # fmt: skip
    arch = read_config(sheet, "mine")
    assert (arch.parameters_total, arch.tied, arch.reduced) == (1_543_714_304, True, True)
    assert any("equals the published total" in said for said in arch.assumptions)
    far = read_config(sheet | {"parameters_raw": 10**9}, "mine")
    assert any("differs from the published total by +" in said for said in far.assumptions)


def test_reduced_sheets_of_the_second_schema() -> None:
    sheet = {"model_type": "llama", "hidden_dim": 4096, "ffn_embed_dim": 16384, "n_head": 32, "num_layers": 32,
             "vocab_size": 32000, "max_seq_len": 2048, "name": "llama-7b"}  # fmt: skip
    assert read_config(sheet, "mine").parameters_total == 6_738_415_616


FORMATS: list[tuple[dict[str, Any], str]] = [
    ({}, "bf16"),
    ({"torch_dtype": None, "dtype": "float16"}, "fp16"),
    ({"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}}, "fp8"),
    ({"quantization_config": {"quant_method": "mxfp4"}}, "mxfp4"),
    ({"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128}}, "w4a16"),
    ({"quantization_config": {"quant_method": "awq", "bits": 4}}, "w4a16"),
    ({"quantization_config": {"quant_method": "gptq", "bits": 8}}, "int8"),
    ({"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}, "nf4"),
    ({"quantization_config": {"quant_method": "modelopt", "quant_algo": "NVFP4"}}, "nvfp4"),
    ({"quantization_config": {"quant_method": "compressed-tensors", "config_groups": {
        "group_0": {"weights": {"num_bits": 8, "type": "float"}}}}}, "fp8"),
    ({"quantization_config": {"quant_method": "compressed-tensors", "config_groups": {
        "group_0": {"weights": {"num_bits": 4, "type": "int"}}}}}, "w4a16"),
    ({"quantization_config": {"quant_method": "compressed-tensors", "config_groups": {
        "group_0": {"weights": {"num_bits": 4, "type": "float"}, "format": "mxfp4-pack-quantized"}}}}, "mxfp4"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "dtype"), FORMATS)
def test_storage(change: dict[str, Any], dtype: str) -> None:
    assert read_config(LLAMA | change, "mine").dtype == dtype


def test_storage_not_stated_is_assumed() -> None:
    arch = read_config({k: v for k, v in LLAMA.items() if k != "torch_dtype"}, "mine")
    assert arch.dtype == "bf16"
    assert any("bf16 is assumed" in said for said in arch.assumptions)

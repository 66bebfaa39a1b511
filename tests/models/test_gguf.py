"""GGUF: against the package's own reader, against configurations, and against files that lie."""

from __future__ import annotations

import io
import os
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models import gguf_files as files
from tests.models.gguf_files import gguf
from tests.models.watched import Watched

from ridgewise.errors import RequestError
from ridgewise.models.architecture import Architecture
from ridgewise.models.formats import embedding_bytes, model_bytes
from ridgewise.models.ggml import FILE_TYPES, TYPES
from ridgewise.models.gguf import GGUFFile, read_gguf, read_header
from ridgewise.models.gguf_model import architecture_from, file_format
from ridgewise.models.hf import read_config
from ridgewise.models.read import load, load_model

# Types.


def test_block_sizes_are_those_of_the_package() -> None:
    theirs = {int(kind): (kind.name, *sizes) for kind, sizes in gguf.GGML_QUANT_SIZES.items()}
    ours = {number: (kind.name, kind.block, kind.bytes) for number, kind in TYPES.items()}
    theirs[9] = ("Q8_1", 32, 36)  # block_q8_1: two halves and 32 bytes; the package still counts two floats
    common = theirs.keys() & ours.keys()
    assert len(common) >= 29
    assert {number: theirs[number] for number in common} == {number: ours[number] for number in common}


def test_file_types_are_those_of_the_package() -> None:
    theirs = {int(kind): kind.name.removeprefix("MOSTLY_").removeprefix("ALL_") for kind in gguf.LlamaFileType}
    common = theirs.keys() & FILE_TYPES.keys()
    assert len(common) >= 30
    assert {number: theirs[number] for number in common} == {number: FILE_TYPES[number] for number in common}


@pytest.mark.parametrize(
    ("name", "bits"), [("Q4_K", 4.5), ("Q6_K", 6.5625), ("Q8_0", 8.5), ("MXFP4", 4.25), ("IQ1_S", 1.5625)]
)
def test_bits_per_weight_as_published(name: str, bits: float) -> None:
    assert next(kind.bits for kind in TYPES.values() if kind.name == name) == bits


# The package's reader as oracle.

Built = tuple[Path, GGUFFile]


def _small(tmp_path: Path, **options: Any) -> Built:
    path = files.llama(tmp_path / "small.gguf", vocab=300, **options)
    return path, read_gguf(path)


def test_header_equals_the_package_reader(tmp_path: Path) -> None:
    path, ours = _small(tmp_path)
    theirs = gguf.GGUFReader(path)
    assert ours.version == 3
    assert ours.file_bytes == path.stat().st_size
    assert [(t.name, t.shape, t.type, t.bytes) for t in ours.tensors] == [
        (t.name, tuple(int(n) for n in t.shape), t.tensor_type.name, int(t.n_bytes)) for t in theirs.tensors
    ]
    start = theirs.data_offset
    assert [t.offset for t in ours.tensors] == [int(t.data_offset) - start for t in theirs.tensors]
    assert -(-ours.header_bytes // 32) * 32 == start
    for key, value in ours.metadata.items():
        stated = theirs.fields[key].contents()
        assert value == (tuple(stated) if isinstance(stated, list) else stated), key


def test_long_arrays_are_counted_and_not_kept(tmp_path: Path) -> None:
    _, ours = _small(tmp_path)
    assert ours.lengths["tokenizer.ggml.tokens"] == 300
    assert "tokenizer.ggml.tokens" not in ours.metadata


def test_big_endian_reads_as_little_endian(tmp_path: Path) -> None:
    _, little = _small(tmp_path)
    big = read_gguf(files.llama(tmp_path / "big.gguf", vocab=300, big=True))
    assert big.big_endian and not little.big_endian
    assert (big.tensors, big.metadata, big.lengths) == (little.tensors, little.metadata, little.lengths)


def test_version_2_reads_as_version_3(tmp_path: Path) -> None:
    path, three = _small(tmp_path)
    raw = bytearray(path.read_bytes())
    raw[4:8] = struct.pack("<I", 2)
    path.write_bytes(raw)
    assert read_gguf(path).tensors == three.tensors


# Architectures: the same model as file and as configuration.


def _agree(arch: Architecture, config: dict[str, Any]) -> None:
    own = read_config(config, "config")
    assert arch.parameters_total == own.parameters_total
    assert arch.parameters_active == own.parameters_active
    assert arch.kv_values_per_token == own.kv_values_per_token
    assert arch.state_bytes_per_sequence == own.state_bytes_per_sequence
    assert (arch.layers, arch.hidden, arch.vocab, arch.tied) == (own.layers, own.hidden, own.vocab, own.tied)
    mine, theirs = ([(g.count, g.mixer.kind, g.mixer.window, g.feed.kind) for g in a.groups] for a in (arch, own))
    assert mine == theirs


def _exact(path: Path) -> Architecture:
    """The architecture of a file, after checking that its format gives its bytes."""
    file = read_gguf(path)
    arch, fmt = architecture_from(file), file_format(file)
    assert round(model_bytes(arch, fmt)) == sum(tensor.bytes for tensor in file.tensors) == file.tensor_bytes
    assert abs(model_bytes(arch, fmt) - file.tensor_bytes) < 0.01
    return arch


LLAMA: dict[str, Any] = {
    "model_type": "llama", "hidden_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 512, "vocab_size": 512, "max_position_embeddings": 4096,
    "torch_dtype": "bfloat16",
}  # fmt: skip


def test_llama(tmp_path: Path) -> None:
    arch = _exact(files.llama(tmp_path / "a.gguf"))
    _agree(arch, LLAMA)
    assert arch.extra == {"rope_tables": 32}
    assert arch.family == "llama"
    assert arch.dtype == "q4_k_m"


def test_format_keeps_the_mix_by_role(tmp_path: Path) -> None:
    fmt = file_format(read_gguf(files.llama(tmp_path / "a.gguf")))
    assert (fmt.id, fmt.family, fmt.compute) == ("gguf:Q4_K_M", "gguf", "int8")
    assert fmt.head == 6.5625
    assert fmt.roles["q"] == fmt.roles["gate"] == 4.5
    assert fmt.roles["v"] == fmt.roles["down"] == pytest.approx((4.5 + 6.5625) / 2)
    assert fmt.small == 32


def test_embedding_is_exact_without_modules_apart(tmp_path: Path) -> None:
    table = files.ends(256, 512, kind="Q5_0") | files.attention(0, 256, 256, 128) | files.dense(0, 256, 512)
    path = files.write(tmp_path / "a.gguf", "llama", files.common(1, 256, 4, 2), table)
    file = read_gguf(path)
    held = next(tensor.bytes for tensor in file.tensors if tensor.name == "token_embd.weight")
    assert embedding_bytes(architecture_from(file), file_format(file)) == held


def test_qwen2_with_biases_and_tied_head(tmp_path: Path) -> None:
    table = files.ends(256, 512, kind="Q8_0", tied=True)
    for i in range(3):
        table |= files.attention(i, 256, 256, 128, kind="Q8_0", v_kind="Q8_0")
        table |= files.dense(i, 256, 512, kind="Q8_0", down="Q8_0")
        table |= {f"blk.{i}.attn_{n}.bias": ((w,), "F32") for n, w in (("q", 256), ("k", 128), ("v", 128))}
    arch = _exact(files.write(tmp_path / "a.gguf", "qwen2", files.common(3, 256, 4, 2), table))
    _agree(arch, LLAMA | {"model_type": "qwen2", "num_hidden_layers": 3, "tie_word_embeddings": True})
    assert arch.tied and arch.head == 0


@pytest.mark.parametrize("single", [False, True])
def test_mixture_of_experts_stacked_and_one_by_one(tmp_path: Path, single: bool) -> None:
    table = files.ends(256, 512)
    for i in range(2):
        table |= files.attention(i, 256, 256, 128) | files.experts(i, 256, 512, 8)
        for role in ("gate", "up", "down") if single else ():
            (count, *shape), kind = table.pop(f"blk.{i}.ffn_{role}_exps.weight")
            table |= {f"blk.{i}.ffn_{role}.{e}.weight": (tuple(shape), kind) for e in range(count)}
    keys = files.common(2, 256, 4, 2, expert_count=8, expert_used_count=2)
    arch = _exact(files.write(tmp_path / "a.gguf", "llama", keys, table))
    _agree(arch, LLAMA | {"model_type": "mixtral", "num_local_experts": 8, "num_experts_per_tok": 2})
    assert arch.groups[0].feed.experts == 8
    assert bool(arch.assumptions and "one by one" in arch.assumptions[0]) == single


DEEPSEEK: dict[str, Any] = LLAMA | {
    "model_type": "deepseek_v3", "num_key_value_heads": 4, "num_hidden_layers": 3, "kv_lora_rank": 128,
    "q_lora_rank": 64, "qk_nope_head_dim": 64, "qk_rope_head_dim": 32, "v_head_dim": 64, "n_routed_experts": 4,
    "num_experts_per_tok": 2, "n_shared_experts": 1, "moe_intermediate_size": 256, "first_k_dense_replace": 1,
}  # fmt: skip


def _deepseek(path: Path, *, old: bool = False, nextn: bool = False) -> Path:
    """Three layers of latent attention, one dense; ``nextn``: one more layer for multi-token prediction."""
    table = files.ends(256, 512)
    for i in range(3 + nextn):
        table |= {
            f"blk.{i}.attn_norm.weight": ((256,), "F32"),
            f"blk.{i}.attn_q_a.weight": ((64, 256), "Q4_K"),
            f"blk.{i}.attn_q_a_norm.weight": ((64,), "F32"),
            f"blk.{i}.attn_q_b.weight": ((4 * 96, 64), "Q8_0"),
            f"blk.{i}.attn_kv_a_mqa.weight": ((160, 256), "Q8_0"),
            f"blk.{i}.attn_kv_a_norm.weight": ((128,), "F32"),
            f"blk.{i}.attn_output.weight": ((256, 256), "Q4_K"),
        }
        if old:
            table |= {f"blk.{i}.attn_kv_b.weight": ((4 * 128, 128), "Q8_0")}
        else:
            table |= {
                f"blk.{i}.attn_k_b.weight": ((4, 128, 64), "Q8_0"),
                f"blk.{i}.attn_v_b.weight": ((4, 64, 128), "Q8_0"),
            }
        if i:
            table |= files.experts(i, 256, 256, 4) | {f"blk.{i}.exp_probs_b.bias": ((4,), "F32")}
            for role, shape in (("gate", (256, 256)), ("up", (256, 256)), ("down", (256, 256))):
                table |= {f"blk.{i}.ffn_{role}_shexp.weight": (shape, "Q5_K")}
        else:
            table |= files.dense(i, 256, 512)
    if nextn:
        table |= {"blk.3.nextn.eh_proj.weight": ((256, 512), "Q8_0"), "blk.3.nextn.enorm.weight": ((256,), "F32")}
    wide = {"attention.key_length": 96, "attention.value_length": 64} if old else {
        "attention.key_length": 160, "attention.value_length": 128,
        "attention.key_length_mla": 96, "attention.value_length_mla": 64,
    }  # fmt: skip
    keys = files.common(3 + nextn, 256, 4, 4 if old else 1, **wide)
    keys |= {"attention.kv_lora_rank": 128, "attention.q_lora_rank": 64, "rope.dimension_count": 32,
             "expert_count": 4, "expert_used_count": 2}  # fmt: skip
    if nextn:
        keys["nextn_predict_layers"] = 1
    return files.write(path, "deepseek2", keys, table)


def test_latent_attention(tmp_path: Path) -> None:
    arch = _exact(_deepseek(tmp_path / "a.gguf"))
    _agree(arch, DEEPSEEK)
    mixer = arch.groups[0].mixer
    assert (mixer.kind, mixer.latent, mixer.rope_dim, mixer.qk_dim, mixer.v_dim) == ("mla", 128, 32, 96, 64)


def test_latent_attention_of_older_files_caches_full_heads(tmp_path: Path) -> None:
    arch = _exact(_deepseek(tmp_path / "a.gguf", old=True))
    assert arch.kv_values_per_token == 3 * 4 * (96 + 64)
    assert any("before latent caching" in sentence for sentence in arch.assumptions)


def test_multi_token_prediction_is_counted_apart(tmp_path: Path) -> None:
    plain, more = _exact(_deepseek(tmp_path / "a.gguf")), _exact(_deepseek(tmp_path / "b.gguf", nextn=True))
    assert more.parameters_total == plain.parameters_total
    assert more.layers == 3
    assert more.extra["mtp"] == plain.groups[-1].parameters + 2 * 256 * 256 + 256


def test_gemma3_windows(tmp_path: Path) -> None:
    table = files.ends(256, 512, kind="Q8_0", tied=True)
    for i in range(8):
        table |= files.attention(i, 256, 256, 128, norm=64) | files.dense(i, 256, 512)
        table |= {f"blk.{i}.post_{n}.weight": ((256,), "F32") for n in ("attention_norm", "ffw_norm")}
    keys = files.common(8, 256, 4, 2, **{"attention.sliding_window": 1024, "attention.key_length": 64})
    arch = _exact(files.write(tmp_path / "a.gguf", "gemma3", keys, table))
    config = {"model_type": "gemma3_text", "num_hidden_layers": 8, "head_dim": 64, "sliding_window": 1024,
              "tie_word_embeddings": True}  # fmt: skip
    _agree(arch, LLAMA | config)
    assert [(g.count, g.mixer.window) for g in arch.groups] == [(5, 1024), (1, None), (2, 1024)]


def test_windows_by_layer_and_heads_by_layer(tmp_path: Path) -> None:
    table = files.ends(256, 512)
    for i, kv in enumerate((128, 64, 128)):
        table |= files.attention(i, 256, 256, kv) | files.dense(i, 256, 512)
    keys = files.common(3, 256, 4, [2, 1, 2])
    keys |= {"attention.sliding_window": 512, "attention.sliding_window_pattern": [True, False, True]}
    arch = _exact(files.write(tmp_path / "a.gguf", "mimo2", keys, table))
    assert [(g.mixer.kind, g.mixer.window, g.mixer.kv_heads) for g in arch.groups] == [
        ("sliding", 512, 2), ("full", None, 1), ("sliding", 512, 2),
    ]  # fmt: skip


def test_a_window_without_layers_is_said_and_not_used(tmp_path: Path) -> None:
    table = files.ends(256, 512) | files.attention(0, 256, 256, 128) | files.dense(0, 256, 512)
    keys = files.common(1, 256, 4, 2, **{"attention.sliding_window": 512})
    arch = _exact(files.write(tmp_path / "a.gguf", "newmodel", keys, table))
    assert arch.groups[0].mixer.kind == "full"
    assert any("window of 512" in sentence for sentence in arch.assumptions)


def test_fused_projections(tmp_path: Path) -> None:
    table = files.ends(256, 512) | {
        "blk.0.attn_norm.weight": ((256,), "F32"),
        "blk.0.attn_qkv.weight": ((512, 256), "Q4_K"),
        "blk.0.attn_output.weight": ((256, 256), "Q4_K"),
        "blk.0.ffn_norm.weight": ((256,), "F32"),
        "blk.0.ffn_up.weight": ((1024, 256), "Q4_K"),
        "blk.0.ffn_down.weight": ((256, 512), "Q6_K"),
    }
    arch = _exact(files.write(tmp_path / "a.gguf", "phi3", files.common(1, 256, 4, 2), table))
    _agree(arch, LLAMA | {"model_type": "phi3", "num_hidden_layers": 1})


def test_gpt_oss_experts_with_biases_and_sinks(tmp_path: Path) -> None:
    table = files.ends(256, 512, kind="BF16", head="BF16")
    for i in range(2):
        table |= files.attention(i, 256, 256, 128, kind="BF16", v_kind="BF16")
        table |= files.experts(i, 256, 256, 4, kind="MXFP4", down="MXFP4")
        table |= {
            f"blk.{i}.attn_{n}.bias": ((w,), "F32")
            for n, w in zip(("q", "k", "v", "output"), (256, 128, 128, 256), strict=True)
        }
        table |= {f"blk.{i}.attn_sinks.weight": ((4,), "F32"), f"blk.{i}.ffn_gate_inp.bias": ((4,), "F32")}
        table |= {f"blk.{i}.ffn_{n}_exps.bias": ((4, 256), "F32") for n in ("gate", "up", "down")}
    keys = files.common(2, 256, 4, 2, expert_count=4, expert_used_count=2, **{"attention.sliding_window": 128})
    arch = _exact(files.write(tmp_path / "a.gguf", "gpt-oss", keys, table))
    _agree(arch, LLAMA | {"model_type": "gpt_oss", "num_local_experts": 4, "num_experts_per_tok": 2,
                          "attention_bias": True, "intermediate_size": 256, "sliding_window": 128,
                          "layer_types": ["sliding_attention", "full_attention"]})  # fmt: skip


def test_mamba2_hybrid_states(tmp_path: Path) -> None:
    """Nemotron-H: one layer Mamba-2, one feed-forward, one attention."""
    table = files.ends(256, 512) | {
        "blk.0.attn_norm.weight": ((256,), "F32"),
        "blk.0.ssm_in.weight": ((512 + 512 + 2 * 2 * 32 + 8, 256), "Q4_K"),
        "blk.0.ssm_conv1d.weight": ((640, 4), "F32"),
        "blk.0.ssm_conv1d.bias": ((640,), "F32"),
        "blk.0.ssm_dt.bias": ((8,), "F32"),
        "blk.0.ssm_a": ((8, 1), "F32"),
        "blk.0.ssm_d": ((8, 1), "F32"),
        "blk.0.ssm_norm.weight": ((2, 256), "F32"),
        "blk.0.ssm_out.weight": ((256, 512), "Q4_K"),
        "blk.1.attn_norm.weight": ((256,), "F32"),
        "blk.1.ffn_up.weight": ((512, 256), "Q4_K"),
        "blk.1.ffn_down.weight": ((256, 512), "Q4_K"),
    }
    table |= files.attention(2, 256, 256, 128)
    keys = files.common(3, 256, 4, [0, 0, 2], feed_forward_length=512)
    keys |= {"ssm.conv_kernel": 4, "ssm.inner_size": 512, "ssm.state_size": 32, "ssm.time_step_rank": 8,
             "ssm.group_count": 2}  # fmt: skip
    arch = _exact(files.write(tmp_path / "a.gguf", "nemotron_h", keys, table))
    _agree(arch, LLAMA | {"model_type": "nemotron_h", "hybrid_override_pattern": "M-*", "num_hidden_layers": 3,
                          "mamba_num_heads": 8, "mamba_head_dim": 64, "n_groups": 2, "ssm_state_size": 32,
                          "conv_kernel": 4})  # fmt: skip


def test_delta_net_states(tmp_path: Path) -> None:
    """Qwen3-Next: one linear layer and one gated attention layer, experts with a shared one."""
    linear = {
        "blk.0.attn_norm.weight": ((256,), "F32"),
        "blk.0.attn_qkv.weight": ((2 * 2 * 32 + 4 * 32, 256), "Q4_K"),
        "blk.0.attn_gate.weight": ((4 * 32, 256), "Q4_K"),
        "blk.0.ssm_ba.weight": ((8, 256), "Q4_K"),
        "blk.0.ssm_conv1d.weight": ((256, 4), "F32"),
        "blk.0.ssm_dt.bias": ((4,), "F32"),
        "blk.0.ssm_a": ((4,), "F32"),
        "blk.0.ssm_norm.weight": ((32,), "F32"),
        "blk.0.ssm_out.weight": ((256, 128), "Q8_0"),
    }
    table = files.ends(256, 512) | linear | files.attention(1, 256, 256, 128, norm=64)
    table |= {"blk.1.attn_q.weight": ((512, 256), "Q4_K")}
    for i in range(2):
        table |= files.experts(i, 256, 256, 4)
        table[f"blk.{i}.post_attention_norm.weight"] = table.pop(f"blk.{i}.ffn_norm.weight")
        table |= {f"blk.{i}.ffn_{n}_shexp.weight": ((256, 256), "Q4_K") for n in ("gate", "up", "down")}
        table |= {f"blk.{i}.ffn_gate_inp_shexp.weight": ((256,), "F32")}
    keys = files.common(2, 256, 4, 2, expert_count=4, expert_used_count=2, full_attention_interval=2)
    keys |= {"ssm.conv_kernel": 4, "ssm.inner_size": 128, "ssm.state_size": 32, "ssm.time_step_rank": 4,
             "ssm.group_count": 2, "attention.key_length": 64, "attention.value_length": 64}  # fmt: skip
    arch = _exact(files.write(tmp_path / "a.gguf", "qwen3next", keys, table))
    _agree(arch, LLAMA | {"model_type": "qwen3_next", "full_attention_interval": 2, "head_dim": 64,
                          "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 32,
                          "linear_value_head_dim": 32, "linear_conv_kernel_dim": 4, "num_experts": 4,
                          "num_experts_per_tok": 2, "moe_intermediate_size": 256,
                          "shared_expert_intermediate_size": 256})  # fmt: skip


def _mamba2_parts(i: int, h: int, *, norm: bool) -> files.Table:
    """Mamba-2 with 8 heads of 64, 2 groups, 32 states, a kernel of 4."""
    table: files.Table = {
        f"blk.{i}.ssm_in.weight": ((512 + 512 + 2 * 2 * 32 + 8, h), "Q4_K"),
        f"blk.{i}.ssm_conv1d.weight": ((640, 4), "F32"),
        f"blk.{i}.ssm_conv1d.bias": ((640,), "F32"),
        f"blk.{i}.ssm_dt.bias": ((8,), "F32"),
        f"blk.{i}.ssm_a": ((8, 1), "F32"),
        f"blk.{i}.ssm_d": ((8, 1), "F32"),
        f"blk.{i}.ssm_out.weight": ((h, 512), "Q4_K"),
    }
    return table | ({f"blk.{i}.ssm_norm.weight": ((2, 256), "F32")} if norm else {})


MAMBA2_KEYS = {"ssm.conv_kernel": 4, "ssm.inner_size": 512, "ssm.state_size": 32, "ssm.time_step_rank": 8,
               "ssm.group_count": 2}  # fmt: skip


def test_attention_beside_recurrence(tmp_path: Path) -> None:
    """Falcon-H1: both in every layer."""
    table = files.ends(256, 512)
    for i in range(2):
        table |= files.attention(i, 256, 256, 128) | files.dense(i, 256, 512) | _mamba2_parts(i, 256, norm=False)
    arch = _exact(files.write(tmp_path / "a.gguf", "falcon-h1", files.common(2, 256, 4, 2) | MAMBA2_KEYS, table))
    _agree(arch, LLAMA | {"model_type": "falcon_h1", "mamba_n_heads": 8, "mamba_d_ssm": 512, "mamba_n_groups": 2,
                          "mamba_d_state": 32, "mamba_d_conv": 4})  # fmt: skip


def test_mamba_states(tmp_path: Path) -> None:
    table = files.ends(256, 512, tied=True)
    for i in range(2):
        table |= {
            f"blk.{i}.attn_norm.weight": ((256,), "F32"),
            f"blk.{i}.ssm_in.weight": ((1024, 256), "Q4_K"),
            f"blk.{i}.ssm_conv1d.weight": ((512, 4), "F32"),
            f"blk.{i}.ssm_conv1d.bias": ((512,), "F32"),
            f"blk.{i}.ssm_x.weight": ((48, 512), "Q4_K"),
            f"blk.{i}.ssm_dt.weight": ((512, 16), "F32"),
            f"blk.{i}.ssm_dt.bias": ((512,), "F32"),
            f"blk.{i}.ssm_a": ((512, 16), "F32"),
            f"blk.{i}.ssm_d": ((512,), "F32"),
            f"blk.{i}.ssm_out.weight": ((256, 512), "Q4_K"),
        }
    keys = files.common(2, 256, 0, 0)
    keys |= {"ssm.conv_kernel": 4, "ssm.inner_size": 512, "ssm.state_size": 16, "ssm.time_step_rank": 16}
    arch = _exact(files.write(tmp_path / "a.gguf", "mamba", keys, table))
    _agree(arch, LLAMA | {"model_type": "mamba", "intermediate_size": 512, "state_size": 16, "conv_kernel": 4,
                          "time_step_rank": 16})  # fmt: skip


def test_short_convolutions(tmp_path: Path) -> None:
    """LFM2: one convolution layer, one attention layer."""
    table = files.ends(256, 512, tied=True)
    table["token_embd_norm.weight"] = table.pop("output_norm.weight")
    table |= {
        "blk.0.attn_norm.weight": ((256,), "F32"),
        "blk.0.shortconv.in_proj.weight": ((768, 256), "Q4_K"),
        "blk.0.shortconv.conv.weight": ((256, 3), "F32"),
        "blk.0.shortconv.out_proj.weight": ((256, 256), "Q4_K"),
    }
    table |= files.attention(1, 256, 256, 128, norm=64) | files.dense(0, 256, 512) | files.dense(1, 256, 512)
    keys = files.common(2, 256, 4, [0, 2], **{"shortconv.l_cache": 3})
    arch = _exact(files.write(tmp_path / "a.gguf", "lfm2", keys, table))
    _agree(arch, LLAMA | {"model_type": "lfm2", "conv_L_cache": 3, "block_auto_adjust_ff_dim": False,
                          "layer_types": ["conv", "full_attention"], "tie_word_embeddings": True})  # fmt: skip


def test_delta_attention_with_latent_attention(tmp_path: Path) -> None:
    """Kimi Linear: one delta layer, one latent layer."""
    table = files.ends(256, 512) | {
        "blk.0.attn_norm.weight": ((256,), "F32"),
        **{f"blk.0.attn_{n}.weight": ((256, 256), "Q4_K") for n in ("q", "k", "v", "output")},
        **{f"blk.0.ssm_conv1d_{n}.weight": ((256, 4), "F32") for n in "qkv"},
        **{f"blk.0.ssm_{n}_a.weight": ((64, 256), "Q4_K") for n in "fg"},
        **{f"blk.0.ssm_{n}_b.weight": ((256, 64), "Q8_0") for n in "fg"},
        "blk.0.ssm_beta.weight": ((4, 256), "Q4_K"),
        "blk.0.ssm_a": ((4, 1), "F32"),
        "blk.0.ssm_dt.bias": ((256,), "F32"),
        "blk.0.ssm_norm.weight": ((64,), "F32"),
        "blk.1.attn_norm.weight": ((256,), "F32"),
        "blk.1.attn_q.weight": ((4 * 96, 256), "Q4_K"),
        "blk.1.attn_kv_a_mqa.weight": ((160, 256), "Q8_0"),
        "blk.1.attn_kv_a_norm.weight": ((128,), "F32"),
        "blk.1.attn_k_b.weight": ((4, 128, 64), "Q8_0"),
        "blk.1.attn_v_b.weight": ((4, 64, 128), "Q8_0"),
        "blk.1.attn_output.weight": ((256, 256), "Q4_K"),
    }
    for i in range(2):
        table |= files.experts(i, 256, 256, 4) | {f"blk.{i}.exp_probs_b.bias": ((4,), "F32")}
    keys = files.common(2, 256, 4, [0, 1], expert_count=4, expert_used_count=2)
    keys |= {"attention.kv_lora_rank": 128, "attention.key_length_mla": 96, "attention.value_length_mla": 64,
             "kda.head_dim": 64, "ssm.conv_kernel": 4}  # fmt: skip
    arch = _exact(files.write(tmp_path / "a.gguf", "kimi-linear", keys, table))
    _agree(arch, DEEPSEEK | {"model_type": "kimi_linear", "num_hidden_layers": 2, "q_lora_rank": None,
                             "n_shared_experts": 0, "first_k_dense_replace": 0, "linear_attn_config": {
        "full_attn_layers": [2], "num_heads": 4, "head_dim": 64, "short_conv_kernel_size": 4}})  # fmt: skip


def test_layers_that_share_a_cache(tmp_path: Path) -> None:
    """Gemma 3n and 4: the last layers reuse the keys and values of earlier ones."""
    table = files.ends(256, 512, tied=True)
    for i in range(4):
        table |= files.attention(i, 256, 256, 128) | files.dense(i, 256, 512)
    keys = files.common(4, 256, 4, 2, **{"attention.shared_kv_layers": 2})
    arch = _exact(files.write(tmp_path / "a.gguf", "gemma3n", keys, table))
    assert [(g.count, g.mixer.cached) for g in arch.groups] == [(2, True), (2, False)]
    assert arch.kv_values_per_token == 2 * 2 * 2 * 64


def test_encoder_and_decoder(tmp_path: Path) -> None:
    table: files.Table = {"token_embd.weight": ((512, 256), "Q4_K")}
    for stack in ("enc", "dec"):
        table |= {f"{stack}.output_norm.weight": ((256,), "F32"), f"{stack}.blk.0.attn_rel_b.weight": ((32, 4), "F16")}
        for i in range(2):
            at = f"{stack}.blk.{i}"
            kinds = ("attn", "cross_attn") if stack == "dec" else ("attn",)
            table |= {f"{at}.{kind}_{n}.weight": ((256, 256), "Q4_K") for kind in kinds for n in "qkvo"}
            table |= {f"{at}.{kind}_norm.weight": ((256,), "F32") for kind in (*kinds, "ffn")}
            table |= {f"{at}.ffn_up.weight": ((512, 256), "Q4_K"), f"{at}.ffn_down.weight": ((256, 512), "Q4_K")}
    keys = files.common(2, 256, 4, 4, **{"attention.key_length": 64, "attention.value_length": 64})
    arch = _exact(files.write(tmp_path / "a.gguf", "t5", keys, table))
    own = read_config({"model_type": "t5", "d_model": 256, "num_layers": 2, "num_heads": 4, "d_kv": 64, "d_ff": 512,
                       "vocab_size": 512, "torch_dtype": "float16"}, "t5")  # fmt: skip
    assert arch.parameters_total == own.parameters_total
    assert arch.kv_values_per_token == own.kv_values_per_token
    assert sum(group.count for group in arch.encoder) == 2


def test_vision_tensors_are_counted_apart(tmp_path: Path) -> None:
    table = files.ends(256, 512) | files.attention(0, 256, 256, 128) | files.dense(0, 256, 512)
    table |= {"v.blk.0.attn_q.weight": ((64, 64), "F16"), "mm.0.weight": ((256, 64), "F16")}
    arch = _exact(files.write(tmp_path / "a.gguf", "llama", files.common(1, 256, 4, 2), table))
    assert arch.extra == {"vision": 64 * 64 + 256 * 64}


# Files in several parts, and the entry point.


def _split(tmp_path: Path) -> list[Path]:
    whole = files.ends(256, 512) | files.attention(0, 256, 256, 128) | files.dense(0, 256, 512)
    names = sorted(whole)
    general = {"split.count": 2, "split.tensors.count": len(names)}
    parts = []
    for number, chosen in enumerate((names[:5], names[5:]), 1):
        path = tmp_path / f"m-{number:05d}-of-00002.gguf"
        keys = files.common(1, 256, 4, 2) if number == 1 else {}
        parts.append(
            files.write(path, "llama", keys, {n: whole[n] for n in chosen}, general=general if number == 1 else {})
        )
    return parts


@pytest.mark.parametrize("named", [0, 1])
def test_split_files_are_read_whole(tmp_path: Path, named: int) -> None:
    arch = _exact(_split(tmp_path)[named])
    _agree(arch, LLAMA | {"num_hidden_layers": 1})


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    first, second = _split(tmp_path)
    second.unlink()
    with pytest.raises(RequestError, match=r"part 2 of 2 is missing: m-00002-of-00002\.gguf"):
        read_gguf(first)


def test_load_takes_files_and_folders(tmp_path: Path) -> None:
    path = files.llama(tmp_path / "model.gguf")
    model = load_model(path)
    assert model.path == path and model.format is not None and model.format.id == "gguf:Q4_K_M"
    assert load(path) == load(tmp_path) == model.arch
    files.llama(tmp_path / "other.gguf")
    with pytest.raises(RequestError, match=r"holds 2 GGUF models: name one.*model\.gguf"):
        load(tmp_path)


def test_a_mix_without_a_name_in_the_catalogue_is_said(tmp_path: Path) -> None:
    table = files.ends(256, 512, kind="Q5_1", head="Q5_1") | files.attention(
        0, 256, 256, 128, kind="Q5_1", v_kind="Q5_1"
    )
    table |= files.dense(0, 256, 512, kind="Q5_1", down="Q5_1")
    model = load_model(files.write(tmp_path / "a.gguf", "llama", files.common(1, 256, 4, 2), table))
    assert model.format is not None and model.format.id == "gguf:Q5_1"
    assert any("stored as Q5_1" in sentence for sentence in model.arch.assumptions)


# Nothing beyond the header is read, and size does not matter.


def test_no_byte_beyond_the_header_is_read(tmp_path: Path) -> None:
    path, ours = _small(tmp_path)
    watched = Watched(path.read_bytes())
    assert read_header(watched, path.stat().st_size, "x").tensors == ours.tensors
    assert watched.reached == ours.header_bytes


def test_a_sparse_file_of_gigabytes_with_a_large_vocabulary(tmp_path: Path) -> None:
    path = tmp_path / "large.gguf"
    header = raw_header(
        pairs=[
            ("general.architecture", text("llama")),
            ("tokenizer.ggml.tokens", array(8, [string(f"t{i}") for i in range(128_000)])),
            ("tokenizer.ggml.scores", array(6, [struct.pack("<f", -1.0)] * 128_000)),
        ],
        tensors=[("a.weight", (4096, 1 << 20), 1, 0)],
    )
    path.write_bytes(header)
    os.truncate(path, -(-len(header) // 32) * 32 + (8 << 30))
    started = time.perf_counter()
    ours = read_gguf(path)
    assert ours.tensor_bytes == 8 << 30
    assert ours.lengths == {
        "general.architecture": 5,
        "tokenizer.ggml.tokens": 128_000,
        "tokenizer.ggml.scores": 128_000,
    }
    assert ours.header_bytes == len(header)
    assert time.perf_counter() - started < 5  # the benchmark measures; this only catches a reader gone wrong


# Files that lie: each a named error.


def string(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def text(value: str | bytes) -> bytes:
    return struct.pack("<I", 8) + string(value)


def number(value: int) -> bytes:
    return struct.pack("<II", 4, value)


def array(kind: int, items: list[bytes], count: int | None = None) -> bytes:
    return struct.pack("<IIQ", 9, kind, len(items) if count is None else count) + b"".join(items)


Row = tuple[str | bytes, tuple[int, ...], int, int]


def raw_header(
    pairs: list[tuple[str | bytes, bytes]] = (), tensors: list[Row] = (), *, magic: bytes = b"GGUF", version: int = 3,  # type: ignore[assignment]
    pair_count: int | None = None, tensor_count: int | None = None,
) -> bytes:  # fmt: skip
    counts = (len(tensors) if tensor_count is None else tensor_count, len(pairs) if pair_count is None else pair_count)
    out = [magic, struct.pack("<IQQ", version, *counts)]
    out += [string(key) + value for key, value in pairs]
    out += [
        string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
        for name, shape, kind, offset in tensors
    ]
    return b"".join(out)


def parse(data: bytes, padding: int = 1 << 12) -> GGUFFile:
    data += b"\0" * padding
    return read_header(io.BytesIO(data), len(data), "file.gguf")


F32, ROW = 0, (8,)

LIES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is truncated: no complete GGUF header"),
    "four bytes": (b"GGUF", "is truncated: no complete GGUF header"),
    "other magic": (raw_header(magic=b"ELF\x7f"), "is not a GGUF file: it begins with"),
    "older ggml": (raw_header(magic=b"tjgg"), "is an older ggml file"),
    "PyTorch archive": (raw_header(magic=b"PK\x03\x04"), "never opened"),
    "Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    "version 1": (raw_header(version=1), "version 1 is not supported"),
    "version 99": (raw_header(version=99), "version 99 is not supported"),
    "many tensors": (raw_header(tensor_count=1 << 62), r"states \d+ tensors; at most"),
    "many pairs": (raw_header(pair_count=(1 << 64) - 1), r"states \d+ metadata pairs; at most"),
    "more tensors than fit": (raw_header(tensor_count=90_000), "do not fit into"),
    "more pairs than fit": (raw_header(pair_count=60_000), "do not fit into"),
    "huge key": (raw_header(pair_count=1) + struct.pack("<Q", 1 << 60), r"a key of \d+ bytes"),
    "huge string": (raw_header([("k", struct.pack("<IQ", 8, 1 << 63))]), r"k'?: a string of \d+ bytes"),
    "string beyond the end": (raw_header([("k", struct.pack("<IQ", 8, 1 << 20))]), "goes beyond the end of the file"),
    "huge array": (raw_header([("k", struct.pack("<IIQ", 9, 4, 1 << 61))]), "array of .* items goes beyond"),
    "huge array of strings": (raw_header([("k", struct.pack("<IIQ", 9, 8, 1 << 61))]), "array of .* items goes beyond"),
    "huge string in an array": (
        raw_header([("k", array(8, [struct.pack("<Q", 1 << 62)]))]), "a string of over",
    ),
    "cyclic arrays": (raw_header([("k", b"\x09\0\0\0" + struct.pack("<IQ", 9, 1) * 50)]), "nested more than 3 deep"),
    "bad value type": (raw_header([("k", struct.pack("<I", 77) + b"\0" * 8)]), "value type 77"),
    "bad item type": (raw_header([("k", array(13, [b"\0" * 8]))]), "value type 13"),
    "bad truth value": (raw_header([("k", struct.pack("<IB", 7, 2))]), "neither 0 nor 1"),
    "not UTF-8 key": (raw_header([(b"\xff\xfe", number(1))]), "key is not UTF-8"),
    "key twice": (raw_header([("k", number(1)), ("k", number(2))]), "names 'k' twice"),
    "NaN": (raw_header([("k", struct.pack("<If", 6, float("nan")))]), "NaN"),
    "NaN in an array": (raw_header([("k", array(12, [struct.pack("<d", float("nan"))]))]), "NaN"),
    "not UTF-8 name": (raw_header(tensors=[(b"\xff", ROW, F32, 0)]), "name is not UTF-8"),
    "long name": (raw_header(tensors=[("x" * 300, ROW, F32, 0)]), "a name of 300 bytes"),
    "name twice": (raw_header(tensors=[("a", ROW, F32, 0), ("a", ROW, F32, 32)]), "tensor 'a': is listed twice"),
    "many dimensions": (raw_header(tensors=[("a", (1, 1, 1, 1, 1), F32, 0)]), "has 5 dimensions"),
    "zero dimension": (raw_header(tensors=[("a", (8, 0), F32, 0)]), "dimension of zero"),
    "overflow": (raw_header(tensors=[("a", (1 << 32, 1 << 32, 8), F32, 0)]), "dimensions overflow"),
    "negative dimension": (raw_header(tensors=[("a", ((1 << 64) - 1, 1), F32, 0)]), "dimensions overflow"),
    "unknown type": (raw_header(tensors=[("a", ROW, 200, 0)]), "tensor type 200"),
    "removed type": (raw_header(tensors=[("a", ROW, 31, 0)]), "Q4_0_4_4 was removed"),
    "no multiple of the block": (raw_header(tensors=[("a", (33,), 2, 0)]), "no multiple of 32"),
    "misaligned": (raw_header(tensors=[("a", ROW, F32, 4)]), "not aligned to 32"),
    "overlapping": (raw_header(tensors=[("a", (16,), F32, 0), ("b", ROW, F32, 32)]), "tensor 'b': overlaps tensor 'a'"),
    "out of range": (raw_header(tensors=[("a", ROW, F32, 1 << 40)]), "offset out of range"),
    "offset of 64 bits": (raw_header(tensors=[("a", ROW, F32, (1 << 64) - 32)]), "offset out of range"),
    "larger than the file": (raw_header(tensors=[("a", (1 << 40,), F32, 0)]), "offset out of range"),
    "alignment of three": (raw_header([("general.alignment", number(3))]), "general.alignment: 3 is no power of two"),
    "alignment of zero": (raw_header([("general.alignment", number(0))]), "general.alignment: 0 is no power"),
    "alignment as text": (raw_header([("general.alignment", text("x"))]), "general.alignment: 'x' is no power"),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_every_lie_is_a_named_error(name: str) -> None:
    data, message = LIES[name]
    with pytest.raises(RequestError, match=message):
        parse(data, 0 if name in ("empty", "four bytes", "Git LFS pointer") else 1 << 12)


def test_every_truncation_is_said(tmp_path: Path) -> None:
    path, ours = _small(tmp_path)
    data = path.read_bytes()
    for size in range(ours.header_bytes + 1):
        with pytest.raises(RequestError, match=r"truncated|out of range|do not fit|beyond the end"):
            read_header(io.BytesIO(data[:size]), size, "x")
    with pytest.raises(RequestError, match="out of range"):
        read_header(io.BytesIO(data[:-33]), len(data) - 33, "x")


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    path, ours = _small(tmp_path)
    data = path.read_bytes()
    with pytest.raises(RequestError, match="ends inside its header"):
        read_header(io.BytesIO(data[: ours.header_bytes // 2]), len(data), "x")


def test_no_regular_file(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no such file"):
        load(tmp_path / "none.gguf")
    with pytest.raises(RequestError, match="no regular file"):
        read_gguf(tmp_path)


# Files that are sound and still describe no model.


def _model(
    keys: dict[str, Any], change: dict[str, Any] | None = None, drop: tuple[str, ...] = ()
) -> tuple[dict[str, Any], files.Table]:
    table = files.ends(256, 512) | files.attention(0, 256, 256, 128) | files.dense(0, 256, 512)
    table |= change or {}
    return files.common(1, 256, 4, 2) | keys, {name: entry for name, entry in table.items() if name not in drop}


UNSOUND: dict[str, tuple[Any, str]] = {
    "no heads": (_model({"attention.head_count": 0}), "llama.attention.head_count: key is missing"),
    "wrong width": (_model({"embedding_length": 128}), "embedding_length is 128"),
    "wrong layers": (_model({"block_count": 5}), "holds 1 layers where 5 are stated"),
    "no layers": (_model({"block_count": 0}), "block_count: 0 is no integer between"),
    "no table": (_model({}, drop=("token_embd.weight",)), "token_embd.weight: tensor is missing"),
    "a gap": (_model({"block_count": 2}, {"blk.2.attn_norm.weight": ((256,), "F32")}), "layer 1 are missing"),
    "queries": (_model({}, {"blk.0.attn_q.weight": ((320, 256), "Q4_K")}), "320 rows are not 4 heads of 64"),
    "keys": (_model({}, {"blk.0.attn_k.weight": ((100, 256), "Q4_K")}), "100 rows do not divide"),
    "heads as text": (_model({"attention.head_count": "x"}), "attention.head_count: 'x' is no integer"),
    "a fraction in a list": (_model({"attention.head_count_kv": [2.5]}), "head_count_kv: 2.5 is no whole"),
    "experts without use": (_model({}, files.experts(0, 256, 256, 4)), "expert_used_count: key is missing"),
    "too many active": (_model({"expert_used_count": 9}, files.experts(0, 256, 256, 4)), "9 active of 4 experts"),
    "unequal experts": (
        _model({}, files.experts(0, 256, 256, 4) | {"blk.0.ffn_up_exps.weight": ((3, 256, 256), "Q4_K")}),
        "experts where others hold",
    ),
    "unknown mixer": (
        _model({}, {"blk.0.attn_quark.weight": ((256, 256), "Q4_K")}, tuple(f"blk.0.attn_{n}.weight" for n in "qkv")),
        "no known mixer has tensors",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSOUND)
def test_what_does_not_fit_together_is_refused(name: str, tmp_path: Path) -> None:
    (keys, table), message = UNSOUND[name]
    with pytest.raises(RequestError, match=message):
        load(files.write(tmp_path / "a.gguf", "llama", keys, table))


def test_a_vocabulary_or_a_projector_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="a vocabulary alone"):
        load(files.write(tmp_path / "a.gguf", "llama", files.common(1, 256, 4, 2), {}, vocab=10))
    with pytest.raises(RequestError, match="not a language model"):
        load(files.write(tmp_path / "b.gguf", "clip", {}, {"v.patch.weight": ((64, 64), "F16")}))
    with pytest.raises(RequestError, match=r"general\.architecture: key is missing"):
        architecture_from(parse(raw_header(tensors=[("a", ROW, F32, 0)])))


def test_tensors_overrule_metadata_and_say_so(tmp_path: Path) -> None:
    keys, table = _model({"attention.head_count_kv": 4})
    arch = load(files.write(tmp_path / "a.gguf", "llama", keys, table))
    assert arch.groups[0].mixer.kv_heads == 2
    assert any("2 are used" in sentence for sentence in arch.assumptions)


# Anything at all.


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return files.llama(tmp_path_factory.mktemp("seed") / "a.gguf", layers=1, vocab=5).read_bytes()


@settings(max_examples=300, deadline=1000)
@given(data=st.data())
def test_changed_bytes_give_an_answer_or_a_named_error(seed: bytes, data: st.DataObject) -> None:
    raw = bytearray(seed)
    end = read_header(io.BytesIO(seed), len(seed), "x").header_bytes
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, end - 8))
        piece = data.draw(st.binary(min_size=1, max_size=8))
        raw[place : place + len(piece)] = piece
    watched = Watched(bytes(raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw))
    try:
        found = read_header(watched, len(watched.getvalue()), "x")
        arch = architecture_from(found)
        assert round(model_bytes(arch, file_format(found))) == found.tensor_bytes
        assert watched.reached <= found.header_bytes
    except RequestError as error:
        assert str(error)

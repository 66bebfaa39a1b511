"""Small GGUF files for tests, written by the ``gguf`` package: its writer is not ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

gguf = pytest.importorskip("gguf", reason="the gguf package (test extra) is not installed")

#: name of the tensor → (shape, rows first; name of the ggml type)
Table = dict[str, tuple[tuple[int, ...], str]]


def write(
    path: Path, kind: str, keys: Mapping[str, Any], table: Table, *, vocab: int = 0, big: bool = False,
    general: Mapping[str, Any] | None = None,
) -> Path:  # fmt: skip
    """A complete file: keys under the architecture, a vocabulary, and tensors of zeros."""
    order = gguf.GGUFEndian.BIG if big else gguf.GGUFEndian.LITTLE
    writer = gguf.GGUFWriter(path, kind, endianess=order)
    for key, value in {**(general or {}), **{f"{kind}.{key}": value for key, value in keys.items()}}.items():
        _add(writer, key, value)
    if vocab:
        writer.add_token_list([f"token {i} é" for i in range(vocab)])
        writer.add_token_scores([0.0] * vocab)
        writer.add_token_merges([f"a b{i}" for i in range(vocab)])
    for name, (shape, kind_name) in table.items():
        kind_of = gguf.GGMLQuantizationType[kind_name]
        block, size = gguf.GGML_QUANT_SIZES[kind_of]
        raw = np.zeros((*shape[:-1], shape[-1] // block * size), dtype=np.uint8)
        writer.add_tensor(name, raw, raw_dtype=kind_of)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add(writer: Any, key: str, value: Any) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    else:
        writer.add_array(key, list(value))


def common(layers: int, h: int, heads: int, kv: int | list[int], **more: Any) -> dict[str, Any]:
    return {
        "block_count": layers, "embedding_length": h, "attention.head_count": heads,
        "attention.head_count_kv": kv, "context_length": 4096, **more,
    }  # fmt: skip


def ends(h: int, vocab: int, *, kind: str = "Q4_K", head: str = "Q6_K", tied: bool = False) -> Table:
    table: Table = {"token_embd.weight": ((vocab, h), kind), "output_norm.weight": ((h,), "F32")}
    return table if tied else table | {"output.weight": ((vocab, h), head)}


def attention(i: int, h: int, q: int, kv: int, *, kind: str = "Q4_K", v_kind: str = "Q6_K", norm: int = 0) -> Table:
    table: Table = {
        f"blk.{i}.attn_norm.weight": ((h,), "F32"),
        f"blk.{i}.attn_q.weight": ((q, h), kind),
        f"blk.{i}.attn_k.weight": ((kv, h), kind),
        f"blk.{i}.attn_v.weight": ((kv, h), v_kind),
        f"blk.{i}.attn_output.weight": ((h, q), kind),
    }
    if norm:
        table |= {f"blk.{i}.attn_{n}_norm.weight": ((norm,), "F32") for n in "qk"}
    return table


def dense(i: int, h: int, inner: int, *, kind: str = "Q4_K", down: str = "Q6_K") -> Table:
    return {
        f"blk.{i}.ffn_norm.weight": ((h,), "F32"),
        f"blk.{i}.ffn_gate.weight": ((inner, h), kind),
        f"blk.{i}.ffn_up.weight": ((inner, h), kind),
        f"blk.{i}.ffn_down.weight": ((h, inner), down),
    }


def experts(i: int, h: int, inner: int, count: int, *, kind: str = "Q4_K", down: str = "Q6_K") -> Table:
    return {
        f"blk.{i}.ffn_norm.weight": ((h,), "F32"),
        f"blk.{i}.ffn_gate_inp.weight": ((count, h), "F32"),
        f"blk.{i}.ffn_gate_exps.weight": ((count, inner, h), kind),
        f"blk.{i}.ffn_up_exps.weight": ((count, inner, h), kind),
        f"blk.{i}.ffn_down_exps.weight": ((count, h, inner), down),
    }


def llama(path: Path, layers: int = 2, **options: Any) -> Path:
    """Llama: 256 wide, 4 heads of 64, 2 key-value heads, mixed as Q4_K_M is."""
    table = ends(256, 512) | {"rope_freqs.weight": ((32,), "F32")}
    for i in range(layers):
        mixed = "Q6_K" if i % 2 else "Q4_K"
        table |= attention(i, 256, 256, 128, v_kind=mixed) | dense(i, 256, 512, down=mixed)
    keys = common(layers, 256, 4, 2, feed_forward_length=512)
    return write(path, "llama", keys, table, general={"general.file_type": 15}, **options)

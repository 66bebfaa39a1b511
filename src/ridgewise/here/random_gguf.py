"""A GGUF file of a named architecture with random weights: as fast as the real one, and made on the spot.

An engine's speed depends on shapes and formats, not on values. The file carries llama's graph with the sizes of the
architecture asked for, which holds for every model whose layers are plain attention and a gated feed-forward part,
dense or a mixture of experts. The mixes are those of llama.cpp (``llama_tensor_get_type`` in src/llama-quant.cpp).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import numpy as np

from ridgewise.errors import RequestError
from ridgewise.models.architecture import Architecture, Feed, Mixer
from ridgewise.models.ggml import TYPES, TensorType

#: Mixes that can be written: name → ``llama_ftype`` and the type of most tensors.
MIXES = {"f16": (1, "F16"), "q4_0": (2, "Q4_0"), "q8_0": (7, "Q8_0"), "q4_k_m": (15, "Q4_K")}
#: Where a block holds half-precision scales (byte offsets), and the scale that gives weights of about 1/50.
SCALES = {"Q4_0": ((0,), 4e-3), "Q8_0": ((0,), 2.7e-4), "Q4_K": ((0, 2), 8e-5), "Q6_K": ((208,), 2e-5)}
#: Bytes of random weights that are made once and repeated.
POOL = 1 << 22
TYPE = {kind.name: (number, kind) for number, kind in TYPES.items()}
#: Kinds of tokens: ``llama_token_type``.
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6


@dataclass(frozen=True, slots=True)
class Shape:
    """One tensor: rows of ``columns`` values, ``experts`` times."""

    name: str
    columns: int
    rows: int
    type: str
    experts: int = 0

    @property
    def bytes(self) -> int:
        kind = TYPE[self.type][1]
        return max(self.experts, 1) * self.rows * (self.columns // kind.block) * kind.bytes


def writable(arch: Architecture) -> tuple[Mixer, Feed]:
    """The one kind of layer of an architecture; RequestError where llama's graph does not describe it."""
    mixer, feed = arch.groups[0].mixer, arch.groups[0].feed
    plain = all(
        group.mixer.kind == "full" and (group.mixer.heads, group.mixer.kv_heads) == (mixer.heads, mixer.kv_heads)
        and group.mixer.qk_dim == group.mixer.v_dim == mixer.v_dim and group.feed.kind == feed.kind
        and ("gate" in group.feed.weights if group.feed.kind == "dense" else "gate" in group.feed.expert)
        and not any(role.startswith("shared") for role in group.feed.weights)
        for group in arch.groups
    )  # fmt: skip
    if not plain or not arch.causal or arch.encoder or arch.canvas is not None:
        what = "cannot be made with random weights: its layers are not plain attention with a gated feed-forward part"
        raise RequestError(what, arch.name, ("your own GGUF file", "Llama-3.2-1B", "Qwen3-0.6B"))
    return mixer, feed


def shapes(arch: Architecture, mix: str) -> list[Shape]:
    """Every matrix of the file, its type by llama.cpp's rules for the mix."""
    mixer, feed = writable(arch)
    most, hidden, layers = MIXES[mix][1], arch.hidden, arch.layers

    def fitting(kind: str, columns: int) -> str:
        """A row of a K type holds multiples of 256; else llama.cpp falls back."""
        if columns % TYPE[kind][1].block == 0:
            return kind
        return "Q8_0" if columns % 32 == 0 else "F16"

    def matrix(name: str, columns: int, rows: int, kind: str = most, experts: int = 0) -> Shape:
        return Shape(name, columns, rows, fitting(kind, columns), experts)

    last = most if mix in ("f16", "q8_0") else "Q6_K"
    found = [matrix("token_embd.weight", hidden, arch.vocab, last if arch.tied else most)]
    if not arch.tied:
        found.append(matrix("output.weight", hidden, arch.vocab, last))
    queries, keys = mixer.heads * mixer.qk_dim, mixer.kv_heads * mixer.qk_dim
    for i in range(layers):
        more = mix == "q4_k_m" and (i < layers // 8 or i >= 7 * layers // 8 or (i - layers // 8) % 3 == 2)
        finer = "Q6_K" if more else most
        block = f"blk.{i}."
        found += [
            matrix(f"{block}attn_q.weight", hidden, queries),
            matrix(f"{block}attn_k.weight", hidden, keys),
            matrix(f"{block}attn_v.weight", hidden, keys, finer),
            matrix(f"{block}attn_output.weight", queries, hidden),
        ]
        if feed.experts:
            inner = feed.expert["gate"] // hidden
            found += [
                matrix(f"{block}ffn_gate_exps.weight", hidden, inner, most, feed.experts),
                matrix(f"{block}ffn_up_exps.weight", hidden, inner, most, feed.experts),
                matrix(f"{block}ffn_down_exps.weight", inner, hidden, finer, feed.experts),
            ]
        else:
            inner = feed.weights["gate"] // hidden
            found += [
                matrix(f"{block}ffn_gate.weight", hidden, inner),
                matrix(f"{block}ffn_up.weight", hidden, inner),
                matrix(f"{block}ffn_down.weight", inner, hidden, finer),
            ]
    return found


def small(arch: Architecture) -> Iterator[tuple[str, int, int]]:
    """Norms (rows 1) and routers, which every mix keeps at 32 bits: (name, columns, rows)."""
    _, feed = writable(arch)
    yield "output_norm.weight", arch.hidden, 1
    for i in range(arch.layers):
        yield f"blk.{i}.attn_norm.weight", arch.hidden, 1
        yield f"blk.{i}.ffn_norm.weight", arch.hidden, 1
        if feed.experts:
            yield f"blk.{i}.ffn_gate_inp.weight", arch.hidden, feed.experts


def size(arch: Architecture, mix: str) -> float:
    """Bytes of the tensors of a file, before it is written."""
    held = sum(shape.bytes for shape in shapes(arch, mix))
    return float(held + sum(4 * columns * rows for _, columns, rows in small(arch)))


def blocks(kind: TensorType, rng: np.random.Generator) -> np.ndarray:
    """A pool of random blocks [uint8] of one type, whose scales are sane numbers."""
    if kind.name == "F16":
        return (rng.standard_normal(POOL // 2, dtype=np.float32) * 0.02).astype(np.float16).view(np.uint8)
    count = POOL // kind.bytes
    pool: np.ndarray = rng.integers(0, 256, (count, kind.bytes), dtype=np.uint8)
    places, scale = SCALES[kind.name]
    stored = np.array([scale], dtype=np.float16).view(np.uint8)
    for place in places:
        pool[:, place : place + 2] = stored
    return pool.reshape(-1)


def vocabulary(count: int) -> tuple[list[str], list[float], list[int]]:
    """A scripted vocabulary of so many tokens: texts, scores, kinds. Every word " abc" of it is one token,
    which the tokeniser reaches letter by letter."""
    texts = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    kinds = [UNKNOWN, CONTROL, CONTROL, *[BYTE] * 256]
    texts += ["▁", *ascii_lowercase]
    words = ("▁" + "".join(letters) for length in range(1, 6) for letters in product(ascii_lowercase, repeat=length))
    texts = [*texts, *islice(words, max(count - len(texts), 0))][:count]
    kinds = [*kinds, *[NORMAL] * max(len(texts) - len(kinds), 0)][:count]
    return texts, [-float(i) for i in range(len(texts))], kinds


def write(path: Path, arch: Architecture, mix: str, context: int = 32768, seed: int = 0) -> Path:
    """Write the file; RequestError where the mix is unknown or the disk does not hold it."""
    if mix not in MIXES:
        raise RequestError(f"cannot be made: no rule for the format {mix!r}", "--quant", tuple(MIXES))
    try:
        from gguf import GGMLQuantizationType, GGUFWriter
    except ImportError:
        raise RequestError("needs the bench extra", "gguf", ("pip install 'ridgewise[bench]'",)) from None
    mixer, feed = writable(arch)
    rng = np.random.default_rng(seed)
    matrices = shapes(arch, mix)
    writer: Any = GGUFWriter(path, "llama")
    writer.add_name(f"{arch.name} with random weights")
    writer.add_file_type(MIXES[mix][0])
    writer.add_context_length(max(context, 512))
    writer.add_embedding_length(arch.hidden)
    writer.add_block_count(arch.layers)
    inner = (feed.expert if feed.experts else feed.weights)["gate"] // arch.hidden
    writer.add_feed_forward_length(inner)
    writer.add_head_count(mixer.heads)
    writer.add_head_count_kv(mixer.kv_heads)
    writer.add_key_length(mixer.qk_dim)
    writer.add_value_length(mixer.v_dim)
    writer.add_rope_dimension_count(mixer.qk_dim)
    writer.add_rope_freq_base(1e6)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(arch.vocab)
    if feed.experts:
        writer.add_expert_count(feed.experts)
        writer.add_expert_used_count(feed.active)
    texts, scores, kinds = vocabulary(arch.vocab)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(texts)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    for shape in matrices:
        number, kind = TYPE[shape.type]
        stored = (shape.rows, shape.columns // kind.block * kind.bytes)
        if shape.type == "F16":
            writer.add_tensor_info(
                shape.name, (*([shape.experts] if shape.experts else []), shape.rows, shape.columns),
                np.dtype(np.float16), shape.bytes,
            )  # fmt: skip
            continue
        whole = (shape.experts, *stored) if shape.experts else stored
        writer.add_tensor_info(
            shape.name, whole, np.dtype(np.uint8), shape.bytes, raw_dtype=GGMLQuantizationType(number)
        )
    for name, columns, rows in small(arch):
        dims = (columns,) if rows == 1 else (rows, columns)
        writer.add_tensor_info(name, dims, np.dtype(np.float32), 4 * columns * rows)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        pools: dict[str, np.ndarray] = {}
        for shape in matrices:
            if shape.type not in pools:
                pools[shape.type] = blocks(TYPE[shape.type][1], rng)
            writer.write_tensor_data(np.resize(pools[shape.type], shape.bytes))
        for _, columns, rows in small(arch):
            values = np.ones(columns) if rows == 1 else rng.standard_normal((rows, columns)) * 0.02
            writer.write_tensor_data(values.astype(np.float32))
    except OSError as error:
        path.unlink(missing_ok=True)
        raise RequestError(f"cannot be written: {error.strerror or error}", str(path)) from None
    finally:
        writer.close()
    return path

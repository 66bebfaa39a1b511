"""Headers of large model files: ours beside ``gguf.GGUFReader``; the floor is reading the header's bytes.

The files are sparse: a vocabulary and a tensor table in full, gigabytes of nothing behind them.
"""

from __future__ import annotations

import os
import struct
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.timing import median
from ridgewise.models.gguf import GGUFFile, read_gguf
from ridgewise.models.gguf_model import model_from

SIZES = ((32_000, 0), (128_256, 280_147), (262_144, 514_906))  # tokens and merges: Llama 2, Llama 3, Gemma 3
LAYERS, HIDDEN, INNER, KV = 32, 4096, 14_336, 1024
_TEXT, _ARRAY, _U32, _F32 = 8, 9, 4, 6


def write(path: Path, vocabulary: int, merges: int) -> None:
    """A Llama of 32 layers in F16."""
    pairs = [_pair("general.architecture", _TEXT, _string("llama"))]
    sizes = {"block_count": LAYERS, "embedding_length": HIDDEN, "feed_forward_length": INNER, "context_length": 8192,
             "attention.head_count": 32, "attention.head_count_kv": 8}  # fmt: skip
    pairs += [_pair(f"llama.{key}", _U32, struct.pack("<I", value)) for key, value in sizes.items()]
    pairs.append(_pair("general.file_type", _U32, struct.pack("<I", 1)))
    pairs.append(_texts("tokenizer.ggml.tokens", [f"token{i}" for i in range(vocabulary)]))
    scores = struct.pack("<IQ", _F32, vocabulary) + bytes(4 * vocabulary)
    pairs.append(_pair("tokenizer.ggml.scores", _ARRAY, scores))
    pairs.append(_texts("tokenizer.ggml.merges", [f"to ken{i}" for i in range(merges)]))
    described, size = _tensors(vocabulary)
    header = b"GGUF" + struct.pack("<IQQ", 3, len(described), len(pairs)) + b"".join(pairs) + b"".join(described)
    path.write_bytes(header)
    os.truncate(path, -(-len(header) // 32) * 32 + size)


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _pair(key: str, kind: int, value: bytes) -> bytes:
    return _string(key) + struct.pack("<I", kind) + value


def _texts(key: str, items: list[str]) -> bytes:
    return _pair(key, _ARRAY, struct.pack("<IQ", _TEXT, len(items)) + b"".join(map(_string, items)))


def _tensors(vocabulary: int) -> tuple[list[bytes], int]:
    shapes = {"token_embd": (HIDDEN, vocabulary), "output": (HIDDEN, vocabulary), "output_norm": (HIDDEN, 1)}
    for i in range(LAYERS):
        for name, rows, columns in (
            ("attn_q", HIDDEN, HIDDEN), ("attn_k", KV, HIDDEN), ("attn_v", KV, HIDDEN), ("attn_output", HIDDEN, HIDDEN),
            ("ffn_gate", INNER, HIDDEN), ("ffn_up", INNER, HIDDEN), ("ffn_down", HIDDEN, INNER),
            ("attn_norm", 1, HIDDEN), ("ffn_norm", 1, HIDDEN),
        ):  # fmt: skip
            shapes[f"blk.{i}.{name}"] = (columns, rows)
    described, offset = [], 0
    for name, (columns, rows) in shapes.items():
        described.append(_string(f"{name}.weight") + struct.pack("<IQQIQ", 2, columns, rows, 1, offset))
        offset += 2 * columns * rows
    return described, offset


def _raw(path: Path, count: int) -> int:
    with path.open("rb", buffering=0) as handle:
        return len(handle.read(count))


def rows() -> Iterator[tuple[str, str, str, float]]:
    """Our header reader and the package's, against reading the bytes of the header alone."""
    with tempfile.TemporaryDirectory() as folder:
        for vocabulary, merges in SIZES:
            path = Path(folder) / f"{vocabulary}.gguf"
            write(path, vocabulary, merges)
            head = read_gguf(path)
            floor = median(lambda path=path, head=head: _raw(path, head.header_bytes))
            yield _row("GGUF header and model", head, median(lambda path=path: model_from(read_gguf(path))), floor)
            theirs = _theirs(path)
            if theirs is not None:
                yield _row("`gguf.GGUFReader`", head, theirs, floor)


def _theirs(path: Path) -> float | None:
    try:
        from gguf import GGUFReader
    except ImportError:
        return None
    begin = time.perf_counter()
    GGUFReader(path)
    return time.perf_counter() - begin  # once: it takes seconds


def _row(what: str, head: GGUFFile, seconds: float, floor: float) -> tuple[str, str, str, float]:
    tokens = head.lengths["tokenizer.ggml.tokens"]
    label = f"{what}, {head.file_bytes / 2**30:.0f} GiB, {tokens:,} tokens"
    return label, f"{1e3 * seconds:.0f} ms", "bytes of the header", seconds / floor


def main() -> None:
    """Print the table."""
    for what, seconds, floor, ratio in rows():
        print(f"{what:58} {seconds:>10}   {ratio:8.1f} × {floor}")


if __name__ == "__main__":
    main()

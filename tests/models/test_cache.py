"""What one token and one sequence leave behind, by hand and against public logs and vectors."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from ridgewise.models.architecture import Architecture
from ridgewise.models.read import load

LOCAL = Path("truth") / "local"
MIB = 2**20

BY_HAND = {  # bytes per token at 16 bits
    "Llama-3.1-8B": 32 * 2 * 8 * 128 * 2,
    "DeepSeek-V3": 61 * (512 + 64) * 2,
    "DeepSeek-V2-Lite": 27 * (512 + 64) * 2,
    "tiiuae/falcon-7b": 32 * 2 * 1 * 64 * 2,
    "tiiuae/falcon-40b": 60 * 2 * 8 * 64 * 2,
    "gpt-oss-20b": 24 * 2 * 8 * 64 * 2,
    "google/gemma-3-27b-it": 62 * 2 * 16 * 128 * 2,
    "Qwen3.5-27B": 16 * 2 * 4 * 256 * 2,
    "MiMo-V2-Flash": (9 * 4 + 39 * 8) * (192 + 128) * 2,
    "bigcode/gpt_bigcode-santacoder": 24 * 2 * 1 * 128 * 2,
}


@pytest.mark.parametrize(("name", "expected"), BY_HAND.items())
def test_bytes_per_token(name: str, expected: int) -> None:
    assert load(name).kv_values_per_token * 2 == expected


def kv_bytes(arch: Architecture, tokens: int, bits: float = 16) -> float:
    """Textbook cache of one sequence: windows hold no more than their window."""
    held = [(g.count, min(tokens, g.mixer.window or tokens), g.mixer) for g in arch.groups]
    return sum(count * n * (mixer.kv_values - mixer.index_dim) for count, n, mixer in held) * bits / 8


def test_windows_stop_growing() -> None:
    gemma = load("google/gemma-3-27b-it")
    windows = [g.mixer.window for g in gemma.groups for _ in range(g.count)]
    assert windows.count(1024) == 52
    assert windows.count(None) == 10
    assert [i for i, window in enumerate(windows) if window is None] == list(range(5, 62, 6))
    oss = load("gpt-oss-20b")
    assert kv_bytes(oss, 200_001) - kv_bytes(oss, 200_000) == 24_576


def test_chunks_of_llama_4() -> None:
    kinds = [(g.count, g.mixer.kind, g.mixer.window) for g in load("Llama-4-Scout").groups]
    assert kinds[:2] == [(3, "chunked", 8192), (1, "full", None)]
    assert sum(count for count, kind, _ in kinds if kind == "full") == 12


def test_layers_that_share_a_cache_hold_none() -> None:
    e2b = load("google/gemma-4-E2B-it")
    own = sum(g.count for g in e2b.groups if g.mixer.cached)
    assert (own, e2b.layers - own) == (15, 20)
    assert e2b.kv_values_per_token * 2 == 12 * 2 * 256 * 2 + 3 * 2 * 512 * 2


def test_unused_windows_of_qwen_are_ignored() -> None:
    assert all(g.mixer.kind == "full" for g in load("Qwen2.5-7B").groups)


def test_sparse_selection() -> None:
    glm = load("zai-org/GLM-5.2")
    assert {g.mixer.selected for g in glm.groups} == {2048}
    assert sum(g.count for g in glm.groups if g.mixer.index_dim) == 21


def test_recurrent_state() -> None:
    jamba = load("ai21labs/Jamba-v0.1")
    assert sum(g.count for g in jamba.groups if g.mixer.kind == "ssm") == 28
    assert jamba.state_bytes_per_sequence == 28 * (8192 * 16 * 4 + 8192 * 4 * 2)
    assert load("Llama-3.1-8B").state_bytes_per_sequence == 0


def test_whisper_keeps_the_source_per_sequence() -> None:
    assert load("whisper-large-v3").state_bytes_per_sequence == 32 * 1500 * 2 * 1280 * 2


VECTORS = {
    "gemma12b-kv-full-bf16": "google/gemma-4-12B-it",
    "qwen27b-kv-131k-q8": "Qwen/Qwen3.6-27B",
    "glm47-mla-per-token": "zai-org/GLM-4.7-Flash",
    "glm52-mla-per-token": "zai-org/GLM-5.2",
    "gptoss20b-marginal-past-window": "openai/gpt-oss-20b",
    "agentworld-kv-10k": "Qwen/Qwen3.5-35B-A3B",
    "hy3-kv-full-f16": "tencent/Hy3-preview",
    "qwen38-27b-kv-full-f16": "Qwen/Qwen3.8-27B",
    "qwen38-27b-linear-state": "Qwen/Qwen3.8-27B",
    "qwen36-27b-linear-state": "Qwen/Qwen3.6-27B",
    "hy3-linear-state-zero": "tencent/Hy3-preview",
    "nex-n25-mini-kv-128k-f16": "Qwen/Qwen3.5-35B-A3B",
    "nex-n25-pro-kv-128k-f16": "Qwen/Qwen3.5-397B-A17B",
}


@pytest.mark.parametrize(("vector", "name"), VECTORS.items())
def test_public_vectors(vector: str, name: str, shared: Path) -> None:
    path = shared / LOCAL / "fit_vectors.json"
    case = next(v for v in json.loads(path.read_text("utf-8"))["vectors"] if v["id"] == vector)
    arch, bits = load(name), case.get("kvBits", 16)
    match case["kind"]:
        case "kv_total_bytes":
            found = kv_bytes(arch, case["ctx"], bits)
        case "kv_per_token_bytes":
            at = case.get("ctx", 100)
            found = kv_bytes(arch, at + 1, bits) - kv_bytes(arch, at, bits)
        case _:
            found = arch.state_bytes_per_sequence
    assert found == case["expect"]


CACHE_BITS = {"f16": (16.0, 16.0), "q8_0": (8.5, 8.5), "q8_0/f16": (8.5, 16.0), "iq4_nl/f16": (4.5, 16.0)}


def _logged(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if (row["metric"], row["use"]) == ("kv_buffer_mib", "score")]
    seen: dict[tuple[str, ...], dict[str, str]] = {}
    for row in rows:
        if row["config_file"]:
            key = tuple(row[k] for k in ("config_file", "context", "kv_type", "attention_impl", "value"))
            seen.setdefault(key, row)
    return list(seen.values())


def test_logged_cache_buffers(shared: Path) -> None:
    """llama.cpp's cache buffers, to 0.1 MiB, for models that attend fully in every layer."""
    checked = 0
    for row in _logged(shared / LOCAL / "dev_memory.csv"):
        arch = load(row["config_file"])
        if any(g.mixer.kind not in ("full", "mla") or g.mixer.window for g in arch.groups):
            continue
        expected = _logged_bytes(arch, row) / MIB
        assert float(row["value"]) == pytest.approx(expected, abs=0.1), row["row_id"]
        checked += 1
    assert checked >= 12


def _logged_bytes(arch: Architecture, row: dict[str, str]) -> float:
    """MLA in three ways: latent only, latent twice (transposed copy), or full keys and values."""
    tokens = int(row["context"])
    k_bits, v_bits = CACHE_BITS[row["kv_type"]]
    total = 0.0
    for g in arch.groups:
        m = g.mixer
        if m.kind == "full":
            values = m.kv_heads * (m.qk_dim * k_bits + m.v_dim * v_bits)
        elif row["attention_impl"] == "no-mla":
            values = m.heads * (m.qk_dim * k_bits + m.v_dim * v_bits)
        else:
            values = (m.latent + m.rope_dim) * k_bits + m.latent * v_bits * (row["attention_impl"] == "mla-transposed")
        total += g.count * tokens * values / 8
    return total

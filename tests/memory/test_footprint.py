"""Does it fit? Bytes held against arithmetic by hand and the sizes of published files."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgewise.errors import RequestError
from ridgewise.memory import Footprint, cache_bytes, inference, weight_bytes
from ridgewise.memory.engines import POLICIES, policy
from ridgewise.models.formats import weight_format
from ridgewise.models.read import load
from ridgewise.work import Plan

GB, GIB, MIB = 1e9, 2.0**30, 2.0**20


def weights(model: str, fmt: str, **layout: float) -> float:
    return float(weight_bytes(load(model), Plan(weight_format(fmt), **layout)))


def cache(model: str, context: float, engine: str, sequences: float = 1.0, **layout: float) -> float:
    plan = Plan(weight_format("bf16"), **layout)
    return float(cache_bytes(load(model), plan, sequences, context, POLICIES[engine]))


@pytest.mark.parametrize(
    ("model", "fmt", "published"),
    [
        # The publisher's safetensors: 8,030,261,248 parameters of two bytes.
        ("Llama-3.1-8B", "bf16", 16.0605e9),
        # GGUF files on the Hub.
        ("Llama-3.1-8B", "q4_k_m", 4.9207e9),
        ("Llama-3.1-8B", "q5_k_m", 5.7330e9),
        ("Llama-3.1-8B", "q6_k", 6.5960e9),
        ("Llama-3.1-8B", "q8_0", 8.5408e9),
        ("Llama-3.1-70B", "q4_k_m", 42.520e9),
        ("Qwen3-30B-A3B", "q4_k_m", 18.557e9),
        # Experts in MXFP4, the rest at 16 bits: 65.2 and 13.8 GB of safetensors; GGUF with Q8_0 for the rest.
        ("gpt-oss-120b", "mxfp4", 65.25e9),
        ("gpt-oss-20b", "mxfp4", 13.76e9),
        ("gpt-oss-120b", "gguf-mxfp4", 63.39e9),
        ("gpt-oss-20b", "gguf-mxfp4", 12.11e9),
    ],
)
def test_weights_are_as_large_as_the_published_files(model: str, fmt: str, published: float) -> None:
    assert weights(model, fmt) == pytest.approx(published, rel=0.005)


@pytest.mark.parametrize(("fmt", "published"), [("q3_k_m", 4.0189e9), ("iq4_xs", 4.4478e9), ("q2_k", 3.1790e9)])
def test_mixed_formats_below_four_bits_are_within_one_per_cent(fmt: str, published: float) -> None:
    """Their rules name single tensors, which the roles here cannot: a rougher bound."""
    assert weights("Llama-3.1-8B", fmt) == pytest.approx(published, rel=0.01)


def test_deepseek_v3_in_its_own_format_takes_its_parameters_in_bytes() -> None:
    # 671B parameters at one byte (scales: one FP32 per 128 × 128), embedding and head (2 × 0.93B) at two.
    assert weights("DeepSeek-V3", "fp8") == pytest.approx(671.03e9 + 1.85e9, rel=0.005)


@pytest.mark.parametrize(
    ("model", "context", "engine", "expected"),
    [
        # Llama-3.1-8B: 131,072 B per token × 8,192 = 1 GiB, in any engine.
        ("Llama-3.1-8B", 8192, "textbook", 1 * GIB),
        ("Llama-3.1-8B", 8192, "llama.cpp", 1 * GIB),
        ("Llama-3.1-8B", 8192, "vllm", 1 * GIB),
        ("Llama-3.1-8B", 8192, "mlx", 1 * GIB),
        # 8,193 tokens: llama.cpp pads to 8,448, vLLM to 8,208 (blocks of 16).
        ("Llama-3.1-8B", 8193, "llama.cpp", 8448 * 131072),
        ("Llama-3.1-8B", 8193, "vllm", 8208 * 131072),
        ("Llama-3.1-8B", 8193, "mlx", 8448 * 131072),
        ("Llama-3.1-8B", 8193, "textbook", 8193 * 131072),
        # DeepSeek-V3: 61 × 1,152 B = 70,272 B per token; 131,072 tokens are 8.58 GiB, not the 488 GiB that
        # 128 heads of 192 + 128 values would take.
        ("DeepSeek-V3", 131072, "textbook", 61 * 1152 * 131072),
        # Gemma-3-27b: 16 × 256 × 2 B = 8,192 B per token and layer; 10 global layers, 52 behind a window of 1,024.
        ("google/gemma-3-27b-it", 8192, "textbook", 8192 * (10 * 8192 + 52 * 1024)),
        # llama.cpp keeps window + ubatch of 512, padded to 256: 1,536 tokens.
        ("google/gemma-3-27b-it", 8192, "llama.cpp", 8192 * (10 * 8192 + 52 * 1536)),
        # vLLM's unified pages charge every layer the full length.
        ("google/gemma-3-27b-it", 8192, "vllm", 8192 * 62 * 8192),
        # mlx rotates inside the window.
        ("google/gemma-3-27b-it", 8192, "mlx", 8192 * (10 * 8192 + 52 * 1024)),
        # gpt-oss-120b: 8 × 128 values × 2 B = 2,048 B; 18 full layers, 18 behind 128 → 128 + 512 = 640, padded 768.
        ("gpt-oss-120b", 131072, "llama.cpp", 2048 * 18 * (131072 + 768)),
    ],
)
def test_cache_by_hand(model: str, context: float, engine: str, expected: float) -> None:
    assert cache(model, context, engine) == pytest.approx(expected, rel=1e-12)


def test_a_window_longer_than_the_context_holds_the_context() -> None:
    assert cache("google/gemma-3-27b-it", 512, "llama.cpp") == 8192 * 62 * 512


def test_a_recurrent_model_keeps_its_state_whatever_the_context() -> None:
    short, long = (cache("state-spaces/mamba-2.8b-hf", n, "textbook") for n in (1.0, 1e6))
    assert short == long > 0


def test_devices_divide_what_divides() -> None:
    # Weights over tp·pp; eight KV heads over at most eight; the MLA latent over none.
    assert weights("Llama-3.1-70B", "bf16", tp=4.0, pp=2.0) == pytest.approx(weights("Llama-3.1-70B", "bf16") / 8)
    assert cache("Llama-3.1-70B", 8192, "vllm", tp=16.0) == cache("Llama-3.1-70B", 8192, "vllm") / 8
    assert cache("DeepSeek-V3", 8192, "vllm", tp=8.0) == cache("DeepSeek-V3", 8192, "vllm")
    assert cache("DeepSeek-V3", 8192, "vllm", pp=2.0) == cache("DeepSeek-V3", 8192, "vllm") / 2


def test_sequences_hold_their_own_cache() -> None:
    assert cache("Llama-3.1-8B", 4096, "vllm", sequences=32) == 32 * cache("Llama-3.1-8B", 4096, "vllm")


def test_an_eight_bit_cache_is_half() -> None:
    assert cache("Llama-3.1-8B", 4096, "vllm", kv_bits=8.0) == cache("Llama-3.1-8B", 4096, "vllm") / 2


def test_parts_sum_to_the_total_and_the_total_leaves_the_rest() -> None:
    for rules in POLICIES.values():
        foot = inference(load("Llama-3.1-8B"), Plan(weight_format("q4_k_m")), 1.0, 8192.0, rules, 16 * GIB)
        assert set(foot.parts) == {"weights", "KV cache", "buffers", "engine"}
        assert foot.total == pytest.approx(sum(float(part) for part in foot.parts.values()))
        assert foot.left == pytest.approx(rules.usable(16 * GIB) - foot.total)
        assert foot.fits and foot.doubt > 0
        assert all(float(part) >= 0 for part in foot.parts.values())
        assert float(foot.parts["weights"]) > 0 and float(foot.parts["KV cache"]) > 0


def test_an_8b_model_in_four_bits_takes_about_six_gibibytes_in_llama_cpp() -> None:
    """4.58 GiB of file, 1 GiB of cache at 8,192 tokens, and what the engine adds: measured loads are 6 to 6.6."""
    foot = inference(load("Llama-3.1-8B"), Plan(weight_format("q4_k_m")), 1.0, 8192.0, POLICIES["llama.cpp"], 16 * GIB)
    assert 5.8 * GIB < foot.total < 6.8 * GIB


def test_vllm_takes_nine_tenths_of_the_device_by_default() -> None:
    assert POLICIES["vllm"].usable(80 * GIB) == pytest.approx(72 * GIB)


def test_missing_memory_is_a_value() -> None:
    foot = inference(load("Llama-3.1-70B"), Plan(weight_format("bf16")), 1.0, 8192.0, POLICIES["textbook"], 24 * GIB)
    assert not foot.fits
    # 141.1 GB of weights against 22.8 GiB: about 111 GiB short.
    assert -foot.left == pytest.approx(foot.total - 0.95 * 24 * GIB)
    assert 105 * GIB < -foot.left < 118 * GIB


def test_columns_fit_one_by_one() -> None:
    contexts = np.array([2048.0, 131072.0, 1048576.0])
    foot = inference(
        load("Llama-3.1-8B"), Plan(weight_format("q4_k_m")), 1.0, contexts, POLICIES["llama.cpp"], 24 * GIB
    )
    # 16 GiB of cache at 128k leaves room beside 5.4 GiB; 128 GiB at 1M does not.
    assert list(np.asarray(foot.fits)) == [True, True, False]


def test_doubt_is_small_on_arithmetic_and_a_third_on_the_engines_share() -> None:
    foot = Footprint({"weights": 80.0, "KV cache": 20.0, "buffers": 3.0, "engine": 6.0}, 200.0)
    assert foot.doubt == pytest.approx(0.01 * 100 + 9 / 3)


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(RequestError, match="unknown memory policy"):
        policy("vlm")


@given(st.sampled_from(sorted(POLICIES)), st.integers(1, 200_000))
def test_no_engine_holds_less_than_the_window_or_the_context(engine: str, context: int) -> None:
    for group in load("gpt-oss-20b").kinds:
        held = float(POLICIES[engine].held(group.mixer, float(context)))
        assert held >= min(context, group.mixer.window or context)

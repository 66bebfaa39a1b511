"""Does it fit? Bytes held against arithmetic by hand and the sizes of published files."""

from __future__ import annotations

from dataclasses import replace

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
        # vLLM 0.11: 1,023 tokens of the window and a step of 8,192 are 9,215, in 576 blocks of 16, and one block more
        # because a window seldom begins with a block; 52 windowed layers beside 10 are paged as 6 groups of 10.
        ("google/gemma-3-27b-it", 131072, "vllm", 8192 * (10 * 131072 + 60 * 577 * 16)),
        ("google/gemma-3-27b-it", 4096, "vllm", 8192 * (10 * 4096 + 60 * (4096 + 16))),
        # gpt-oss-120b: 18 layers of each kind, so no group is filled up; 127 + 8,192 tokens in 520 blocks and one.
        ("gpt-oss-120b", 131072, "vllm", 2048 * 18 * (131072 + 521 * 16)),
        # Llama 4: chunked attention switches the hybrid manager off: 48 layers of 8 × 256 × 2 B in full.
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", 131072, "vllm", 48 * 4096 * 131072),
        # Without the hybrid manager every layer is charged the full length; so does SGLang 0.5.
        ("google/gemma-3-27b-it", 8192, "vllm-unified", 8192 * 62 * 8192),
        ("google/gemma-3-27b-it", 8192, "sglang", 8192 * 62 * 8192),
        # TensorRT-LLM caps windows at their length.
        ("google/gemma-3-27b-it", 8192, "tensorrt-llm", 8192 * (10 * 8192 + 52 * 1024)),
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
    # A device holds whole KV heads: of eight over three it has three.
    assert cache("Llama-3.1-70B", 8192, "vllm", tp=3.0) == pytest.approx(cache("Llama-3.1-70B", 8192, "vllm") * 3 / 8)


def test_a_stage_of_a_pipeline_is_counted_by_its_own_layers() -> None:
    """DeepSeek-V3 in two stages (31 + 30 layers): the second has 30 mixtures of 11.5 GB and the head, the first has
    28 beside 3 dense layers and the input table: the second is the fullest and holds 30 of 61 caches."""
    whole = cache("DeepSeek-V3", 8192, "vllm")
    assert cache("DeepSeek-V3", 8192, "vllm", pp=2.0) == pytest.approx(whole * 30 / 61)
    table = 129280 * 7168 * 2
    experts = 3 * 7168 * 2048 * 257 + 7168 * 256  # and the shared one, and the router
    latent = 7168 * 1536 + 1536 * 128 * 192 + 7168 * 576 + 512 * 128 * 256 + 128 * 128 * 7168
    assert weights("DeepSeek-V3", "fp8", pp=2.0) == pytest.approx(30 * (experts + latent) + table, rel=0.002)
    # 80 equal layers in three stages: 27 + 27 + 26, the table and the head of 128,256 × 8,192 in 16 bits outside.
    layer = 2 * (2 * 8192 * 8192 + 2 * 8192 * 1024 + 3 * 8192 * 28672)
    assert weights("Llama-3.1-70B", "bf16", pp=3.0) == pytest.approx(27 * layer + 128256 * 8192 * 2, rel=1e-3)


def test_llama_cpp_splits_whole_layers_and_counts_the_output_as_one() -> None:
    # 33 places of an 8B model (32 layers and the output) over two devices: 17 layers, 15 layers and the output.
    assert POLICIES["llama.cpp"].stages(32, 2) == (17, 15)
    assert POLICIES["llama.cpp"].stages(61, 8) == (8, 8, 8, 7, 8, 8, 8, 6)
    assert POLICIES["vllm"].stages(61, 4) == (15, 15, 16, 15)  # vLLM spares the stages that hold the tables
    assert cache("Llama-3.1-8B", 8192, "llama.cpp", pp=2.0) == pytest.approx(GIB * 17 / 32)


def test_a_tied_table_is_held_by_both_ends_of_a_pipeline() -> None:
    arch, plan = load("google/gemma-3-27b-it"), Plan(weight_format("bf16"), pp=2.0)
    table = 262208 * 5376 * 2
    layers = 31 * 2 * (2 * 5376 * 4096 + 2 * 5376 * 2048 + 3 * 5376 * 21504)
    assert float(weight_bytes(arch, plan)) == pytest.approx(table + layers + 417e6 * 2, rel=0.005)
    last = replace(arch, extra={})
    assert float(weight_bytes(last, plan)) == pytest.approx(table + layers, rel=0.001)


def test_vllm_pads_experts_in_mxfp4() -> None:
    """Marlin: hidden 2,880 → 3,072, inner width of a device 2,880 → 2,944, or 1,440 → 1,536 on each of two."""
    for tp, inner in ((1.0, 2944), (2.0, 2 * 1536)):
        plan = Plan(weight_format("mxfp4"), tp=tp)
        plain, padded = (float(weight_bytes(load("gpt-oss-20b"), plan, POLICIES[e])) for e in ("textbook", "vllm"))
        added = 24 * 32 * 3 * (3072 * inner - 2880 * 2880) * 4.25 / 8 / tp
        assert padded - plain == pytest.approx(added)


def test_a_small_device_takes_smaller_steps_in_vllm() -> None:
    gemma = next(g.mixer for g in load("google/gemma-3-27b-it").kinds if g.mixer.kind == "sliding")
    held = POLICIES["vllm"].held
    assert (held(gemma, 131072, 80 * GIB), held(gemma, 131072, 24 * GIB)) == (577 * 16, (192 + 1) * 16)
    # 256 sequences are sampled instead of 1,024, on an A100 of 80 GiB as well.
    llama, plan = load("Llama-3.1-8B"), Plan(weight_format("bf16"))
    assert policy("vllm", "Hopper").buffers(llama, plan, 80 * GIB) == pytest.approx(9.7 * 1024 * 128256 * 4)
    assert policy("vllm", "Ampere").buffers(llama, plan, 80 * GIB) == pytest.approx(9.7 * 256 * 128256 * 4)
    assert policy("vllm", "Ampere").held(gemma, 131072, 80 * GIB) == (192 + 1) * 16


def test_sglang_leaves_what_its_default_leaves() -> None:
    """server_args.py 0.5.4: H100 (80 GiB): 512 + 8,192 · 1.5 + 256 · 2 + 128 MiB; eight of them 512 sequences and
    1,024 MiB; 24 GiB: 512 + 3,072 + 32 + 128; 16 GiB: 8 sequences."""
    usable, plan = POLICIES["sglang"].usable, Plan(weight_format("bf16"))
    for gib, devices, left in ((80, 1, 13440), (80, 8, 14848), (24, 1, 3744), (16, 1, 3728), (48, 1, 6848)):
        assert gib * GIB - usable(gib * GIB, replace(plan, tp=float(devices)), 0.0) == left * MIB


def test_tensorrt_llm_leaves_a_tenth_of_what_is_free() -> None:
    """Weights of 16 GB, activations of 8,192 tokens and a context of 1 GiB on 80 GiB: the cache may take 0.9 of the
    rest, wherever the weights stand."""
    for model in ("Llama-3.1-8B", "Qwen/Qwen2.5-32B-Instruct"):
        foot = inference(load(model), Plan(weight_format("bf16")), 0.0, 1.0, POLICIES["tensorrt-llm"], 80 * GIB)
        free = 80 * GIB - foot.total
        assert foot.left == pytest.approx(0.9 * free)
    short = inference(load("Llama-3.1-70B"), Plan(weight_format("bf16")), 0.0, 1.0, POLICIES["tensorrt-llm"], 80 * GIB)
    assert short.left == pytest.approx(80 * GIB - short.total)
    # Llama-3.1-8B: 8,192 tokens of two bytes, 6 × 4,096 hidden and 3 × 14,336 inner values wide; one GiB of context.
    foot = inference(load("Llama-3.1-8B"), Plan(weight_format("bf16")), 0.0, 1.0, POLICIES["tensorrt-llm"], 80 * GIB)
    assert foot.parts["buffers"] == pytest.approx(8192 * 2 * (6 * 4096 + 3 * 14336))
    assert foot.parts["engine"] == GIB
    held = POLICIES["tensorrt-llm"].held(load("Llama-3.1-8B").kinds[0].mixer, 8193.0, 80 * GIB)
    assert held == 8224  # 257 blocks of 32


@pytest.mark.parametrize(
    ("engine", "buffers", "context"),
    [
        # mlx-lm reads prompts in chunks of 2,048: 12 (assumed) hidden activations of 4,096 in 16 bits, and the logits
        # of one token in FP32; 0.3 GiB assumed.
        ("mlx", 2048 * 4096 * 2 * 12 + 128256 * 4, 0.3 * GIB),
        # Transformers: a prompt of 2,048 tokens, alike; 0.6 GiB assumed.
        ("transformers", 2048 * 4096 * 2 * 12 + 128256 * 4, 0.6 * GIB),
        # llama.cpp: FP32 logits and hidden states of a batch of 512; 0.45 GiB assumed.
        ("llama.cpp", 512 * (128256 + 4096) * 4, 0.45 * GIB),
        ("sglang", 0.0, 0.0),
    ],
)
def test_what_an_engine_adds_by_hand(engine: str, buffers: float, context: float) -> None:
    foot = inference(load("Llama-3.1-8B"), Plan(weight_format("bf16")), 0.0, 1.0, POLICIES[engine], 80 * GIB)
    assert foot.parts["buffers"] == pytest.approx(buffers)
    assert foot.parts["engine"] == pytest.approx(context)


def test_constants_without_a_source_are_said_to_be_assumed() -> None:
    assert POLICIES["llama.cpp"].guessed == ("engine",)
    assert POLICIES["tensorrt-llm"].guessed == ("engine",)
    for engine in ("mlx", "transformers"):
        assert POLICIES[engine].guessed == ("buffers", "engine")
    assert POLICIES["vllm"].guessed == POLICIES["sglang"].guessed == ()


@pytest.mark.parametrize(
    ("model", "fmt", "published"),
    [
        # Files on the Hub with a warning of llama.cpp on most tensors: rows that are no multiple of 256.
        ("Qwen/Qwen2.5-72B-Instruct", "q4_k_m", 47.416e9),  # down: 29,568
        ("Qwen/Qwen2-0.5B-Instruct", "q4_k_m", 0.3979e9),  # hidden 896
        ("google/gemma-3-1b-it", "q4_k_m", 0.806e9),  # hidden 1,152
    ],
)
def test_rows_that_fill_no_block_take_a_wider_type(model: str, fmt: str, published: float) -> None:
    assert weights(model, fmt) == pytest.approx(published, rel=0.02)


def test_falcon_7b_in_gguf_by_hand() -> None:
    """Rows of 4,544 fill no block of 256: Q4_K → Q5_0 (5.5 bits), Q6_K → Q8_0 (8.5); rows of 18,176 do (down)."""
    table, up, down = 65024 * 4544, 32 * 4544 * 18176, 32 * 18176 * 4544
    q, k, v, o = (32 * n for n in (4544 * 4544, 4544 * 64, 4544 * 64, 4544 * 4544))
    q4_k_m = (table * 8.5 + (up + q + k + o) * 5.5 + v * (5.5 + 8.5) / 2 + down * (4.5 + 6.5625) / 2) / 8
    assert weights("tiiuae/falcon-7b", "q4_k_m") == pytest.approx(q4_k_m, rel=0.001)
    q6_k = (down * 6.5625 + (table + up + q + k + v + o) * 8.5) / 8
    assert weights("tiiuae/falcon-7b", "q6_k") == pytest.approx(q6_k, rel=0.001)
    q5_k_m = (table * 8.5 + (up + q + k + o) * 6.0 + v * (6.0 + 8.5) / 2 + down * (5.5 + 6.5625) / 2) / 8
    assert weights("tiiuae/falcon-7b", "q5_k_m") == pytest.approx(q5_k_m, rel=0.001)
    iq4_xs = (table * 8.5 + (up + q + k + v + o) * 4.5 + down * 4.25) / 8
    assert weights("tiiuae/falcon-7b", "iq4_xs") == pytest.approx(iq4_xs, rel=0.001)
    q8_0 = (table + up + down + q + k + v + o) * 8.5 / 8
    assert weights("tiiuae/falcon-7b", "q8_0") == pytest.approx(q8_0, rel=0.001)


def test_sequences_hold_their_own_cache() -> None:
    assert cache("Llama-3.1-8B", 4096, "vllm", sequences=32) == 32 * cache("Llama-3.1-8B", 4096, "vllm")


def test_an_eight_bit_cache_is_half() -> None:
    assert cache("Llama-3.1-8B", 4096, "vllm", kv_bits=8.0) == cache("Llama-3.1-8B", 4096, "vllm") / 2


def test_parts_sum_to_the_total_and_the_total_leaves_the_rest() -> None:
    for rules in POLICIES.values():
        foot = inference(load("Llama-3.1-8B"), Plan(weight_format("q4_k_m")), 1.0, 8192.0, rules, 16 * GIB)
        assert set(foot.parts) == {"weights", "KV cache", "buffers", "engine"}
        assert foot.total == pytest.approx(sum(float(part) for part in foot.parts.values()))
        others = foot.total - foot.parts["KV cache"]
        usable = rules.usable(16 * GIB, Plan(weight_format("q4_k_m")), others)
        assert foot.left == pytest.approx(usable - foot.total)
        assert foot.fits and foot.doubt > 0
        assert all(float(part) >= 0 for part in foot.parts.values())
        assert float(foot.parts["weights"]) > 0 and float(foot.parts["KV cache"]) > 0


def test_an_8b_model_in_four_bits_takes_about_six_gibibytes_in_llama_cpp() -> None:
    """4.58 GiB of file, 1 GiB of cache at 8,192 tokens, and what the engine adds: measured loads are 6 to 6.6."""
    foot = inference(load("Llama-3.1-8B"), Plan(weight_format("q4_k_m")), 1.0, 8192.0, POLICIES["llama.cpp"], 16 * GIB)
    assert 5.8 * GIB < foot.total < 6.8 * GIB


def test_vllm_takes_nine_tenths_of_the_device_by_default() -> None:
    assert POLICIES["vllm"].usable(80 * GIB, Plan(weight_format("bf16")), 0.0) == pytest.approx(72 * GIB)


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
        held = float(POLICIES[engine].held(group.mixer, float(context), 80 * GIB))
        assert held >= min(context, group.mixer.window or context)

"""Demand of a forward pass: FLOPs, weight bytes, cache bytes, and how they divide and add."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgewise.models.formats import embedding_bytes, model_bytes, stored, weight_format
from ridgewise.models.read import load
from ridgewise.work import Plan, Step, Work, decode, forward, prefill, training
from ridgewise.work.forward import attended, cache_traffic, distinct_experts, kv_shards

DENSE = ["Llama-3.1-8B", "Llama-3.1-70B", "Qwen3-8B", "microsoft/phi-4", "google/gemma-3-27b-it", "tiiuae/falcon-7b"]
MIXTURES = ["Mixtral-8x7B-v0.1", "DeepSeek-V3", "gpt-oss-120b", "Qwen3-30B-A3B", "moonshotai/Kimi-K2-Instruct"]
MODELS = [*DENSE, *MIXTURES]
BF16 = Plan(weight_format("bf16"))


def total(work: dict[str, Work], what: str) -> float:
    return float(sum(getattr(part, what) for part in work.values()))


def cache_per_token(name: str, context: float = 1e5) -> float:
    """Bytes one more cached token adds to a decode step, from the difference of two steps."""
    arch = load(name)
    near, far = (total(forward(arch, decode(n), BF16), "cache") for n in (context, context + 1000))
    return (far - near) / 1000


# --- FLOPs ---


@pytest.mark.parametrize("name", MODELS)
def test_one_token_costs_two_flops_per_active_parameter(name: str) -> None:
    """A multiply-add is two FLOP. The input table is a lookup, so an untied one multiplies nothing; norms
    are weights that multiply no matrix: a few in ten thousand."""
    arch = load(name)
    work = forward(arch, prefill(1.0), BF16)
    products = total({k: w for k, w in work.items() if not k.startswith("attention")}, "flops")
    multiplied = arch.parameters_active - (0 if arch.tied else arch.embedding)
    assert products == pytest.approx(2 * multiplied, rel=1e-3)


def test_attention_flops_of_a_prompt_by_hand() -> None:
    # Llama-3.1-8B: 32 heads of 128, 32 layers. Scores and their sum over values: 2 · 32 · (128 + 128) FLOP per
    # pair; 1,024 tokens make 1,024 · 1,025 / 2 = 524,800 pairs.
    work = forward(load("Llama-3.1-8B"), prefill(1024), BF16)
    assert work["attention (prefill)"].flops == 32 * 2 * 32 * 256 * 524_800


def test_mla_decodes_in_its_latent_space_and_prefills_outside_it() -> None:
    # DeepSeek-V3: 128 heads, latent 512, rope 64, d_qk = 128 + 64, d_v = 128, 61 layers (arXiv 2412.19437).
    arch = load("DeepSeek-V3")
    one = forward(arch, decode(999), BF16)["attention (decode)"]
    assert one.flops == 61 * 2 * 128 * (2 * 512 + 64) * 1000
    prompt = forward(arch, prefill(100), BF16)["attention (prefill)"]
    assert prompt.flops == 61 * 2 * 128 * (192 + 128) * (100 * 101 / 2)


def test_a_mixture_computes_like_its_active_part_and_weighs_like_its_whole() -> None:
    mixture = load("Mixtral-8x7B-v0.1")  # 46.7B in all, 12.9B active: two experts of eight
    one = forward(mixture, prefill(1.0), BF16)
    assert total(one, "flops") / 2 == pytest.approx(12.9e9 - mixture.embedding, rel=0.01)
    many = forward(mixture, prefill(4096.0), BF16)
    assert total(many, "weights") / 2 == pytest.approx(46.7e9 - mixture.embedding, rel=0.01)


def test_training_computes_logits_of_every_token_and_inference_of_the_last() -> None:
    arch = load("Llama-3.1-8B")
    head = 2 * arch.vocab * arch.hidden
    assert forward(arch, training(512), BF16)["head"].flops == 512 * head
    assert forward(arch, prefill(512), BF16)["head"].flops == head


# --- experts ---


@given(st.integers(2, 512), st.data())
def test_one_token_touches_its_own_experts_and_many_touch_all(experts: int, data: st.DataObject) -> None:
    active = data.draw(st.integers(1, experts))
    assert distinct_experts(experts, active, 1.0) == pytest.approx(active)
    assert distinct_experts(experts, active, 1e7) == pytest.approx(experts)


@given(st.integers(2, 512), st.floats(1, 1e4), st.floats(1, 1e4))
def test_more_tokens_touch_more_experts_but_never_more_than_there_are(experts: int, a: float, b: float) -> None:
    few, many = sorted((a, b))
    touched = [float(distinct_experts(experts, 1, n)) for n in (few, many)]
    assert touched[0] <= touched[1] <= experts
    assert touched[1] <= many * (1 + 1e-12)


def test_distinct_experts_by_hand() -> None:
    # Two tokens, one expert each of four: 4 · (1 − (3/4)²) = 4 · 7/16 = 1.75.
    assert distinct_experts(4, 1, 2) == 1.75
    assert distinct_experts(0, 0, 100) == 0


# --- weights ---


@pytest.mark.parametrize("fmt", ["bf16", "q4_k_m", "fp8"])
@pytest.mark.parametrize("name", MODELS)
def test_a_step_that_touches_everything_reads_the_model_less_its_input_table(name: str, fmt: str) -> None:
    """An untied input table is looked up, not read; a tied one is read as the head. Towers rest."""
    arch, chosen = load(name), weight_format(fmt)
    read = total(forward(arch, prefill(1e7), Plan(chosen)), "weights")
    held = stored(arch, chosen)  # rows that fill no block are stored wider
    apart = sum(arch.extra.values()) * held.embedding / 8
    expected = model_bytes(arch, chosen) - apart - (0 if arch.tied else embedding_bytes(arch, held))
    assert read == pytest.approx(expected, rel=1e-5)


def test_a_single_token_of_a_mixture_reads_only_its_experts() -> None:
    # gpt-oss-120b: 128 experts, four active, so decoding for one user reads about a thirtieth of the experts.
    arch = load("gpt-oss-120b")
    one, all_ = (forward(arch, prefill(n), BF16)["experts"].weights for n in (1.0, 1e7))
    assert one / all_ == pytest.approx(4 / 128)


# --- cache ---


@pytest.mark.parametrize(
    ("name", "per_token"),
    [
        # 32 layers × 8 KV heads × (128 + 128) × 2 B
        ("Llama-3.1-8B", 131_072),
        # 80 × 8 × 256 × 2
        ("Llama-3.1-70B", 327_680),
        # 61 layers × (512 latent + 64 rope) × 2 B = 61 × 1,152
        ("DeepSeek-V3", 61 * 1152),
        # one KV head of 64: 32 × 1 × (64 + 64) × 2
        ("tiiuae/falcon-7b", 8192),
        # 36 layers, every second behind a window of 128: 18 × 8 × (64 + 64) × 2
        ("gpt-oss-120b", 36_864),
        # 62 layers, every sixth global: 10 × 16 × (128 + 128) × 2
        ("google/gemma-3-27b-it", 81_920),
    ],
)
def test_cache_read_per_further_token(name: str, per_token: int) -> None:
    assert cache_per_token(name) == pytest.approx(per_token, rel=1e-9)


def test_windowed_layers_read_their_window_and_no_more() -> None:
    # gpt-oss-120b at 100,000 tokens: 18 full layers read 100,001 and write one; 18 windowed ones read 128 and
    # write one; 8 × 128 values of 2 bytes each.
    work = forward(load("gpt-oss-120b"), decode(100_000), BF16)["attention (decode)"]
    assert work.cache == 18 * 2048 * (100_002 + 129)


def test_fewer_bits_per_cached_value_are_fewer_bytes_read() -> None:
    arch = load("Llama-3.1-8B")
    full, half = (forward(arch, decode(4096), Plan(BF16.format, kv_bits=bits)) for bits in (16.0, 8.0))
    assert total(half, "cache") == total(full, "cache") / 2
    assert total(half, "weights") == total(full, "weights")


def test_a_recurrence_reads_its_state_whatever_the_length() -> None:
    arch = load("state-spaces/mamba-2.8b-hf")
    near, far = (forward(arch, decode(n), BF16)["recurrence"].cache for n in (100.0, 1e6))
    assert near == far > 0


# --- tensor parallelism ---


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("tp", [2.0, 4.0, 8.0])
def test_tensor_parallelism_divides_products_and_weights(name: str, tp: float) -> None:
    arch = load(name)
    alone, shared = (forward(arch, prefill(777), Plan(BF16.format, tp=n)) for n in (1.0, tp))
    for operator, part in alone.items():
        assert shared[operator].flops == pytest.approx(part.flops / tp), operator
        assert shared[operator].weights == pytest.approx(part.weights / tp), operator


@pytest.mark.parametrize(
    ("name", "tp", "parts"),
    [
        ("Llama-3.1-8B", 4.0, 4),
        ("Llama-3.1-8B", 16.0, 8),  # eight KV heads divide into eight parts, then are copied
        ("tiiuae/falcon-7b", 8.0, 1),  # one KV head (MQA) never divides
        ("DeepSeek-V3", 8.0, 1),  # one latent for all heads (MLA) never divides
    ],
)
def test_the_cache_divides_by_its_heads_at_most(name: str, tp: float, parts: int) -> None:
    arch = load(name)
    mixer = arch.kinds[-1].mixer
    assert kv_shards(mixer, tp) == parts
    alone, shared = (forward(arch, decode(5000), Plan(BF16.format, tp=n)) for n in (1.0, tp))
    assert total(shared, "cache") == pytest.approx(total(alone, "cache") / parts)


# --- steps add, work does not ---

steps = st.builds(
    lambda kind, a, b, n: prefill(float(a), float(n), float(b)) if kind else decode(float(a + b), float(n)),
    st.booleans(),
    st.integers(1, 3000),
    st.integers(0, 3000),
    st.integers(1, 64),
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(MODELS), steps, steps)
def test_flops_add_and_bytes_never_grow_by_joining_steps(name: str, a: Step, b: Step) -> None:
    """Joining two steps reads the weights once: the gap is what batching is worth."""
    arch = load(name)
    joint, first, second = (forward(arch, step, BF16) for step in (a + b, a, b))
    nothing = Work()
    for operator, part in joint.items():
        one, two = first.get(operator, nothing), second.get(operator, nothing)
        assert part.bytes <= (one.bytes + two.bytes) * (1 + 1e-12), operator
        assert part.flops == pytest.approx(one.flops + two.flops, rel=1e-12), operator
        assert part.cache == pytest.approx(one.cache + two.cache, rel=1e-12), operator


def test_batching_a_dense_model_reads_its_weights_once() -> None:
    arch = load("Llama-3.1-8B")
    one, sixty_four = (total(forward(arch, decode(1000, n), BF16), "weights") for n in (1.0, 64.0))
    assert one == sixty_four


# --- small laws ---


def test_intensity_of_a_decode_step_is_about_one_flop_per_16_bit_byte_and_sequence() -> None:
    # A 16-bit weight is 2 bytes and gives 2 FLOP per sequence.
    work = forward(load("Llama-3.1-8B"), decode(16, 8.0), BF16)
    assert work["feed-forward"].flops / work["feed-forward"].weights == pytest.approx(8, rel=1e-3)


def test_work_of_nothing_has_no_intensity() -> None:
    assert Work().intensity == 0
    assert (Work(2.0, 3.0) * 2 + Work(1.0, 1.0, rows=9.0)) == Work(5.0, 7.0, rows=9.0)


def test_cache_traffic_reads_the_span_and_writes_the_new_tokens() -> None:
    mixer = load("Llama-3.1-8B").kinds[0].mixer  # 2,048 values per token
    piece = prefill(10.0, 3.0, 90.0).slices[0]
    assert cache_traffic(mixer, piece, BF16) == 3 * (100 + 10) * 2048 * 2
    assert attended(mixer, piece) == 3 * (10 * 90 + 55)


def test_sparse_selection_reads_what_it_selected_and_the_selectors_own_keys() -> None:
    # DeepSeek-V3.2: each query attends 2,048 selected tokens; the indexer still looks at every one.
    arch = load("DeepSeek-V3.2")
    mixer = arch.kinds[-1].mixer
    assert mixer.selected == 2048
    long = decode(100_000.0).slices[0]
    assert attended(mixer, long) == 2048
    per_token = (cache_traffic(mixer, decode(101_000.0).slices[0], BF16) - cache_traffic(mixer, long, BF16)) / 1000
    assert per_token == mixer.index_dim * 2


def test_columns_and_rows_of_a_batch_agree_on_its_kinds() -> None:
    """Operators are names: a column of batches gives the same operators as one batch."""
    arch = load("gpt-oss-20b")
    column = forward(arch, decode(np.array([10.0, 500.0]), np.array([1.0, 64.0])), BF16)
    assert list(column) == list(forward(arch, decode(10.0), BF16))

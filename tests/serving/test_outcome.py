"""What a deployment does with a load: laws, limits, and columns in blocks."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgewise.advise.deploy import deploy
from ridgewise.advise.estimating import adapted, drafted, lowered
from ridgewise.engines import engine
from ridgewise.errors import RequestError
from ridgewise.hardware.sheets import device
from ridgewise.models.formats import weight_format
from ridgewise.models.read import load
from ridgewise.serving import Setup
from ridgewise.serving.apart import apart, handed_over
from ridgewise.serving.estimate import footprint, memory_batch, prompt_seconds
from ridgewise.serving.outcome import BLOCK, Load, Outcome, Range, outcome
from ridgewise.serving.speculation import accepted, prediction_layer

GIB = 2.0**30


def setup(model: str, hardware: str, runner: str, quant: str, tp: int = 1) -> Setup:
    return deploy(load(model), device(hardware), engine(runner), weight_format(quant), 16.0, tp, None, None)


H100 = setup("Llama-3.1-8B", "H100 SXM", "vllm", "bf16")
RTX = setup("Llama-3.1-8B", "RTX 3090", "llama.cpp", "q4_k_m")
BOTH = st.sampled_from([H100, RTX])
lengths = st.floats(1, 30_000).map(np.floor)


def ranges(found: Outcome) -> dict[str, Range]:
    return {f.name: getattr(found, f.name) for f in fields(found) if isinstance(getattr(found, f.name), Range)}


@settings(deadline=None)
@given(BOTH, lengths, lengths, st.integers(1, 500), st.floats(0, 0.99), st.booleans())
def test_every_interval_holds_its_value_and_nothing_is_negative(
    on: Setup, prompt: float, output: float, concurrency: int, cached: float, together: bool
) -> None:
    found = outcome(on, Load(prompt, output, float(concurrency), cached, together))
    for name, one in ranges(found).items():
        assert 0 < one.low <= one.value <= one.high, name
    assert found.requests.value * output == pytest.approx(found.output.value)
    assert found.running <= max(concurrency, 1)


@settings(deadline=None)
@given(BOTH, lengths, st.integers(1, 200), st.integers(1, 200))
def test_more_in_flight_never_makes_a_user_faster(on: Setup, prompt: float, a: int, b: int) -> None:
    few, many = sorted((float(a), float(b)))
    slow, fast = (outcome(on, Load(prompt, 200.0, n)) for n in (many, few))
    assert slow.tpot.value >= fast.tpot.value * (1 - 1e-12)
    assert slow.ttft.value >= fast.ttft.value * (1 - 1e-12)


@settings(deadline=None)
@given(BOTH, st.floats(2, 30_000).map(np.floor), st.floats(0, 0.5), st.floats(0, 0.49))
def test_a_cached_prefix_never_slows_a_request(on: Setup, prompt: float, share: float, more: float) -> None:
    cold, warm = (outcome(on, Load(prompt, 100.0, 8.0, cached)) for cached in (share, share + more))
    # A prompt cut to where one more pass begins may cost that pass's fixed part.
    assert warm.ttft.value <= cold.ttft.value * 1.1


def test_columns_over_several_blocks_answer_like_their_rows() -> None:
    rng = np.random.default_rng(0)
    rows = BLOCK + 1000
    prompt, output = rng.integers(1, 20000, rows).astype(float), rng.integers(1, 2000, rows).astype(float)
    together = outcome(H100, Load(prompt, output, 16.0))
    assert np.shape(together.running) == (rows,)
    for place in (0, BLOCK - 1, BLOCK, rows - 1):
        alone = outcome(H100, Load(float(prompt[place]), float(output[place]), 16.0))
        for name, one in ranges(alone).items():
            column = ranges(together)[name]
            for part in ("value", "low", "high"):
                assert getattr(column, part)[place] == pytest.approx(float(getattr(one, part)), rel=1e-12)


def test_what_memory_does_not_hold_waits() -> None:
    """8 B parameters in 16 bits leave room for few long sequences on 24 GiB: more in flight only wait."""
    small = setup("Llama-3.1-8B", "RTX 4090", "vllm", "bf16")
    held = float(memory_batch(small, 8000.0 + 0.6 * 1000.0))  # its prompt and most of its answer must be free
    assert 1 <= held < 16
    at, above = (outcome(small, Load(8000.0, 1000.0, n)) for n in (held, 4 * held))
    assert float(above.running) == held
    assert above.tpot.value == pytest.approx(at.tpot.value)
    assert above.ttft.value > 3 * at.ttft.value + at.e2e.value
    assert above.output.value == pytest.approx(at.output.value, rel=0.02)


def test_replicas_share_the_load_and_an_idle_one_yields_nothing() -> None:
    one, four = outcome(H100, Load(concurrency=16.0)), outcome(replace(H100, replicas=4), Load(concurrency=64.0))
    assert four.tpot.value == pytest.approx(one.tpot.value)
    assert four.output.value == pytest.approx(4 * one.output.value)
    alone, idle = outcome(H100, Load()), outcome(replace(H100, replicas=4), Load(concurrency=1.0))
    assert idle.output.value == pytest.approx(alone.output.value)


@given(st.floats(0, 1), st.integers(1, 16))
def test_a_pass_yields_one_token_at_least_and_all_drafts_at_most(acceptance: float, drafted: int) -> None:
    found = float(accepted(acceptance, float(drafted)))
    assert 1.0 <= found <= drafted + 1.0 + 1e-9
    assert found == pytest.approx(sum(acceptance**i for i in range(drafted + 1)))


def test_drafts_help_one_user_and_not_a_full_machine() -> None:
    large = setup("Llama-3.1-70B", "H100 SXM", "vllm", "fp8", 4)
    small = drafted(large, load("meta-llama/Llama-3.2-1B-Instruct"), 4.0, 0.7)
    gain = [
        float(outcome(large, Load(concurrency=n)).tpot.value / outcome(small, Load(concurrency=n)).tpot.value)
        for n in (1.0, 256.0)
    ]
    assert 1.3 < gain[0] < float(accepted(0.7, 4.0))
    assert gain[1] < 0.8 * gain[0]
    never = drafted(large, load("meta-llama/Llama-3.2-1B-Instruct"), 4.0, 0.0)
    assert outcome(never, Load()).tpot.value > outcome(large, Load()).tpot.value


def test_a_prediction_layer_is_one_layer_and_its_head() -> None:
    large = load("DeepSeek-V3")
    small = prediction_layer(large)
    assert small is not None and small.layers == 1
    assert small.parameters_total < large.parameters_total / 30
    assert prediction_layer(load("Llama-3.1-8B")) is None
    with pytest.raises(RequestError, match="no multi-token-prediction"):
        drafted(H100, None, 1.0, 0.7)
    with pytest.raises(RequestError, match="different tokens"):
        drafted(H100, load("Qwen/Qwen3-0.6B"), 4.0, 0.7)


def test_adapters_cost_memory_and_a_little_time() -> None:
    many = adapted(H100, 64.0, 16.0)
    left = [float(footprint(on, 1.0, 4096.0).left) for on in (H100, many)]
    assert left[0] - left[1] == pytest.approx(many.adapter_bytes)
    plain, with_them = (outcome(on, Load(concurrency=32.0)).tpot.value for on in (H100, many))
    assert plain < with_them < 1.5 * plain


@pytest.mark.parametrize("experts", [False, True])
def test_more_in_ram_never_answers_faster(experts: bool) -> None:
    card = setup("Qwen3-30B-A3B" if experts else "Llama-3.1-70B", "RTX 4090", "llama.cpp", "q4_k_m")
    host = device("Ryzen 9 9950X")
    tried = [lowered(card, host, ngl, experts, 2048.0) for ngl in (40, 30, 20, 10, 0)]
    tpot = [float(outcome(on, Load()).tpot.value) for on in tried]
    assert np.all(np.diff(tpot) >= 0)
    assert tpot[-1] > tpot[0]


def test_a_prompt_passes_the_slot_once_for_every_micro_batch() -> None:
    """Layers in RAM are fetched by the card from 32 tokens on: no faster than the slot carries them."""
    card = setup("Llama-3.1-70B", "RTX 4090", "llama.cpp", "q4_k_m")
    half = lowered(card, device("Ryzen 9 9950X"), 41, False, 2048.0)
    in_ram = half.lowered * 80 * (2 * 8192**2 + 2 * 8192 * 1024 + 3 * 8192 * 28672) * 4.8 / 8
    slot = half.device.number("host_bandwidth") or half.device.number("link_bandwidth")
    assert slot is not None
    assert float(prompt_seconds(half, 2048.0)) >= 4 * in_ram / slot


def test_the_two_phases_apart() -> None:
    """Prompts queue for the reader, answers are written without prompts beside them, the cache travels once."""
    two = setup("Llama-3.1-70B", "H100 SXM", "vllm", "fp8", 4)
    work = Load(8192.0, 512.0, 1.0)
    near, far = (apart(two, two, work, link) for link in (50e9, 1e9))
    moved = float(handed_over(two, 8192.0))
    assert moved == pytest.approx(8192 * 2 * 80 * 8 * 128 * 2)
    assert far.ttft.value - near.ttft.value == pytest.approx(moved * (1 / 1e9 - 1 / 50e9), rel=1e-6)
    busy, together = (
        apart(two, two, replace(work, concurrency=32.0), 50e9),
        outcome(two, replace(work, concurrency=32.0)),
    )
    assert busy.tpot.value < together.tpot.value
    reading = float(prompt_seconds(two, 8192.0))
    full = apart(two, two, replace(work, concurrency=1000.0), 50e9)
    assert full.requests.value <= 1.0 / reading
    assert full.ttft.value == pytest.approx(1000.0 * reading, rel=0.2)  # Little's law: nearly all of them queue


@pytest.mark.parametrize("concurrency", [1.0, 2.0, 8.0, 40.0, 300.0])
def test_requests_in_flight_are_those_asked_for(concurrency: float) -> None:
    """Little's law over both machines: rate times the whole time of a request."""
    two = setup("Llama-3.1-70B", "H100 SXM", "vllm", "fp8", 4)
    found = apart(two, two, Load(2048.0, 512.0, concurrency), 50e9)
    assert found.requests.value * found.e2e.value == pytest.approx(concurrency, rel=0.05)


def test_a_slow_link_bounds_what_two_machines_yield() -> None:
    """Every request carries the cache of its prompt over the link once."""
    two = setup("Llama-3.1-8B", "H100 SXM", "vllm", "bf16")
    found = apart(two, two, Load(4096.0, 256.0, 64.0), 20e6)
    assert found.requests.value * float(handed_over(two, 4096.0)) <= 20e6
    assert found.requests.value * found.e2e.value == pytest.approx(64.0, rel=0.05)


def test_waves_of_a_static_batch_wait_for_each_other() -> None:
    held = 10.0
    small = replace(H100, plan=replace(H100.plan, sequences=held))
    one, three = (outcome(small, Load(1024.0, 512.0, n, together=True)) for n in (held, 3 * held))
    assert three.ttft.value == pytest.approx(one.ttft.value + one.e2e.value)  # the middle one of three waves
    assert three.output.value == pytest.approx(one.output.value)


def test_more_than_one_device_in_turn_reads_prompts_side_by_side_under_load_too() -> None:
    cards = [setup("Llama-3.1-8B", "RTX 4090", "llama.cpp", "q4_k_m", n) for n in (1, 4)]
    first = [float(outcome(on, Load(8192.0, 128.0, 4.0)).ttft.value) for on in cards]
    assert first[1] < 0.7 * first[0]


def test_a_drafting_model_takes_room_for_its_own_cache() -> None:
    small = drafted(H100, load("meta-llama/Llama-3.2-1B-Instruct"), 4.0, 0.7)
    share = 1.0 / (1.0 + 32 / 128)  # 32 KiB per token beside 128
    assert float(memory_batch(small, 4096.0)) <= share * float(memory_batch(H100, 4096.0)) + 1

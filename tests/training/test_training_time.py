"""Training: FLOPs per token, the time of a step, layouts that fit, and public runs as the yardstick."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ridgewise.hardware import Device, Machine, device, load_devices
from ridgewise.memory.training import Method, Recompute
from ridgewise.models.architecture import Architecture
from ridgewise.models.read import load
from ridgewise.training import TrainingEstimate, flops_per_token, unsupported
from ridgewise.training.estimate import step_seconds
from ridgewise.training.layouts import Space
from ridgewise.training.planning import job, search, usual
from ridgewise.training.step import StepTime, Supply, TrainingCoefficients, supply

DAY = 86400.0
H100 = device("H100 SXM")


def run(model: str, name: str, count: int, tokens: float, method: Method = "full", length: float = 4096.0,
        sequences: float = 1024.0) -> TrainingEstimate:  # fmt: skip
    card = device(name)
    usable = Machine(card, count).usable
    assert usable is not None
    work = job(load(model), card, method, length, sequences, usable)
    (found,) = search(work, count, usual(Space(), method, method == "full"))
    return found.estimate(tokens)


def rates_of(card: Device) -> Supply:
    found = supply(card)
    assert found is not None
    return found


RATES = rates_of(H100)
PRIORS = TrainingCoefficients()


def step(
    arch: Architecture, grid: dict[str, float], sequences: float, recompute: Recompute = "none",
    coefficients: TrainingCoefficients = PRIORS, rates: Supply = RATES,
) -> StepTime:  # fmt: skip
    return step_seconds(arch, rates, 8, coefficients, "full", recompute, 4096.0, sequences, grid)


# --- work ---


def test_a_dense_model_trains_at_six_flops_per_parameter_and_token() -> None:
    """Two forward, four backward; at 4,096 tokens attention adds 3.8 % to a 70B model; the input table (1.05B,
    1.5 %) multiplies nothing."""
    seventy = load("Llama-3.1-70B")
    assert flops_per_token(seventy, 4096.0) == pytest.approx(6 * seventy.parameters_total, rel=0.03)


def test_attention_of_a_training_token_by_hand() -> None:
    # Causal: 80 layers · 64 heads · (128 + 128) · 2 FLOP · (n + 1)/2 pairs per token, three passes.
    seventy = load("Llama-3.1-70B")
    difference = flops_per_token(seventy, 8192.0) - flops_per_token(seventy, 4096.0)
    assert difference == pytest.approx(3 * 80 * 2 * 64 * 256 * 2048, rel=1e-9)


def test_frozen_weights_need_no_weight_gradient() -> None:
    arch = load("Llama-3.1-8B")
    full, lora = flops_per_token(arch, 2048.0), flops_per_token(arch, 2048.0, "lora")
    assert lora / full == pytest.approx(2 / 3)


def test_a_mixture_trains_its_active_part() -> None:
    arch = load("Mixtral-8x7B-v0.1")
    assert flops_per_token(arch, 4096.0) == pytest.approx(6 * 12.9e9, rel=0.05)


# --- time ---


def test_70b_on_two_trillion_tokens_takes_weeks_on_a_thousand_h100() -> None:
    """6 · 70.6e9 · 2e12 = 8.5e23 FLOP (8.7e23 with attention); 1,024 H100 of 989 TFLOP/s are 1.01e18 FLOP/s. At the
    35 to 45 % that public runs reach: 8.7e23 / (0.40 · 1.01e18) = 2.15e6 s = 25 days. Llama-3-70B (arXiv 2407.21783)
    took 6.4M GPU-hours for 15T tokens, that is 35 days for 2T on 1,024."""
    found = run("Llama-3.1-70B", "H100 SXM", 1024, 2e12)
    assert found.fits
    assert 15 * DAY < found.seconds < 45 * DAY
    assert found.low < 35 * DAY < found.high
    assert 0.30 < found.mfu < 0.50


def test_8b_on_eight_a100_is_days_per_ten_billion_tokens() -> None:
    # 6 · 8e9 · 1e10 = 4.8e20 FLOP; 8 · 312e12 · 0.5 = 1.25e15 FLOP/s: 3.9e5 s = 4.5 days.
    found = run("Llama-3.1-8B", "A100 SXM4 80GB", 8, 1e10, sequences=256.0)
    assert found.fits
    assert 3 * DAY < found.seconds < 7 * DAY


def test_qlora_of_8b_on_an_rtx_4090_is_hours() -> None:
    # 4 · 8e9 · 2e7 = 6.4e17 FLOP plus a repeated forward; 165 TFLOP/s at a third to a half: 2 to 5 hours at the most.
    found = run("Llama-3.1-8B", "RTX 4090", 1, 20e6, "qlora", 2048.0, 16.0)
    assert found.fits
    assert 1 * 3600 < found.seconds < 6 * 3600


@pytest.mark.parametrize("count", [8, 64, 512, 1024])
def test_nobody_trains_faster_than_the_peak(count: int) -> None:
    found = run("Llama-3.1-8B", "H100 SXM", count, 1e12)
    assert 0 < found.mfu < 1
    floor = flops_per_token(load("Llama-3.1-8B"), 4096.0) * 1e12 / (count * 989.4e12)
    assert found.seconds > floor


def test_every_class_stays_below_its_peak() -> None:
    tried = 0
    for card in load_devices().values():
        methods: tuple[Method, ...] = ("full", "lora", "qlora")
        for method in methods:
            if Machine(card).usable is None or unsupported(card, method):
                continue
            found = run("Llama-3.1-8B", card.id, 1, 1e9, method, 2048.0, 16.0)
            tried += 1
            assert 0 < found.mfu < 0.8, card.id
            assert 0 < found.low < found.seconds < found.high
    assert tried > 100


@pytest.mark.parametrize("name", ["H100 SXM", "A100 SXM4 80GB"])
def test_more_devices_are_never_slower(name: str) -> None:
    days = [run("Llama-3.1-8B", name, 2**n, 1e11).seconds for n in range(3, 11)]
    assert days == sorted(days, reverse=True)


def test_more_data_parallel_copies_of_one_layout_are_never_slower() -> None:
    seconds = []
    for shards in (8, 16, 32, 64, 128):
        grid = {"tp": 4.0, "pp": 1.0, "shards": float(shards), "micro": 1.0}
        seconds.append(float(step(load("Llama-3.1-70B"), grid, 1024.0).total))
    assert seconds == sorted(seconds, reverse=True)


def test_scaling_out_loses_a_little() -> None:
    few, many = (run("Llama-3.1-70B", "H100 SXM", n, 1e12) for n in (128, 1024))
    assert few.mfu > many.mfu
    assert few.seconds / many.seconds < 8


def test_recomputation_repeats_a_forward_pass() -> None:
    grid = {"tp": 1.0, "pp": 1.0, "shards": 64.0, "micro": 4.0}
    kept, repeated = (float(step(load("Llama-3.1-70B"), grid, 1024.0, again).compute) for again in ("none", "full"))
    # The head is not repeated (1.5 % of the FLOPs), attention's backward pass costs 2.5 forward ones.
    assert repeated / kept == pytest.approx(4 / 3, rel=0.01)


def test_a_pipeline_idles_for_its_depth_less_one() -> None:
    # p = 4 stages and m = 32 micro-steps: a bubble of 3/32 on top (GPipe).
    free = TrainingCoefficients(scaling=0.0, imbalance=0.0, micro_floor=0.0, optimiser=0.0)
    one = {"tp": 1.0, "pp": 1.0, "shards": 1.0, "micro": 1.0}
    deep = {"tp": 1.0, "pp": 4.0, "shards": 1.0, "micro": 1.0}
    alone, piped = (float(step(load("Llama-3.1-70B"), grid, 32.0, coefficients=free).total) for grid in (one, deep))
    assert alone / piped == pytest.approx(4 / (1 + 3 / 32), rel=0.01)


def test_a_better_network_is_never_slower() -> None:
    grid = {"tp": 1.0, "pp": 1.0, "shards": 512.0, "micro": 1.0}
    seconds = [
        float(step(load("Llama-3.1-70B"), grid, 512.0, rates=replace(RATES, network=rate)).total)
        for rate in (1e8, 1e9, 12.5e9, 50e9, 400e9)
    ]
    assert seconds == sorted(seconds, reverse=True) and seconds[0] > seconds[-1]


# --- memory ---


def test_nothing_is_trained_where_it_does_not_fit() -> None:
    """Full training of 70B keeps 16 bytes per parameter, 1.13 TB: no single device holds a seventh of it."""
    found = run("Llama-3.1-70B", "H100 SXM", 1, 1e9)
    assert not found.fits
    assert found.memory_left < 0
    assert sum(found.memory.values()) > 1.13e12
    # Sixteen hold 1.13 TB / 16 = 71 GB each and still lack the activations; thirty-two do it.
    assert not run("Llama-3.1-70B", "H100 SXM", 8, 1e9).fits
    assert run("Llama-3.1-70B", "H100 SXM", 32, 1e9).fits


def test_a_layout_that_fits_is_within_the_device() -> None:
    for count in (16, 64, 256):
        found = run("Llama-3.1-70B", "H100 SXM", count, 1e9)
        if found.fits:
            usable = Machine(H100).usable
            assert usable is not None
            assert sum(found.memory.values()) <= usable
            assert found.tp * found.pp * found.shards == count


def test_a_class_without_evidence_of_a_method_offers_none() -> None:
    """No public run trains a model in full on a Mac: the class offers adapters only."""
    mac = device("M3 Ultra")
    assert unsupported(mac, "full") is not None
    assert unsupported(mac, "qlora") is None


def test_a_processor_trains_nothing_here() -> None:
    assert unsupported(device("EPYC 9654"), "full") is not None


def test_a_run_costs_in_proportion_to_its_tokens() -> None:
    short, long = (run("Llama-3.1-8B", "H100 SXM", 64, tokens) for tokens in (1e10, 1e12))
    assert long.seconds / short.seconds == pytest.approx(100)
    assert long.tokens_per_second == pytest.approx(short.tokens_per_second)
    assert long.seconds == pytest.approx(1e12 / long.tokens_per_second)

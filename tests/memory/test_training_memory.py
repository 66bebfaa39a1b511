"""Bytes of training: states by the byte, activations by the token, and what public runs hold."""

from __future__ import annotations

import numpy as np
import pytest

from ridgewise.memory import training
from ridgewise.memory.training import adapter_parameters, qlora_weight_bytes, states
from ridgewise.models.read import load

GIB = 2.0**30
LLAMA = "Llama-3.1-8B"


def test_full_training_keeps_sixteen_bytes_per_parameter() -> None:
    """Two of weight, two of gradient, twelve of FP32 master and Adam moments (ZeRO, arXiv 1910.02054): 128 GB for
    8B parameters, the figure everybody quotes."""
    held = states(load(LLAMA), "full")
    assert sum(held.values()) / load(LLAMA).parameters_total == 16
    assert sum(held.values()) == pytest.approx(128.5e9, rel=0.001)


def test_adapters_of_rank_16_by_hand() -> None:
    # Llama-3.1-8B, r(m + n) per matrix: q, o 4096+4096; k, v 4096+1024; gate, up, down 4096+14336.
    # 16 · 32 · (2·8192 + 2·5120 + 3·18432) = 16 · 32 · 81,920 = 41,943,040: the figure PEFT prints.
    assert adapter_parameters(load(LLAMA), 16.0) == 41_943_040
    assert adapter_parameters(load(LLAMA), 32.0) == 2 * 41_943_040


def test_lora_freezes_the_weights() -> None:
    held = states(load(LLAMA), "lora")
    # 16-bit base and 16 bytes per adapter parameter: 16.06 GB + 0.67 GB.
    assert held["weights"] == pytest.approx(16.06e9 + 2 * 41.94e6, rel=0.001)
    assert held["gradients"] + held["optimiser"] == pytest.approx(14 * 41.94e6, rel=0.001)


def test_qlora_stores_matrices_in_four_bits_and_a_bit() -> None:
    # 6.98B matrix elements at 4.127 bits (3.60 GB); embedding and head, 1.05B, at 16 bits (2.10 GB).
    assert qlora_weight_bytes(load(LLAMA)) == pytest.approx(3.60e9 + 2.10e9, rel=0.002)


def test_qlora_of_8b_fits_24_gib_and_full_training_does_not_fit_128() -> None:
    qlora = training(load(LLAMA), "qlora", 2048.0, 1.0, 24 * GIB)
    full = training(load(LLAMA), "full", 2048.0, 1.0, 128 * GIB, recompute="full")
    assert qlora.fits and qlora.total > 8 * GIB
    assert not full.fits


def test_lora_of_8b_wants_a_48_gib_card() -> None:
    """Public LoRA recipes for 8B models at 16 bits peak between 18 and 24 GiB with recomputation."""
    assert training(load(LLAMA), "lora", 2048.0, 1.0, 48 * GIB).fits
    tight = training(load(LLAMA), "lora", 2048.0, 1.0, 24 * GIB, recompute="full")
    assert 17 * GIB < tight.total < 25 * GIB


def test_qlora_of_70b_fits_an_80_gib_card_and_not_a_24_gib_one() -> None:
    # 70.55B: 68.45B elements at 4.127 bits are 35.3 GB, tables 4.2 GB.
    seventy = load("Llama-3.1-70B")
    assert qlora_weight_bytes(seventy) == pytest.approx(35.3e9 + 4.2e9, rel=0.005)
    assert training(seventy, "qlora", 2048.0, 1.0, 80 * GIB, recompute="full").fits
    assert not training(seventy, "qlora", 2048.0, 1.0, 24 * GIB, recompute="full").fits


@pytest.mark.parametrize("method", ["full", "lora", "qlora"])
@pytest.mark.parametrize("recompute", ["none", "full"])
def test_parts_sum_to_the_total(method: str, recompute: str) -> None:
    foot = training(load(LLAMA), method, 4096.0, 2.0, 80 * GIB, 8.0, 2.0, 1.0, recompute)  # type: ignore[arg-type]
    assert foot.total == pytest.approx(sum(float(part) for part in foot.parts.values()))
    assert foot.left == pytest.approx(80 * GIB - foot.total)
    assert {"weights", "gradients", "optimiser", "activations", "logits", "overhead"} <= set(foot.parts)


def test_sharding_divides_the_states_and_gathers_one_layer() -> None:
    alone = training(load(LLAMA), "full", 4096.0, 1.0, 80 * GIB)
    eight = training(load(LLAMA), "full", 4096.0, 1.0, 80 * GIB, shards=8.0)
    for part in ("weights", "gradients", "optimiser"):
        assert eight.parts[part] == pytest.approx(float(alone.parts[part]) / 8)
    # One layer of 218.1M parameters, weight and gradient of two bytes: 0.87 GB.
    assert float(alone.parts["gathered layer"]) == 0
    assert float(eight.parts["gathered layer"]) == pytest.approx(4 * 218.1e6, rel=0.001)


def test_recomputation_keeps_less() -> None:
    kept = [
        float(training(load(LLAMA), "full", 4096.0, 1.0, 80 * GIB, recompute=again).parts["activations"])
        for again in ("none", "full")
    ]
    assert kept[0] > kept[1] > 0


def test_activations_grow_with_tokens_and_divide_by_tensor_parallelism() -> None:
    micro = np.array([1.0, 2.0, 4.0])
    held = np.asarray(training(load(LLAMA), "full", 4096.0, micro, 80 * GIB).parts["activations"])
    assert held == pytest.approx(held[0] * micro)
    four = training(load(LLAMA), "full", 4096.0, 1.0, 80 * GIB, tp=4.0).parts["activations"]
    assert float(four) == pytest.approx(held[0] / 4)


def test_every_expert_of_a_mixture_is_trained() -> None:
    mixture = load("Mixtral-8x7B-v0.1")
    assert sum(states(mixture, "full").values()) == 16 * mixture.parameters_total

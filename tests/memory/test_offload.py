"""Splitting a model between a card and RAM, by hand and by law."""

from __future__ import annotations

import pytest

from ridgewise.memory import inference
from ridgewise.memory.engines import policy
from ridgewise.memory.offload import fitting, place
from ridgewise.models.formats import model_bytes, weight_format
from ridgewise.models.read import load
from ridgewise.work import Plan

GIB = 2.0**30
LLAMA, RULES = load("meta-llama/Llama-3.1-8B-Instruct"), policy("llama.cpp")
PLAN = Plan(weight_format("q8_0"))


def test_everything_on_the_card_equals_the_plain_footprint() -> None:
    whole = place(LLAMA, PLAN, 33, 1.0, 8192.0, RULES, 24 * GIB)
    plain = inference(LLAMA, PLAN, 1.0, 8192.0, RULES, 24 * GIB, discrete=True)
    norm = 4096 * 4  # the final norm, which the plain footprint counts with the weights
    assert float(whole.card.total) == pytest.approx(float(plain.total) - norm, rel=1e-9)
    assert float(whole.ram) == pytest.approx(128256 * 4096 * 8.5 / 8)  # the input table


def test_the_output_layer_counts_first() -> None:
    one = place(LLAMA, PLAN, 1, 1.0, 8192.0, RULES, 24 * GIB)
    assert one.layers == 0 and one.output
    assert float(one.card.parts["weights"]) == pytest.approx(128256 * 4096 * 8.5 / 8)
    assert float(one.card.parts["KV cache"]) == 0.0


@pytest.mark.parametrize("ngl", [0, 1, 7, 20, 33, 99])
def test_card_and_ram_together_hold_the_model_and_its_cache(ngl: int) -> None:
    split = place(LLAMA, PLAN, ngl, 1.0, 8192.0, RULES, 24 * GIB)
    cache = 8192 * 131072
    card = float(split.card.parts["weights"]) + float(split.card.parts["KV cache"])
    assert card + float(split.ram) == pytest.approx(model_bytes(LLAMA, PLAN.format) + cache, rel=1e-5)


def test_the_largest_split_fits_and_one_layer_more_does_not() -> None:
    split = fitting(LLAMA, PLAN, 1.0, 8192.0, RULES, 6 * GIB)
    assert split is not None and 0 < split.ngl < 33
    assert float(split.card.left) >= 0
    assert float(place(LLAMA, PLAN, split.ngl + 1, 1.0, 8192.0, RULES, 6 * GIB).card.left) < 0


def test_leaving_experts_in_ram_puts_every_layer_of_a_large_mixture_on_a_small_card() -> None:
    model = load("openai/gpt-oss-120b")
    plan = Plan(weight_format("gguf-mxfp4"))
    split = fitting(model, plan, 1.0, 8192.0, RULES, 12 * GIB, experts_in_ram=True)
    assert split is not None and split.layers == 36
    assert float(split.ram) > 55 * GIB  # 114.7e9 expert weights in 4.25 bits are 56.8 GiB

"""Public figures everybody can check: parameter totals to the last integer."""

from __future__ import annotations

import pytest

from ridgewise.models.read import load

TOTALS = {
    "Llama-3.1-8B": 8_030_261_248,
    "Llama-3.1-70B": 70_553_706_496,
    "Llama-3.1-405B": 405_853_388_800,
    "meta-llama/Llama-2-7b-hf": 6_738_415_616,
    "DeepSeek-V3": 671_026_419_200,  # with the routers' 58 × 256 balancing biases
    "gpt-oss-20b": 20_914_757_184,
    "gpt-oss-120b": 116_829_156_672,
    "Mixtral-8x7B": 46_702_792_704,
    "Qwen3-235B-A22B": 235_093_634_560,
    "google/gemma-3-27b-it": 27_009_346_304,
    "tiiuae/falcon-7b": 6_921_720_704,  # the tied head once; files that store it twice hold 7,217,189,760
    "openai/whisper-large-v2": 1_543_304_960,
    "openai-community/gpt2": 124_439_808,
    "bigscience/bloom": 176_247_271_424,
    "google-bert/bert-base-uncased": 109_482_240,
    "stabilityai/stable-diffusion-xl-base-1.0": 2_567_463_684,
    "black-forest-labs/FLUX.1-dev": 11_901_408_320,
}
ACTIVE = {  # billions, as the publishers state them
    "DeepSeek-V3": 37.0,
    "Mixtral-8x7B": 12.9,
    "Qwen3-235B-A22B": 22.0,
    "Qwen3-30B-A3B": 3.3,
    "Llama-4-Scout": 17.0,
    "Kimi-K2": 32.0,
}


@pytest.mark.parametrize(("name", "total"), TOTALS.items())
def test_total(name: str, total: int) -> None:
    assert load(name).parameters_total == total


@pytest.mark.parametrize(("name", "billions"), ACTIVE.items())
def test_active(name: str, billions: float) -> None:
    assert load(name).parameters_active / 1e9 == pytest.approx(billions, rel=0.035)


def test_modules_apart_are_not_in_the_total() -> None:
    deepseek = load("DeepSeek-V3")
    copies = 2 * deepseek.vocab * deepseek.hidden  # embedding and head, stored with the MTP module
    assert deepseek.parameters_total + deepseek.extra["mtp"] + copies == 684_489_845_504
    gemma = load("google/gemma-3-27b-it")
    assert gemma.parameters_total + gemma.extra["vision"] == 27_432_406_640


@pytest.mark.parametrize("name", ["DeepSeek-V3", "gpt-oss-20b", "Qwen3.5-27B", "whisper-large-v3", "gemma4:e2b"])
def test_components_sum_to_the_total(name: str) -> None:
    arch = load(name)
    assert sum(arch.parameters.values()) == arch.parameters_total

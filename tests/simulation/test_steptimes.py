"""Tables against the formula they were made from."""

from __future__ import annotations

import numpy as np
import pytest

from ridgewise.engines import engine
from ridgewise.hardware.sheets import device
from ridgewise.models.formats import weight_format
from ridgewise.models.read import load
from ridgewise.serving import Setup, step_time
from ridgewise.simulation.steptimes import StepTimes, step_times
from ridgewise.work import Plan, Slice, Step

#: Dense, windows, experts, latent and sparse attention, recurrent state, chunked attention; services and llama.cpp.
CASES = {
    "dense": ("meta-llama/Llama-3.1-8B-Instruct", "vllm", "nvidia-h100-sxm", "bf16", 1, 1e-12),
    "tensor parallel": ("meta-llama/Llama-3.1-70B-Instruct", "tensorrt-llm", "nvidia-h100-sxm", "fp8", 4, 1e-12),
    "windows": ("google/gemma-3-27b-it", "vllm", "nvidia-h100-sxm", "bf16", 2, 1e-12),
    "llama.cpp": ("meta-llama/Llama-3.1-8B-Instruct", "llama.cpp", "nvidia-rtx-4090", "q4_k_m", 1, 1e-12),
    "experts": ("openai/gpt-oss-120b", "vllm", "nvidia-h100-sxm", "mxfp4", 2, 0.003),
    "sparse": ("deepseek-ai/DeepSeek-V3.2", "sglang", "nvidia-h200-sxm", "fp8", 8, 0.01),
    "recurrent": ("Qwen/Qwen3-Next-80B-A3B-Instruct", "vllm", "nvidia-h200-sxm", "bf16", 2, 0.01),
    "chunks": ("meta-llama/Llama-4-Scout-17B-16E-Instruct", "vllm", "nvidia-h200-sxm", "bf16", 4, 0.01),
}
SEQUENCES = 256


def made(case: str) -> tuple[Setup, StepTimes, int, float]:
    model, name, chip, fmt, tp, most = CASES[case]
    runner, gpu = engine(name), device(chip)
    backend = runner.backend(gpu)
    assert backend is not None and gpu.memory is not None
    setup = Setup(load(model), gpu, runner, backend, Plan(weight_format(fmt), tp=float(tp)), gpu.memory)
    tokens = 8192 if setup.many else 512
    return setup, step_times(setup, SEQUENCES, tokens), tokens, most


def step(sequences: int, context: float, chunks: list[tuple[int, int]]) -> Step:
    decoding = (Slice("decode", float(sequences), 1.0, context),) if sequences else ()
    return Step((*decoding, *(Slice("prefill", 1.0, float(new), float(cached)) for cached, new in chunks)))


@pytest.mark.parametrize("case", CASES)
def test_tables_give_the_formula_s_step_times(case: str) -> None:
    setup, times, tokens, most = made(case)
    random = np.random.default_rng(0)
    for trial in range(150):
        sequences = int(random.integers(0, SEQUENCES)) if trial % 3 else 0
        count = int(random.integers(1, 4)) if trial % 3 != 1 else 0
        each = max((tokens - sequences) // max(count, 1), 1)
        chunks = [(int(random.integers(0, 3000)) * (k % 2), int(random.integers(1, each + 1))) for k in range(count)]
        if not sequences and not chunks:
            continue
        context = float(random.integers(1, 30_000))
        direct = float(step_time(setup, step(sequences, context, chunks)))
        if sequences and chunks:
            bare = float(step_time(setup, step(sequences, context, [])))
            direct = bare + times.felt * (direct - bare)
        assert times.seconds(sequences, context, chunks) == pytest.approx(direct, rel=most)


@pytest.mark.parametrize("case", ["dense", "windows", "experts"])
def test_on_the_grid_it_is_exact(case: str) -> None:
    setup, times, _, _ = made(case)
    for sequences in (1, 2, 7, 31, 32, SEQUENCES):
        if case == "experts" and sequences > 32:  # further points lie where they fall
            continue
        direct = float(step_time(setup, step(sequences, 700.0, [])))
        assert times.seconds(sequences, 700.0) == pytest.approx(direct, rel=1e-12)


def test_more_tokens_than_a_pass_takes_are_several_passes() -> None:
    setup, _, tokens, _ = made("llama.cpp")
    times = step_times(setup, 4, 4 * tokens)
    one, two = (times.seconds(0, 0.0, [(0, n * tokens)]) for n in (1, 2))
    assert two > 1.9 * one


def test_slower_is_slower_alike() -> None:
    _, times, _, _ = made("experts")
    assert times.scaled(1.5).seconds(9, 800.0, [(0, 100)]) == pytest.approx(1.5 * times.seconds(9, 800.0, [(0, 100)]))

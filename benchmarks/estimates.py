"""One estimate, and a million in blocks; the floor reads and writes one column of the same length."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.timing import median
from ridgewise.engines import engine
from ridgewise.hardware.sheets import device
from ridgewise.models.formats import weight_format
from ridgewise.models.read import load
from ridgewise.serving import Setup, step_time
from ridgewise.serving.outcome import Load, outcome
from ridgewise.work import Plan, decode

ROWS = 1_000_000
BLOCK = 65_536


def setup(model: str) -> Setup:
    vllm, gpu = engine("vllm"), device("nvidia-h100-sxm")
    backend = vllm.backend(gpu)
    assert backend is not None
    return Setup(load(model), gpu, vllm, backend, Plan(weight_format("bf16")), 80 * 2.0**30)


def million(deployment: Setup, contexts: np.ndarray, batches: np.ndarray) -> None:
    for begin in range(0, ROWS, BLOCK):
        block = slice(begin, begin + BLOCK)
        step_time(deployment, decode(contexts[block], batches[block]))


def rows() -> Iterator[tuple[str, str, str, float]]:
    """Single answers and columns for a dense and a mixture-of-experts model."""
    rng = np.random.default_rng(0)
    contexts = rng.integers(1, 131072, ROWS).astype(float)
    batches = rng.integers(1, 512, ROWS).astype(float)
    floor = median(lambda: contexts * 1.5)
    for model in ("meta-llama/Llama-3.1-8B-Instruct", "openai/gpt-oss-120b"):
        deployment = setup(model)
        one = median(lambda d=deployment: step_time(d, decode(4096.0, 8.0)), 51)
        yield f"one decode step, {model}", f"{1e6 * one:.0f} µs", "one column of 10⁶ rows", one / floor
        seconds = median(lambda d=deployment: million(d, contexts, batches), 3)
        what = f"10⁶ decode steps in blocks, {model}"
        yield what, f"{seconds:.2f} s, {ROWS / seconds / 1e6:.1f} M/s", "one column of 10⁶ rows", seconds / floor
        answer = median(lambda d=deployment: outcome(d, Load(concurrency=8.0)), 51)
        what = f"one estimate with intervals, {model}"
        yield what, f"{1e3 * answer:.1f} ms", "one column of 10⁶ rows", answer / floor
        load_ = Load(contexts / 4, batches, batches)
        seconds = median(lambda d=deployment, asked=load_: outcome(d, asked), 3)
        what = f"10⁶ estimates with intervals, {model}"
        yield what, f"{seconds:.2f} s, {ROWS / seconds / 1e6:.1f} M/s", "one column of 10⁶ rows", seconds / floor

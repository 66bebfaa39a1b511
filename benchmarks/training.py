"""Layouts of a training run: how many are timed and weighed per second on one core, and how long searches take.

The floor is one pass over as many numbers: a multiplication and an addition per layout. On machines of this class a
class-per-configuration planner (Calculon) takes 3 to 20 ms per layout: 50 to 350 per second.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.timing import median
from ridgewise.hardware import Machine, device
from ridgewise.models.read import load
from ridgewise.training.layouts import Space
from ridgewise.training.planning import Job, evaluate, grid_of, job, search

#: Model, device, count, tokens of a sequence, sequences per step, precision.
RUNS = (
    ("Llama-3.1-8B", "H100 SXM", 64, 8192.0, 512.0, "bf16"),
    ("Llama-3.1-70B", "H100 SXM", 512, 8192.0, 512.0, "bf16"),
    ("facebook/opt-175b", "A100 SXM4 80GB", 4096, 2048.0, 4096.0, "bf16"),
    ("deepseek-ai/DeepSeek-V3", "H800 SXM", 2048, 4096.0, 15360.0, "fp8"),
)
#: Every degree that can be, not only the usual ones.
WIDE = Space(micro=tuple(range(1, 33)), cp=(1, 2, 4, 8, 16), chunks=tuple(range(1, 9)), stage=(1, 2, 3))


def prepared(model: str, name: str, length: float, sequences: float, precision: str) -> Job:
    """A job with all the memory of its device."""
    card = device(name)
    usable = Machine(card).usable
    assert usable is not None, "the devices above say their memory"
    return job(load(model), card, "full", length, sequences, usable, precision=precision)


def rows() -> Iterator[tuple[str, str, str, float]]:
    """Searches of the runs above, and a wide one for the rate."""
    for model, name, count, length, sequences, precision in RUNS:
        work = prepared(model, name, length, sequences, precision)
        tried = len(grid_of(work, count)["tp"])
        numbers = np.ones(tried)
        floor = median(lambda n=numbers: 2.0 * n + 1.0, 31)
        seconds = median(lambda w=work, n=count: search(w, n), 7)
        yield (
            f"best layout of {model.rpartition('/')[2]} on {count:,} {name} among {tried:,}",
            f"{1e3 * seconds:.0f} ms, {tried / seconds:,.0f} layouts/s", "one pass over as many numbers",
            seconds / floor,
        )  # fmt: skip
    model, name, count, length, sequences, precision = RUNS[-1]
    work = prepared(model, name, length, sequences, precision)
    grid = grid_of(work, count, WIDE)
    numbers = np.ones(len(grid["tp"]))
    floor = median(lambda: 2.0 * numbers + 1.0, 31)
    seconds = median(lambda: evaluate(work, count, grid), 5)
    yield (
        f"{len(numbers):,} layouts of {model.rpartition('/')[2]} timed and weighed",
        f"{seconds:.3f} s, {len(numbers) / seconds:,.0f} layouts/s", "one pass over as many numbers", seconds / floor,
    )  # fmt: skip

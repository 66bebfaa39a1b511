"""Requests per second through the simulator: chat on one core, vLLM's policy, plain Python and compiled.

The floor is what any simulation by events does at the least: a push and a pop of a heap per request. On like work and
a machine of this class others reach: Vidur 1,000 chat requests in 11.6 s (of which 320 requests/s simulating, its
predictor trained before), LLMServingSim 1,200 requests in 86 s (its own changelog), BLIS about 0.8 s an experiment.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import numpy as np

from benchmarks.estimates import setup
from benchmarks.timing import median
from ridgewise.simulation import loop
from ridgewise.simulation.arrivals import arrivals, open_load
from ridgewise.simulation.fleet import Fleet, run
from ridgewise.simulation.lengths import lengths
from ridgewise.simulation.request import Requests
from ridgewise.simulation.system import system

#: Lengths of a public trace of conversations (Azure, November 2023): means, and standard deviations over them.
PROMPT, OUTPUT = "lognormal:1155,0.96", "lognormal:211,0.77"
REQUESTS = 20_000
#: Requests per second: quiet, and near what one H100 carries.
RATES = {"quiet": 5.0, "busy": 18.0}


def chat(rate: float) -> Requests:
    """Poisson arrivals of conversations."""
    return open_load(arrivals("poisson"), rate, REQUESTS, lengths(PROMPT, ""), lengths(OUTPUT, ""), 0)


def events(times: np.ndarray) -> None:
    """A push and a pop per request."""
    heap: list[float] = []
    for time in times.tolist():
        heapq.heappush(heap, time)
        heapq.heappop(heap)


def rows() -> Iterator[tuple[str, str, str, float]]:
    """Requests and simulated seconds per second, quiet and busy."""
    deployment = setup("meta-llama/Llama-3.1-8B-Instruct")
    for name, rate in RATES.items():
        asked = chat(rate)
        floor = median(lambda a=asked: events(a.arrival), 5)
        fleet = Fleet((system(deployment, context=asked.mean_context),))
        for how, fast in (("plain Python", False), ("compiled by numba", True)):
            if fast and loop.compiled() is None:
                continue
            whole = run(fleet, asked, fast)  # and compile
            seconds = median(lambda a=asked, s=fleet, f=fast: run(s, a, f), 5)
            steps = int(whole.replicas[0].state[loop.STEPS])
            yield (
                f"simulate {REQUESTS:,} chat requests, {name} ({rate:g}/s, {steps:,} steps), {how}",
                f"{seconds:.3f} s, {REQUESTS / seconds:,.0f} requests/s, {whole.end / seconds:,.0f} simulated s/s",
                "heapq push and pop per request", seconds / floor,
            )  # fmt: skip


if __name__ == "__main__":
    for row in rows():
        print(*row, sep=" | ")

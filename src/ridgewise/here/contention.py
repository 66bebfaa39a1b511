"""Whether the machine is ours while we measure: others' work makes every figure too low."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Annotated

#: Share of the processors that must be idle before, and of our threads' time that must be ours during, a round.
IDLE, OURS = 0.85, 0.85
#: Fewest undisturbed rounds that a figure rests on.
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of several rounds.

    spread   half the distance between the quartiles over the median
    busy     share of the time that went to our threads
    kept     enough rounds were undisturbed; else the median is over the least disturbed ones
    """

    name: str
    unit: str
    value: float
    spread: Annotated[float, "ratio"]
    rounds: int
    busy: Annotated[float, "ratio"]
    kept: bool


def idle(seconds: float = 0.4) -> float | None:
    """Share of the processors nobody uses now; None where the system does not tell."""

    def counted() -> tuple[float, float] | None:
        try:
            with open("/proc/stat", encoding="ascii") as handle:  # noqa: PTH123
                fields = [float(cell) for cell in handle.readline().split()[1:9]]
        except (OSError, ValueError):
            return None
        return fields[3] + fields[4], sum(fields)

    before = counted()
    time.sleep(seconds if before else 0.0)
    after = counted()
    if before is None or after is None or after[1] <= before[1]:
        return None
    return (after[0] - before[0]) / (after[1] - before[1])


def rounds(
    name: str, unit: str, amount: float, run: Callable[[], object], threads: int, budget: float = 1.0, least: int = 5
) -> Figure:
    """Rate of ``run`` [``amount`` per second] over the rounds that fit ``budget`` seconds, at least ``least``."""
    run()
    found: list[tuple[float, float]] = []
    end = time.perf_counter() + budget
    while len(found) < least or time.perf_counter() < end:
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        taken = time.perf_counter() - wall
        found.append((amount / taken, (time.process_time() - cpu) / (taken * threads)))
        if len(found) >= least and time.perf_counter() > end + budget:
            break
    return settled(name, unit, found)


def settled(name: str, unit: str, found: list[tuple[float, float]], *, alone: bool = False) -> Figure:
    """The median of (rate, share that was ours) pairs: undisturbed rounds, else the third least disturbed.

    ``alone``: the work is the processors' own, so that a disturbed rate over the share that was ours stands for the
    undisturbed one; what waits for memory cannot be told so.
    """
    ours = [pair for pair in found if pair[1] >= OURS]
    kept = len(ours) >= ROUNDS
    used = ours if kept else sorted(found, key=lambda pair: -pair[1])[: max(len(found) // 3, 1)]
    middle, spread = scatter([rate / busy if alone and not kept else rate for rate, busy in used])
    return Figure(name, unit, middle, spread, len(used), median(busy for _, busy in used), kept)


def scatter(values: Sequence[float]) -> tuple[float, Annotated[float, "ratio"]]:
    """Median, and half the distance between the quartiles over it."""
    held, middle = sorted(values), median(values)
    quarter = len(held) // 4
    return middle, (held[-1 - quarter] - held[quarter]) / 2 / middle

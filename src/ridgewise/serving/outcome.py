"""What a deployment does with a load: one question, or a column of a million, each number with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Annotated, Any

import numpy as np

from ridgewise.serving.estimate import (
    at_once,
    bands,
    decode_seconds,
    floor_seconds,
    loaded,
    manners,
    memory_batch,
    most_sequences,
    prompt_parts,
    step_budget,
    step_time,
)
from ridgewise.serving.limits import limits
from ridgewise.serving.loads import Felt, Steps, packing, parts, static_batch
from ridgewise.serving.local import Part
from ridgewise.serving.setup import Setup
from ridgewise.units import Count, Num, Seconds, Tokens
from ridgewise.units.shown import Shown
from ridgewise.work import decode

#: Rows that are computed together: what a processor's cache holds.
BLOCK = 65_536
#: Fields of a load that may be columns.
NUMBERS = ("prompt", "output", "concurrency", "cached")


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of a deployment; every number may be a column.

    prompt, output   tokens of a request
    concurrency      requests in flight over all replicas; 1: a single user
    cached           share of the prompt that the prefix cache holds
    together         the requests start and end together (a static batch) instead of following each other
    """

    prompt: Tokens = 1024.0
    output: Tokens = 512.0
    concurrency: Count = 1.0
    cached: Annotated[Num, "ratio"] = 0.0
    together: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """A value with its 80 % interval: numbers or columns."""

    value: Num
    low: Num
    high: Num

    @property
    def inverse(self) -> Range:
        """The same as a rate of one."""
        return Range(1.0 / self.value, 1.0 / self.high, 1.0 / self.low)

    def __add__(self, other: Range) -> Range:
        """The sum of two that err together."""
        return Range(self.value + other.value, self.low + other.low, self.high + other.high)

    def __mul__(self, times: Num) -> Range:
        return Range(self.value * times, self.low * times, self.high * times)


@dataclass(frozen=True, slots=True)
class Outcome(Shown):
    """What users feel and the system yields, all replicas together.

    ttft, tpot, e2e   mean seconds to the first token, per further token, to the last one
    output            output tokens per second of the system; ``requests`` per second
    running           sequences one replica runs at once; the rest of its share of the load waits
    room              sequences of this length that the memory of one replica holds
    """

    ttft: Range
    tpot: Range
    e2e: Range
    output: Range
    requests: Range
    running: Count
    room: Count


def outcome(setup: Setup, load: Load) -> Outcome:
    """Latencies and rates of a load, for numbers or for columns of one length (in blocks)."""
    numbers = {name: np.asarray(getattr(load, name), dtype=float) for name in NUMBERS}
    rows = max(column.size for column in numbers.values())
    if rows <= BLOCK:
        return _outcome(setup, load)
    wide = {name: np.broadcast_to(column, rows) for name, column in numbers.items()}

    def part(start: int) -> Outcome:
        p, o, c, k = (wide[name][start : start + BLOCK] for name in NUMBERS)
        return _outcome(setup, Load(p, o, c, k, load.together))

    with ThreadPoolExecutor() as pool:  # NumPy computes columns outside the interpreter's lock
        found: Outcome = _joined(list(pool.map(part, range(0, rows, BLOCK))))
    return found


def _joined(blocks: Sequence[Any]) -> Any:
    """The same record over all rows of its blocks."""
    first = blocks[0]
    if not is_dataclass(first):
        return np.concatenate([np.atleast_1d(block) for block in blocks])
    return replace(first, **{f.name: _joined([getattr(b, f.name) for b in blocks]) for f in fields(first)})  # type: ignore[type-var]


def _outcome(setup: Setup, load: Load) -> Outcome:
    prompt, output, cached = load.prompt, load.output, load.cached
    busy = np.minimum(load.concurrency / setup.replicas, 1.0)  # fewer requests than replicas leave some idle
    batch = np.maximum(load.concurrency / setup.replicas, 1.0)
    reserved = limits(setup.engine.id, setup.device).reserved if setup.many and not load.together else 1.0
    most = most_sequences(setup)  # what does not fit at all is timed as if it did
    held = np.minimum(memory_batch(setup, prompt + reserved * output), most)
    running: Count = np.minimum(batch, np.where(np.asarray(held) >= 1, held, most))[()]
    if not load.together:
        running = at_once(setup, prompt * (1.0 - cached), output, batch, running)
    felt = _together(setup, load, batch, running) if load.together else None
    felt = felt or loaded(setup, prompt, output, batch, running, cached)
    first = floor_seconds(setup, prompt_parts(setup, prompt * (1.0 - cached), prompt * cached))
    steady = floor_seconds(setup, (Part(decode(prompt + output / 2, running)),))
    gained = setup.draft.gained if setup.draft else 1.0
    ttft = ranged(felt.ttft, *_band(setup, "ttft", running), first)
    tpot = ranged(felt.tpot, *_band(setup, "tpot", running), steady / gained)
    low, high = _band(setup, "output", running)
    yielded = felt.output * setup.replicas * busy
    total = Range(yielded, yielded * low, yielded * high)
    return Outcome(ttft, tpot, ttft + tpot * (output - 1.0), total, total * (1.0 / output), running, held)


def _together(setup: Setup, load: Load, batch: Count, running: Count) -> Felt:
    """A static batch: all prompts, then all answers."""
    new, depth = load.prompt * (1.0 - load.cached), load.prompt * load.cached
    cut = packing(new, load.output, running, step_budget(setup))
    packed = parts(new, load.output, running, cut, cached=depth)["packed"]
    reading = step_time(setup, packed) * cut.chunks / cut.packed
    step = decode_seconds(setup, load.prompt + load.output / 2, running)
    ready = Steps(step, reading, 0.0, reading, reading)
    return static_batch(ready, manners(setup.coefficients()), batch, running, load.prompt, load.output)


def _band(setup: Setup, what: str, running: Count) -> tuple[Num, Num]:
    """Low and high of a metric as ratios to its prediction: those of one sequence, or of several at once."""
    place = {"ttft": 0, "tpot": 1, "output": 2}[what]
    one, several = (bands(setup, n)[place] for n in (1.0, 2.0))
    if np.array_equal(one.low, several.low) and np.array_equal(one.high, several.high):
        return one.low, one.high
    alone = np.asarray(running) <= 1
    return np.where(alone, one.low, several.low)[()], np.where(alone, one.high, several.high)[()]


def ranged(value: Seconds, low: Num, high: Num, floor: Seconds) -> Range:
    """A time with its interval, which ends where physics does."""
    return Range(value, np.minimum(np.maximum(value * low, floor), value), value * high)

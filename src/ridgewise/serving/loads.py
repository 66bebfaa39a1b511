"""From step times to what users feel: the formulas of each kind of load.

Pure functions of numbers or columns. Symbols, per replica:

    n   requests in flight (or sent at once)      b   sequences running at once (engine limit, cache memory)
    i, o  prompt and answer tokens                d   seconds of a decode step of b sequences
    p   seconds one prompt takes alone            x   seconds one prompt adds to a decode step (or takes, packed)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ridgewise.units import Count, Num, Seconds, Tokens
from ridgewise.work import Step, decode, prefill


@dataclass(frozen=True, slots=True)
class Steps:
    """Seconds of the steps a load is made of.

    decode   d: one step of all running sequences at their mean context
    alone    p: one prompt with nothing beside it, all its chunks
    added    x: what one prompt adds to the decode steps it rides in
    packed   one prompt when as many as fit are read in one step
    group    prompts that are read together in such a step; below 1 a prompt takes several steps
    first    the step(s) in which a prompt is read beside the running sequences
    """

    decode: Seconds
    alone: Seconds
    added: Seconds
    packed: Seconds
    first: Seconds
    group: Num = 1.0


@dataclass(frozen=True, slots=True)
class Packing:
    """How an engine cuts prompts into steps.

    chunk    tokens of one prompt in one step, ``chunks`` of them to a prompt
    beside   prompts that ride in one decode step; ``packed``: prompts read together where nothing decodes
    """

    chunk: Tokens
    chunks: Num
    beside: Count
    packed: Count


def packing(prompt: Tokens, answer: Tokens, running: Count, budget: Tokens) -> Packing:
    """Prompts of so many tokens under a budget of tokens per step, while ``running`` sequences give ``answer``
    tokens each: running/answer prompts arrive per step."""
    chunk = np.minimum(prompt, budget)
    packed = np.clip(np.floor(budget / prompt), 1.0, np.maximum(running, 1.0))
    return Packing(chunk, prompt / chunk, np.clip(running / answer, 1.0, packed), packed)


def fed(prompt: Tokens, answer: Tokens, budget: Tokens) -> Count:
    """Sequences that a budget of tokens per step keeps running: each takes its own token and, over its answer, its
    prompt."""
    return np.maximum(budget / (1.0 + prompt / answer), 1.0)


def parts(
    prompt: Tokens, answer: Tokens, running: Count, cut: Packing, stages: Count = 1.0, cached: Tokens = 0.0,
    verified: Tokens = 1.0,
) -> dict[str, Step]:  # fmt: skip
    """The engine steps a load is made of, to be timed: ``decode`` of all sequences of one pipeline stage at their
    mean context, ``alone`` (a chunk of one prompt), ``joint`` (decode with chunks beside it) and ``packed``.

    ``cached``: tokens before the prompt that are in the cache already; ``verified``: tokens a decode step computes
    for each sequence, more than one where drafts are checked.
    """
    behind = cached + (prompt - cut.chunk) / 2
    steady = decode(cached + prompt + answer / 2, np.maximum(running / stages, 1.0), verified)
    return {
        "decode": steady,
        "alone": prefill(cut.chunk, 1.0, behind),
        "joint": prefill(cut.chunk, cut.beside, behind) + steady,
        "packed": prefill(cut.chunk, cut.packed, behind),
    }


def combined(seconds: Mapping[str, Seconds], cut: Packing, stages: Count = 1.0, interference: Num = 1.0) -> Steps:
    """What the loads read, from the seconds of the parts. ``interference``: how much of what a prompt adds to a step
    the running sequences feel; stages of a pipeline share it out."""
    added = np.maximum(seconds["joint"] - seconds["decode"], 0.0) * cut.chunks / cut.beside / stages * interference
    return Steps(
        seconds["decode"], seconds["alone"] * cut.chunks, added,
        seconds["packed"] * cut.chunks / cut.packed / stages, seconds["joint"] * cut.chunks, cut.packed / cut.chunks,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Manners:
    """How an engine and a client queue (fitted).

    request     seconds before the first token besides compute and queueing
    together    share of requests that arrive in a full burst: clients of a closed loop start together
    queue       prompts found waiting per root of the requests in flight: chance meetings of the others
    steps       steps that a request waits for its place in one
    drain       further answers' worth of decode steps at the end of a burst with answers of unequal length
    ride        how much of a decode step each step of a burst's prefill carries: 1 all running sequences go on,
                0 they stand still
    """

    request: Seconds = 0.03
    together: Annotated[Num, "ratio"] = 0.1
    queue: Annotated[Num, "ratio"] = 0.2
    steps: Annotated[Num, "ratio"] = 1.0
    drain: Annotated[Num, "ratio"] = 0.5
    ride: Annotated[Num, "ratio"] = 0.5


@dataclass(frozen=True, slots=True)
class Felt:
    """Means of a load: seconds, and output tokens per second of one replica.

    steady   tokens per second while nothing starts or ends
    """

    ttft: Seconds
    tpot: Seconds
    e2e: Seconds
    output: Annotated[Num, "tokens/s"]
    total: Annotated[Num, "tokens/s"]


def _felt(ttft: Seconds, tpot: Seconds, e2e: Seconds, output: Num, i: Tokens, o: Tokens) -> Felt:
    return Felt(ttft, tpot, e2e, output, output * (i + o) / o)


def closed_loop(s: Steps, m: Manners, n: Count, b: Count, i: Tokens, o: Tokens) -> Felt:
    """n clients that send the next request when the last is answered.

    Each step carries its share of the others' prompts: with R = first + o·TPOT the time a request runs,
    ``TPOT = d + (b−1)·x·TPOT/R``, a quadratic in TPOT. Prompts wait for each other: (b−1)/2 of them in the burst
    at the start, a number that grows as the root of b by chance. Requests above b wait for a place:
    (n−b)/b·R (Little's law).
    """
    others = (b - 1.0) * s.added
    wait = s.packed * (m.together * (b - 1.0) / 2 + m.queue * np.sqrt(np.maximum(b - 1.0, 0.0)))
    first = m.request + np.where(np.asarray(b) > 1, m.steps * s.decode + s.first, s.alone) + wait
    middle = o * s.decode + others - first
    tpot = (middle + np.sqrt(middle * middle + 4 * o * s.decode * first)) / (2 * o)
    run = first + (o - 1.0) * tpot
    ttft = first + np.maximum(n / b - 1.0, 0.0) * run
    e2e = ttft + (o - 1.0) * tpot
    return _felt(ttft, tpot, e2e, n * o / e2e, i, o)


def static_batch(s: Steps, m: Manners, n: Count, b: Count, i: Tokens, o: Tokens) -> Felt:
    """n equal prompts start and end together, in waves of b where they do not all fit: those of later waves wait."""
    first = m.request + b * s.packed
    wave, waves = first + (o - 1.0) * s.decode, np.maximum(n / b, 1.0)
    ttft = first + (waves - 1.0) / 2 * wave
    return _felt(ttft, s.decode, ttft + (o - 1.0) * s.decode, n * o / (waves * wave), i, o)


def burst(s: Steps, m: Manners, n: Count, b: Count, i: Tokens, o: Tokens, uneven: Num = 0.0) -> Felt:
    """n requests at once, b of them running: the first b queue for prefill, the others for a place.

    A step of prefill carries a share of a decode step, on average of half the sequences. While prompts are read a
    running sequence gets a token per step, so its answer cannot be delayed by more than a full step per token.
    ``uneven``: 1 where answers differ in length; the longest then run on when the others are done.
    """
    carried = m.ride * s.decode / 2
    read = s.packed + carried / s.group
    late = np.maximum(n - b, 0.0)
    each = (o * s.decode + b * s.added) / b
    ttft = m.request + (b + 1.0) / 2 * read + late / n * late / 2 * each
    others = (b - 1.0) * s.packed * (0.5 * (n - late) + late) / n / np.maximum(o - 1.0, 1.0)
    full = s.packed * s.group
    tpot = s.decode + others / (1.0 + m.ride * others / full)
    waves = np.maximum(n / b, 1.0) + m.drain * uneven
    span = m.request + n * s.added + waves * o * s.decode
    e2e = ttft + (o - 1.0) * tpot
    return _felt(ttft, tpot, e2e, n * o / span, i, o)


def offline(s: Steps, m: Manners, n: Count, b: Count, i: Tokens, o: Tokens) -> Felt:
    """Everything is queued: b always run, each step carries b/o prompts."""
    run = o * s.decode + b * s.added
    tpot = run / o
    return _felt(m.request + s.first, tpot, run, b * o / run, i, o)


def open_loop(s: Steps, m: Manners, rate: Num, b: Count, most: Count, i: Tokens, o: Tokens, n: Count) -> Felt:
    """Arrivals at ``rate`` per second, b running (Little's law), at most ``most``.

    Above capacity the queue grows for as long as requests come: the mean wait is half the backlog of n requests.
    """
    share = np.minimum(rate * s.added, 0.95)
    tpot = s.decode / (1.0 - share)
    first = m.request + 0.5 * s.decode + s.first + s.packed * share / (2 * (1 - share))
    able = most / (first + o * tpot)
    backlog = np.maximum(n / able - n / rate, 0.0) / 2
    ttft = first + backlog
    output = np.minimum(rate, able) * o
    return _felt(ttft, tpot, ttft + (o - 1.0) * tpot, output, i, o)

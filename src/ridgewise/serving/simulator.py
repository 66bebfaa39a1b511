"""A service, step by step: continuous batching over the step-time formula.

Each step holds one token of every running sequence and, within the token budget, chunks of the prompts that
wait, first come first served (Yu et al. 2022, Orca; Agrawal et al. 2024, Sarathi-Serve; the scheduler of vLLM
v1). Where the cache runs out the youngest sequence is put back and computed anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np

from ridgewise.work import Slice, Step

StepSeconds = Callable[[Step], float]


@dataclass(frozen=True, slots=True)
class Request:
    """One request: when it arrives [s], tokens of its prompt, tokens of its answer (one at least)."""

    arrival: Annotated[float, "s"]
    prompt: Annotated[int, "tokens"]
    output: Annotated[int, "tokens"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What the engine allows in one step: sequences, tokens, and tokens the cache can hold."""

    sequences: int = 256
    tokens: int = 2048
    cache: Annotated[float, "tokens"] = np.inf


@dataclass(frozen=True, slots=True)
class Served:
    """When a request's first and last token were there, in seconds after its arrival."""

    ttft: Annotated[float, "s"]
    e2e: Annotated[float, "s"]
    output: int

    @property
    def tpot(self) -> float:
        """Mean seconds per token after the first; 0 for an answer of one."""
        return (self.e2e - self.ttft) / (self.output - 1) if self.output > 1 else 0.0


@dataclass(slots=True)
class _Sequence:
    """``ready`` tokens are in the cache, ``made`` tokens of the answer exist; the next one needs all of them."""

    place: int
    request: Request
    ready: int = 0
    made: int = 0
    first: float = field(default=np.nan)

    @property
    def need(self) -> int:
        """Tokens to compute before the next one is made: 1 while decoding."""
        return self.request.prompt + self.made - self.ready


def serve(requests: Sequence[Request], seconds: StepSeconds, limits: Limits, overhead: float = 0.0) -> list[Served]:
    """Every request's times. ``overhead``: seconds a request takes outside the engine, felt by itself alone."""
    coming = deque(sorted(range(len(requests)), key=lambda i: (requests[i].arrival, i)))
    waiting: deque[_Sequence] = deque()
    running: list[_Sequence] = []
    found: dict[int, Served] = {}
    clock = 0.0
    while coming or waiting or running:
        if not waiting and not running:
            clock = max(clock, requests[coming[0]].arrival)
        while coming and requests[coming[0]].arrival <= clock:
            place = coming.popleft()
            waiting.append(_Sequence(place, requests[place]))
        taken = _schedule(running, waiting, limits)
        clock += seconds(_step(running, taken))
        for sequence in list(running):
            sequence.ready += taken[sequence.place]
            if sequence.need or not taken[sequence.place]:
                continue
            sequence.made += 1
            if sequence.made == 1:
                sequence.first = clock
            if sequence.made == sequence.request.output:
                running.remove(sequence)
                arrival = sequence.request.arrival - overhead
                found[sequence.place] = Served(sequence.first - arrival, clock - arrival, sequence.made)
    return [found[i] for i in range(len(requests))]


def _schedule(running: list[_Sequence], waiting: deque[_Sequence], limits: Limits) -> dict[int, int]:
    """Tokens each sequence computes in the next step: running ones first, then prompts as they came."""
    budget = limits.tokens
    taken: dict[int, int] = {}
    while len(running) > 1 and sum(s.ready + min(s.need, limits.tokens) for s in running) > limits.cache:
        last = running.pop()
        last.ready = 0
        waiting.appendleft(last)
    for sequence in running:
        taken[sequence.place] = min(sequence.need, budget)
        budget -= taken[sequence.place]
    held = sum(s.ready + s.need for s in running)
    while waiting and budget > 0 and len(running) < limits.sequences:
        sequence = waiting[0]
        if running and held + sequence.need > limits.cache:
            break
        running.append(waiting.popleft())
        taken[sequence.place] = min(sequence.need, budget)
        budget -= taken[sequence.place]
        held += sequence.need
    return taken


def _step(running: Sequence[_Sequence], taken: dict[int, int]) -> Step:
    """One pass: sequences that make one token each at their mean context, and every chunk of a prompt."""
    decoding = [s for s in running if s.made and s.need == 1 and taken[s.place]]
    slices = []
    if decoding:
        slices.append(Slice("decode", float(len(decoding)), 1.0, sum(s.ready for s in decoding) / len(decoding)))
    for sequence in running:
        if taken[sequence.place] and not (sequence.made and sequence.need == 1):
            slices.append(Slice("prefill", 1.0, float(taken[sequence.place]), float(sequence.ready)))
    return Step(tuple(slices))

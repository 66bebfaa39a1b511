"""The phases of a real llama.cpp: reading prompts, answering at several depths, several slots at once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Annotated

from ridgewise.errors import RequestError
from ridgewise.here.contention import OURS, scatter
from ridgewise.here.llama_server import ANSWER, LlamaServer, Timings
from ridgewise.here.load import Load, drive

#: Token ids of prompts: words of any vocabulary lie there.
FIRST, LAST = 300, 8000


@dataclass(frozen=True, slots=True)
class Phase:
    """What is timed: ``prompt`` tokens are read, or ``output`` tokens follow ``depth`` cached ones; ``batch`` times."""

    metric: str
    prompt: int
    output: int
    depth: int
    batch: int = 1

    @property
    def said(self) -> str:
        """In words."""
        if self.metric == "prefill_tok_s":
            return f"prefill of {self.prompt} tokens"
        return f"decode after {self.depth} tokens" + (f", {self.batch} at once" if self.batch > 1 else "")


@dataclass(frozen=True, slots=True)
class Reading:
    """A phase as measured [tokens/s]: the median of its rounds, half the distance of the quartiles over it, and the
    share of the processors' time that went to the engine (None: not told)."""

    phase: Phase
    value: Annotated[float, "tokens/s"]
    spread: Annotated[float, "ratio"]
    rounds: int
    busy: float | None

    @property
    def disturbed(self) -> bool:
        """Others were at work meanwhile."""
        return self.busy is not None and self.busy < OURS


def phases(prompts: Sequence[int], depths: Sequence[int], output: int, slots: int) -> list[Phase]:
    """Prompts of these lengths, answers at these depths, and ``slots`` answers at once at the first of them."""
    found = [Phase("prefill_tok_s", prompt, 0, 0) for prompt in prompts]
    found += [Phase("decode_tok_s", 0, output, depth) for depth in depths]
    if slots > 1:
        found.append(Phase("decode_tok_s", 0, output, min(depths), slots))
    return found


def readings(
    server: LlamaServer,
    wanted: Sequence[Phase],
    said: Callable[[str], None],
    repeats: int = 3,
    threads: int = 1,
    vocabulary: int = LAST,
) -> Iterator[Reading]:
    """Every phase as it is known; one that was disturbed is tried once more and the better half counts."""
    rng, last = random.Random(0), min(vocabulary, LAST)
    server.complete(_ids(64, rng, last), 4)
    for phase in wanted:
        said(phase.said)
        found: list[tuple[float, float | None]] = []
        while len(found) < repeats or (len(found) < 2 * repeats and _disturbed(found)):
            found.append(_round(server, phase, rng, threads, last))
        if any(share is not None for _, share in found):
            found = sorted(found, key=lambda pair: -(pair[1] or 0.0))[: max(repeats, (len(found) + 1) // 2)]
        rate, spread = scatter([rate for rate, _ in found])
        shares = [share for _, share in found if share is not None]
        yield Reading(phase, rate, spread, len(found), median(shares) if shares else None)


def _disturbed(found: Sequence[tuple[float, float | None]]) -> bool:
    return any(share is not None and share < OURS for _, share in found)


def _round(
    server: LlamaServer, phase: Phase, rng: random.Random, threads: int, last: int
) -> tuple[float, float | None]:
    """Tokens per second of one round, and the share of the processors' time that the engine had."""
    length = phase.prompt or max(phase.depth, 1)
    output = phase.output or 1
    wall, cpu = time.perf_counter(), server.busy()
    if phase.batch > 1:
        rate = together(server.url, length, output, phase.batch, rng.randrange(1 << 30))
    else:
        rate = _rate(server.complete(_ids(length, rng, last), output), phase)
    after = server.busy()
    share = None if cpu is None or after is None else (after - cpu) / ((time.perf_counter() - wall) * threads)
    return rate, share


def together(url: str, depth: int, output: int, slots: int, seed: int) -> float:
    """Tokens per second of ``slots`` answers together, from the last one's first token to the first one's last: while
    prompts are still read, nobody decodes at full speed."""
    load = Load(slots, depth, output, slots, seconds=ANSWER, seed=seed)
    run = drive(url, "", load)
    if len(run.answered) < slots:
        raise RequestError(next(one.error for one in run.outcomes if one.error), url)
    start, end = max(one.pieces[0] for one in run.answered), min(one.pieces[-1] for one in run.answered)
    pieces = sum(start < piece <= end for one in run.answered for piece in one.pieces)
    if not pieces:
        raise RequestError("answers one after the other, not together", url, ("more tokens: --output 128",))
    return pieces / (end - start)


def _rate(one: Timings, phase: Phase) -> float:
    """The first token belongs to the prompt: so many steps follow as there are tokens, less one."""
    if phase.metric == "prefill_tok_s":
        return one.prompt / one.prompt_s
    return (one.output - 1) / one.output_s


def _ids(count: int, rng: random.Random, last: int) -> list[int]:
    return [rng.randrange(FIRST, last) for _ in range(count)]

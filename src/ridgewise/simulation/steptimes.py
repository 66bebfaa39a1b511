"""Step times as tables: the calibrated formula evaluated once, then looked up.

:func:`ridgewise.serving.estimate.step_time` is a sum over operators of the longer of computing and moving. What an
operator does depends on few sums of a step, so the sum splits into

    base[T]      projections, feed-forwards, norms, collectives, fixed costs: by the tokens of the step
    head[q]      output head and cost per sequence: by the sequences whose next token is computed
    apart[r, p]  routed experts and recurrent state: by tokens of answers r and of prompts p, on a grid
    attention    linear in what is attended: per kind of window, seconds per query–key pair and per token read

``base`` and ``head`` hold every whole number, and the attention's coefficients are exact, so a dense model's step
times are the formula's own to rounding. Between the points of ``apart`` one interpolates in both directions.
Sequences that decode count at their mean context, which is exact for full attention.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ridgewise.models.architecture import LayerGroup
from ridgewise.serving import local
from ridgewise.serving.estimate import decode_seconds, fixed_seconds, step_terms
from ridgewise.serving.setup import Setup
from ridgewise.simulation import loop
from ridgewise.timing import Term
from ridgewise.work import Slice, Step, decode, prefill

Column = NDArray[np.float64]
Whole = NDArray[np.int64]

#: Operators that a grid of answer and prompt tokens holds; the head has a table of its own.
APART, HEAD, ATTENTION = ("experts", "recurrence", "scan"), "head", "attention"
#: Points of the grid: every number up to the first, then so many more to the largest.
DENSE, MORE_ROWS, MORE_PROMPTS = 32, 40, 96
#: Tokens that are computed in one pass; more are taken for several passes of it.
PASS = 16384
#: No window.
UNBOUNDED = 1e18


@dataclass(frozen=True, slots=True)
class StepTimes:
    """Seconds of the steps of one deployment (see the module).

    row_at, row_share, prompt_at, prompt_share   where a number of tokens lies on the grid, and how far to the next
    width     prompts of a row of the grid; 0 where nothing stands apart
    windows, spreads      kinds of attention: window [tokens], and whether attention stays inside chunks of it
    flops, reads, write   decoding: seconds per token seen (compute, memory) and per new token
    chunk_…               the same of prompts: per pair, per token of the span, per new token
    draft     seconds that drafting for n sequences adds to a decode step; ``rows_each``: tokens that the step then
              computes per sequence
    felt      how much of what prompts add to a decode step it takes longer by (fitted: kernels of both overlap)
    """

    base: Column
    head: Column
    apart: Column
    row_at: Whole
    row_share: Column
    prompt_at: Whole
    prompt_share: Column
    width: int
    windows: Column
    spreads: Whole
    flops: Column
    reads: Column
    write: Annotated[float, "s"]
    chunk_flops: Column
    chunk_reads: Column
    chunk_write: Annotated[float, "s"]
    draft: Column
    rows_each: Annotated[int, "tokens"] = 1
    felt: Annotated[float, "ratio"] = 1.0

    @property
    def dec(self) -> Column:
        """A decode step of n sequences without its attention and drafts."""
        most = len(self.draft) - 1
        rows = np.arange(most + 1) * self.rows_each
        total = self.base[rows] + self.head[rows]
        if self.width:
            low, share = self.row_at[rows], self.row_share[rows]
            column = self.apart.reshape(-1, self.width)[:, 0]
            total = total + column[low] * (1 - share) + column[low + 1] * share
        return np.asarray(total)

    def scaled(self, factor: float) -> StepTimes:
        """Every step so many times as long."""
        names = ("base", "head", "apart", "flops", "reads", "write", "chunk_flops", "chunk_reads", "chunk_write",
                 "draft")  # fmt: skip
        return replace(self, **{name: getattr(self, name) * factor for name in names})

    def seconds(self, sequences: int, context: float, chunks: Sequence[tuple[int, int]] = ()) -> float:
        """One step: so many decoding sequences at a mean context, beside chunks of prompts (cached, new)."""
        rows, taken = sequences * self.rows_each, sum(new for _, new in chunks)
        if not chunks:
            total = float(self.dec[sequences])
        else:
            total = loop.products(
                rows, taken, rows + len(chunks), self.base, self.head, self.apart, self.row_at, self.row_share,
                self.prompt_at, self.prompt_share, self.width,
            )  # fmt: skip
            read = [
                loop.read_chunk(cached, new, len(self.windows), self.windows, self.spreads, self.chunk_flops,
                                self.chunk_reads, self.chunk_write)
                for cached, new in chunks
            ]  # fmt: skip
            total += max(sum(f for f, _ in read), sum(m for _, m in read))
        if sequences:
            seen = loop.attend(context, len(self.windows), self.windows, self.flops, self.reads, self.write)
            answers = sequences * max(seen) + float(self.draft[sequences])
            bare = float(self.dec[sequences]) + answers
            total = bare + self.felt * (total + answers - bare)
        return float(total)


def step_times(setup: Setup, sequences: int, tokens: int, context: float = 1024.0) -> StepTimes:
    """The tables of a deployment for at most so many sequences, and tokens of a step. A model that drafts reads a
    context of its own, taken to be ``context`` tokens."""
    rows_each = int(setup.draft.tokens) + 1 if setup.draft else 1
    rows = sequences * rows_each
    most = max(tokens, rows) + 1
    split = max(float(setup.plan.pp), 1.0) if setup.many else 1.0
    stages = 1.0 + (setup.coefficients().get("bubble", 0.0) * (split - 1.0) if setup.many else 0.0)
    size = int(min(most, PASS if setup.many else setup.run.ubatch))
    count = np.arange(1.0, size + 1)
    plain = _by_way(setup, lambda n: prefill(n), count, _rest, fixed=True)
    heads = np.arange(1.0, rows + sequences + 2)
    per_head = _by_way(setup, lambda n: decode(1.0, n), heads, lambda ts: _named(ts, (HEAD,)))
    per_head = per_head + _sequences_seconds(setup, heads)
    base = _passes(np.concatenate(([0.0], plain)), most, size)
    if split > 1:  # the stages of a pipeline work on sequences and chunks of their own
        base = np.interp(np.maximum(np.arange(most + 1) / split, 1.0), np.arange(most + 1), base)
        base[0] = 0.0
    grid, where = _grid(setup, rows, min(tokens, size))
    kinds = _kinds(setup)
    flops, reads, write = _attention(setup, kinds, float(rows_each))
    chunk = _attention(setup, kinds)
    drafting = np.zeros(sequences + 1)
    if setup.draft:
        many = np.arange(1.0, sequences + 1)
        drafting[1:] = setup.draft.tokens * decode_seconds(setup.draft.setup, context, many)
    factor = stages / split
    return StepTimes(
        base * stages, np.concatenate(([0.0], per_head)) * factor, grid * factor,
        *where[0], *_prompts(where[1], most, size), where[2],
        np.array([w for w, _ in kinds]), np.array([s for _, s in kinds], dtype=np.int64),
        flops * factor, reads * factor, write * factor, chunk[0] * factor, chunk[1] * factor, chunk[2] * factor,
        drafting, rows_each, float(setup.coefficients().get("interference", 1.0)),
    )  # fmt: skip


def _named(terms: Sequence[Term], names: Sequence[str]) -> Column:
    return np.asarray(sum((t.seconds for t in terms if t.operator in names), np.zeros(1)), dtype=float)


def _rest(terms: Sequence[Term]) -> Column:
    """What depends on the tokens of a step alone."""
    mine = (t for t in terms if t.operator not in (*APART, HEAD) and not t.operator.startswith(ATTENTION))
    return np.asarray(sum((t.seconds for t in mine), np.zeros(1)), dtype=float)


def _by_way(
    setup: Setup,
    step: Callable[[Column], Step],
    count: Column,
    of: Callable[[Sequence[Term]], Column],
    fixed: bool = False,
) -> Column:
    """A part of the seconds of a column of steps, each with its products done as its number of tokens asks for."""
    found = np.empty(len(count))
    tokens = np.asarray(step(count).tokens)
    few = tokens <= local.FEW_TOKENS
    for mine in (few, ~few) if not setup.many else (np.ones(len(count), dtype=bool),):
        if mine.any():
            part = step(count[mine])
            seconds = of(step_terms(setup, part))
            found[mine] = seconds + (fixed_seconds(setup, part) if fixed else 0.0)
    return found


def _sequences_seconds(setup: Setup, count: Column) -> Column:
    """What sequences cost besides tokens: of as many tokens, as many sequences against one."""
    return np.asarray(fixed_seconds(setup, decode(1.0, count)) - fixed_seconds(setup, prefill(count)), dtype=float)


def _passes(base: Column, most: int, size: int) -> Column:
    """More tokens than a pass takes are computed in several."""
    count = np.arange(most + 1)
    return np.asarray(base[count % size] + (count // size) * base[size], dtype=float)


def _points(most: int, further: int) -> Column:
    """Every whole number first, then ever further apart."""
    if most <= DENSE:
        return np.arange(most + 2.0)
    return np.unique(np.concatenate((np.arange(DENSE + 1.0), np.round(np.geomspace(DENSE, most + 1, further)))))


def _place(points: Column, most: int) -> tuple[Whole, Column]:
    """Of each whole number the point below it, and its share of the way to the next."""
    count = np.arange(most + 1.0)
    at = np.clip(np.searchsorted(points, count, side="right") - 1, 0, len(points) - 2)
    return at.astype(np.int64), (count - points[at]) / (points[at + 1] - points[at])


def _grid(
    setup: Setup, rows: int, tokens: int
) -> tuple[Column, tuple[tuple[Whole, Column], tuple[Column, Whole, Column], int]]:
    """Seconds of what stands apart, by tokens of answers and of prompts."""
    r, p = _points(rows, MORE_ROWS), _points(tokens, MORE_PROMPTS)
    row_at, row_share = _place(r, rows)
    prompt_at, prompt_share = _place(p, tokens)
    mixed = any(g.feed.experts or g.mixer.state for g in setup.arch.kinds)
    if not mixed:
        return np.zeros(0), ((row_at, row_share), (p, prompt_at, prompt_share), 0)
    answers, prompts = (x.ravel() for x in np.meshgrid(r, p, indexing="ij"))
    both = np.stack((answers, prompts))
    found = np.zeros(both.shape[1])
    busy = (answers + prompts) > 0
    tokens_of = answers + prompts
    few = tokens_of <= local.FEW_TOKENS
    for mine in (busy & few, busy & ~few) if not setup.many else (busy,):
        step = Step((
            Slice("decode", answers[mine], 1.0, 1.0),
            Slice("prefill", np.minimum(prompts[mine], 1.0), np.maximum(prompts[mine], 1.0), 0.0),
        ))  # fmt: skip
        if mine.any():
            found[mine] = _named(step_terms(setup, step), APART)
    return found, ((row_at, row_share), (p, prompt_at, prompt_share), len(p))


def _prompts(places: tuple[Column, Whole, Column], most: int, size: int) -> tuple[Whole, Column]:
    """Prompts beyond one pass lie on the grid as the last pass does."""
    _, at, share = places
    count = np.minimum(np.arange(most + 1), len(at) - 1)
    return at[count], share[count]


def _kinds(setup: Setup) -> list[tuple[float, int]]:
    """The windows of the model's attention, unbounded first."""
    found = {(UNBOUNDED, 0)}
    for group in setup.arch.kinds:
        if group.mixer.kind in local.ATTENTION:
            found |= _windows(group)
    return sorted(found, key=lambda kind: -kind[0])


def _windows(group: LayerGroup) -> set[tuple[float, int]]:
    mixer = group.mixer
    window = mixer.selected or mixer.window
    return {(float(window), int(mixer.kind == "chunked" and not mixer.selected))} if window else {(UNBOUNDED, 0)}


def _attention(
    setup: Setup, kinds: Sequence[tuple[float, int]], checked: float = 0.0
) -> tuple[Column, Column, float]:  # fmt: skip
    """Seconds per pair, per token read and per new token, solved from probes of the formula itself: of prompts, or of
    sequences that decode, ``checked`` tokens each.

    Both times of the attention are linear in Σ pairs, Σ span and new tokens of each kind of window; as many probes
    as there are unknowns, well apart, give them exactly.
    """
    largest = max((w for w, _ in kinds if w < UNBOUNDED), default=1024.0)
    around = (factor * w for w, _ in kinds[1:] for factor in (0.5, 2.0))
    contexts = sorted({1.0, 64.0, 512.0, *around, 4 * largest, 8 * largest})
    news = (checked,) if checked else (1.0, 16.0, 256.0)
    context, new = (x.ravel() for x in np.meshgrid(contexts, news, indexing="ij"))
    step = decode(context, 1.0, checked) if checked else prefill(new, 1.0, context)
    terms = [t for t in step_terms(setup, step, of=max(news)) if t.operator.startswith(ATTENTION)]
    computing, moving = (
        np.asarray(sum((seconds for seconds in part), np.zeros(len(context))), dtype=float)
        for part in ([t.compute_seconds for t in terms], [t.memory_seconds for t in terms])
    )
    if checked:
        seen = [np.minimum(context + 1.0, w) for w, _ in kinds]
        flops_rows, reads_rows = np.stack(seen, axis=1), np.stack([*seen, np.ones(len(context))], axis=1)
    else:
        flops_rows = np.array([[loop.pairs(c, n, w, s) for w, s in kinds] for c, n in zip(context, new, strict=True)])
        reads_rows = np.array([
            [*(loop.span(c, n, w) for w, _ in kinds), n] for c, n in zip(context, new, strict=True)
        ])  # fmt: skip
    per_pair = _solved(flops_rows, computing)
    per_read = _solved(reads_rows, moving)
    return per_pair, per_read[:-1], float(per_read[-1])


def _solved(rows: Column, values: Column) -> Column:
    """The coefficients that give the values, columns scaled alike first."""
    scale = np.maximum(np.abs(rows).max(axis=0), 1e-300)
    found, *_ = np.linalg.lstsq(rows / scale, values, rcond=1e-13)
    found[np.abs(found) < 1e-12 * max(float(np.abs(found).max(initial=0.0)), 1e-300)] = 0.0
    return np.asarray(np.maximum(found, 0.0) / scale, dtype=float)


def columns(times: StepTimes) -> Mapping[str, Column | Whole | float | int]:
    """What the loop takes, by name."""
    return {name: getattr(times, name) for name in (
        "base", "head", "dec", "apart", "row_at", "row_share", "prompt_at", "prompt_share", "width", "windows",
        "spreads", "flops", "reads", "write", "chunk_flops", "chunk_reads", "chunk_write", "draft", "felt",
    )}  # fmt: skip

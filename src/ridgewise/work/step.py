"""One pass over the weights: which sequences compute how many new tokens on top of how many cached ones.

A :class:`Step` is a tuple of slices and steps add: a chunked-prefill mixture is
``prefill(...) + decode(...)``. Work does not add, because the weights are read once per step:
``work(a + b) ≤ work(a) + work(b)``; the gap is what batching is worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ridgewise.units import Count, Num, Tokens

Phase = Literal["prefill", "decode", "training"]


@dataclass(frozen=True, slots=True)
class Slice:
    """``sequences`` equal sequences, each computing ``new`` tokens after ``cached`` ones."""

    phase: Phase
    sequences: Count
    new: Tokens
    cached: Tokens = 0.0

    @property
    def tokens(self) -> Tokens:
        """Tokens computed by the whole slice."""
        return self.sequences * self.new

    @property
    def logits(self) -> Tokens:
        """Tokens whose next-token distribution is computed: of a prompt the last one alone."""
        return self.sequences if self.phase == "prefill" else self.tokens

    def pairs(self, window: int | None = None, *, causal: bool = True, chunked: bool = False) -> Num:
        """Query–key pairs attended: Σ over the new tokens of the tokens each one sees.

        Token i (1-based after ``cached``) sees ``min(cached + i, window)`` tokens; with ``chunked``
        attention only those of its own chunk; without causality every token of the sequence, or the window
        around it.
        """
        c, n = self.cached, self.new
        if not causal:
            return self.sequences * n * (c + n if window is None else np.minimum(c + n, window))
        if window is None:
            return self.sequences * (n * c + n * (n + 1) / 2)
        if chunked:
            return self.sequences * (_triangles(c + n, window) - _triangles(c, window))
        growing: Num = np.clip(window - c, 0, n)
        return self.sequences * (growing * c + growing * (growing + 1) / 2 + (n - growing) * window)

    def span(self, window: int | None = None) -> Num:
        """Cached tokens read, once per sequence and pass."""
        length = self.cached + self.new
        return self.sequences * (length if window is None else np.minimum(length, window + self.new - 1))


def _triangles(tokens: Num, chunk: int) -> Num:
    """Pairs of ``tokens`` tokens attending causally inside chunks of ``chunk``."""
    full = np.floor_divide(tokens, chunk)
    rest = tokens - full * chunk
    return full * (chunk * (chunk + 1) / 2) + rest * (rest + 1) / 2


@dataclass(frozen=True, slots=True)
class Step:
    """One pass over the weights, made of slices."""

    slices: tuple[Slice, ...]

    def __add__(self, other: Step) -> Step:
        return Step(self.slices + other.slices)

    @property
    def tokens(self) -> Tokens:
        return sum((s.tokens for s in self.slices), 0.0)

    @property
    def sequences(self) -> Count:
        return sum((s.sequences for s in self.slices), 0.0)

    @property
    def logits(self) -> Tokens:
        return sum((s.logits for s in self.slices), 0.0)


def prefill(prompt: Tokens, sequences: Count = 1.0, cached: Tokens = 0.0) -> Step:
    """Reading ``prompt`` new tokens per sequence on top of ``cached`` ones."""
    return Step((Slice("prefill", sequences, prompt, cached),))


def decode(context: Tokens, sequences: Count = 1.0, verified: Tokens = 1.0) -> Step:
    """Generating one token per sequence with ``context`` tokens already cached; ``verified`` more than one: checking
    so many drafted tokens at once."""
    return Step((Slice("decode", sequences, verified, context),))


def training(length: Tokens, sequences: Count = 1.0) -> Step:
    """The forward pass of a training micro-batch: every token computes logits."""
    return Step((Slice("training", sequences, length, 0.0),))

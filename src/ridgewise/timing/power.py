"""Watts of one board, by what it does while it works: bytes moved, products computed, being awake at all.

Moving a byte and computing a product cost energy that hardly differs between boards of one generation, so that power
follows from rates (energy roofline: Choi, Bedard, Fowler, Vuduc 2013). The costs are fitted on measured watts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ridgewise.timing.roofline import Rates
from ridgewise.units import Bytes, Count, Flop, Num, Tokens
from ridgewise.work import Work

PICO = 1e-12
#: What a byte and a product cost at the least, as shares of the board's range [1] at its full bandwidth and at its
#: full 16-bit rate: nobody builds a board for power that it cannot use. Generation kernels, which reach 0.85 of the
#: bandwidth, draw 0.53–0.69 of the limit; products of 1,024 rows and more reach 0.7 of the peak at 0.9 of the limit.
LEAST_MOVING, LEAST_COMPUTING = 0.45, 1.0


@dataclass(frozen=True, slots=True)
class Effort:
    """Bytes moved and 16-bit FLOPs computed on one device: of a step [B, FLOP], or per second [B/s, FLOP/s].
    Products in fewer bits count by their rate."""

    moved: Bytes = 0.0
    computed: Flop = 0.0

    def __add__(self, other: Effort) -> Effort:
        return Effort(self.moved + other.moved, self.computed + other.computed)

    def __mul__(self, times: Num) -> Effort:
        return Effort(self.moved * times, self.computed * times)


def asked(work: Mapping[str, Work], rates: Rates) -> Effort:
    """What the work of one step asks of a device."""
    moved = sum((np.asarray(part.bytes, dtype=float) for part in work.values()), np.zeros(()))
    computed = sum((np.asarray(part.flops, dtype=float) for part in work.values()), np.zeros(()))
    return Effort(moved, computed * np.asarray(rates.scores) / np.asarray(rates.peak))


def sustained(
    decode: Effort, prompt: Effort, running: Count, answer: Tokens, output: Annotated[Num, "tokens/s"],
    stages: Count = 1.0,
) -> Effort:  # fmt: skip
    """Per second, the mean of a device while ``running`` sequences of a replica yield ``output`` tokens per second.

    In a round each sequence gets a token: the device does one decode step (its pipeline stage does its part of one
    per stage) and reads its share of running/answer prompts. ``prompt``: the work of one whole prompt.
    """
    whole = np.minimum(running / stages, 1.0)
    return (decode * whole + prompt * (running / answer / stages)) * (output / running)


def board_draw(idle: Annotated[Num, "W"], limit: Annotated[Num, "W"], share: Annotated[Num, "ratio"]) -> Num:
    """Draw of one board [W]: idle, and a share of the range up to its limit. Near the limit the board lowers its
    clock: the share bends towards 1, as ``s/(1 + s⁴)^¼``."""
    return idle + (limit - idle) * share / (1 + share**4) ** 0.25


def board_watts(
    effort: Effort, rates: Rates, idle: Annotated[Num, "W"], limit: Annotated[Num, "W"], c: Mapping[str, Num]
) -> Num:
    """Draw of one board that works at an effort per second [W].

    c   ``awake``: share of the range drawn while it serves at all [1]; ``moving``, ``computing``: energy of a byte
        and of a 16-bit FLOP [pJ]
    """
    reach = limit - idle
    byte = np.maximum(PICO * c["moving"] / reach, LEAST_MOVING / np.asarray(rates.bandwidth))
    product = np.maximum(PICO * c["computing"] / reach, LEAST_COMPUTING / np.asarray(rates.scores))
    return board_draw(idle, limit, c["awake"] + byte * effort.moved + product * effort.computed)

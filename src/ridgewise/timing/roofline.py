"""The roofline, operator by operator, with the costs that no roofline shows.

Williams, Waterman, Patterson, "Roofline" (CACM 2009): an operator takes the longer of computing and
moving. On top come a fixed cost per layer and per step (launches, small collectives, scheduling),
which explain most of what a single "bandwidth efficiency" gets wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ridgewise.timing.efficiency import Efficiency
from ridgewise.units import BytesPerSecond, Count, FlopPerSecond, Num, Seconds
from ridgewise.work import Work

#: The link where the sheet names none: PCIe 3.0 x16 [B/s].
UNNAMED_LINK = 16e9
#: Latency of one small all-reduce by kind of link [s], measured with nccl-tests at 512 B on 2–8 devices;
#: engines use faster custom kernels, a part of which hides in ``layer_overhead``.
LINK_LATENCY = {"fast": 8e-6, "pcie": 20e-6}


@dataclass(frozen=True, slots=True)
class Rates:
    """What the device offers: peak matrix rate in the precision used, and memory bandwidth.

    vector   peak of the vector units, which do the products of few rows; 0: not known
    link     bandwidth between devices per direction, and the latency of one small all-reduce
    reach    share of the peak that large products reach at best: clocks fall where power is short; 1: all of it
    wide     peak at 16 bits, in which attention and the output head run whatever the weights' format; 0: ``peak``
    """

    peak: FlopPerSecond
    bandwidth: BytesPerSecond
    vector: FlopPerSecond = 0.0
    link: BytesPerSecond = np.inf
    link_latency: Seconds = 0.0
    wide: FlopPerSecond = 0.0
    reach: Annotated[Num, "ratio"] = 1.0

    @property
    def scores(self) -> FlopPerSecond:
        """Peak for products of activations with activations."""
        return np.where(np.asarray(self.wide) > 0, self.wide, self.peak)


@dataclass(frozen=True, slots=True)
class Term:
    """One operator's share of a step: its work, the two roofs, and the longer of them."""

    operator: str
    work: Work
    compute_seconds: Seconds
    memory_seconds: Seconds

    @property
    def seconds(self) -> Seconds:
        return np.maximum(self.compute_seconds, self.memory_seconds)

    @property
    def bound(self) -> str:
        """ "compute" or "memory" (of a single answer)."""
        return "compute" if float(np.mean(self.compute_seconds - self.memory_seconds)) > 0 else "memory"


def compute_share(rows: Num, eff: Efficiency, *, experts: bool = False, stretch: Num = 1.0) -> Num:
    """Share of the peak rate a product with ``rows`` tokens reaches: saturating in its rows.

    Of routed experts what does not depend on the rows of one expert (sorting, imbalance) slows large products;
    what does (padding of tiles) runs as fast as any product: ``1/share = (1/e + half/rows)/c``. ``stretch``: how
    many times the rows a device needs to be filled.
    """
    if not experts:
        return eff.compute * rows / (rows + stretch * eff.half_rows)
    own = np.asarray(eff.expert_half_rows) > 0
    half = np.where(own, eff.expert_half_rows * eff.expert_compute, stretch * eff.half_rows)
    return eff.compute * eff.expert_compute * rows / (rows + half)


def compute_rate(rows: Num, rates: Rates, eff: Efficiency, *, experts: bool = False) -> FlopPerSecond:
    """The better of the matrix units, which want many rows, and the vector units, which do not care."""
    filled = np.asarray(eff.fill) > 0
    stretch = np.where(filled, rates.peak / np.where(filled, eff.fill, 1.0), 1.0)
    few = eff.few_rows * np.where(np.asarray(rows) > 1, eff.expert_few_rows, 1.0) if experts else eff.few_rows
    reached = np.maximum(
        rates.peak * rates.reach * compute_share(rows, eff, experts=experts, stretch=stretch), few * rates.vector
    )
    return np.minimum(reached, rates.peak)


def terms(work: Mapping[str, Work], rates: Rates, eff: Efficiency) -> list[Term]:
    """Each operator against both roofs."""
    found = []
    for operator, part in work.items():
        scores = operator.startswith("attention")
        experts = operator == "experts"
        reached = rates.scores * eff.attention if scores else compute_rate(part.rows, rates, eff, experts=experts)
        computing = part.flops / reached
        read = np.minimum(eff.weight_read * eff.expert_read, 1.0) if experts else eff.weight_read
        if experts:  # at worst every token is multiplied by itself, its experts read anew
            alone = part.flops / np.maximum(eff.few_rows * rates.vector, 1e-9)
            computing = np.minimum(computing, np.maximum(alone, part.weights * part.rows / (read * rates.bandwidth)))
        cached = eff.cache_read
        if operator == "recurrence":
            cached = np.where(np.asarray(eff.state_read) > 0, eff.state_read, eff.cache_read)
        carried = part.activations / eff.pointwise
        moving = (part.weights / read + part.cache / cached + carried) / rates.bandwidth
        found.append(Term(operator, part, computing, moving))
    return found


def overhead_seconds(layers: Count, expert_layers: Count, eff: Efficiency, sequences: Count = 1.0) -> Seconds:
    """Time of a step in which neither roof is touched."""
    fixed = layers * eff.layer_overhead + expert_layers * eff.expert_overhead + eff.step_overhead
    return fixed + (sequences - 1.0) * eff.sequence_overhead


def allreduce_seconds(message: Num, group: Count, rates: Rates, eff: Efficiency) -> Seconds:
    """One ring all-reduce of ``message`` bytes over ``group`` devices: latency plus
    ``2(g−1)/g`` of the message over the link (Patarasuk & Yuan 2009); nothing for a group of one."""
    moved = 2 * (group - 1) / group * message / (rates.link * eff.link_share)
    return np.where(np.asarray(group) > 1, rates.link_latency * eff.link_wait + moved, 0.0)


def total_seconds(parts: list[Term]) -> Seconds:
    return sum((term.seconds for term in parts), 0.0)


def step_seconds(
    work: Mapping[str, Work],
    rates: Rates,
    eff: Efficiency,
    layers: Count,
    expert_layers: Count = 0.0,
    message: Num = 0.0,
    group: Count = 1.0,
    sequences: Count = 1.0,
) -> Seconds:
    """Seconds of one step: operators, per-layer and per-step overhead, two all-reduces per layer."""
    return (
        total_seconds(terms(work, rates, eff))
        + overhead_seconds(layers, expert_layers, eff, sequences)
        + 2 * layers * allreduce_seconds(message, group, rates, eff)
    )

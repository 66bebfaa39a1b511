"""Every way to lay a training run out on so many devices: a column per degree.

What cannot be is left out before anything is computed: heads that TP does not divide, stages without a layer, chunks of
unequal length, experts that EP does not divide. Interleaved stages want micro-steps in multiples of the stages
(Megatron-LM, arXiv 2104.04473), and pipelines keep whole weights (Llama 3, arXiv 2407.21783), so weights are shared out
without one only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated

import numpy as np

from ridgewise.hardware.device import Device
from ridgewise.memory.training import Recompute
from ridgewise.models.architecture import Architecture
from ridgewise.training.step import NODE
from ridgewise.units import Num

#: Extra forward passes that recomputation costs, which is also the share of the activations it drops.
RECOMPUTED: Mapping[Recompute, float] = {"none": 0.0, "selective": 0.1, "full": 1.0}


@dataclass(frozen=True, slots=True)
class Schedule:
    """In which order a pipeline works through its micro-batches.

    waits    idle share over that of one forward and one backward in turn, (p − 1)/m
    shown    of the expert messages, what is not hidden behind another micro-batch's computation
    copies   of a stage's weights; ``further`` micro-batches in flight beyond one per stage
    """

    waits: Annotated[float, "ratio"] = 1.0
    shown: Annotated[float, "ratio"] = 1.0
    copies: Annotated[float, "1"] = 1.0
    further: Annotated[float, "1"] = 0.0


#: Schedules by name. Weight gradients, a third of a micro-batch's work, may fill the gaps: (p − 1)·(F + B − 2W) is a
#: third of (p − 1)·(F + B) where forward, inputs' and weights' gradients take as long each (zero bubble,
#: arXiv 2401.10241). DualPipe feeds the pipeline from both ends, (p/2 − 1)·(F + B − W), and runs one micro-batch's
#: expert messages behind another's computation, with two copies of the weights (DeepSeek-V3, arXiv 2412.19437,
#: table 2). Both as remembered, not checked against the papers.
SCHEDULES: Mapping[str, Schedule] = MappingProxyType(
    {"1f1b": Schedule(), "zero-bubble": Schedule(1 / 3), "dualpipe": Schedule(1 / 3, 0.0, 2.0, 1.0)}
)
#: What may wait in the host's memory: optimiser states with gradients, activations.
OFFLOADS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"none": (0.0, 0.0), "optimizer": (1.0, 0.0), "activations": (0.0, 1.0), "both": (1.0, 1.0)}
)
#: How far a batch may move to be a round number of sequences.
ROUND = 0.05
#: Tokens of a sequence below which nobody splits it.
UNDIVIDED = 4096
#: Layers that embedding and head count for where they take the place of one at each end (Llama 3, arXiv 2407.21783).
ENDS = 2
#: How much fuller than the mean a stage may be before a number of stages is left out unless it is asked for.
UNEVEN = 1.05
#: How close in time to the best another layout may be to be chosen for its smaller memory, and the share of the memory
#: that is better left: measured peaks scatter so much around their estimates.
NEAR, HEADROOM = 1.05, 0.15
#: Columns of a layout, in the order in which they are spread out.
AXES = ("stage", "repeated", "tp", "pp", "chunks", "cp", "ep", "micro", "schedule", "offload")


@dataclass(frozen=True, slots=True)
class Space:
    """Values to try of every degree; None: all that are usual."""

    tp: tuple[int, ...] | None = None
    pp: tuple[int, ...] | None = None
    chunks: tuple[int, ...] | None = None
    cp: tuple[int, ...] | None = None
    ep: tuple[int, ...] | None = None
    shards: tuple[int, ...] | None = None
    micro: tuple[int, ...] | None = None
    stage: tuple[int, ...] | None = None
    recompute: tuple[Recompute, ...] = ("none", "selective", "full")
    schedule: tuple[str, ...] = ("1f1b",)
    offload: tuple[str, ...] = ("none",)


def layouts(
    arch: Architecture, device: Device, count: int, length: float, sequences: float, space: Space
) -> dict[str, np.ndarray]:
    """Every possible layout of ``count`` devices for a batch of ``sequences`` of ``length`` tokens."""
    heads = max((group.mixer.heads for group in arch.kinds), default=0)
    experts = max((group.feed.experts for group in arch.kinds), default=0)
    per_node = min(int(device.number("max_per_node") or NODE), NODE)
    found = dict(_spread(int(arch.layers), heads, experts, per_node, count, length, sequences, space))
    return {**found, "fullest": np.asarray(fullest(arch, found["pp"]))}


def _powers(most: int) -> tuple[int, ...]:
    return tuple(2**n for n in range(max(int(most), 1).bit_length()))


@lru_cache(maxsize=256)
def _spread(
    layers: int, heads: int, experts: int, per_node: int, count: int, length: float, sequences: float, space: Space
) -> Mapping[str, np.ndarray]:
    tp = space.tp or _powers(min(per_node, count))
    pp = space.pp or (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
    chunks = space.chunks or (1, 2, 3, 4, 6, 8)
    cp = space.cp or tuple(n for n in (1, 2, 4, 8, 16) if n <= max(length / UNDIVIDED, 1))
    ep = (space.ep or _powers(min(experts, 64, count))) if experts else (1,)
    micro = space.micro or _powers(int(min(16.0, sequences)))
    stage = space.stage or (1, 3)
    again = tuple(RECOMPUTED[name] for name in space.recompute)
    axes = (
        stage, again, tp, tuple(n for n in pp if n <= min(layers, count)) or (1,), chunks, cp, ep, micro,
        tuple(list(SCHEDULES).index(name) for name in space.schedule),
        tuple(list(OFFLOADS).index(name) for name in space.offload),
    )  # fmt: skip
    found = dict(zip(AXES, (a.ravel() for a in np.meshgrid(*(np.array(a, float) for a in axes))), strict=True))
    held = found["tp"] * found["pp"] * found["cp"]
    shards = count / held
    ok = (count % held == 0) & (found["pp"] <= layers) & (shards * found["micro"] <= sequences)
    if heads:
        ok &= heads % found["tp"] == 0
    if experts:
        ok &= (experts % found["ep"] == 0) & ((count / found["pp"]) % found["ep"] == 0)
    pieces = found["pp"] * found["chunks"]
    equal = (found["chunks"] == 1) | (layers % pieces == 0) | ((layers + ENDS) % pieces == 0)
    ok &= np.where(found["pp"] > 1, equal, found["chunks"] == 1)
    if len(pp) > 1:
        ok &= (layers % found["pp"] == 0) | (fullness(layers, found["pp"]) <= UNEVEN)
    steps = np.ceil(sequences / np.maximum(shards * found["micro"], 1.0))
    ok &= (found["chunks"] == 1) | (steps % found["pp"] == 0)
    ok &= (found["stage"] < 3) | (found["pp"] == 1)
    ok &= (found["schedule"] == 0) | (found["chunks"] == 1)
    ok &= (found["stage"] != 2) | (steps == 1)  # shared gradients cannot be gathered over micro-steps
    ok &= (shards * found["cp"] > 1) | (found["stage"] == min(stage))
    if space.shards:
        ok &= np.isin(shards, space.shards)
    return MappingProxyType({**{name: column[ok] for name, column in found.items()}, "shards": shards[ok]})


def scheduled(which: Num, what: str) -> Num:
    """One field of the schedules of these places in :data:`SCHEDULES`."""
    return np.take([float(getattr(schedule, what)) for schedule in SCHEDULES.values()], np.asarray(which, dtype=int))


def offloaded(which: Num, place: int) -> Num:
    """Whether states (0) or activations (1) wait in the host's memory, of these places in :data:`OFFLOADS`."""
    return np.take([float(out[place]) for out in OFFLOADS.values()], np.asarray(which, dtype=int))


def fullness(layers: int, pp: Num) -> Num:
    """Layers of the fullest stage over the mean one's, ends counted: how much longer than even ones all take."""
    counted = layers + ENDS
    return np.ceil(counted / pp) * pp / counted


def fullest(arch: Architecture, pp: Num) -> Num:
    """States of the fullest stage over the mean one's: the first holds the embedding too, or, where stages cannot
    be equal, one has a layer more and the ends one less."""
    tables, whole, layers = float(arch.embedding), float(arch.parameters_total), float(arch.layers)
    each = (whole - tables - float(arch.head)) / layers
    most = np.where(layers % pp == 0, layers / pp * each + tables, np.ceil(layers / pp) * each)
    return np.where(np.asarray(pp) > 1, np.maximum(most * pp / whole, 1.0), 1.0)[()]


def rounded(sequences: float) -> float:
    """The multiple of the largest power of two that lies within :data:`ROUND` of so many sequences: replicas share it
    evenly."""
    step = 2.0 ** int(max(sequences, 1.0)).bit_length()
    while step > 1.0:
        near = round(sequences / step) * step
        if near and abs(near / sequences - 1.0) <= ROUND:
            return near
        step /= 2.0
    return float(max(round(sequences), 1))


def choose(seconds: np.ndarray, memory: np.ndarray, usable: float) -> int:
    """Of the layouts as good as fastest the fastest that leaves room, else the one with least memory; where none
    fits, the tightest."""
    fits = memory <= usable
    if not fits.any():
        return int(np.argmin(memory))
    near = fits & (seconds <= NEAR * seconds[fits].min())
    roomy = near & (memory <= (1.0 - HEADROOM) * usable)
    return int(np.argmin(np.where(roomy, seconds, np.inf) if roomy.any() else np.where(near, memory, np.inf)))

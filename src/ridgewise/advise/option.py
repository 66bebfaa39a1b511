"""One way to do it: a machine, a layout, and everything computed about it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ridgewise.advise.limits import largest_context
from ridgewise.economics import Cost, Draw
from ridgewise.hardware import Device
from ridgewise.memory import Footprint
from ridgewise.serving import Speed
from ridgewise.training import TrainingEstimate
from ridgewise.units import Num

#: Doublings that something unknown counts for.
UNKNOWN = 12.0


@dataclass(frozen=True, slots=True)
class Shortfall:
    """One limit that is missed: the sentence, and by which factor (infinite where something is unknown)."""

    text: str
    factor: float = math.inf


def over(value: Num, limit: float) -> Num:
    """By which factor a value is over its limit: 0 where it is not, infinite where it is unknown (NaN)."""
    return np.where(np.isnan(value), np.inf, np.where(np.asarray(value) > limit, np.asarray(value) / limit, 0.0))[()]


def doublings(factors: Iterable[Num]) -> Num:
    """How far off limits are that are missed by these factors (0: kept), in doublings over all."""
    return sum((np.minimum(np.log2(np.maximum(factor, 1.0)), UNKNOWN) for factor in factors), 0.0)


def missed(found: Iterable[Shortfall]) -> dict[str, Any]:
    """The fields of an option that shortfalls fill: their texts, and how far off they are in doublings."""
    listed = list(found)
    return {
        "shortfalls": tuple(shortfall.text for shortfall in listed),
        "distance": float(doublings(shortfall.factor for shortfall in listed)),
    }


def named(device: Device, count: int) -> str:
    """So many devices for people: ``2 × GeForce RTX 3090``."""
    return f"{count} × {device.name}" if count > 1 else device.name


def answered_in(first: float, each: float, output: float) -> float:
    """Seconds of a whole answer: to the first token, and for each of the others."""
    return first + max(output - 1.0, 0.0) * each


@dataclass(frozen=True, slots=True)
class Option:
    """One candidate, evaluated.

    memory        bytes per device by part; ``usable`` is what the device offers to them
    configuration memory of the machine where it is sold with several [B]; None: the device's own
    speed         inference only; ``run`` training only
    sequences     requests of a replica that memory must hold; ``batch_limit`` those all replicas run at once
    shortfalls    why it does not do: one sentence each; empty: feasible
    distance      how far off it is: doublings over all limits missed
    score         utility under the question's priority; higher is better
    """

    device: Device
    count: int
    engine: str
    format: str
    tp: int
    pp: int
    replicas: int
    memory: Mapping[str, float]
    usable: float
    cost: Cost
    draw: Draw | None
    configuration: float | None = None
    speed: Speed | None = None
    run: TrainingEstimate | None = None
    sequences: float = 1.0
    batch_limit: float | None = None
    shortfalls: tuple[str, ...] = ()
    distance: float = 0.0
    score: float = field(default=float("-inf"))

    @property
    def feasible(self) -> bool:
        return not self.shortfalls

    @property
    def context_limit(self) -> float | None:
        """Longest context that fits with so many sequences, up to the model's own limit [tokens]; inference only."""
        return None if self.speed is None else largest_context(self.speed.setup, self.sequences)

    @property
    def memory_total(self) -> float:
        return sum(self.memory.values())

    @property
    def memory_doubt(self) -> float:
        """How far the memory may be off [B]."""
        return float(Footprint(self.memory, self.usable).doubt)

    @property
    def left(self) -> float:
        return self.usable - self.memory_total

    @property
    def name(self) -> str:
        return named(self.device, self.count)

    @property
    def tier(self) -> str:
        """How well the speed is supported."""
        return self.speed.tier if self.speed else self.run.tier if self.run else "assumed"

    @property
    def outlay(self) -> float | None:
        """What a budget is held against [USD]: the price, or the rent of a run where that is less; None: no price."""
        rent = self.cost.month if self.run is not None and self.cost.tenure == "rent" else None
        return min((way for way in (self.cost.buy, rent) if way is not None), default=None)

    @property
    def unmeasured(self) -> bool:
        """Does no measurement support the speed?"""
        return self.tier in ("datasheet", "assumed")

    @property
    def joules_per_token(self) -> float | None:
        """Wall energy per generated token while working."""
        if self.draw is None or self.speed is None:
            return None
        return float(self.draw.wall / self.speed.total)

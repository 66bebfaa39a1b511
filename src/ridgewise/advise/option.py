"""One way to do it: a machine, a layout, and everything computed about it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ridgewise.economics import Cost, Draw
from ridgewise.hardware import Device
from ridgewise.memory import Footprint
from ridgewise.serving import Speed
from ridgewise.training import TrainingEstimate

#: Doublings that something unknown counts for.
UNKNOWN = 12.0


@dataclass(frozen=True, slots=True)
class Shortfall:
    """One limit that is missed: the sentence, and by which factor (infinite where something is unknown)."""

    text: str
    factor: float = math.inf


def missed(found: Iterable[Shortfall]) -> dict[str, Any]:
    """The fields of an option that shortfalls fill: their texts, and how far off they are in doublings."""
    listed = list(found)
    return {
        "shortfalls": tuple(shortfall.text for shortfall in listed),
        "distance": sum(min(math.log2(max(shortfall.factor, 1.0)), UNKNOWN) for shortfall in listed),
    }


@dataclass(frozen=True, slots=True)
class Option:
    """One candidate, evaluated.

    memory        bytes per device by part; ``usable`` is what the device offers to them
    configuration memory of the machine where it is sold with several [B]; None: the device's own
    speed         inference only; ``run`` training only
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
    context_limit: float | None = None
    batch_limit: float | None = None
    shortfalls: tuple[str, ...] = ()
    distance: float = 0.0
    score: float = field(default=float("-inf"))

    @property
    def feasible(self) -> bool:
        return not self.shortfalls

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
        times = f"{self.count} × " if self.count > 1 else ""
        return f"{times}{self.device.name}"

    @property
    def tier(self) -> str:
        """How well the speed is supported."""
        return self.speed.tier if self.speed else self.run.tier if self.run else "assumed"

    @property
    def joules_per_token(self) -> float | None:
        """Wall energy per generated token while working."""
        if self.draw is None or self.speed is None:
            return None
        return self.draw.wall / self.speed.total

"""Which options nothing else beats: the front over time, cost, energy, head-room, steadiness and weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ridgewise.advise.option import Option, answered_in
from ridgewise.advise.question import PRIORITIES, Question
from ridgewise.advise.rank import headroom, once, quality_loss, ranked, slow_cost, slow_energy, steadiness
from ridgewise.units import digits, duration, energy, money, share
from ridgewise.workloads import Service, SingleUser

#: Axis → how a value is written. Of every axis less is better: shares are held as what is missing to one.
AXES: Mapping[str, Callable[[float], str]] = {
    "time": duration, "cost": money, "energy": energy, "memory in use": share, "slowed by twice the load": share,
    "coarseness": lambda lost: f"{digits(lost, 2)} points of coarse weights",
}  # fmt: skip
#: Figures within this share are level; from that share on one is clearly better. Shares and points besides: by so much.
LEVEL, CLEAR = 0.02, 0.05
SLIGHT = {axis: 0.05 if axis in ("memory in use", "slowed by twice the load") else 0.0 for axis in AXES}
#: What the first under each priority is called.
ROLES = {"balanced": "balanced pick", "cost": "best value", "energy": "most efficient", "speed": "fastest"}


@dataclass(frozen=True, slots=True)
class Standing:
    """One option on every axis [s, USD, J, shares, points]; ``by`` beats it on one and loses on none; None: the front.

    roles   what it is first in
    """

    option: Option
    values: Mapping[str, float]
    by: Option | None
    reason: str
    roles: tuple[str, ...]


def values(question: Question, option: Option) -> dict[str, float]:
    """An option on every axis, at the slow end of its interval; less is better."""
    cost, joules = slow_cost(option), slow_energy(option)
    return {
        "time": _time(question, option),
        "cost": math.inf if cost is None else cost,
        "energy": joules if joules else math.inf,
        "memory in use": 1.0 - headroom(option),
        "slowed by twice the load": 1.0 - steadiness(option),
        "coarseness": 0.0 if option.run else quality_loss(question, question.weights(option.format)),
    }


def _time(question: Question, option: Option) -> float:
    """Seconds of the run, or of a whole answer."""
    if option.run is not None:
        return option.run.high
    speed, work = option.speed, question.workload
    assert speed is not None and isinstance(work, SingleUser | Service)
    return answered_in(math.inf if speed.slow_ttft is None else speed.slow_ttft, speed.slow_tpot, work.output)


def standings(question: Question, options: Sequence[Option]) -> tuple[Standing, ...]:
    """Every option that does the job, in rank order, each with what beats it."""
    able = [option for option in once(options) if option.feasible]
    table = [values(question, option) for option in able]
    roles = _roles(question, able)
    found = []
    for option, mine in zip(able, table, strict=True):
        by = next((place for place, theirs in enumerate(table) if _beats(theirs, mine)), None)
        reason = "" if by is None else _reason(table[by], mine)
        found.append(
            Standing(option, mine, None if by is None else able[by], reason, tuple(roles.get(option.device.id, ())))
        )
    return tuple(found)


def _beats(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    """Clearly better on one axis and on none worse by more than anybody would notice."""
    level = all(one[axis] <= other[axis] * (1 + LEVEL) + SLIGHT[axis] for axis in AXES)
    return level and any(one[axis] < other[axis] * (1 - CLEAR) - SLIGHT[axis] for axis in AXES)


def _reason(one: Mapping[str, float], other: Mapping[str, float]) -> str:
    """Where the better of two is better, the most telling first."""
    gains = {axis: other[axis] / one[axis] if one[axis] > 0 else math.inf for axis in AXES if one[axis] < other[axis]}
    told = sorted(gains, key=lambda axis: -gains[axis])[:3]
    return ", ".join(f"{axis} {AXES[axis](one[axis])} against {_said(axis, other[axis])}" for axis in told)


def _said(axis: str, value: float) -> str:
    return AXES[axis](value) if math.isfinite(value) else "unknown"


def _roles(question: Question, able: Sequence[Option]) -> dict[str, list[str]]:
    """Device → the priorities under which it comes first."""
    found: dict[str, list[str]] = {}
    if able:
        found.setdefault(able[0].device.id, []).append("recommended")
    for priority in PRIORITIES:
        if priority != question.priority:
            first = ranked(replace(question, priority=priority, weighing={}), able)[:1]
            for option in first:
                found.setdefault(option.device.id, []).append(ROLES[priority])
    return found

"""Ranking: a utility in doublings, with weights that the answer shows.

A doubling of speed is worth one point times its weight, a halving of cost or energy likewise. Past
"fast enough" further speed counts for nothing unless speed is the priority: stable and fast enough
beats fastest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ridgewise.advise.option import Option
from ridgewise.advise.question import Priority, Question
from ridgewise.economics import AMORTISATION_MONTHS
from ridgewise.workloads import Service, SingleUser

#: Tokens per second beyond which a reader gains nothing: about six times reading speed.
FAST_ENOUGH = 40.0
#: Seconds to the first token below which nobody waits.
PROMPT_ENOUGH = 1.0


@dataclass(frozen=True, slots=True)
class Weights:
    """Points per doubling of speed, and per halving of cost and energy."""

    speed: float
    cost: float
    energy: float


WEIGHTS: dict[Priority, Weights] = {
    "speed": Weights(1.0, 0.15, 0.05),
    "balanced": Weights(0.6, 0.6, 0.15),
    "cost": Weights(0.35, 1.0, 0.15),
    "energy": Weights(0.35, 0.3, 1.0),
}
#: Points lost where no price is known: a choice nobody can price is not advice.
UNPRICED = 4.0


def total_cost(option: Option) -> float | None:
    """What the ranking calls cost [USD]: three years of owning and running for inference, the run's rent
    (or the machine, where it is not rented out) for training."""
    cost = option.cost
    if option.run is not None:
        rented = cost.rent_low is not None
        return cost.month if rented else (cost.buy or 0.0) + (cost.energy_month or 0.0) or None
    return None if cost.month is None else cost.month * AMORTISATION_MONTHS


def utility(question: Question, option: Option) -> float:
    """Points of one option under the question's priority."""
    weights = WEIGHTS[question.priority]
    if option.run is not None:
        speed = -math.log2(max(option.run.seconds, 1.0) / 86400)
        energy = (option.draw.wall * option.run.seconds if option.draw else None)
        reference = 1e9
    else:
        assert option.speed is not None
        speed = _felt(question, option)
        energy, reference = option.joules_per_token, 1.0
    cost = total_cost(option)
    points = weights.speed * speed
    points -= weights.cost * math.log2(max(cost, 1.0) / 1000) if cost else UNPRICED
    points -= weights.energy * math.log2(max(energy, 1e-6) / reference) if energy else 1.0
    return points - 2.0 * len(option.shortfalls)


def _felt(question: Question, option: Option) -> float:
    """Doublings of speed a user feels: tokens per second up to enough, less the wait for the first."""
    speed = option.speed
    assert speed is not None
    capped = question.priority != "speed"
    each = min(speed.each, FAST_ENOUGH) if capped else speed.each
    wait = speed.ttft if speed.ttft is not None else 4 * PROMPT_ENOUGH
    waiting = max(wait, PROMPT_ENOUGH if capped else 0.05)
    slow = 2.0 * max(0.0, math.log2(6.0 / max(speed.each, 1e-9)))
    return math.log2(each) - 0.5 * math.log2(waiting / PROMPT_ENOUGH) - slow


def ranked(question: Question, options: Iterable[Option]) -> list[Option]:
    """Feasible options first, best score first."""
    scored = [replace(option, score=utility(question, option)) for option in options]
    return sorted(scored, key=lambda o: (not o.feasible, -o.score, o.device.id))


def shortlist(options: list[Option], size: int = 8) -> list[Option]:
    """The best overall, then the best of every hardware class, then the runners-up, in rank order."""
    chosen = options[:3]
    for option in options:
        if len(chosen) < size and all(option.device.kind != c.device.kind for c in chosen):
            chosen.append(option)
    for option in options:
        if len(chosen) < size and option not in chosen:
            chosen.append(option)
    return sorted(chosen, key=options.index)


def serves(question: Question) -> bool:
    return isinstance(question.workload, SingleUser | Service)

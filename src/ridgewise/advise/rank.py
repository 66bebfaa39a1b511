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
from ridgewise.models.formats import Format, native_format
from ridgewise.workloads import FineTuning, Pretraining, Service, SingleUser

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
#: Points lost where no price is known, besides being taken for as dear as the dearest: a choice nobody can
#: price is not advice.
UNPRICED = 1.0


#: Points lost where no measurement stands behind the speed.
UNSUPPORTED = {"measured": 0.0, "interpolated": 0.0, "transferred": 0.0, "datasheet": 0.8, "assumed": 1.5}
#: Points lost by bits per weight: published perplexities hardly move down to 4 bits and worsen below. A
#: service answers for many and weighs it more; a checkpoint published in few bits loses nothing.
QUALITY = ((7.9, 0.0), (5.0, 0.1), (4.0, 0.25), (3.0, 1.5), (0.0, 4.0))
SERVICE_QUALITY = 4.0
#: Share of the usable memory that should stay free, and points lost when none does.
HEADROOM, TIGHT = 0.08, 1.0
#: Points lost when the only price is years old: the device may no longer be sold.
OLD_PRICE = 1.5
#: The same where the class was measured on one device alone.
LONE = 0.5
#: Dollars below which a difference in cost hardly matters next to the work of setting a machine up.
SMALL_CHANGE = 1000.0
#: The same for a fine-tuning run, which is rented by the hour.
SMALL_CHANGE_TUNING = 10.0
#: A fine-tuning run shorter than this gains nothing by being shorter still [s].
SHORT_RUN = 2 * 3600.0


def total_cost(option: Option) -> float | None:
    """What the ranking calls cost [USD]: three years of owning or renting for inference, the run for
    training."""
    month = option.cost.month
    return month if month is None or option.run is not None else month * AMORTISATION_MONTHS


def utility(question: Question, option: Option, dearest: float = 1e6) -> float:
    """Points of one option under the question's priority; ``dearest`` stands in for an unknown cost."""
    weights = WEIGHTS[question.priority]
    change = SMALL_CHANGE
    if option.run is not None:
        tuning = isinstance(question.workload, FineTuning)
        least = 1.0 if question.priority == "speed" else enough(question)
        speed = -math.log2(max(option.run.seconds, least) / 86400)
        energy = option.draw.wall * option.run.seconds if option.draw else None
        reference, change = 1e9, SMALL_CHANGE_TUNING if tuning else SMALL_CHANGE
    else:
        assert option.speed is not None
        speed = _felt(question, option)
        energy, reference = option.joules_per_token, 1.0
    cost = total_cost(option)
    points = weights.speed * speed
    points -= weights.cost * math.log2(1.0 + (cost or dearest) / change) + (0.0 if cost else UNPRICED)
    points -= unsupported(option) + caveats(question, option)
    points -= weights.energy * math.log2(max(energy, 1e-6) / reference) if energy else 1.0
    return points - 2.0 * option.distance


def unsupported(option: Option) -> float:
    """Points lost by a speed that little stands behind."""
    lone = LONE if option.tier == "transferred" and option.speed is not None and option.speed.lone else 0.0
    return UNSUPPORTED[option.tier] + lone


def caveats(question: Question, option: Option) -> float:
    """Points lost for what no number above shows: coarse weights, no head-room, a price of the past."""
    points = 0.0
    if option.run is None:
        points += quality_loss(question, question.weights(option.format))
        points += TIGHT * max(0.0, 1.0 - option.left / (HEADROOM * option.usable))
    return points + (OLD_PRICE if option.cost.stale else 0.0)


def enough(question: Question) -> float:
    """A run shorter than this gains nothing by being shorter still [s]: its deadline, or two hours of tuning."""
    work = question.workload
    if isinstance(work, FineTuning):
        return SHORT_RUN
    return (work.deadline or 1.0) if isinstance(work, Pretraining) else 1.0


def quality_loss(question: Question, fmt: Format) -> float:
    """Points lost by storing the weights more coarsely than they were published."""
    bits = min(fmt.default, fmt.roles.get("expert", fmt.default))
    native = native_format(question.arch)
    if bits >= min(native.default, native.roles.get("expert", native.default)):
        return 0.0
    loss = next(lost for least, lost in QUALITY if bits >= least)
    return loss * (SERVICE_QUALITY if isinstance(question.workload, Service) else 1.0)


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
    listed = list(options)
    dearest = max((cost for cost in map(total_cost, listed) if cost), default=1e6)
    scored = [replace(option, score=utility(question, option, dearest)) for option in listed]
    return sorted(scored, key=lambda o: (not o.feasible, o.distance, -o.score, -o.left, o.device.id))


def shortlist(options: list[Option], named: bool, size: int = 8) -> list[Option]:
    """The best overall, then the best of every hardware class, then the runners-up, in rank order; where the
    user named the candidates, all of them."""
    options = _once(options)
    if named:
        return options
    able = [option for option in options if option.feasible]
    chosen = able[:3]
    for option in able:
        if len(chosen) < size and all(option.device.kind != c.device.kind for c in chosen):
            chosen.append(option)
    misses = _near_misses(options)[: max(2, size - len(able))]
    for option in (*able[: size - len(misses)], *misses):
        if len(chosen) < size and option not in chosen:
            chosen.append(option)
    return sorted(chosen, key=options.index)


def _once(options: list[Option]) -> list[Option]:
    """The best configuration of every device."""
    best: dict[str, Option] = {}
    for option in options:
        best.setdefault(option.device.id, option)
    return list(best.values())


def _near_misses(options: list[Option]) -> list[Option]:
    """The best option of every class that has no feasible one."""
    able = {option.device.kind for option in options if option.feasible}
    missed: dict[str, Option] = {}
    for option in options:
        if option.device.kind not in able:
            missed.setdefault(option.device.kind, option)
    return list(missed.values())


def serves(question: Question) -> bool:
    return isinstance(question.workload, SingleUser | Service)

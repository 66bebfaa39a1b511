"""Ranking: a utility in doublings, with weights that the answer shows.

A doubling of speed is worth one point times its weight, a halving of cost or energy likewise. Past
"fast enough" further speed counts for nothing unless speed is the priority: stable and fast enough
beats fastest.

Every time and rate counts at the slow end of its 80 % interval, and so do the energy and the rent that follow
from it: what nobody measured has a wide interval and stands behind what was measured unless it wins even there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ridgewise.advise.option import Option
from ridgewise.advise.question import Priority, Question
from ridgewise.economics import AMORTISATION_MONTHS
from ridgewise.hardware import Device
from ridgewise.models.formats import Format, native_format
from ridgewise.serving.estimate import step_time
from ridgewise.units import digits, duration, money, quantity
from ridgewise.workloads import FineTuning, Pretraining, Service, SingleUser, Workload

#: Tokens per second beyond which a reader gains nothing: about six times reading speed.
FAST_ENOUGH = 40.0
#: Seconds to the first token below which nobody waits.
PROMPT_ENOUGH = 1.0


@dataclass(frozen=True, slots=True)
class Weights:
    """Points per doubling of speed, and per halving of cost and energy; of the share of memory left free and of the
    steadiness of latency (:func:`steadiness`) only where somebody asks for them."""

    speed: float
    cost: float
    energy: float
    headroom: float = 0.0
    stability: float = 0.0


WEIGHTS: dict[Priority, Weights] = {
    "speed": Weights(1.0, 0.15, 0.05),
    "balanced": Weights(0.6, 0.6, 0.15),
    "cost": Weights(0.35, 1.0, 0.15),
    "energy": Weights(0.35, 0.3, 1.0),
}


def weights_of(question: Question) -> Weights:
    """Those of the priority, with the user's own in their place."""
    return replace(WEIGHTS[question.priority], **question.weighing)


#: Points lost where no price is known, besides being taken for as dear as the dearest: a choice nobody can
#: price is not advice.
UNPRICED = 1.0


#: Points lost where the interval itself rests on little: figures that were assumed, or one device of the class.
ASSUMED, LONE = 0.5, 0.25
#: Bits per weight down to which published perplexities hardly move.
COARSE = 4.0
#: Points lost by bits per weight: published perplexities hardly move down to 4 bits and worsen below. A
#: service answers for many and weighs it more; a checkpoint published in few bits loses nothing.
QUALITY = ((7.9, 0.0), (5.0, 0.1), (COARSE, 0.25), (3.0, 1.5), (0.0, 4.0))
SERVICE_QUALITY = 4.0
#: The same as steps down: points lost below so many bits.
_STEPS = tuple((above[0], below[1]) for above, below in pairwise(QUALITY))
#: Share of the usable memory that should stay free, and points lost when none does.
HEADROOM, TIGHT = 0.08, 1.0
#: Points lost when the only price is years old: the device may no longer be sold.
OLD_PRICE = 1.5
#: Points lost by cards for games that many depend on all day: what ``no-ecc`` warns of, and no number shows.
GAMES = 0.5
#: Dollars below which a difference in cost hardly matters next to the work of setting a machine up.
SMALL_CHANGE = 1000.0
#: The same for a fine-tuning run, which is rented by the hour.
SMALL_CHANGE_TUNING = 10.0
#: Who asks for the cheapest looks at sums so many times smaller.
THRIFT = 10.0
#: Energy of a fine-tuning run below which differences hardly matter [J]: one kilowatt-hour.
SMALL_ENERGY = 3.6e6
#: A fine-tuning run shorter than this gains nothing by being shorter still [s].
SHORT_RUN = 2 * 3600.0


def total_cost(option: Option) -> float | None:
    """What the ranking calls cost [USD]: three years of owning or renting for inference, the run for
    training."""
    month = option.cost.month
    return month if month is None or option.run is not None else month * AMORTISATION_MONTHS


def slow_cost(option: Option) -> float | None:
    """The cost with a rented run at the slow end of its interval [USD]."""
    cost, run = total_cost(option), option.run
    if cost is None or run is None or option.cost.tenure != "rent":
        return cost
    return cost * run.high / run.seconds


def slow_energy(option: Option) -> float | None:
    """Wall energy of the run, or per generated token, at the slow end of the interval [J]."""
    if option.run is not None:
        return option.draw.wall * option.run.high if option.draw else None
    joules = option.joules_per_token
    return joules / option.speed.total_band.low if joules and option.speed else None


def small_change(question: Question) -> float:
    """Dollars below which a difference in cost hardly matters."""
    change = SMALL_CHANGE_TUNING if isinstance(question.workload, FineTuning) else SMALL_CHANGE
    return change / THRIFT if question.priority == "cost" else change


def utility(question: Question, option: Option, dearest: float = 1e6) -> float:
    """Points of one option under the question's priority; ``dearest`` stands in for an unknown cost."""
    return sum(points(question, option, dearest).values())


def points(question: Question, option: Option, dearest: float = 1e6) -> dict[str, float]:
    """The same by what they are for."""
    weights, found = weights_of(question), {}
    if option.run is not None:
        least = 1.0 if question.priority == "speed" else enough(question)
        speed, reference = -math.log2(max(option.run.high, least) / 86400), 1e9
    else:
        speed, reference = _felt(question, option), 1.0
    cost, energy = slow_cost(option), slow_energy(option)
    found["speed"] = weights.speed * speed
    found["cost"] = -weights.cost * math.log2(1.0 + (dearest if cost is None else cost) / small_change(question))
    found["cost"] -= UNPRICED if cost is None else 0.0
    if energy and isinstance(question.workload, FineTuning) and question.priority != "energy":
        energy += SMALL_ENERGY
    found["energy"] = -weights.energy * math.log2(max(energy, 1e-6) / reference) if energy else -1.0
    if weights.headroom:
        found["headroom"] = weights.headroom * math.log2(max(headroom(option), LEAST))
    if weights.stability:
        found["stability"] = weights.stability * math.log2(max(steadiness(option), LEAST))
    found["caveats"] = -caveats(question, option)
    found["limits missed"] = -2.0 * option.distance
    return found


#: Shares below this count alike.
LEAST = 1e-3


def headroom(option: Option) -> float:
    """Share of the usable memory that stays free."""
    return max(option.left, 0.0) / option.usable


def steadiness(option: Option) -> float:
    """How little a token takes longer when twice as many ask: the step now over the step of twice the load; 1 for a
    run, which nobody waits for."""
    speed = option.speed
    if speed is None:
        return 1.0
    return float(step_time(speed.setup, speed.load)) / float(step_time(speed.setup, speed.load + speed.load))


def thin(option: Option) -> float:
    """Points lost by an interval that rests on little."""
    lone = option.tier == "transferred" and option.speed is not None and option.speed.lone
    return ASSUMED if option.tier == "assumed" else LONE if lone else 0.0


def caveats(question: Question, option: Option) -> float:
    """Points lost for what no number above shows: little evidence, coarse weights, no head-room, an old price, cards
    for games around the clock."""
    points = thin(option) + (GAMES if games_all_day(question, option.device) else 0.0)
    if option.run is None:
        points += quality_loss(question, question.weights(option.format))
        points += TIGHT * max(0.0, 1.0 - option.left / (HEADROOM * option.usable))
    return points + (OLD_PRICE if option.cost.stale else 0.0)


def around_the_clock(work: Workload) -> bool:
    """Is it a service that is on day and night?"""
    return isinstance(work, Service) and work.hours_per_day >= 24


def games_all_day(question: Question, device: Device) -> bool:
    """Would several people depend on a card for games at all hours?"""
    always = around_the_clock(question.workload)
    return always and device.kind == "gpu-consumer" and "laptop" not in device.id


def enough(question: Question) -> float:
    """A run shorter than this gains nothing by being shorter still [s]: its deadline, or two hours of tuning."""
    work = question.workload
    if isinstance(work, FineTuning):
        return SHORT_RUN
    return (work.deadline or 1.0) if isinstance(work, Pretraining) else 1.0


def narrowest(fmt: Format) -> float:
    """Bits per weight of most of a model: of the experts where those are stored otherwise."""
    return min(fmt.default, fmt.roles.get("expert", fmt.default))


def quality_loss(question: Question, fmt: Format) -> float:
    """Points lost by storing the weights more coarsely than they were published."""
    bits = narrowest(fmt)
    if bits >= narrowest(native_format(question.arch)):
        return 0.0
    loss = next(lost for least, lost in QUALITY if bits >= least)
    return loss * (SERVICE_QUALITY if isinstance(question.workload, Service) else 1.0)


def _felt(question: Question, option: Option) -> float:
    """Doublings of speed a user feels: tokens per second up to enough, less the wait for the first."""
    speed = option.speed
    assert speed is not None
    capped = question.priority != "speed"
    slowest = 1.0 / speed.slow_tpot
    each = min(slowest, FAST_ENOUGH) if capped else slowest
    wait = speed.slow_ttft if speed.slow_ttft is not None else 4 * PROMPT_ENOUGH
    waiting = max(wait, PROMPT_ENOUGH if capped else 0.05)
    slow = 2.0 * max(0.0, math.log2(6.0 / max(slowest, 1e-9)))
    return math.log2(each) - 0.5 * math.log2(waiting / PROMPT_ENOUGH) - slow


def rules(question: Question) -> Iterator[str]:
    """How the points come about, in sentences."""
    work, speed = question.workload, question.priority == "speed"
    yield (
        "every time and rate counts at the slow end of its 80 % interval, and the rent and energy that follow from it: "
        "what nobody measured has a wide interval, and comes first where it wins even there"
    )
    if isinstance(work, SingleUser | Service):
        if not speed:
            yield (
                f"speed counts up to {digits(FAST_ENOUGH)} tokens/s for each user and {duration(PROMPT_ENOUGH)} to the "
                "first token"
            )
    elif not speed:
        reason = "runs within the deadline" if isinstance(work, Pretraining) else f"runs under {duration(SHORT_RUN)}"
        yield f"{reason} count alike, however short"
    small = f"differences in cost fade below {money(small_change(question))}"
    if isinstance(work, FineTuning) and question.priority != "energy":
        small += f", in energy below {quantity(SMALL_ENERGY / 3.6e6, 'kWh')}"
    yield small
    lost = [f"{ASSUMED:g} for assumed figures", f"{UNPRICED:g} without a price", f"{OLD_PRICE:g} for a price years old"]
    if isinstance(work, SingleUser | Service):
        times = SERVICE_QUALITY if isinstance(work, Service) else 1.0
        formats = " and ".join(f"{times * lost:g} below {digits(least)} bits" for least, lost in _STEPS)
        full = digits(100 * (1 - HEADROOM))
        lost[:1] = [
            f"{ASSUMED:g} for assumed figures and {LONE:g} where one device of the class was measured",
            f"weights coarser than published: {formats}",
            f"up to {TIGHT:g} for memory fuller than {full} %",
        ]
    if around_the_clock(work):
        lost.append(f"{GAMES:g} for cards for games around the clock")
    yield "points lost besides: " + ", ".join(lost)


def ranked(question: Question, options: Iterable[Option]) -> list[Option]:
    """Feasible options first, best score first."""
    listed = list(options)
    dearest = max((cost for cost in map(slow_cost, listed) if cost), default=1e6)
    scored = [replace(option, score=utility(question, option, dearest)) for option in listed]
    return sorted(scored, key=lambda o: (not o.feasible, o.distance, -o.score, -o.left, o.device.id))


def shortlist(options: list[Option], named: bool, size: int = 8) -> list[Option]:
    """The best overall, then the best of every hardware class, then the runners-up, in rank order; where the
    user named the candidates, all of them."""
    options = once(options)
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


def once(options: Sequence[Option]) -> list[Option]:
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

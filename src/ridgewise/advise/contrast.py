"""Why not this one: what holds it back against the recommendation, with numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ridgewise.advise import cures
from ridgewise.advise.case import Case, best
from ridgewise.advise.field import no_candidate
from ridgewise.advise.option import Option
from ridgewise.advise.pareto import standings
from ridgewise.advise.question import Question
from ridgewise.advise.rank import once, points, total_cost
from ridgewise.economics import AMORTISATION_MONTHS
from ridgewise.hardware import Device
from ridgewise.units import digits, duration, money, power

#: Points of the ranking that are worth a word.
TELLING = 0.05


@dataclass(frozen=True, slots=True)
class WhyNot:
    """One device that is not the recommendation, and why: ``rank`` among those considered, 0: none."""

    name: str
    feasible: bool
    rank: int
    reasons: tuple[str, ...]


def why_not(question: Question, options: Sequence[Option], device: Device, count: int = 0) -> WhyNot:
    """What holds a device (so many of it; 0: as many as do best) back against the first of ``options``."""
    found = None if count else next((option for option in options if option.device.id == device.id), None)
    option = found or best(question, device, count)
    machines = once(options)
    rank = next((n for n, known in enumerate(machines, 1) if known.device.id == device.id), 0)
    if option is None:
        return WhyNot(device.name, False, 0, (no_candidate(question, device),))
    pick = options[0] if options and options[0].feasible else None
    if pick is not None and pick.device.id == device.id and pick.count == option.count:
        return WhyNot(option.name, True, 1, ("it is the recommendation",))
    lines = tuple(_held_back(question, options, pick, option))
    return WhyNot(option.name, option.feasible, rank, lines)


def _held_back(question: Question, options: Sequence[Option], pick: Option | None, option: Option) -> Iterator[str]:
    if not option.feasible:
        yield from option.shortfalls
        case = Case(question, option.device, option.count, option, lambda: tuple(options))
        way = cures.memory(case) if case.short else cures.load(case)
        if way is not None and case.device.id in str(way.change.get("hardware", case.device.id)):
            yield f"it would do if you {way.words}"
        return
    if pick is None:
        name = cures.hardware(option.device, option.count)
        yield f"it does the job, and nothing among the candidates does: --hardware '{name}'"
        return
    yield from _times(pick, option)
    yield from _sums(pick, option)
    yield from _overlaps(pick, option)
    standing = next(
        (s for s in standings(question, (*options, option)) if s.option.device.id == option.device.id), None
    )
    if standing is not None and standing.by is not None:
        yield f"{standing.by.name} is no worse in anything, and better in: {standing.reason}"
    mine, theirs = points(question, option), points(question, pick)
    lost = {name: mine[name] - theirs[name] for name in mine if abs(mine[name] - theirs[name]) > TELLING}
    if lost:
        told = ", ".join(f"{name} {value:+.2f}" for name, value in sorted(lost.items(), key=lambda pair: pair[1]))
        yield f"points against the first: {told}; {sum(mine.values()) - sum(theirs.values()):+.2f} in all"


def _times(pick: Option, option: Option) -> Iterator[str]:
    if option.run is not None and pick.run is not None:
        yield f"the run takes {duration(option.run.seconds)} against {duration(pick.run.seconds)}"
    if option.speed is not None and pick.speed is not None:
        mine, theirs = option.speed.each, pick.speed.each
        word = "slower" if mine < theirs else "faster"
        yield (
            f"{digits(max(mine, theirs) / min(mine, theirs), 2)} times {word}: {digits(mine, 2)} against "
            f"{digits(theirs, 2)} tokens/s for each user"
        )
        if option.speed.ttft is not None and pick.speed.ttft is not None:
            yield f"the first token after {duration(option.speed.ttft)} against {duration(pick.speed.ttft)}"


def _sums(pick: Option, option: Option) -> Iterator[str]:
    mine, theirs = total_cost(option), total_cost(pick)
    if mine is None:
        yield "no sourced price of it is known"
    elif theirs is not None:
        word = "dearer" if mine > theirs else "cheaper"
        span = "for the run" if option.run else f"over {digits(AMORTISATION_MONTHS / 12)} years"
        yield f"{money(abs(mine - theirs))} {word} {span}: {money(mine)} against {money(theirs)}"
    if option.draw is not None and pick.draw is not None:
        yield f"{power(option.draw.wall)} against {power(pick.draw.wall)} at the wall"


def _overlaps(pick: Option, option: Option) -> Iterator[str]:
    if tied(pick, option):
        yield "as far as the evidence goes it is a tie: the intervals of speed and of price overlap"


def tied(one: Option, other: Option) -> bool:
    """Do the intervals of time and of price of two options meet?"""
    return _meet(_span(one), _span(other)) and _meet(_price(one), _price(other))


def _span(option: Option) -> tuple[float, float] | None:
    if option.run is not None:
        return option.run.low, option.run.high
    speed = option.speed
    return None if speed is None else (speed.tpot * speed.tpot_band.low, speed.tpot * speed.tpot_band.high)


def _price(option: Option) -> tuple[float, float] | None:
    """What it costs by the way it would be had."""
    cost = option.cost
    if cost.tenure == "rent" and cost.rent_low is not None and cost.rent_high is not None:
        return cost.rent_low, cost.rent_high
    return None if cost.buy_low is None or cost.buy_high is None else (cost.buy_low, cost.buy_high)


def _meet(one: tuple[float, float] | None, other: tuple[float, float] | None) -> bool:
    return one is not None and other is not None and one[0] <= other[1] and other[0] <= one[1]

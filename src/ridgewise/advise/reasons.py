"""Why the first choice is first, in numbers: against the runner-up, and against what looks better on paper."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ridgewise.advise.contrast import tied
from ridgewise.advise.option import Option
from ridgewise.advise.question import Question
from ridgewise.advise.rank import (
    FAST_ENOUGH,
    HEADROOM,
    quality_loss,
    slow_cost,
    thin,
    total_cost,
)
from ridgewise.economics.cost import AMORTISATION_MONTHS
from ridgewise.units import digits, duration, money, power, size


def reasons(question: Question, options: Sequence[Option]) -> Iterator[str]:
    """Why the first is first, in numbers."""
    pick = options[0]
    others = [option for option in options[1:] if option.feasible and option.device.id != pick.device.id]
    if pick.speed is not None:
        yield f"it holds the model with {size(pick.left)} per device to spare"
        fast = f"{digits(pick.speed.each, 2)} tokens/s for each user"
        wait = f" after {duration(pick.speed.ttft)}" if pick.speed.ttft is not None else ""
        yield f"it answers at {fast}{wait}, bound by {pick.speed.bound}"
    if pick.run is not None:
        yield (
            f"the run takes {duration(pick.run.seconds)} at {digits(100 * pick.run.mfu, 2)} % MFU "
            f"(model FLOPs, attention halved for causality), bound by {pick.run.bound}"
        )
    yield from _unmeasured(pick, others)
    if not others:
        yield "nothing else among the candidates does the job"
        return
    second = others[0]
    if tied(pick, second):
        yield f"as far as the evidence goes it is a tie with {second.name}: intervals of speed and of price overlap"
    yield from _against(question, pick, second)
    yield from _on_paper(question, pick, others)


def _against(question: Question, pick: Option, second: Option) -> Iterator[str]:
    mine, theirs = total_cost(pick), total_cost(second)
    if mine is not None and theirs is not None:
        span = "for the run" if pick.run else f"over {AMORTISATION_MONTHS // 12} years"
        word = "less" if mine <= theirs else "more"
        gap = abs(mine - theirs)
        yield f"{span} it costs {money(mine)}, {money(gap)} {word} than the runner-up, {second.name}"
    if pick.speed and second.speed:
        ratio = pick.speed.each / second.speed.each
        if max(ratio, 1 / ratio) < 1.05:
            yield f"for each user it is as fast as the runner-up, {second.name}"
        else:
            word = "faster" if ratio >= 1 else "slower"
            yield (
                f"for each user it is {digits(max(ratio, 1 / ratio), 2)} times {word} than the runner-up, {second.name}"
            )
    if pick.run and second.run:
        yield f"the runner-up, {second.name}, takes {duration(second.run.seconds)}"
    if not _better_on_paper(second, pick):
        yield from _unseen(question, pick, second)
        if held := "; ".join(_slow_end(question, pick, second)):
            yield f"of the runner-up, {second.name}: {held}"


def _unmeasured(pick: Option, others: Sequence[Option]) -> Iterator[str]:
    """A first choice that nobody measured says so, and how it stands at the slow end against one that was."""
    if not pick.unmeasured:
        return
    known = next((option for option in others if not option.unmeasured), None)
    said = f"nobody measured its speed (tier {pick.tier})"
    yield f"{said}; it is first at the slow end of its interval{_ends(pick, known) if known else ''}"


def _ends(pick: Option, known: Option) -> str:
    """The slow ends of two options, in words."""
    shown = []
    for option in (pick, known):
        cost = slow_cost(option)
        asked = f" and {money(cost)}" if cost is not None else ""
        if option.run is not None:
            shown.append(f"{duration(option.run.high)}{asked}")
        elif option.speed is not None:
            shown.append(f"{digits(1 / option.speed.slow_tpot, 2)} tokens/s{asked}")
    return f", {shown[0]}, against {shown[1]} of {known.name}, the best of tier {known.tier}"


#: Figures within this ratio look the same.
SAME = 1.02
#: How many options that look better than the first are explained.
EXPLAINED = 3


def _figures(option: Option) -> tuple[float, ...]:
    """What the table shows of an option, each better when smaller: time, cost, power."""
    cost, draw = total_cost(option), option.draw.wall if option.draw else math.inf
    money_ = cost if cost is not None else math.inf
    if option.run is not None:
        return option.run.seconds, money_, draw
    assert option.speed is not None
    wait = option.speed.ttft if option.speed.ttft is not None else math.inf
    return option.speed.tpot, wait, money_, draw


def _better_on_paper(other: Option, pick: Option) -> bool:
    """Does another option look better on time and cost, and on nothing worse by much?"""
    mine, theirs = _figures(pick), _figures(other)
    timely = all(b <= a * SAME for a, b in zip(mine[:-1], theirs[:-1], strict=True))
    return timely and any(b * SAME < a for a, b in zip(mine[:-1], theirs[:-1], strict=True))


def _on_paper(question: Question, pick: Option, others: Sequence[Option]) -> Iterator[str]:
    """Options that look better than the first on every time and cost shown, and what the ranking holds against
    them."""
    better = [option for option in others if _better_on_paper(option, pick)]
    for other in better[:EXPLAINED]:
        cost = total_cost(other)
        asked = f", {money(cost)}" if cost is not None else ""
        if other.run is not None and pick.run is not None:
            shown = f"{duration(other.run.seconds)}{asked}"
        else:
            assert other.speed is not None
            shown = f"{digits(other.speed.each, 2)} tokens/s{asked}"
        held = "; ".join((*_slow_end(question, pick, other), *_unseen(question, pick, other)))
        yield f"{other.name} looks better on paper ({shown}): {held or 'the two are practically level'}"


def _slow_end(question: Question, pick: Option, other: Option) -> Iterator[str]:
    """What an option's interval holds against it: its slow end, where the ranking stands."""
    why = {"datasheet": "nobody measured its speed (tier datasheet)", "assumed": "its speed is assumed"}
    known = why.get(other.tier, f"tier {other.tier}")
    if other.run is not None and pick.run is not None:
        mine, theirs = slow_cost(pick), slow_cost(other)
        ends = [
            f"{duration(option.run.high)}{f' and {money(cost)}' if cost is not None else ''}"
            for option, cost in ((other, theirs), (pick, mine))
            if option.run is not None
        ]
        later = other.run.high > pick.run.high
        dearer = mine is not None and theirs is not None and theirs > mine
        if later or dearer:
            yield f"{known}; at the slow end of its interval {ends[0]}, against {ends[1]} for the first"
    elif other.speed is not None and pick.speed is not None:
        ends_ = [1 / option.speed.slow_tpot for option in (other, pick) if option.speed]
        if ends_[0] < ends_[1] and (ends_[0] < FAST_ENOUGH or question.priority == "speed"):
            yield f"{known}; at the slow end {digits(ends_[0], 2)} tokens/s, against {digits(ends_[1], 2)}"
    if thin(other) > thin(pick):
        word = "figures that enter are assumed" if other.tier == "assumed" else "one device of its class was measured"
        yield word
    watts = [option.draw.wall for option in (other, pick) if option.draw]
    if len(watts) == 2 and watts[0] > SAME * watts[1]:
        yield f"it draws {power(watts[0])} against {power(watts[1])} at the wall"


def _unseen(question: Question, pick: Option, second: Option) -> Iterator[str]:
    """What the ranking holds against another option besides its figures, said of the pick."""
    if pick.run is None:
        finer, coarser = question.weights(pick.format), question.weights(second.format)
        if quality_loss(question, coarser) > quality_loss(question, finer):
            yield f"it keeps the weights finer: {pick.format} against {second.format}"
        if second.left / second.usable < HEADROOM <= pick.left / pick.usable:
            yield f"it keeps {size(pick.left)} free per device; the other {size(max(second.left, 0.0))}"
    if second.cost.stale and not pick.cost.stale:
        yield f"its price is of today, the other's of {second.cost.as_of[:4]}"

"""What an answer hangs on: each input moved alone, and what that does to the choice and to its figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ridgewise.advise.field import Field
from ridgewise.advise.option import Option, answered_in
from ridgewise.advise.question import Question
from ridgewise.advise.rank import once, ranked, total_cost
from ridgewise.hardware import Device
from ridgewise.workloads import FineTuning, Pretraining, Service, SingleUser

#: Rivals that are laid out anew under every change.
RIVALS = 6
#: Facts of the pick moved by as much.
FACTS = 1.2
#: What the user says, moved by as much.
WORDS = 2.0


@dataclass(frozen=True, slots=True)
class Hinge:
    """One input moved: who is first then (None: nothing does the job), and by which factor the time and the cost of the
    recommendation change."""

    what: str
    factor: float
    pick: str | None
    moved: bool
    time: float
    cost: float

    @property
    def weight(self) -> float:
        """How much it matters: the larger of the two changes, in doublings."""
        return max(abs(math.log2(self.time)), abs(math.log2(self.cost)))


def hinges(question: Question, options: Sequence[Option]) -> tuple[Hinge, ...]:
    """Every input moved up and down, those that move the choice first, then by how much they move its figures."""
    able = [option for option in once(options) if option.feasible][:RIVALS]
    if not able:
        return ()
    pick, devices = able[0], tuple(option.device for option in able)
    found = []
    for what, factor, changed, those in _changes(question, pick, devices):
        after = ranked(changed, Field().options(changed, those))
        same = next((option for option in after if option.device.id == pick.device.id), None)
        first = after[0] if after and after[0].feasible else None
        found.append(
            Hinge(
                what, factor, first.name if first else None, first is None or first.device.id != pick.device.id,
                _times(question, pick, changed, same), _costs(pick, same),
            )
        )  # fmt: skip
    return tuple(sorted(found, key=lambda hinge: (not hinge.moved, -hinge.weight)))


def _changes(
    question: Question, pick: Option, devices: tuple[Device, ...]
) -> Iterator[tuple[str, float, Question, tuple[Device, ...]]]:
    """What is moved, by which factor, the question then, and the devices then."""
    work = question.workload
    for factor in (FACTS, 1 / FACTS):
        for figure, what in (("bandwidth", "its bandwidth"), ("board_power", "its power limit")):
            if figure in pick.device.figures:
                changed = tuple(
                    _with(device, figure, factor) if device.id == pick.device.id else device for device in devices
                )
                yield what, factor, question, changed
        if pick.cost.buy is not None:
            price = question.prices.get(pick.device.id)
            per = price if price is not None else (pick.cost.buy - pick.cost.hosts) / pick.count
            yield (
                "its price",
                factor,
                replace(question, prices={**question.prices, pick.device.id: per * factor}),
                devices,
            )
    names = {
        SingleUser: ("prompt", "output", "context"), Service: ("users", "prompt", "output", "context"),
        Pretraining: ("tokens", "length"), FineTuning: ("tokens", "length"),
    }[type(work)]  # fmt: skip
    for factor in (WORDS, 1 / WORDS):
        for name in names:
            moved = _moved(question, name, factor)
            if moved is not None:
                yield name, factor, moved, devices
        yield "the price of electricity", factor, replace(question, tariff=question.electricity * factor), devices


def _moved(question: Question, name: str, factor: float) -> Question | None:
    """The question with one of its numbers moved; None where it then contradicts itself."""
    work = question.workload
    changed = replace(work, **{name: getattr(work, name) * factor})
    if isinstance(changed, SingleUser | Service):
        need, most = changed.prompt + changed.output, question.arch.max_context or math.inf
        if need > most or changed.context > most or (name == "context" and changed.context < need):
            return None
        changed = replace(changed, context=max(changed.context, need))
    return replace(question, workload=changed)


def _with(device: Device, figure: str, factor: float) -> Device:
    old = device.figures[figure]
    return replace(device, figures={**device.figures, figure: replace(old, value=old.number * factor)})


def _times(question: Question, before: Option, changed: Question, after: Option | None) -> float:
    """Seconds of the run or of a whole answer, then over now; infinite where it is no candidate any more."""
    return math.inf if after is None else _seconds(changed, after) / _seconds(question, before)


def _seconds(question: Question, option: Option) -> float:
    if option.run is not None:
        return option.run.seconds
    speed, work = option.speed, question.workload
    assert speed is not None and isinstance(work, SingleUser | Service)
    return answered_in(speed.ttft or 0.0, speed.tpot, work.output)


def _costs(before: Option, after: Option | None) -> float:
    mine, theirs = total_cost(before), total_cost(after) if after else None
    return theirs / mine if mine and theirs else 1.0

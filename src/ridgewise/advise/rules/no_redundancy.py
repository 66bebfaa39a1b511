"""A promise to answer at any hour, kept by a machine that nothing stands in for."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ridgewise.advise.case import Case
from ridgewise.advise.failures import BETWEEN
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.option import Option
from ridgewise.advise.rank import around_the_clock
from ridgewise.advise.rules.rule import Rule
from ridgewise.hardware.machine import Machine
from ridgewise.units import digits, duration, share
from ridgewise.workloads import Service

#: Hours from a failure to the same machine at work again, assumed: a part comes on the next day.
REPAIR = 24.0
YEAR = 365.25 * 24.0


def check(case: Case) -> Iterator[Finding]:
    """Availability of the copies that carry the load against what was promised; without a promise, one machine for a
    service that is on day and night is worth a note."""
    option, work, promised = case.option, case.question.workload, case.question.availability
    if not isinstance(work, Service) or option is None or not option.feasible:
        return
    if promised is None and (not around_the_clock(work) or copies(option) > 1):
        return
    reached = availability(option, spare(case))
    down = (1.0 - reached) * YEAR * 3600
    if promised is not None and reached >= promised:
        return
    goal = f", promised are {digits(100 * promised, 4)} %" if promised is not None else " in a service around the clock"
    yield Finding(
        "error" if promised is not None else "note",
        f"{option.name} is up {share_of(reached)} of the time{goal}: one interruption in {digits(BETWEEN / 24)} days "
        f"and device, {digits(REPAIR)} hours until repaired, nothing stands in for it",
        Measure("availability", reached, promised if promised is not None else 1.0, "ratio"),
        f"{duration(down)} without answers in a year",
        _cure(option),
    )


def _cure(option: Option) -> Cure:
    """A further computer with the same in it."""
    machine = Machine(option.device, option.count)
    full = option.count % machine.per_node == 0 and not option.device.complete
    name = f"{option.count + machine.per_node}x {option.device.id}"
    one = Machine(option.device, option.count // machine.nodes)
    words = f"take a further computer with {one.count} × {option.device.name} and share the load"
    return Cure(f"{words} (--hardware '{name}')", {"hardware": name}) if full else Cure(words)


def share_of(value: float) -> str:
    """A share near 1 with the digits that matter."""
    return share(value) if value < 0.99 else f"{digits(100 * value, 4)} %"


def copies(option: Option) -> int:
    """Independent machines: replicas, as far as they stand in computers of their own."""
    return min(option.replicas, Machine(option.device, option.count).nodes)


def spare(case: Case) -> bool:
    """Does it carry the load with a copy less?"""
    option = case.option
    if option is None or copies(option) < 2:
        return False
    apart = copies(option)
    less = case.on(option.count // apart * (apart - 1))
    return less is not None and less.feasible


def availability(option: Option, spare: bool) -> float:
    """Share of the time in which enough copies work, failures independent: all of them, or all but one."""
    n = copies(option)
    between = BETWEEN / (option.count / n)
    one = between / (between + REPAIR)
    every = math.pow(one, n)
    return every + n * (1.0 - one) * math.pow(one, n - 1) if spare else every


RULE = Rule(
    "no-redundancy", "error", "load", "Nothing stands in for it", "Is the promise kept while a machine is repaired?",
    check,
)  # fmt: skip

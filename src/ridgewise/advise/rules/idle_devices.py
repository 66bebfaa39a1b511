"""More of the same than the work needs."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.rules.rule import Rule
from ridgewise.economics.cost import sold
from ridgewise.engines import load_engines
from ridgewise.units import digits, money
from ridgewise.workloads import Service


def check(case: Case) -> Iterator[Finding]:
    """Half of the devices, or less, keep every limit with weights as fine."""
    option, question = case.option, case.question
    if option is None and case.serves and case.count > 1:
        yield from _apart(case)
    if option is None or not case.serves or case.count < 2 or not option.feasible:
        return
    if question.availability is not None:
        return  # further copies may be what keeps the promise
    if load_engines()[option.engine].split == "layer" and not isinstance(question.workload, Service):
        return  # said of the split
    fmt, enough = question.weights(option.format), 1
    while (fewer := case.on(enough, format=fmt)) is None or not fewer.feasible:
        enough *= 2
        if enough > case.count // 2:
            return
    saved = option.cost.buy - fewer.cost.buy if option.cost.buy and fewer.cost.buy else None
    name = cures.hardware(case.device, enough)
    together = sold(case.device, enough) > enough
    yield Finding(
        "note" if together else "warning",
        f"{digits(enough)} of the {digits(case.count)} keep every limit, with weights as fine"
        + (f"; they are sold by the {digits(sold(case.device, enough))}" if together else ""),
        Measure("devices", float(case.count), float(enough), "1"),
        f"{money(saved)} too much" if saved else "devices that idle",
        Cure(f"take {digits(enough)} (--hardware '{name}')", {"hardware": name}),
        saved or None,
    )


def _apart(case: Case) -> Iterator[Finding]:
    """One does, and no layout makes several work for the same user."""
    one = case.on(1)
    if one is None or one.left < 0:
        return
    why = (
        "they are separate computers"
        if case.device.complete
        else f"{load_engines()[one.engine].name} does not join them"
    )
    saved = (case.count - 1) * one.cost.buy if one.cost.buy and case.device.complete else None
    yield Finding(
        "warning",
        f"one {case.device.name} holds the model, and {digits(case.count)} make it no faster for one user: {why}",
        Measure("devices", float(case.count), 1.0, "1"),
        f"{money(saved)} too much" if saved else "devices that idle",
        Cure(f"take 1 (--hardware {case.device.id})", {"hardware": case.device.id}),
        saved,
    )


RULE = Rule("idle-devices", "warning", "overkill", "More devices than the work needs", "Would half of them do?", check)

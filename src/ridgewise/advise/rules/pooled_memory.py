"""Memories added up that no layout joins: separate computers, or a number of cards that nothing divides by."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.rules._shortage import cause, pooled
from ridgewise.advise.rules.rule import Rule
from ridgewise.engines import load_engines
from ridgewise.units import digits, size


def check(case: Case) -> Iterator[Finding]:
    """All memories together would hold it, one does not, and no layout spreads it over these."""
    one = pooled(case)
    if cause(case) != "pooled" or one is None:
        return
    if case.device.complete:
        why = "they are separate computers, and each holds the whole model or none of it"
    else:
        why = f"{load_engines()[one.engine].name} does not spread this model over {digits(case.count)} of them"
    yield Finding(
        "error",
        f"{digits(case.count)} × {size(one.usable)} are {size(case.count * one.usable)} on paper, and "
        f"{size(one.memory_total)} must fit one {case.device.name}: {why}",
        Measure("memory of one", one.memory_total, one.usable, "B"),
        "money for memory that this model cannot use",
        _cure(case),
    )


def _cure(case: Case) -> Cure | None:
    layers = case.on(case.count, engine="llama.cpp", format=None) if not case.device.complete else None
    if layers is not None and cures.holds(layers):
        return Cure("split it by layers (--engine llama.cpp)", {"engine": "llama.cpp", "quant": None})
    return cures.memory(case)


RULE = Rule(
    "pooled-memory", "error", "flops", "Memories that do not add up",
    "Can one copy of the model be spread over these devices at all?", check,
)  # fmt: skip

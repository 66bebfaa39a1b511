"""Weights so coarse that the answers get worse."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Finding, Measure
from ridgewise.advise.option import Option
from ridgewise.advise.rank import COARSE, narrowest, quality_loss
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import digits


def check(case: Case) -> Iterator[Finding]:
    """Bits per weight of what would be run against those below which published perplexities worsen."""
    option = case.option
    if not case.serves or option is None or option.left < 0:
        return
    fmt = case.question.weights(option.format)
    bits = narrowest(fmt)
    if bits >= COARSE or quality_loss(case.question, fmt) == 0.0:
        return
    yield Finding(
        "warning",
        f"it runs with {fmt.name}, {digits(bits, 2)} bits per weight: published perplexities hardly move down to "
        f"{digits(COARSE)} bits and worsen below",
        Measure("bits per weight", bits, COARSE, "bits"),
        "a smaller model in finer weights often answers better",
        cures.first(cures.other_hardware(case), lambda other: _fine(case, other)),
    )


def _fine(case: Case, option: Option) -> bool:
    return narrowest(case.question.weights(option.format)) >= COARSE


RULE = Rule("coarse-weights", "warning", "flops", "Weights too coarse", "Are there enough bits per weight left?", check)

"""It fits by less than the estimate may be off."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Finding, Measure
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import size


def check(case: Case) -> Iterator[Finding]:
    """What is left against the doubt of buffers and engine."""
    option = case.option
    if option is None or not case.serves or not 0 <= option.left < option.memory_doubt:
        return
    yield Finding(
        "warning",
        f"{size(option.left)} are left per device, and what engine and buffers take is known to "
        f"{size(option.memory_doubt)}",
        Measure("left per device", option.left, option.memory_doubt, "B"),
        "it may load today and not after the next update of driver or engine",
        cures.memory(case),
    )  # fmt: skip


RULE = Rule(
    "tight-memory", "warning", "flops", "It fits by a hair",
    "Is more memory left than the estimate may be off by?", check,
)  # fmt: skip

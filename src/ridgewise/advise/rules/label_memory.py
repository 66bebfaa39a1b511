"""The memory on the label counted on, of which a part is not usable."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Finding, Measure
from ridgewise.advise.rules._shortage import cause
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import size


def check(case: Case) -> Iterator[Finding]:
    """What it takes is between what a device offers and what its label says."""
    option = case.option
    if cause(case) != "label" or option is None:
        return
    label = option.configuration or option.device.memory or 0.0
    yield Finding(
        "error",
        f"{size(option.memory_total)} would fit the {size(label)} on the label of {option.device.name}; driver, system "
        f"and engine leave {size(option.usable)}: {size(-option.left)} too little",
        Measure("memory per device", option.memory_total, option.usable, "B"),
        "it does not load, or the system swaps",
        cures.memory(case),
    )


RULE = Rule(
    "label-memory", "error", "flops", "Counted on the memory of the label",
    "Does it fit what the driver, the system and the engine leave?", check,
)  # fmt: skip

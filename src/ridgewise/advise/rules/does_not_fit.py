"""The weights alone are more than the memory."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Finding, Measure
from ridgewise.advise.rules._shortage import cause, each
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import count, size


def check(case: Case) -> Iterator[Finding]:
    """Weights in the format planned against usable memory, per device."""
    option = case.option
    if cause(case) != "weights" or option is None:
        return
    weights, held = option.memory["weights"], count(case.question.arch.parameters_total)
    yield Finding(
        "error",
        f"{held} parameters as {option.format} are {size(weights)}{each(option)}, "
        f"{option.name} offers {size(option.usable)}: {size(weights - option.usable)} too little for the weights alone",
        Measure("weights per device", weights, option.usable, "B"),
        "it does not load; parts in system memory run at the speed of that",
        cures.memory(case),
    )


RULE = Rule(
    "does-not-fit", "error", "flops", "The weights do not fit", "Do the weights fit the memory of each device?", check
)

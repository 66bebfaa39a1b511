"""A mixture of experts sized by the parameters a token uses."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Finding, Measure
from ridgewise.advise.rules._shortage import cause, each
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import count, size


def check(case: Case) -> Iterator[Finding]:
    """Memory that would hold the active parameters and does not hold all."""
    option, arch = case.option, case.question.arch
    if cause(case) != "active" or option is None:
        return
    held = option.memory["weights"]
    yield Finding(
        "error",
        f"{count(arch.parameters_active)} parameters are active per token, and all {count(arch.parameters_total)} must "
        f"be held: {size(held)} as {option.format}{each(option)}, {option.name} offers {size(option.usable)}",
        Measure("weights per device", held, option.usable, "B"),
        "active parameters set the speed; memory must hold every expert",
        cures.memory(case),
    )


RULE = Rule(
    "active-parameters", "error", "flops", "A mixture of experts sized by its active parameters",
    "Does memory hold all experts, not only those a token uses?", check,
)  # fmt: skip

"""Nothing that runs the model on this hardware."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures, inference
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Finding
from ridgewise.advise.rules._shortage import cause
from ridgewise.advise.rules.rule import Rule


def check(case: Case) -> Iterator[Finding]:
    """No engine of the catalogue drives the device, reads the format or spreads the model over so many."""
    if not case.serves or case.option is not None or case.device.kind == "npu" or cause(case) == "pooled":
        return
    if case.count > 1 and case.on(1) is not None:
        return  # said of the further ones
    yield Finding(
        "error",
        f"{case.name} cannot run this: {inference.unable(case.question, case.device)}",
        cost="hardware that stands still",
        cure=cures.first(cures.other_hardware(case), cures.does),
    )


RULE = Rule(
    "no-engine", "error", "flops", "Nothing runs the model on it", "Is there an engine for it that reads the format?",
    check,
)  # fmt: skip

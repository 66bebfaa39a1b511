"""A model built in FP16."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures, learning
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Finding
from ridgewise.advise.rules.rule import Rule


def check(case: Case) -> Iterator[Finding]:
    """Pretraining on a device that multiplies FP16 and no BF16."""
    if case.option is None or not learning.narrow(case.question, case.device):
        return
    yield Finding(
        "warning",
        f"{case.device.name} multiplies no BF16, in which models are built: FP16 ends at 65,504, so the loss must be "
        "scaled, and large runs diverge",
        cost="steps that are skipped, and runs that start anew from a checkpoint",
        cure=cures.first(cures.other_hardware(case), cures.does),
    )


RULE = Rule(
    "no-bf16",
    "warning",
    "training",
    "A model built in FP16",
    "Does the hardware multiply the format of the run?",
    check,
)

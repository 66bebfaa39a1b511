"""A neural processing unit named for a model it cannot run, or cannot run as fast as people read."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures, inference
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Finding, Measure
from ridgewise.advise.inference import READING_SPEED
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import digits, size
from ridgewise.workloads import Service


def check(case: Case) -> Iterator[Finding]:
    """What its runtime reads, what its memory holds, how fast it writes, and for how many."""
    if case.device.kind != "npu" or not case.serves:
        return
    option, number = case.option, None
    if option is None:
        why = inference.unable(case.question, case.device)
    elif option.left < 0:
        why = f"{size(option.memory_total)} are needed and {size(option.usable)} usable"
        number = Measure("memory", option.memory_total, option.usable, "B")
    elif isinstance(case.question.workload, Service):
        why = f"its runtime answers one request at a time, {digits(case.question.workload.users)} people ask"
        number = Measure("users", case.question.workload.users, 1.0, "1")
    elif option.speed is not None and option.speed.each < READING_SPEED:
        why = f"it writes {digits(option.speed.each, 2)} tokens/s, people read {digits(READING_SPEED)}"
        number = Measure("tokens/s for the user", option.speed.each, READING_SPEED, "tokens/s")
    else:
        return
    yield Finding(
        "error",
        f"{case.device.name} is made for small models: {why}; TOP/s of the leaflet do not help",
        number,
        "the model runs on the processor beside it, at the speed of that",
        cures.first(cures.other_hardware(case), cures.does),
    )


RULE = Rule(
    "npu", "error", "flops", "An NPU for a model it cannot run", "Does the NPU's runtime run this model, fast enough?",
    check,
)  # fmt: skip

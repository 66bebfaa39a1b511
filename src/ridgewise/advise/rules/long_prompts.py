"""Memory bought in quantity where long prompts want compute."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.inference import PATIENCE, READING_SPEED
from ridgewise.advise.option import Option
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import digits, duration, whole
from ridgewise.workloads import SingleUser

#: Devices with much memory for little compute.
ROOMY = ("unified", "cpu", "sbc")


def check(case: Case) -> Iterator[Finding]:
    """A single user's wait for the first token on a machine that then writes fast enough."""
    option, work = case.option, case.question.workload
    if not isinstance(work, SingleUser) or case.device.kind not in ROOMY or option is None or option.left < 0:
        return
    limit = work.slo_ttft if work.slo_ttft is not None else PATIENCE
    if option.speed is None or option.speed.ttft is None or option.speed.ttft <= limit:
        return
    wait, each = option.speed.ttft, option.speed.each
    then = f"; it then writes {digits(each, 2)} tokens/s" if each >= READING_SPEED else ""
    yield Finding(
        "warning",
        f"a prompt of {whole(work.prompt)} tokens is read in {duration(wait)}, people wait {duration(limit)}{then}: "
        "prompts are bound by compute, not by memory",
        Measure("TTFT", wait, limit, "s"),
        f"{duration(wait)} of waiting before every answer to a new document",
        _cure(case, limit),
    )


def _cure(case: Case, limit: float) -> Cure | None:
    def prompt(option: Option) -> bool:
        speed = option.speed
        return speed is not None and speed.ttft is not None and speed.ttft <= limit and cures.holds(option)

    quick = next((option for option in case.rivals if prompt(option)), None)
    if quick is None:
        return None
    name = cures.hardware(quick.device, quick.count)
    return Cure(f"take {quick.name} (--hardware '{name}')", {"hardware": name, **cures.freed(case)})


RULE = Rule(
    "long-prompts", "warning", "flops", "Large memory, long prompts",
    "Is a prompt of this length read before patience ends?", check,
)  # fmt: skip

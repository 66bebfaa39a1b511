"""One user who reads faster than it writes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.inference import READING_SPEED
from ridgewise.advise.option import Option
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import digits, duration, rate
from ridgewise.workloads import SingleUser


def check(case: Case) -> Iterator[Finding]:
    """Tokens per second of a single user against reading speed."""
    option, work = case.option, case.question.workload
    if not isinstance(work, SingleUser) or option is None or option.speed is None or option.left < 0:
        return
    each = option.speed.each
    if each >= READING_SPEED or work.slo_tpot is not None or case.device.kind == "npu":
        return
    yield Finding(
        "warning",
        f"it writes {digits(each, 2)} tokens/s, people read about {digits(READING_SPEED)}: memory moves "
        f"{rate(case.device.bandwidth or 0.0, 'B/s')}, and every token reads the weights",
        Measure("tokens/s for the user", each, READING_SPEED, "tokens/s"),
        f"an answer of {digits(work.output)} tokens takes {duration(work.output / each)}",
        _cure(case),
    )


def _cure(case: Case) -> Cure | None:
    def fast(option: Option) -> bool:
        return option.speed is not None and option.speed.each >= READING_SPEED and cures.holds(option)

    return cures.first(chain(cures.fewer_bytes(case), cures.other_hardware(case)), fast)


RULE = Rule("reading-speed", "warning", "flops", "Slower than reading", "Does it write as fast as people read?", check)

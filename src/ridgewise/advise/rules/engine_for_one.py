"""A service on an engine made for one user."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.option import Option
from ridgewise.advise.rules.rule import Rule
from ridgewise.engines import load_engines
from ridgewise.units import digits
from ridgewise.workloads import Service

#: The engine that services are compared with.
SERVING = "vllm"


def check(case: Case) -> Iterator[Finding]:
    """The same hardware and load under a serving engine: it does what this one does not, or is faster beyond doubt."""
    option, work = case.option, case.question.workload
    if not isinstance(work, Service) or option is None or option.speed is None:
        return
    if load_engines()[option.engine].many or load_engines()[SERVING].backend(case.device) is None:
        return
    other = case.on(case.count, engine=SERVING, format=None)
    if other is None or other.speed is None or other.left < 0 or not _better(option, other):
        return
    mine, theirs = option.speed, other.speed
    yield Finding(
        "warning",
        f"under this load {load_engines()[option.engine].name} gives each user {digits(mine.each, 2)} tokens/s, "
        f"{load_engines()[SERVING].name} {digits(theirs.each, 2)} ({other.format}) on the same hardware: it runs "
        "requests together as they come and go",
        Measure("tokens/s for each user", mine.each, theirs.each, "tokens/s"),
        "more hardware for the same users",
        Cure(f"serve it with {load_engines()[SERVING].name} (--engine {SERVING})", {"engine": SERVING, "quant": None}),
    )


def _better(mine: Option, other: Option) -> bool:
    """Feasible where this is not, or faster with intervals that do not meet."""
    assert mine.speed is not None and other.speed is not None
    if other.feasible and not mine.feasible:
        return True
    fast = 1.0 / (mine.speed.tpot * mine.speed.tpot_band.low)
    return bool(1.0 / other.speed.slow_tpot > fast)


RULE = Rule(
    "engine-for-one", "warning", "load", "A service on an engine made for one",
    "Does the engine run many requests together?", check,
)  # fmt: skip

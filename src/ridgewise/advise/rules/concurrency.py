"""Enough for one, and broken by many."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Finding, Measure
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import digits, whole
from ridgewise.workloads import Service

#: How a shortfall begins that comes of the load.
LOAD = ("TTFT", "TPOT", "concurrency")


def check(case: Case) -> Iterator[Finding]:
    """A machine that falls short of nothing but what many users ask at once."""
    option, work = case.option, case.question.workload
    if not isinstance(work, Service) or option is None or option.speed is None or option.left < -1.0:
        return
    if not option.shortfalls or not all(t.startswith(LOAD) and "unknown" not in t for t in option.shortfalls):
        return
    alone = case.alone()
    if alone is None or alone.speed is None or alone.left < 0:
        return
    yield Finding(
        "warning",
        f"one user alone gets {digits(alone.speed.each, 2)} tokens/s from {case.name}; with {whole(work.users)} users, "
        f"{digits(option.speed.concurrency, 2)} requests are in flight: {option.shortfalls[0]}",
        Measure("requests in flight", option.speed.concurrency, 1.0, "1"),
        "size for requests in flight, not for one user's speed",
        cures.load(case),
    )


RULE = Rule(
    "concurrency", "warning", "load", "Enough for one, not for all", "Does what one user saw hold for everybody?",
    check, tempts=True,
)  # fmt: skip

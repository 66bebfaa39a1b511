"""A limit on latency that it misses on average."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Finding, Measure
from ridgewise.advise.rules._latency import limits
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import digits, duration


def check(case: Case) -> Iterator[Finding]:
    """Means of the steady state against the limits, or against patience and reading speed where a service has none."""
    option = case.option
    missed = [entry for entry in limits(case) if entry[1] > entry[3]]
    if not missed or option is None or option.speed is None:
        return
    what, value, _, limit = max(missed, key=lambda entry: entry[1] / entry[3])
    flight = digits(option.speed.concurrency, 2)
    yield Finding(
        "error",
        f"{what} is {duration(value)}, the limit {duration(limit)}, with {flight} requests in flight",
        Measure(what, value, limit, "s"),
        f"people wait {digits(value / limit, 2)} times as long as they should",
        cures.load(case),
    )


RULE = Rule(
    "latency-limit", "error", "load", "Slower than promised", "Does it keep the limits on latency under this load?",
    check,
)  # fmt: skip

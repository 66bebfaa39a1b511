"""A limit on latency that it keeps on average and may miss, as far as the estimate is known."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Finding, Measure
from ridgewise.advise.rules._latency import limits
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import duration


def check(case: Case) -> Iterator[Finding]:
    """The slow end of the 80 % interval against the limits."""
    every = limits(case)
    missed = [entry for entry in every if entry[1] <= entry[3] < entry[2]]
    if not missed or any(entry[1] > entry[3] for entry in every):
        return
    what, value, slow, limit = max(missed, key=lambda entry: entry[2] / entry[3])
    yield Finding(
        "warning",
        f"{what} is {duration(value)} and may be {duration(slow)}, the limit {duration(limit)}",
        Measure(f"{what} at the slow end", slow, limit, "s"),
        "the promise rests on the estimate being no worse than its middle",
        cures.load(case),
    )


RULE = Rule(
    "latency-margin", "warning", "load", "The limit is kept on average only",
    "Does it keep the limits at the slow end of the estimate too?", check,
)  # fmt: skip

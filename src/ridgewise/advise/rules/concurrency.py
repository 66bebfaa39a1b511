"""Mistake 4: ignoring concurrency and service patterns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ridgewise.advise.finding import Finding
from ridgewise.advise.option import Option
from ridgewise.advise.question import Question
from ridgewise.units import digits, whole
from ridgewise.workloads import Service

#: How a shortfall begins that comes of the load.
LOAD = ("TTFT", "TPOT", "concurrency")


def check(question: Question, options: Sequence[Option]) -> Iterator[Finding]:
    """Candidates that would serve one user well and break under this load."""
    work = question.workload
    if not isinstance(work, Service):
        return
    broken = [
        option
        for option in options
        if option.shortfalls
        and option.speed is not None
        and option.left >= -1.0
        and all(text.startswith(LOAD) and "unknown" not in text for text in option.shortfalls)
    ]
    if not broken:
        return
    worst = broken[0]
    assert worst.speed is not None
    yield Finding(
        "concurrency",
        "warning" if question.named else "note",
        f"{len(broken)} candidate{'s' if len(broken) > 1 else ''} would do for one user and fail at "
        f"{whole(work.users)} users, {worst.name} for one, which would have "
        f"{digits(worst.speed.concurrency, 2)} requests in flight: {worst.shortfalls[0]}",
        "size for requests in flight, not for one user's speed",
    )

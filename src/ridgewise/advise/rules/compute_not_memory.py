"""Mistake 3: comparing FLOPS where memory decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ridgewise.advise.finding import Finding
from ridgewise.advise.option import Option
from ridgewise.advise.question import Question
from ridgewise.units import digits, rate
from ridgewise.workloads import Service, SingleUser

#: A pair is worth showing from this ratio of peaks on.
RATIO = 1.5
#: From this lead in tokens per second on one decodes faster.
LEAD = 1.04


def check(question: Question, options: Sequence[Option]) -> Iterator[Finding]:
    """Two candidates whose order by peak FLOP/s is the reverse of their order by tokens per second."""
    if not isinstance(question.workload, SingleUser | Service):
        return
    known = [o for o in options if o.feasible and o.speed and o.device.peak("fp16")]
    if not known:
        return
    pick = known[0]
    for other in known[1:]:
        for slow, fast in ((other, pick), (pick, other)):
            if slow.count == fast.count and slow.format == fast.format and _reversed(slow, fast):
                yield _finding(slow, fast)
                return


def _flops(option: Option) -> float:
    peak = option.device.peak("fp16")
    assert peak is not None
    return peak[0] * option.count


def _reversed(slow: Option, fast: Option) -> bool:
    """More FLOP/s, yet fewer tokens per second, because memory bounds the decoding."""
    assert slow.speed and fast.speed
    more = _flops(slow) >= RATIO * _flops(fast)
    if slow.engine != fast.engine or (slow.device.bandwidth or 0.0) >= (fast.device.bandwidth or 0.0):
        return False
    return more and fast.speed.each >= LEAD * slow.speed.each and slow.speed.bound == "memory"


def _finding(slow: Option, fast: Option) -> Finding:
    assert slow.speed and fast.speed
    return Finding(
        "compute-not-memory",
        "note",
        f"{slow.name} has {digits(_flops(slow) / _flops(fast), 2)} times the FLOP/s of {fast.name} and yet decodes "
        f"at {digits(slow.speed.each, 2)} against {digits(fast.speed.each, 2)} tokens/s: decoding reads every weight "
        f"per token, and their bandwidths are {rate(slow.device.bandwidth or 0, 'B/s')} and "
        f"{rate(fast.device.bandwidth or 0, 'B/s')} per device",
        "compare memory capacity and bandwidth for decoding; FLOP/s only for prompts and training",
    )

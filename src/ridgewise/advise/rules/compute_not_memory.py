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


def check(question: Question, options: Sequence[Option]) -> Iterator[Finding]:
    """Two candidates whose order by peak FLOP/s is the reverse of their order by tokens per second."""
    if not isinstance(question.workload, SingleUser | Service):
        return
    feasible = [o for o in options if o.feasible and o.speed and o.device.peak("fp16")]
    for slow in feasible:
        for fast in feasible:
            peaks = slow.device.peak("fp16"), fast.device.peak("fp16")
            assert peaks[0] and peaks[1] and slow.speed and fast.speed
            flops = peaks[0][0] * slow.count, peaks[1][0] * fast.count
            if flops[0] < RATIO * flops[1] or fast.speed.each < 1.15 * slow.speed.each:
                continue
            if slow.speed.bound != "memory" or fast.format != slow.format:
                continue
            yield Finding(
                "compute-not-memory",
                "note",
                f"{slow.name} has {digits(flops[0] / flops[1], 2)} times the FLOP/s of {fast.name} and yet decodes "
                f"at {digits(slow.speed.each, 2)} against {digits(fast.speed.each, 2)} tokens/s: decoding reads "
                f"every weight per token, and their bandwidths are {rate(slow.device.bandwidth or 0, 'B/s')} and "
                f"{rate(fast.device.bandwidth or 0, 'B/s')} per device",
                "compare memory capacity and bandwidth for decoding; FLOP/s only for prompts and training",
            )
            return

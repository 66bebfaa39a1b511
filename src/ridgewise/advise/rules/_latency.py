"""Times of an idea against what somebody waits for."""

from __future__ import annotations

from ridgewise.advise.case import Case
from ridgewise.advise.inference import tpot_limit, ttft_limit
from ridgewise.workloads import Service


def limits(case: Case) -> list[tuple[str, float, float, float]]:
    """(what, seconds, seconds at the slow end, limit) of every latency that has a limit and is known."""
    option = case.option
    if option is None or option.speed is None or option.left < 0:
        return []
    speed, found = option.speed, []
    mean = "mean " if isinstance(case.question.workload, Service) else ""
    first, rest = ttft_limit(case.question), tpot_limit(case.question)
    if first is not None and speed.ttft is not None and speed.slow_ttft is not None:
        found.append((f"{mean}TTFT", speed.ttft, speed.slow_ttft, first))
    if rest is not None:
        found.append((f"{mean}TPOT", speed.tpot, speed.slow_tpot, rest))
    return found

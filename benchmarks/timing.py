"""Medians of repeated calls."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def median(call: Callable[[], object], runs: int = 7) -> float:
    """Median seconds of ``runs`` calls after one warm-up."""
    call()
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)

"""FLOP/s compared where memory decides: more of them, and fewer tokens per second."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.option import Option
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import digits, rate

#: A pair is worth showing from this ratio of peaks on.
RATIO = 1.5
#: From this lead in tokens per second on one decodes faster.
LEAD = 1.04


def check(case: Case) -> Iterator[Finding]:
    """Another candidate with fewer FLOP/s, the same format and engine, and more tokens per second."""
    mine = case.option
    if not case.serves or mine is None or not mine.feasible or not mine.speed or not mine.device.peak("fp16"):
        return
    if mine.speed.bound != "memory":
        return
    faster = next((other for other in case.rivals if _reversed(mine, other)), None)
    if faster is None or faster.speed is None:
        return
    name = cures.hardware(faster.device, faster.count)
    yield Finding(
        "note",
        f"{mine.name} has {digits(_flops(mine) / _flops(faster), 2)} times the FLOP/s of {faster.name} and yet decodes "
        f"at {digits(mine.speed.each, 2)} against {digits(faster.speed.each, 2)} tokens/s: decoding reads every weight "
        f"per token, and their bandwidths are {rate(mine.device.bandwidth or 0, 'B/s')} and "
        f"{rate(faster.device.bandwidth or 0, 'B/s')} per device",
        Measure("tokens/s for each user", mine.speed.each, faster.speed.each, "tokens/s"),
        "money for compute that waits for memory",
        Cure("compare memory capacity and bandwidth for decoding, FLOP/s for prompts and training alone",
             {"hardware": name, **cures.freed(case)}),
    )  # fmt: skip


def _flops(option: Option) -> float:
    peak = option.device.peak("fp16")
    return peak[0] * option.count if peak else 0.0


def _reversed(slow: Option, fast: Option) -> bool:
    """More FLOP/s, yet fewer tokens per second, on as many devices with the same weights and engine."""
    if not fast.feasible or not fast.speed or not slow.speed or not _flops(fast):
        return False
    alike = (slow.count, slow.format, slow.engine) == (fast.count, fast.format, fast.engine)
    wider = (fast.device.bandwidth or 0.0) > (slow.device.bandwidth or 0.0)
    more = _flops(slow) >= RATIO * _flops(fast)
    return alike and wider and more and fast.speed.each >= LEAD * slow.speed.each


RULE = Rule(
    "compute-not-memory", "note", "flops", "More FLOP/s, fewer tokens",
    "Does a device with fewer FLOP/s write faster?", check, tempts=True,
)  # fmt: skip

"""Mistake 1: training-grade GPUs bought for personal or departmental inference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ridgewise.advise.finding import Finding
from ridgewise.advise.option import Option
from ridgewise.advise.question import Question
from ridgewise.economics.cost import sold
from ridgewise.units import digits, money
from ridgewise.workloads import Service, SingleUser

#: A purchase is overkill when its price is more than this many times what its extra speed would justify.
FACTOR = 2.0
#: Requests in flight above which a server-class GPU is no mistake.
DEPARTMENT = 16.0
#: Unless the user named it, only a part people still buy is worth warning about (first release date).
RECENT = "2022"


def check(question: Question, options: Sequence[Option]) -> Iterator[Finding]:
    """Among the candidates a training-class device does the job at a multiple of the pick's price."""
    if not isinstance(question.workload, SingleUser | Service):
        return
    feasible = [option for option in options if option.feasible]
    if not feasible:
        return
    pick = feasible[0]
    if pick.speed is None or pick.speed.concurrency > DEPARTMENT:
        return
    priced = pick.cost.buy
    for option in feasible[1:]:
        buy = option.cost.buy
        if not option.device.memory_type.startswith("HBM") or pick.device.memory_type.startswith("HBM"):
            continue
        if not priced or buy is None or option.speed is None:
            continue
        if buy / priced < FACTOR * max(option.speed.each / pick.speed.each, 1.0):
            continue
        if not question.named and (option.device.released or "0") < RECENT:
            continue
        boards = sold(option.device, option.count)
        node = f" (sold in servers of {boards})" if boards > option.count else ""
        yield Finding(
            "overkill",
            "warning" if question.named else "note",
            f"{option.name} would cost {money(buy)}{node}, {digits(buy / priced, 2)} times {pick.name}: its training "
            f"compute idles while decoding is bound by {option.speed.bound}; users would see "
            f"{digits(option.speed.each, 2)} tokens/s each ({option.format}) instead of "
            f"{digits(pick.speed.each, 2)} ({pick.format})",
            f"buy {pick.name} and keep {money(buy - priced)}",
            buy - priced,
        )
        return

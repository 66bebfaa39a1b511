"""Training-class boards bought to use a model for a few people."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.option import Option
from ridgewise.advise.rank import FAST_ENOUGH
from ridgewise.advise.rules.rule import Rule
from ridgewise.economics.cost import sold
from ridgewise.units import digits, money

#: A purchase is overkill when its price is more than this many times what its extra speed would justify.
FACTOR = 2.0
#: Requests in flight above which a server-class GPU is no mistake, unless a month of it, rented where that is cheaper,
#: costs more than this many times what its extra speed, as far as a reader feels it, would justify.
DEPARTMENT, FACTOR_MANY = 16.0, 8.0
#: Unless the user named it, only a part people still buy is worth warning about (first release date).
RECENT = "2022"


def check(case: Case) -> Iterator[Finding]:
    """A board with HBM that does the job at a multiple of the price of one without."""
    option, pick = case.option, case.better
    if not case.serves or option is None or not option.feasible or option.speed is None or pick is None:
        return
    if not option.device.memory_type.startswith("HBM") or pick.device.memory_type.startswith("HBM"):
        return
    if pick.speed is None or _old(case, option):
        return
    many = pick.speed.concurrency > DEPARTMENT
    factor = FACTOR_MANY if many else FACTOR
    paid, price = (option.cost.month, pick.cost.month) if many else (option.cost.buy, pick.cost.buy)
    felt = FAST_ENOUGH if many and case.question.priority != "speed" else math.inf
    faster = max(min(option.speed.each, felt) / min(pick.speed.each, felt), 1.0)
    if paid is None or not price or paid / price < factor * faster:
        return
    boards = sold(option.device, option.count)
    node = f" (sold in servers of {boards})" if boards > option.count and not many else ""
    per = " a month" if many else ""
    name = cures.hardware(pick.device, pick.count)
    yield Finding(
        "warning",
        f"{option.name} would cost {money(paid)}{per}{node}, {digits(paid / price, 2)} times {pick.name}: its training "
        f"compute idles while decoding is bound by {option.speed.bound}; users would see "
        f"{digits(option.speed.each, 2)} tokens/s each ({option.format}) instead of "
        f"{digits(pick.speed.each, 2)} ({pick.format})",
        Measure("price over that of what does the job", paid / price, factor * faster, "times"),
        f"{money(paid - price)}{per} for {digits(option.speed.each / pick.speed.each, 2)} times the speed",
        Cure(f"take {pick.name} and keep {money(paid - price)}{per}", {"hardware": name, **cures.freed(case)}),
        None if many else paid - price,
    )


def _old(case: Case, option: Option) -> bool:
    return not case.wanted and (option.device.released or "0") < RECENT


RULE = Rule(
    "overkill", "warning", "overkill", "A training board to use a model",
    "Does hardware of a cheaper class do the job?", check, tempts=True,
)  # fmt: skip

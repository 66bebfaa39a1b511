"""Training-class boards bought to use a model for a few people."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.option import Option
from ridgewise.advise.rules.rule import Rule
from ridgewise.economics.cost import sold
from ridgewise.units import digits, money

#: A purchase is overkill when its price is more than this many times what its extra speed would justify.
FACTOR = 2.0
#: Requests in flight above which a server-class GPU is no mistake.
DEPARTMENT = 16.0
#: Unless the user named it, only a part people still buy is worth warning about (first release date).
RECENT = "2022"


def check(case: Case) -> Iterator[Finding]:
    """A board with HBM that does the job at a multiple of the price of one without."""
    option, pick = case.option, case.better
    if not case.serves or option is None or not option.feasible or option.speed is None or pick is None:
        return
    if not option.device.memory_type.startswith("HBM") or pick.device.memory_type.startswith("HBM"):
        return
    if pick.speed is None or pick.speed.concurrency > DEPARTMENT or _old(case, option):
        return
    buy, price = option.cost.buy, pick.cost.buy
    faster = max(option.speed.each / pick.speed.each, 1.0)
    if buy is None or not price or buy / price < FACTOR * faster:
        return
    boards = sold(option.device, option.count)
    node = f" (sold in servers of {boards})" if boards > option.count else ""
    name = cures.hardware(pick)
    yield Finding(
        "warning",
        f"{option.name} would cost {money(buy)}{node}, {digits(buy / price, 2)} times {pick.name}: its training "
        f"compute idles while decoding is bound by {option.speed.bound}; users would see "
        f"{digits(option.speed.each, 2)} tokens/s each ({option.format}) instead of "
        f"{digits(pick.speed.each, 2)} ({pick.format})",
        Measure("price over that of what does the job", buy / price, FACTOR * faster, "times"),
        f"{money(buy - price)} for {digits(faster, 2)} times the speed",
        Cure(f"buy {pick.name} and keep {money(buy - price)}", {"hardware": name, **cures.freed(case)}),
        buy - price,
    )


def _old(case: Case, option: Option) -> bool:
    return not case.wanted and (option.device.released or "0") < RECENT


RULE = Rule(
    "overkill", "warning", "overkill", "A training board to use a model",
    "Does hardware of a cheaper class do the job?", check, tempts=True,
)  # fmt: skip

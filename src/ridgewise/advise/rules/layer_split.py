"""Several cards bought for speed under an engine that passes layers from one to the next."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.rules.rule import Rule
from ridgewise.engines import load_engines
from ridgewise.units import digits, money
from ridgewise.workloads import SingleUser


def check(case: Case) -> Iterator[Finding]:
    """The same weights on fewer of the same cards write as fast."""
    option, work = case.option, case.question.workload
    if (
        option is None
        or not case.serves
        or option.pp < 2
        or load_engines()[option.engine].split != "layer"
        or option.left < 0
    ):
        return
    if not isinstance(work, SingleUser) or option.speed is None:
        return
    fmt = case.question.weights(option.format)
    for count in range(1, case.count):
        fewer = case.on(count, format=fmt, engine=option.engine)
        if fewer is None or fewer.left < fewer.memory_doubt or fewer.speed is None:
            continue
        saved = option.cost.buy - fewer.cost.buy if option.cost.buy and fewer.cost.buy else None
        name = cures.hardware(case.device, count)
        yield Finding(
            "warning",
            f"{load_engines()[option.engine].name} passes layers from card to card, one at a time: "
            f"{digits(case.count)} cards write {digits(option.speed.each, 2)} tokens/s, {digits(count)} "
            f"{'write' if count > 1 else 'writes'} {digits(fewer.speed.each, 2)}",
            Measure("tokens/s for the user", option.speed.each, fewer.speed.each, "tokens/s"),
            f"{money(saved)} for memory that this model does not need" if saved else "memory this model does not need",
            Cure(f"take {digits(count)} (--hardware '{name}'), or more for a larger model", {"hardware": name}),
            saved,
        )
        return


RULE = Rule(
    "layer-split", "warning", "flops", "Cards added for speed that only add memory",
    "Do more cards make it faster, or only larger?", check,
)  # fmt: skip

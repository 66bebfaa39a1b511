"""Why memory is too small: one cause per idea, the most telling."""

from __future__ import annotations

from ridgewise.advise.case import Case
from ridgewise.advise.option import Option


def cause(case: Case) -> str | None:
    """ "pooled": other devices' memory is counted on; "label": the label would hold it, what is usable does not;
    "active": a mixture's active parameters would fit; "weights": the weights alone are too much; "cache": the weights
    fit, the cache beside them does not. None: it fits, or nothing can be computed."""
    if not case.serves:
        return None
    option = case.option
    if (option is None or option.left < 0) and pooled(case) is not None:
        return "pooled"
    if option is None or option.left >= 0:
        return None
    label = option.configuration or option.device.memory or 0.0
    if option.memory_total <= label:
        return "label"
    arch, weights = case.question.arch, option.memory["weights"]
    rest = option.memory_total - weights
    if arch.moe and weights * arch.parameters_active / arch.parameters_total + rest <= option.usable < weights:
        return "active"
    return "weights" if weights > option.usable else "cache"


def pooled(case: Case) -> Option | None:
    """One of the devices alone, where all their memories together would hold what no layout spreads over them."""
    if case.count < 2:
        return None
    option = case.option
    if option is not None and option.tp * option.pp == case.count:
        return None  # it is spread over all of them: the sum is honest
    one = case.on(1)
    if one is None or one.left >= 0:
        return None
    return one if one.memory_total <= case.count * one.usable else None


def each(option: Option) -> str:
    """ "per device" where there are several."""
    return " per device" if option.count > 1 else ""

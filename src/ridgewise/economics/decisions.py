"""Which way is cheaper, from when, from which load on: break-even, flips, and the cheapest mix of owned and rented."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ridgewise.economics import finance
from ridgewise.economics.load import Series
from ridgewise.units import Num, Ratio


def cumulated(flows: Num, yearly: Ratio) -> Annotated[Series, "USD"]:
    """Money spent up to every month, in today's worth."""
    values = np.asarray(flows, dtype=float)
    spent: Series = np.cumsum(values * finance.discounts(yearly, values.shape[-1] - 1), axis=-1)
    return spent


def break_even(invest: Num, other: Num) -> Annotated[Num, "months"]:
    """The first month from which ``invest`` has cost no more than ``other`` and stays so; infinite where it never does.

    Both are cumulated costs with the months in the last axis. Equal costs of 0 in month 0 are no break-even.
    """
    ahead = np.asarray(invest) <= np.asarray(other)
    behind = np.where(ahead, -1, np.arange(ahead.shape[-1])).max(axis=-1)  # the last month in which it costs more
    first = behind + 1.0
    return np.where(ahead[..., -1], np.maximum(first, 1.0), np.inf)[()]


@dataclass(frozen=True, slots=True)
class Span:
    """Loads over which one way is cheapest: from ``low`` to ``high`` times the load asked for."""

    way: str
    low: float
    high: float


def cheapest(loads: Sequence[float] | Num, costs: Mapping[str, Num]) -> tuple[Span, ...]:
    """The cheapest way along rising loads: neighbours joined, a border at the geometric middle of two loads."""
    at = np.asarray(loads, dtype=float)
    names = tuple(costs)
    best = np.argmin(np.stack([np.asarray(costs[name], dtype=float) for name in names]), axis=0)
    edges = np.flatnonzero(np.diff(best)) + 1
    starts, ends = [0, *edges], [*edges, len(at)]
    border = [at[0], *(float(np.sqrt(at[e - 1] * at[e])) for e in edges), at[-1]]
    return tuple(
        Span(names[best[start]], float(border[i]), float(border[i + 1]))
        for i, (start, _) in enumerate(zip(starts, ends, strict=True))
    )


@dataclass(frozen=True, slots=True)
class Mix:
    """So many copies held all month, the rest rented by the hour when load asks for them [USD per month]."""

    held: float
    rented_hours: float
    cost: float


def cheapest_mix(
    above: Sequence[float],
    hours: float,
    held_month: Annotated[float, "USD"],
    hour_price: Annotated[float, "USD/h"],
    block: int = 1,
) -> Mix:
    """The cheapest number of copies to hold, ``block`` of which cost ``held_month`` together.

    ``above[k]`` is the share of the ``hours`` of a month in which more than *k* copies are needed. With blocks of one
    this is the newsvendor's rule (Arrow, Harris, Marschak 1951): a copy is held where renting it for its hours costs
    more than holding it.
    """
    share = np.asarray(above, dtype=float)
    rented = np.append(np.cumsum((share * hours)[::-1])[::-1], 0.0)  # hours rented where so many are held
    blocks = np.arange(-(-share.size // block) + 1)
    kept = np.minimum(blocks * block, share.size)
    costs = blocks * held_month + rented[kept] * hour_price
    best = int(np.argmin(costs))
    return Mix(float(blocks[best] * block), float(rented[kept[best]]), float(costs[best]))

"""How load spreads over time: months of ramp and growth, hours above a level, copies that carry it."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ridgewise.units import Count, Num, Ratio, Seconds, Tokens

#: A value per month, in the last axis; before it a row per case where there are several.
Series: TypeAlias = NDArray[np.float64]


def path(months: int, growth: Ratio = 0.0, ramp: float = 0.0, start: Ratio = 1.0) -> Annotated[Series, "ratio"]:
    """Load of month 1 … ``months`` over the load asked for: ``start`` times yearly growth, after a straight ramp.

    The ramp reaches its top in month ``ramp``; growth counts from month 1. A row per entry of ``growth`` or ``start``.
    """
    month = np.arange(1.0, months + 1.0)
    risen = np.minimum(month / ramp, 1.0) if ramp > 0 else np.ones(months)
    up, first = (np.asarray(value, dtype=float)[..., None] for value in (growth, start))
    found: Series = first * risen * (1.0 + up) ** ((month - 1.0) / 12.0)
    return found


def cycle(output: Tokens, reading: Annotated[Num, "tokens/s"], think: Seconds) -> Seconds:
    """Seconds from one question of a person to the next: the answer is read as it is written, then thought about.

    No machine enters, so that every way to have the service is billed for the same questions.
    """
    return output / reading + think


def copies(load: Num, peak: Count, capacity: Count) -> Count:
    """Deployments that carry ``load`` times ``peak`` where each carries ``capacity``; one at least: it stands ready."""
    return np.maximum(np.ceil(load * peak / capacity - 1e-9), 1.0)


def time_above(level: Ratio, mean: Ratio) -> Annotated[Num, "ratio"]:
    """Share of the time in which the load is above ``level`` of its peak, where its mean is ``mean`` of it.

    The load-duration curve t ↦ (1 − t)^(1/mean − 1): 1 at its top, 0 at its end, and the given mean between. It is an
    assumed shape; a profile by the hour replaces it.
    """
    return 1.0 - np.clip(level, 0.0, 1.0) ** (mean / np.maximum(1.0 - mean, 1e-12))


def time_above_profile(level: Ratio, hours: tuple[float, ...]) -> Annotated[Num, "ratio"]:
    """The same of a profile: loads of equal spans of time over their largest."""
    loads = np.asarray(hours, dtype=float) / max(hours)
    shares: Num = (loads > np.asarray(level, dtype=float)[..., None]).mean(axis=-1)
    return shares

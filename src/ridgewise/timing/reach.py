"""How much of the datasheet's peak a board can reach: clocks fall below the datasheet's where the power for them is
not allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np

from ridgewise.units import FlopPerSecond, Num, Watts

#: Share of the datasheet's peak that the best products reach where a board may draw ``USUAL_WATTS`` per TFLOP/s, by
#: vendor, as measured; systolic arrays come close to theirs.
REACHABLE: Mapping[str, float] = {"AMD": 0.56, "Intel": 0.90, "Google": 0.90}
REACHABLE_ELSE, USUAL_WATTS, MOST = 0.78, 0.7, 0.95


def reachable(rate: FlopPerSecond, watts: Watts | None, vendor: str, throttling: float) -> Annotated[Num, "ratio"]:
    """Share of a peak rate that products reach at best under a board limit of ``watts`` (None: not known), which
    changes with the watts allowed per FLOP/s to the power of ``throttling``."""
    allowed = watts / (rate / 1e12) / USUAL_WATTS if watts else 1.0
    return np.minimum(REACHABLE.get(vendor, REACHABLE_ELSE) * allowed**throttling, MOST)

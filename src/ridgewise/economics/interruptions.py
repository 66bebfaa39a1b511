"""What interruptions cost: spot machines that are taken away, and runs that start again from a checkpoint."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ridgewise.units import Num, Ratio

Hours = Annotated[Num, "h"]


def useful_share(per_hour: Annotated[Num, "1/h"], lost: Hours) -> Ratio:
    """Share of the rented time that does work, where each interruption loses ``lost`` hours: 1 − r · t, 0 at least."""
    return np.maximum(1.0 - per_hour * lost, 0.0)


def effective_price(price: Num, per_hour: Annotated[Num, "1/h"], lost: Hours) -> Num:
    """Price of an hour of work; infinite where nothing is ever finished."""
    useful = np.asarray(useful_share(per_hour, lost), dtype=float)
    return np.where(useful > 0, price / np.where(useful > 0, useful, 1.0), np.inf)[()]


def checkpoint_interval(write: Hours, between: Hours) -> Hours:
    """Best time between checkpoints that take ``write``, with ``between`` hours from one failure to the next:
    √(2 · write · between) (Young, CACM 17, 1974)."""
    return np.sqrt(2.0 * write * between)


def checkpoint_loss(interval: Hours, write: Hours, between: Hours, restart: Hours) -> Hours:
    """Hours lost per failure of a run: half an interval, the restart, and the checkpoints written since the last one
    (first order in 1/``between``: Daly, FGCS 22, 2006)."""
    return interval / 2.0 + restart + write * between / interval

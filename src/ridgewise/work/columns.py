"""Many passes side by side: the work of one pass per row, as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ridgewise.work.forward import Work

_FIELDS = ("flops", "weights", "cache", "activations", "rows")


def stacked(passes: Sequence[Mapping[str, Work]]) -> dict[str, Work]:
    """Work by operator with a value per pass; an operator that a pass lacks asks nothing of it."""
    operators = sorted({operator for work in passes for operator in work})
    none = Work()
    return {
        operator: Work(
            *(np.array([float(getattr(work.get(operator, none), name)) for work in passes]) for name in _FIELDS)
        )
        for operator in operators
    }

"""Ridgewise: what hardware does my AI workload need, and why?

``ridgewise.estimate`` is the command of that name as a function, for numbers and for columns; ``ridgewise.job`` the
same for models that do not answer token by token; ``ridgewise.simulate`` and ``ridgewise.capacity`` are services,
``ridgewise.cost`` is money, ``ridgewise.train`` a training run; ``ridgewise.plan``, ``fit``, ``compare``, ``explain``
and ``check`` answer as their commands do, and ``ridgewise.memo`` makes of any answer a document to sign.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ridgewise.app.asking import check, compare, explain, fit, memo, plan
    from ridgewise.app.costing import cost
    from ridgewise.app.estimating import estimate
    from ridgewise.app.jobs import job
    from ridgewise.app.services import capacity, simulate
    from ridgewise.app.training import train

__version__ = "0.1.0"
__all__ = [
    "__version__", "capacity", "check", "compare", "cost", "estimate", "explain", "fit", "job", "memo", "plan",
    "simulate", "train",
]  # fmt: skip

_HOMES = {
    **dict.fromkeys(("check", "compare", "explain", "fit", "memo", "plan"), "ridgewise.app.asking"),
    "estimate": "ridgewise.app.estimating",
    "cost": "ridgewise.app.costing",
    "job": "ridgewise.app.jobs",
    "simulate": "ridgewise.app.services",
    "capacity": "ridgewise.app.services",
    "train": "ridgewise.app.training",
}


def __getattr__(name: str) -> Any:
    """Functions of the package, loaded when first asked for."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'ridgewise' has no attribute {name!r}")

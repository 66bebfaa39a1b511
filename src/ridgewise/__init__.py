"""Ridgewise: what hardware does my AI workload need, and why?

``ridgewise.estimate`` is the command of that name as a function, for numbers and for columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ridgewise.app.estimating import estimate

__version__ = "0.1.0"
__all__ = ["__version__", "estimate"]


def __getattr__(name: str) -> Any:
    """Functions of the package, loaded when first asked for."""
    if name == "estimate":
        from ridgewise.app.estimating import estimate

        return estimate
    raise AttributeError(f"module 'ridgewise' has no attribute {name!r}")

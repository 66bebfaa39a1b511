"""Supply: how long work takes on a machine, what bounds it, and how sure we are. Knows no model."""

from ridgewise.timing.efficiency import Efficiency, Fitted, load_calibration
from ridgewise.timing.roofline import Rates, Term, step_seconds, terms, total_seconds

__all__ = [
    "Efficiency",
    "Fitted",
    "Rates",
    "Term",
    "load_calibration",
    "step_seconds",
    "terms",
    "total_seconds",
]

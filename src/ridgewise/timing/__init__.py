"""Supply: how long work takes on a machine, what bounds it, and how sure we are. Knows no model."""

from ridgewise.timing.coefficients import Band, Block, Coefficient, load_blocks
from ridgewise.timing.efficiency import Efficiency
from ridgewise.timing.roofline import Rates, Term, step_seconds, terms, total_seconds

__all__ = [
    "Band",
    "Block",
    "Coefficient",
    "Efficiency",
    "Rates",
    "Term",
    "load_blocks",
    "step_seconds",
    "terms",
    "total_seconds",
]

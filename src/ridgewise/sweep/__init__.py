"""Sweeps: a grid of names and numbers, in parts, on one core, on many or on a cluster, into Parquet."""

from ridgewise.sweep.grid import Grid, read_grid
from ridgewise.sweep.run import Sweep, swept

__all__ = ["Grid", "Sweep", "read_grid", "swept"]

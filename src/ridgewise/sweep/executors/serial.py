"""One part after another, in this process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ridgewise.sweep.grid import Grid
from ridgewise.sweep.part import part_bytes


def run(grid: Grid, parts: Iterable[int], workers: int, address: str) -> Iterator[tuple[int, bytes]]:
    """Every part with its bytes, in order."""
    for number in parts:
        yield number, part_bytes(grid, number)

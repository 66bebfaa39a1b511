"""Where the parts of a sweep are computed, one file each: here, in processes, on a cluster.

An executor is a module with ``run``: it takes numbers of parts and gives each with its bytes, in any order, with few of
them in memory at a time. A worker that dies costs its parts again, never a part twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from ridgewise.errors import RequestError, nearest
from ridgewise.sweep.grid import Grid

#: Deaths of workers in a row, without a part done between them, after which the parts themselves are to blame.
PATIENCE = 3


class Executor(Protocol):
    """The shape of an executor's module."""

    def run(self, grid: Grid, parts: Iterable[int], workers: int, address: str) -> Iterator[tuple[int, bytes]]:
        """Every part with its bytes."""


def executors() -> tuple[str, ...]:
    """Every executor there is."""
    return tuple(sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py")))


def executor(name: str) -> Executor:
    """The executor of a name; RequestError with the nearest."""
    if name not in executors():
        raise RequestError(f"unknown executor {name!r}", "--executor", nearest(name, executors()) or executors())
    return cast(Executor, import_module(f"{__name__}.{name}"))

"""Processes of this machine."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice

from ridgewise.errors import RequestError
from ridgewise.sweep.executors import PATIENCE
from ridgewise.sweep.grid import Grid
from ridgewise.sweep.part import part_bytes

_grid: Grid | None = None


def run(grid: Grid, parts: Iterable[int], workers: int, address: str) -> Iterator[tuple[int, bytes]]:
    """Every part with its bytes, as they are done; one more is in flight than there are workers."""
    left = iter(parts)
    again: list[int] = []
    deaths = 0
    while True:
        running: dict[Future[bytes], int] = {}
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, _start, (grid,)) as pool:
            try:
                while True:
                    while len(running) <= workers and (again := again or list(islice(left, 1))):
                        future = pool.submit(_part, again[-1])
                        running[future] = again.pop()
                    if not running:
                        return
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        found = future.result()
                        deaths = 0
                        yield running.pop(future), found
            except BrokenProcessPool:
                deaths += 1
                again += list(running.values())
                if deaths > PATIENCE:
                    raise RequestError("workers die at every part: too little memory?", "--workers", ("1",)) from None
            finally:
                pool.shutdown(wait=False, cancel_futures=True)


def _start(grid: Grid) -> None:
    global _grid
    _grid = grid


def _part(number: int) -> bytes:
    assert _grid is not None
    return part_bytes(_grid, number)

"""The same digits on every machine: work in interpreters whose numeric libraries all take the same kernels.

NumPy and OpenBLAS choose kernels by processor, and each rounds in an order of its own; a fit stopped at a
tolerance keeps the difference. Told to use what every x86-64 server of the last ten years has, they agree
(NumPy "CPU build options", OpenBLAS README). On other processors the digits may differ in the last place.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def kernels() -> dict[str, str]:
    """The environment that pins the kernels; it must stand before NumPy is loaded."""
    import numpy as np

    optional = list(np.show_config(mode="dicts")["SIMD Extensions"].get("found", ()))
    found = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    if optional:
        found["NPY_DISABLE_CPU_FEATURES"] = " ".join(optional)
    if {"AVX2", "X86_V3"} & set(optional):
        found["OPENBLAS_CORETYPE"] = "Haswell"
    return found


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def steadily(work: Callable[[T], R], tasks: Sequence[T]) -> Iterator[R]:
    """``work`` of every task, in order, on all cores. ``work`` is a function of a module: it travels by name."""
    if not tasks:
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with _environment(kernels()), ProcessPoolExecutor(min(cores, len(tasks)), get_context("spawn")) as pool:
        yield from pool.map(work, tasks)

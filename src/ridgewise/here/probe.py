"""What this machine reaches: memory bandwidth by threads, matrix products by number format, copies, all-reduce.

Bandwidth is measured with kernels that read, copy and mix (McCalpin's STREAM): an engine that decodes only reads, and
a triad reads less than that. NumPy's kernels release the interpreter's lock, so threads run side by side.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import numpy as np

from ridgewise.here.contention import Figure, rounds, settled

#: Bytes of one array per thread: many times what caches hold.
ARRAY = 96 << 20
#: Kernels over arrays a, b, c: name → bytes per byte of an array, and what is done.
KERNELS: dict[str, tuple[int, Callable[[np.ndarray, np.ndarray, np.ndarray], object]]] = {
    "read": (1, lambda a, b, c: np.bitwise_or.reduce(a.view(np.uint64))),
    "copy": (2, lambda a, b, c: np.copyto(c, a)),
    "triad": (3, lambda a, b, c: np.add(a, b, out=c)),
}
#: Order of a matrix product, by number format, so that one takes about a tenth of a second on two cores.
ORDER = 1536
#: The product in a process of its own: how many threads BLAS uses is settled when it is loaded.
PRODUCT = """
import json, sys, time
import numpy as np
order, dtype, seconds = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
a = np.random.default_rng(0).random((order, order)).astype(dtype)
a @ a
found, end = [], time.perf_counter() + seconds
while len(found) < 5 or time.perf_counter() < end:
    wall, cpu = time.perf_counter(), time.process_time()
    a @ a
    taken = time.perf_counter() - wall
    found.append((2 * order**3 / taken, (time.process_time() - cpu) / taken))
    if time.perf_counter() > end + 5:
        break
print(json.dumps(found))
"""
#: Variables that say how many threads a BLAS uses.
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
#: Longest wait for a product [s].
WAIT = 60.0


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def steps(most: int) -> list[int]:
    """1, 2, 4 … threads, and all."""
    return sorted({*(2**i for i in range(most.bit_length())), most})


def probe(said: Callable[[str], None], threads: int, free: float, budget: float = 20.0) -> Iterator[Figure]:
    """Every figure as it is known. ``free``: memory that may be used [B]; ``budget``: about how long [s]."""
    counts = steps(threads)
    each = budget * 0.55 / (len(counts) * len(KERNELS))
    for count in counts:
        size = int(min(ARRAY, free / 8 / count)) // 64 * 64
        for name in KERNELS:
            said(f"memory, {name}, {count} thread{'s' * (count > 1)}")
            yield bandwidth(name, count, size, each)
    for dtype, order in (("float32", ORDER), ("float64", ORDER // 2)):
        for count in sorted({1, threads}):
            said(f"matrix product, {dtype}, {count} thread{'s' * (count > 1)}")
            figure = product(dtype, order, count, budget * 0.06)
            if figure is not None:
                yield figure
    if importlib.util.find_spec("torch") is not None:
        from ridgewise.here.torch_probe import torch_probe

        yield from torch_probe(said, threads, budget * 0.2)


def bandwidth(kernel: str, count: int, size: int, budget: float = 1.0) -> Figure:
    """Bytes per second that ``count`` threads move together, each over arrays of its own."""
    times, work = KERNELS[kernel]
    arrays = [[np.full(size // 4, i + 1, dtype=np.float32) for i in range(3)] for _ in range(count)]
    if count == 1:
        a, b, c = arrays[0]
        return rounds(f"memory, {kernel}, 1 thread", "B/s", times * size, lambda: work(a, b, c), 1, budget)
    start, end = threading.Barrier(count + 1), threading.Barrier(count + 1)
    stop = threading.Event()

    def worker(mine: list[np.ndarray]) -> None:
        while True:
            start.wait()
            if stop.is_set():
                return
            work(*mine)
            end.wait()

    workers = [threading.Thread(target=worker, args=(mine,), daemon=True) for mine in arrays]
    for one in workers:
        one.start()

    def together() -> None:
        start.wait()
        end.wait()

    try:
        return rounds(f"memory, {kernel}, {count} threads", "B/s", count * times * size, together, count, budget)
    finally:
        stop.set()
        start.wait()
        for one in workers:
            one.join()


def product(dtype: str, order: int, count: int, budget: float) -> Figure | None:
    """FLOP per second of NumPy's matrix product; None where the process does not answer."""
    environment = {**os.environ, **dict.fromkeys(THREADS, str(count))}
    try:
        done = subprocess.run(
            [sys.executable, "-c", PRODUCT, str(order), dtype, str(budget)], env=environment, capture_output=True,
            timeout=WAIT, check=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        found = [(float(rate), float(busy) / count) for rate, busy in json.loads(done.stdout)]
    except (subprocess.SubprocessError, OSError, ValueError):
        return None
    plural = "s" * (count > 1)
    return settled(f"product, {dtype.replace('float', 'fp')}, {count} thread{plural}", "FLOP/s", found, alone=True)

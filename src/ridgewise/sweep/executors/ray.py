"""A Ray cluster, or with no address Ray on this machine.

Ray starts a part again where a worker or a machine of the cluster is lost. Machines of the cluster need the same
version of Ridgewise; the grid travels, files of the user's own catalogue do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from ridgewise.errors import RequestError
from ridgewise.sweep.executors import PATIENCE
from ridgewise.sweep.grid import Grid
from ridgewise.sweep.part import part_bytes

#: Parts in flight for each processor of the cluster.
AHEAD = 2


def run(grid: Grid, parts: Iterable[int], workers: int, address: str) -> Iterator[tuple[int, bytes]]:
    """Every part with its bytes, as they are done."""
    try:
        import ray
    except ImportError:
        raise RequestError(
            "Ray is not installed", "--executor", ("pip install 'ridgewise[ray]'", "processes")
        ) from None
    started = not ray.is_initialized()
    if started:
        try:
            if address:
                ray.init(address=address, log_to_driver=False)
            else:
                ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise RequestError(f"no Ray cluster: {str(error).splitlines()[0]}", "--address", ("auto",)) from None
    try:
        compute = ray.remote(max_retries=PATIENCE)(part_bytes)
        held, left = ray.put(grid), iter(parts)
        resources: dict[str, float] = ray.cluster_resources()
        most = AHEAD * max(int(resources.get("CPU", 1)), 1)
        running = {compute.remote(held, number): number for number in islice(left, most)}
        while running:
            done, _ = ray.wait(list(running), num_returns=1)
            for reference in done:
                number = running.pop(reference)
                yield number, ray.get(reference)
            running |= {compute.remote(held, number): number for number in islice(left, most - len(running))}
    finally:
        if started:
            ray.shutdown()

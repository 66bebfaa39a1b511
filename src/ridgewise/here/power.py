"""Power while something runs, where the system tells it: ``nvidia-smi``, ``hwmon``, energy counters of ``powercap``."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path
from typing import Annotated

from ridgewise.here.seen import Live
from ridgewise.here.sources import amd, nvidia

#: Time between two looks [s].
EVERY = 1.0
COUNTERS = "class/powercap/*:0/energy_uj"


class Power:
    """Mean draw while the context is open: of graphics devices sampled, of processors by their energy counters."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._samples: list[float] = []
        self._energy, self._start, self._joules, self._seconds = 0.0, 0.0, 0.0, 0.0
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Power:
        self._energy, self._start = _energy() or 0.0, time.monotonic()
        if shutil.which("nvidia-smi") or list(Path("/sys").glob("class/drm/card*/device/hwmon/hwmon*/power1_average")):
            self._thread = threading.Thread(target=self._sample, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10)
        after = _energy()
        self._seconds = time.monotonic() - self._start
        if after is not None and after > self._energy > 0:
            self._joules = after - self._energy

    @property
    def watts(self) -> Annotated[float, "W"] | None:
        """Mean draw of what can be read; None where nothing can."""
        found = sum(self._samples) / len(self._samples) if self._samples else 0.0
        if self._joules and self._seconds:
            found += self._joules / self._seconds
        return found or None

    def _sample(self) -> None:
        while not self._stop.wait(EVERY):
            seen = Live(wait=3.0)
            gpus = [*nvidia.from_query(seen.run(*nvidia.QUERY)), *amd.from_sysfs(seen)]
            known = [gpu.power for gpu in gpus if gpu.power is not None]
            if known:
                self._samples.append(sum(known))


def _energy() -> float | None:
    """Joules that the packages have drawn since some time; None where the counters may not be read."""
    found = []
    for path in Path("/sys").glob(COUNTERS):
        try:
            found.append(float(path.read_text(encoding="ascii")) / 1e6)
        except (OSError, ValueError):
            return None
    return sum(found) if found else None

"""Power and temperature of processors and boards: ``hwmon`` and the energy counters of ``powercap``."""

from __future__ import annotations

from ridgewise.here.machine import Sensor
from ridgewise.here.seen import Seen

TEMPERATURES = "/sys/class/hwmon/hwmon*/temp1_input"
POWERS = "/sys/class/hwmon/hwmon*/power1_input"
ENERGY = "/sys/class/powercap/*/energy_uj"


def read(seen: Seen) -> list[Sensor]:
    """Readings by the names of their drivers; an energy counter that can be read is named, its count says nothing."""
    found = []
    for path in seen.paths(TEMPERATURES):
        text = seen.text(path).strip()
        if text.lstrip("-").isdigit():
            found.append(Sensor(_name(seen, path), float(text) / 1e3, "degC"))
    for path in seen.paths(POWERS):
        text = seen.text(path).strip()
        if text.isdigit():
            found.append(Sensor(_name(seen, path), float(text) / 1e6, "W"))
    for path in seen.paths(ENERGY):
        if seen.text(path).strip().isdigit():
            found.append(Sensor(f"{seen.text(path.rpartition('/')[0] + '/name').strip()} energy counter",
                                float(seen.text(path)) / 1e6, "J"))  # fmt: skip
    return found


def _name(seen: Seen, path: str) -> str:
    return seen.text(path.rpartition("/")[0] + "/name").strip() or "sensor"

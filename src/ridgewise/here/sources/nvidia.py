"""NVIDIA devices: what NVML tells through ``nvidia-smi``, and how they are joined."""

from __future__ import annotations

import csv
import re
from dataclasses import replace

from ridgewise.here.machine import Gpu, Link
from ridgewise.here.seen import Seen
from ridgewise.here.sources import ram

FIELDS = (
    "index", "name", "driver_version", "memory.total", "memory.free", "pci.bus_id", "pci.device_id",
    "pcie.link.gen.max", "pcie.link.width.max", "power.draw", "power.limit", "temperature.gpu", "mig.mode.current",
)  # fmt: skip
QUERY = ("nvidia-smi", f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits")
TOPOLOGY = ("nvidia-smi", "topo", "-m")
MIB = 2.0**20
#: Marks of ``nvidia-smi topo -m`` and what they mean.
PATHS = {
    "PIX": "PCIe switch", "PXB": "PCIe switches", "PHB": "PCIe host bridge", "NODE": "PCIe host bridges of one socket",
    "SYS": "between sockets",
}  # fmt: skip


def read(seen: Seen) -> tuple[list[Gpu], list[Link]]:
    """Devices and links."""
    gpus = from_query(seen.run(*QUERY))
    if gpus and gpus[0].total is None:
        memory = ram.from_meminfo(seen.text("/proc/meminfo"))
        gpus = [
            replace(gpu, unified=True, total=memory.total, free=memory.free, limit="shares the system's memory")
            for gpu in gpus
        ]
    return gpus, from_topology(seen.run(*TOPOLOGY)) if len(gpus) > 1 else []


def from_query(text: str) -> list[Gpu]:
    """Devices of the query; "[N/A]" and "[Not Supported]" are unknown."""
    found = []
    for cells in csv.reader(text.splitlines(), skipinitialspace=True):
        if len(cells) != len(FIELDS):
            continue
        held = dict(zip(FIELDS, (cell.strip() for cell in cells), strict=True))
        total, free = _number(held["memory.total"]), _number(held["memory.free"])
        device = held["pci.device_id"].casefold().removeprefix("0x")
        pcie = f"PCIe {held['pcie.link.gen.max']}.0 x{held['pcie.link.width.max']}"
        found.append(
            Gpu(
                held["name"],
                "NVIDIA",
                f"nvidia {held['driver_version']}",
                total and total * MIB,
                None if free is None else free * MIB,
                False,
                "",
                f"10de:{device[:4]}" if len(device) == 8 else "",
                held["pci.bus_id"],
                None,
                _number(held["power.draw"]),
                _number(held["power.limit"]),
                _number(held["temperature.gpu"]),
                pcie if re.fullmatch(r"PCIe \d\.0 x\d+", pcie) else "",
                "MIG is on: its instances are smaller" if held["mig.mode.current"] == "Enabled" else "",
            )
        )
    return found


def from_topology(text: str) -> list[Link]:
    """Every pair of devices once."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    lines = [line.split() for line in plain.splitlines() if re.match(r"\s*GPU\d+\s", line)]
    if not lines:
        return []
    names, rows = [cell for cell in lines[0] if re.fullmatch(r"GPU\d+", cell)], lines[1:]
    found = []
    for row in rows:
        first, marks = row[0], row[1:]
        for second, mark in zip(names, marks, strict=False):
            if names.index(second) <= names.index(first):
                continue
            bonded = re.fullmatch(r"NV(\d+)", mark)
            found.append(
                Link(first, second, "NVLink" if bonded else PATHS.get(mark, mark), int(bonded[1]) if bonded else 0)
            )
    return found


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None

"""A machine: so many of one device, with the memory each can really use."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ridgewise.errors import RequestError
from ridgewise.facts.figure import Figure
from ridgewise.hardware.device import Device

GIB = 2.0**30
#: Share of unified memory that the GPU may use: vendor → (share, why). All assumed until measured.
UNIFIED_SHARE: dict[str, tuple[float, str]] = {
    "Apple": (0.75, "Metal's recommended working set is 2/3 to 4/5 of the memory; the limit can be raised"),
    "AMD": (0.75, "BIOS carve-out plus GTT: 96 of 128 GB is a common setting; Linux starts at half"),
    "NVIDIA": (0.92, "GPU memory is the system memory less what the system and its services hold"),
    "": (0.5, "drivers of integrated GPUs map about half of the memory"),
}
#: What the operating system keeps where the processor computes: at most so much, at most this share.
SYSTEM_BYTES = 4 * GIB
#: What a system with its services keeps of unified memory at the very least.
UNIFIED_SYSTEM_BYTES = 2.5 * GIB
SYSTEM_SHARE = 0.25
#: Devices per node where the sheet says nothing.
BOARDS_PER_NODE = 8


@dataclass(frozen=True, slots=True)
class Machine:
    """``count`` of one device.

    memory   the chosen configuration [B] of a device sold with several, or the RAM around a processor;
             None: the labelled capacity. RequestError when the device has a fixed memory of another size.
    """

    device: Device
    count: int = 1
    memory: float | None = None

    def __post_init__(self) -> None:
        if self.count < 1:
            raise RequestError(f"{self.count} devices are none", self.device.id)
        if self.memory is None:
            return
        label = self.device.memory
        open_ended = self.device.complete or self.device.kind == "cpu" or label is None
        if self.memory <= 0 or not (open_ended or math.isclose(self.memory, label or 0.0, rel_tol=0.02)):
            raise RequestError(
                f"{self.device.name} is not sold with {self.memory / GIB:g} GiB",
                "memory",
                () if label is None else (f"{label / GIB:g} GiB",),
            )

    @property
    def capacity(self) -> float | None:
        """Memory of one device as labelled or chosen [B]; None when unknown."""
        return self.memory if self.memory is not None else self.device.memory

    @property
    def memory_total(self) -> float | None:
        """Labelled memory of all devices [B]."""
        return None if self.capacity is None else self.count * self.capacity

    @property
    def usable(self) -> float | None:
        """Memory of one device that weights and caches can use [B]; None when unknown."""
        found = self.usable_figure
        return None if found is None else found.number

    @property
    def usable_figure(self) -> Figure | None:
        """The usable memory with the rule behind it.

        What the driver reports, where known and the memory is the labelled one; a share of unified
        memory; RAM less the system's part for processors; else the label.
        """
        reported = self.device.figures.get("memory_usable")
        if reported is not None and self.memory in (None, self.device.memory):
            return reported
        if self.capacity is None:
            return None
        key = f"{self.device.id}.memory_usable"
        if self.device.kind == "unified":
            share, why = UNIFIED_SHARE.get(self.device.vendor, UNIFIED_SHARE[""])
            most = min(share * self.capacity, self.capacity - UNIFIED_SYSTEM_BYTES)
            return Figure(key, most, "B", "assumed", note=f"{share:g} of the memory: {why}")
        if self.device.kind in ("cpu", "sbc", "npu"):
            kept = min(SYSTEM_BYTES, SYSTEM_SHARE * self.capacity)
            return Figure(key, self.capacity - kept, "B", "assumed", note="RAM less what the system keeps")
        return Figure(key, self.capacity, "B", "assumed", note="the label: the driver's figure is not known")

    @property
    def per_node(self) -> int:
        """Devices that one node holds."""
        known = self.device.number("max_per_node")
        if known is not None:
            return int(known)
        return 1 if self.device.complete or self.device.kind == "cpu" else BOARDS_PER_NODE

    @property
    def nodes(self) -> int:
        """Nodes needed to hold all devices."""
        return math.ceil(self.count / self.per_node)

    @property
    def link_bandwidth(self) -> float | None:
        """Bandwidth between two devices of one node, per direction [B/s]; None for a single device."""
        return None if self.count == 1 else self.device.number("link_bandwidth")

    @property
    def host(self) -> str | None:
        """What the boards need around them (a kind of :func:`offers.hosts`); None: it is a computer."""
        if self.device.complete:
            return None
        if self.device.kind == "cpu":
            return "cpu-server"
        if self.device.kind in ("gpu-consumer", "gpu-workstation"):
            return "desktop" if self.count <= 2 else "workstation"
        return "workstation" if self.device.slotted and self.count <= 4 else "server"


#: RAM sizes a processor is usually given [GiB], by memory channels: a desktop has two.
DESKTOP_RAM = (64, 128, 192)
SERVER_RAM = (256, 512, 768, 1152)


def configurations(device: Device) -> tuple[float | None, ...]:
    """The memory sizes to consider [B], smallest first; (None,) where the device has one."""
    if device.kind == "cpu":
        channels = device.number("memory_channels") or 8
        return tuple(size * GIB for size in (DESKTOP_RAM if channels <= 2 else SERVER_RAM))
    return tuple(sorted(device.memory_options)) or (None,)

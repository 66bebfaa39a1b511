"""What this machine holds, from every source that answers."""

from __future__ import annotations

from dataclasses import replace

from ridgewise.here.machine import Gpu, Here
from ridgewise.here.seen import Live, Seen
from ridgewise.here.sources import amd, apple, cpu, intel, limits, nvidia, pci, ram, sensors, vulkan

#: Programs that are asked at the same time, by system.
ASKED = {
    "Linux": (nvidia.QUERY, nvidia.TOPOLOGY, amd.AMD_SMI, amd.AMD_SMI_USE, amd.ROCM_SMI, intel.XPU_SMI, vulkan.SUMMARY,
              ram.DMIDECODE),
    "Darwin": (cpu.SYSCTL, ram.VM_STAT, apple.PROFILER, apple.WIRED),
    "Windows": (nvidia.QUERY, vulkan.SUMMARY),
}  # fmt: skip


def live() -> Live:
    """This machine, its tools asked already."""
    seen = Live()
    seen.ask(ASKED.get(seen.system, ()))
    return seen


def detect(seen: Seen) -> Here:
    """Everything about one machine. A device that two sources tell of is listed once, by the one that tells more."""
    found, links = nvidia.read(seen)
    told = [*found, *amd.read(seen), *intel.read(seen), *apple.read(seen)]
    for more in (pci.displays(seen), vulkan.read(seen)):
        told = _joined(told, more)
    memory, around = ram.read(seen), limits.read(seen)
    if around.memory is not None:
        memory = replace(memory, free=min(memory.free, around.memory))
    told = [
        replace(gpu, total=gpu.total or memory.total / 2, free=gpu.free or memory.free / 2,
                limit=gpu.limit or "drivers of integrated devices map about half of the memory")
        if gpu.unified and gpu.total is None else gpu
        for gpu in told
    ]  # fmt: skip
    return Here(
        seen.system, cpu.read(seen), memory, tuple(told), tuple(pci.npus(seen)), tuple(links), around,
        tuple(sensors.read(seen)), seen.silent,
    )  # fmt: skip


def _joined(known: list[Gpu], more: list[Gpu]) -> list[Gpu]:
    """Devices of a further source: those of known PCI ids complete what is known, others are added."""
    found = list(known)
    left = [gpu.pci for gpu in known]
    for gpu in more:
        if gpu.pci in left:
            place = left.index(gpu.pci)
            left[place] = ""
            held = found[place]
            found[place] = replace(held, name=held.name or gpu.name, bus=held.bus or gpu.bus)
        elif not (gpu.vendor and any(one.vendor == gpu.vendor and not one.pci for one in known)):
            found.append(gpu)
    return found

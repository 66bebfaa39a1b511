"""Apple silicon: ``system_profiler`` and ``sysctl``; the working set that Metal lets a program use."""

from __future__ import annotations

import json
import re

from ridgewise.here.machine import Gpu
from ridgewise.here.seen import Seen
from ridgewise.here.sources import ram
from ridgewise.here.sources.cpu import SYSCTL

PROFILER = ("system_profiler", "SPDisplaysDataType", "-json")
WIRED = ("sysctl", "iogpu.wired_limit_mb")
GIB = 2.0**30
#: ``recommendedMaxWorkingSetSize`` as llama.cpp logs it: 2/3 of up to 36 GiB, 3/4 of more.
SMALL, SHARES = 36 * GIB, (2 / 3, 3 / 4)


def read(seen: Seen) -> list[Gpu]:
    """The graphics part of the chip; nothing on other systems."""
    if seen.system != "Darwin":
        return []
    memory = ram.from_vm_stat(seen.run(*SYSCTL), seen.run(*ram.VM_STAT))
    raised = re.search(r"iogpu\.wired_limit_mb: (\d+)", seen.run(*WIRED))
    found = from_profiler(seen.run(*PROFILER))
    if found is None:
        return []
    name, cores = found
    if raised and int(raised[1]) > 0:
        most, limit = float(raised[1]) * 2**20, "set with sysctl iogpu.wired_limit_mb"
    else:
        most = memory.total * SHARES[memory.total > SMALL]
        limit = "Metal's working set; sysctl iogpu.wired_limit_mb raises it"
    return [Gpu(name, "Apple", "Metal", most, min(most, memory.free), True, limit, cores=cores)]


def from_profiler(text: str) -> tuple[str, int | None] | None:
    """Name and number of cores of the graphics part."""
    try:
        cards = json.loads(text)["SPDisplaysDataType"]
        card = next(card for card in cards if "sppci_model" in card)
    except (ValueError, KeyError, TypeError, StopIteration):
        return None
    cores = str(card.get("sppci_cores", ""))
    return str(card["sppci_model"]), int(cores) if cores.isdigit() else None

"""The PCI bus: devices that no driver speaks for, and neural accelerators."""

from __future__ import annotations

import re

from ridgewise.here.machine import Gpu, Npu
from ridgewise.here.seen import Seen

DEVICES = "/sys/bus/pci/devices/*/class"
ACCELERATORS = "/sys/class/accel/accel*/device/uevent"
VENDORS = {"10de": "NVIDIA", "1002": "AMD", "8086": "Intel", "1022": "AMD"}
#: Class of the bus: display controllers.
DISPLAY = "0x03"


def displays(seen: Seen) -> list[Gpu]:
    """Display controllers of makers whose devices compute."""
    found = []
    for path in seen.paths(DEVICES):
        folder = path.rpartition("/")[0]
        if not seen.text(path).startswith(DISPLAY):
            continue
        vendor, device = (seen.text(f"{folder}/{name}").strip().removeprefix("0x") for name in ("vendor", "device"))
        driver = re.search(r"^DRIVER=(\S+)", seen.text(f"{folder}/uevent"), re.M)
        if vendor in VENDORS:
            found.append(Gpu("", VENDORS[vendor], driver[1] if driver else "", pci=f"{vendor}:{device}",
                             bus=folder.rpartition("/")[2]))  # fmt: skip
    return found


def npus(seen: Seen) -> list[Npu]:
    """Devices of the kernel's ``accel`` class."""
    found = []
    for path in seen.paths(ACCELERATORS):
        held = dict(re.findall(r"^(\w+)=(.*)$", seen.text(path), re.M))
        found.append(Npu("", held.get("DRIVER", ""), held.get("PCI_ID", "").casefold()))
    return found

"""Intel devices: ``xpu-smi`` where installed, else the cards of the ``xe`` and ``i915`` drivers."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from ridgewise.here.machine import Gpu
from ridgewise.here.seen import Seen

XPU_SMI = ("xpu-smi", "discovery", "-d", "0", "-j")
CARDS = "/sys/class/drm/card*/device/vendor"
DRIVERS = re.compile(r"^DRIVER=(xe|i915)$", re.M)


def read(seen: Seen) -> list[Gpu]:
    """Devices; video memory is that of the card's local region, none for integrated ones."""
    found = []
    for path in seen.paths(CARDS):
        folder = path.rpartition("/")[0]
        uevent = seen.text(f"{folder}/uevent")
        driver = DRIVERS.search(uevent)
        if seen.text(path).strip() != "0x8086" or driver is None:
            continue
        device = seen.text(f"{folder}/device").strip().removeprefix("0x")
        bus = re.search(r"PCI_SLOT_NAME=(\S+)", uevent)
        # The first addresses of a card in a slot lie behind a bridge; integrated devices sit at 00:02.0.
        found.append(Gpu("", "Intel", driver[1], unified=bool(bus and bus[1].endswith(":00:02.0")),
                         pci=f"8086:{device}", bus=bus[1] if bus else ""))  # fmt: skip
    told = from_xpu_smi(seen.run(*XPU_SMI)) if found else None
    if told is not None:
        return [replace(gpu, name=told.name, total=told.total, driver=told.driver or gpu.driver)
                if gpu.pci == told.pci or len(found) == 1 else gpu for gpu in found]  # fmt: skip
    return found


def from_xpu_smi(text: str) -> Gpu | None:
    """``xpu-smi discovery`` in JSON."""
    try:
        held = json.loads(text)
    except ValueError:
        return None
    if not isinstance(held, dict) or "device_name" not in held:
        return None
    size = str(held.get("memory_physical_size_byte", ""))
    device = str(held.get("pci_device_id", "")).casefold().removeprefix("0x")
    units = str(held.get("number_of_eus", ""))
    return Gpu(
        str(held["device_name"]), "Intel", str(held.get("driver_version", "")), float(size) if size.isdigit() else None,
        pci=f"8086:{device}", bus=str(held.get("pci_bdf_address", "")), cores=int(units) if units.isdigit() else None,
    )  # fmt: skip

"""Devices that Vulkan drives: ``vulkaninfo --summary``; the last resort where no maker's tool answers."""

from __future__ import annotations

import re

from ridgewise.here.machine import Gpu
from ridgewise.here.seen import Seen

SUMMARY = ("vulkaninfo", "--summary")
VENDORS = {
    "0x10de": "NVIDIA",
    "0x1002": "AMD",
    "0x8086": "Intel",
    "0x106b": "Apple",
    "0x13b5": "ARM",
    "0x5143": "Qualcomm",
}


def read(seen: Seen) -> list[Gpu]:
    """Devices; the summary does not tell their memory."""
    return from_summary(seen.run(*SUMMARY))


def from_summary(text: str) -> list[Gpu]:
    """Every device that is no renderer in software."""
    found = []
    for block in re.split(r"^GPU\d+:", text, flags=re.M)[1:]:
        held = {name: value.strip() for name, value in re.findall(r"^\s*(\w+)\s*= (.*)$", block, re.M)}
        if "CPU" in held.get("deviceType", "") or "deviceName" not in held:
            continue
        vendor, device = held.get("vendorID", ""), held.get("deviceID", "")
        found.append(
            Gpu(
                held["deviceName"],
                VENDORS.get(vendor, ""),
                f"{held.get('driverName', '')} (Vulkan)",
                unified="INTEGRATED" in held.get("deviceType", ""),
                pci=f"{vendor.removeprefix('0x')}:{device.removeprefix('0x')}" if device else "",
            )
        )
    return found

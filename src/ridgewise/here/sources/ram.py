"""System memory: ``/proc/meminfo``, ``vm_stat`` on a Mac, and modules from ``dmidecode`` where it may be read."""

from __future__ import annotations

import re
from dataclasses import replace

from ridgewise.here.machine import Ram
from ridgewise.here.seen import Seen
from ridgewise.here.sources.cpu import SYSCTL

DMIDECODE = ("dmidecode", "-t", "memory")
VM_STAT = ("vm_stat",)


def read(seen: Seen) -> Ram:
    """The memory."""
    if seen.system == "Darwin":
        return from_vm_stat(seen.run(*SYSCTL), seen.run(*VM_STAT))
    found = from_meminfo(seen.text("/proc/meminfo"))
    channels, rate, kind = from_dmidecode(seen.run(*DMIDECODE))
    return replace(found, channels=channels, rate=rate, kind=kind)


def from_meminfo(text: str) -> Ram:
    """Total, and what can be had without swapping [B]."""
    held = {name: float(value) * 1024 for name, value in re.findall(r"^(\w+): +(\d+) kB", text, re.M)}
    return Ram(held.get("MemTotal", 0.0), held.get("MemAvailable", held.get("MemFree", 0.0)))


def from_vm_stat(sysctl: str, pages: str) -> Ram:
    """Total from ``hw.memsize``; free, inactive, speculative and purgeable pages can be had [B]."""
    total = re.search(r"hw\.memsize: (\d+)", sysctl)
    size = re.search(r"page size of (\d+) bytes", pages)
    held = {name: float(count) for name, count in re.findall(r"^Pages ([\w ]+): +(\d+)\.", pages, re.M)}
    free = sum(held.get(name, 0.0) for name in ("free", "inactive", "speculative", "purgeable"))
    return Ram(float(total[1]) if total else 0.0, free * float(size[1] if size else 16384), kind="unified")


def from_dmidecode(text: str) -> tuple[int | None, float | None, str]:
    """Channels with a module in them, their rate as configured [T/s], and the kind of memory.

    Firmware names a slot by its channel ("P0 CHANNEL A", "ChannelB-DIMM0", "DIMM_A1", "CPU1_DIMM_C1"). Where no
    channel can be told, the modules are counted: two of them in one channel then read as two channels.
    """
    channels: set[str] = set()
    rate, kind = None, ""
    for block in re.split(r"\n\s*\n", text):
        if "Memory Device" not in block or not re.search(r"^\s*Size: \d", block, re.M):
            continue
        places = " ".join(re.findall(r"^\s*(?:Bank )?Locator: (.*)$", block, re.M))
        socket = re.search(r"(?:P|CPU|Node|NODE)[ _]?(\d)", places)
        letter = re.search(r"[Cc](?:hannel|HANNEL)[ _]?([A-Z0-9])|DIMM[ _]?([A-Z])\d?\b", places)
        name = next((part for part in letter.groups() if part), "") if letter else places
        channels.add(f"{socket[1] if socket else 0}/{name}")
        stated = re.search(r"Configured (?:Memory|Clock) Speed: (\d+) M", block)
        rate = float(stated[1]) * 1e6 if stated else rate
        named = re.search(r"^\s*Type: (L?P?DDR\w+)", block, re.M)
        kind = named[1] if named else kind
    return len(channels) or None, rate, kind

"""Containers and virtual machines: control groups (v2, v1) and what stands around the system."""

from __future__ import annotations

import re

from ridgewise.here.machine import Limits
from ridgewise.here.seen import Seen

#: More than this is no limit: version 1 of control groups writes the largest number of pages.
NO_LIMIT = 2.0**60


def read(seen: Seen) -> Limits:
    """The tightest limit on the way to the root of control groups."""
    cpus, memory = None, None
    for folder in _folders(seen.text("/proc/self/cgroup")):
        quota = re.match(r"(\d+) (\d+)", seen.text(f"/sys/fs/cgroup{folder}/cpu.max"))
        if quota:
            cpus = min(float(quota[1]) / float(quota[2]), cpus or float("inf"))
        held = seen.text(f"/sys/fs/cgroup{folder}/memory.max").strip()
        if held.isdigit():
            memory = min(float(held), memory or float("inf"))
    quota_v1 = seen.text("/sys/fs/cgroup/cpu/cpu.cfs_quota_us").strip()
    period = seen.text("/sys/fs/cgroup/cpu/cpu.cfs_period_us").strip()
    if cpus is None and quota_v1.isdigit() and period.isdigit():
        cpus = float(quota_v1) / float(period)
    held = seen.text("/sys/fs/cgroup/memory/memory.limit_in_bytes").strip()
    if memory is None and held.isdigit() and float(held) < NO_LIMIT:
        memory = float(held)
    return Limits(_around(seen), cpus, memory)


def _folders(text: str) -> list[str]:
    """The group of this process and every one above it, the root last."""
    own = re.search(r"^0::(/.*)$", text, re.M)
    parts = own[1].strip("/").split("/") if own and own[1].strip("/") else []
    return ["/" + "/".join(parts[:n]) if n else "" for n in range(len(parts), -1, -1)]


def _around(seen: Seen) -> str:
    groups = seen.text("/proc/1/cgroup") + seen.text("/proc/self/cgroup")
    found = next((name for name in ("kubepods", "docker", "lxc", "podman") if name in groups), "")
    if not found and seen.paths("/.dockerenv"):
        found = "docker"
    board = f"{seen.text('/sys/class/dmi/id/sys_vendor')} {seen.text('/sys/class/dmi/id/product_name')}".strip()
    if "microsoft" in seen.text("/proc/sys/kernel/osrelease").casefold():
        return ", ".join(filter(None, (found, "WSL")))
    guest = " hypervisor" in seen.text("/proc/cpuinfo")
    known = re.search(r"Amazon EC2|Google|Microsoft Corporation|QEMU|KVM|VMware|VirtualBox|Xen", board)
    machine = f"virtual machine ({known[0]})" if guest and known else "virtual machine" if guest else ""
    return ", ".join(filter(None, (found, machine)))

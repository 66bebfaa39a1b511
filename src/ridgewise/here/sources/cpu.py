"""Processors: ``/proc/cpuinfo`` and the caches and nodes in ``/sys``; ``sysctl`` on a Mac."""

from __future__ import annotations

import re

from ridgewise.here.machine import Cpu
from ridgewise.here.seen import Seen

NODES = "/sys/devices/system/node/node*/cpulist"
CACHES = "/sys/devices/system/cpu/cpu*/cache/index*/size"
CLOCK = "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq"
#: The names as the kernel prints them, and as people know them: what kernels of engines ask for.
ISA = {
    "avx2": "AVX2", "fma": "FMA", "avx512f": "AVX-512", "avx512_vnni": "AVX-512 VNNI", "avx_vnni": "AVX-VNNI",
    "avx512_bf16": "AVX-512 BF16", "amx_tile": "AMX", "amx_int8": "AMX INT8", "amx_bf16": "AMX BF16",
    "asimd": "NEON", "asimddp": "dot product", "i8mm": "int8 matrix", "bf16": "BF16", "sve": "SVE", "sve2": "SVE2",
    "sme": "SME",
}  # fmt: skip
#: Parts of an ARM core by implementer and part number (``arch/arm64/include/asm/cputype.h`` in Linux).
ARM = {
    ("0x41", "0xd08"): "Cortex-A72", ("0x41", "0xd0b"): "Cortex-A76", ("0x41", "0xd0c"): "Neoverse-N1",
    ("0x41", "0xd40"): "Neoverse-V1", ("0x41", "0xd4f"): "Neoverse-V2", ("0x41", "0xd05"): "Cortex-A55",
    ("0xc0", "0xac3"): "Ampere-1", ("0x41", "0xd42"): "Cortex-A78AE", ("0x41", "0xd85"): "Cortex-X925",
    ("0x41", "0xd87"): "Cortex-A725",
}  # fmt: skip
SYSCTL = (
    "sysctl", "machdep.cpu.brand_string", "hw.physicalcpu", "hw.logicalcpu", "hw.memsize", "hw.pagesize",
    "hw.perflevel0.l2cachesize", "hw.optional.arm.FEAT_I8MM", "hw.optional.arm.FEAT_BF16",
    "hw.optional.arm.FEAT_SME",
)  # fmt: skip


def read(seen: Seen) -> Cpu:
    """The processors."""
    if seen.system == "Darwin":
        return from_sysctl(seen.run(*SYSCTL))
    found = from_cpuinfo(seen.text("/proc/cpuinfo"))
    held = _caches(seen)
    name = found.name
    if not name:
        name = seen.text("/proc/device-tree/model").strip("\0\n ")
    clock = seen.text(CLOCK).strip()
    return Cpu(
        name, found.vendor, found.architecture, found.sockets, found.cores, found.threads, found.isa,
        float(clock) * 1e3 if clock.isdigit() else found.clock, held.get(2), held.get(3),
        tuple(seen.text(path).strip() for path in seen.paths(NODES)),
    )  # fmt: skip


def from_cpuinfo(text: str) -> Cpu:
    """What ``/proc/cpuinfo`` says."""
    blocks = [_fields(block) for block in re.split(r"\n\s*\n", text) if ":" in block]
    cpus = [block for block in blocks if "processor" in block and block["processor"].isdigit()]
    if not cpus:
        return Cpu()
    first = cpus[0]
    flags = (first.get("flags") or first.get("Features") or "").split()
    isa = tuple(shown for flag, shown in ISA.items() if flag in flags)
    sockets = {cpu["physical id"] for cpu in cpus if "physical id" in cpu}
    cores = {(cpu.get("physical id"), cpu["core id"]) for cpu in cpus if "core id" in cpu}
    if "CPU implementer" in first:
        parts = [ARM.get((cpu.get("CPU implementer", ""), cpu.get("CPU part", "")), "") for cpu in cpus]
        kinds = [f"{parts.count(part)} × {part}" for part in dict.fromkeys(parts) if part]
        board = next((block["Model"] for block in blocks if "Model" in block), "")
        return Cpu(board or ", ".join(kinds), "ARM", "aarch64", 1, len(cpus), len(cpus), isa)
    if "isa" in first or "uarch" in first:
        return Cpu(first.get("model name", "") or first.get("uarch", ""), "", "riscv64", 1, len(cpus), len(cpus))
    stated = re.search(r"@ ([\d.]+)GHz", first.get("model name", ""))
    return Cpu(
        first.get("model name", "").strip(), {"AuthenticAMD": "AMD", "GenuineIntel": "Intel"}.get(
            first.get("vendor_id", ""), first.get("vendor_id", "")), "x86_64", max(len(sockets), 1),
        len(cores) or len(cpus), len(cpus), isa, float(stated[1]) * 1e9 if stated else None,
    )  # fmt: skip


def from_sysctl(text: str) -> Cpu:
    """What ``sysctl`` says on a Mac."""
    held = _fields(text)
    features = {"FEAT_I8MM": "int8 matrix", "FEAT_BF16": "BF16", "FEAT_SME": "SME"}
    isa = tuple(shown for name, shown in features.items() if held.get(f"hw.optional.arm.{name}") == "1")
    name = held.get("machdep.cpu.brand_string", "")
    l2 = held.get("hw.perflevel0.l2cachesize", "")
    arm = name.startswith("Apple")
    return Cpu(
        name, "Apple" if arm else "Intel", "aarch64" if arm else "x86_64", 1,
        int(held.get("hw.physicalcpu", "0") or 0), int(held.get("hw.logicalcpu", "0") or 0),
        ("NEON", *isa) if arm else isa, None, float(l2) if l2.isdigit() else None,
    )  # fmt: skip


def _fields(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _caches(seen: Seen) -> dict[int, float]:
    """Bytes of each level over all processors: every cache once, whoever shares it."""
    units = {"K": 2.0**10, "M": 2.0**20}
    held: dict[int, dict[str, float]] = {}
    for path in seen.paths(CACHES):
        folder = path.rpartition("/")[0]
        level, size = seen.text(f"{folder}/level").strip(), seen.text(path).strip()
        if seen.text(f"{folder}/type").strip() == "Instruction" or not level.isdigit() or not size[:-1].isdigit():
            continue
        shared = seen.text(f"{folder}/shared_cpu_list").strip() or folder
        held.setdefault(int(level), {})[shared] = float(size[:-1]) * units.get(size[-1], 1.0)
    return {level: sum(sizes.values()) for level, sizes in held.items()}

"""AMD devices: ``amd-smi`` or ``rocm-smi`` where installed, else what the driver shows in ``/sys``."""

from __future__ import annotations

import json
import re
from typing import Any

from ridgewise.here.machine import Gpu
from ridgewise.here.seen import Seen

AMD_SMI = ("amd-smi", "static", "--json")
AMD_SMI_USE = ("amd-smi", "metric", "--json")
ROCM_SMI = ("rocm-smi", "--showproductname", "--showmeminfo", "vram", "gtt", "--showpower", "--showtemp", "--json")
CARDS = "/sys/class/drm/card*/device/mem_info_vram_total"
MIB = 2.0**20
#: A carve-out up to this is that of an integrated device, which computes from system memory.
CARVED = 4 * 2.0**30
#: Up to this it may be, where the GTT is more than :data:`MAPPED` times as much: the GTT is half of the memory, and of
#: the 128 GiB that such chips have at most a larger carve-out leaves less. Cards of their own have that GTT too in a
#: large machine, but a power limit of their own, which the driver does not show for integrated devices.
LARGEST, MAPPED = 32 * 2.0**30, 1.5


def read(seen: Seen) -> list[Gpu]:
    """Devices by the tools' words where they answer, memory by the driver's."""
    named = from_amd_smi(seen.run(*AMD_SMI), seen.run(*AMD_SMI_USE)) or from_rocm_smi(seen.run(*ROCM_SMI))
    held = from_sysfs(seen)
    if not named:
        return held
    if len(held) != len(named):
        return named
    return [
        Gpu(
            tool.name or card.name,
            "AMD",
            tool.driver or card.driver,
            card.total or tool.total,
            card.free if card.free is not None else tool.free,
            card.unified,
            card.limit,
            card.pci or tool.pci,
            tool.bus or card.bus,
            None,
            tool.power or card.power,
            tool.power_limit or card.power_limit,
            tool.temperature or card.temperature,
            tool.pcie,
        )
        for tool, card in zip(named, held, strict=True)
    ]


def from_sysfs(seen: Seen) -> list[Gpu]:
    """Video memory and GTT (system memory that the device may map) of every card of the ``amdgpu`` driver."""
    found = []
    for path in seen.paths(CARDS):
        folder = path.rpartition("/")[0]

        def figure(name: str, folder: str = folder) -> float:
            text = seen.text(f"{folder}/{name}").strip()
            return float(text) if text.isdigit() else 0.0

        total, used = figure("mem_info_vram_total"), figure("mem_info_vram_used")
        gtt, gtt_used = figure("mem_info_gtt_total"), figure("mem_info_gtt_used")
        limited = _watts(seen, folder, "power1_cap")
        unified = total <= CARVED or (limited is None and total <= LARGEST and gtt > MAPPED * total)
        ids = [seen.text(f"{folder}/{name}").strip().removeprefix("0x") for name in ("vendor", "device")]
        carved, mapped = f"{total / 2**30:.3g} GiB", f"{gtt / 2**30:.3g} GiB"
        limit = f"carve-out {carved} (firmware) + GTT {mapped} (amdgpu.gttsize, ttm.pages_limit)"
        found.append(
            Gpu(
                seen.text(f"{folder}/product_name").strip(),
                "AMD",
                "amdgpu",
                total + gtt if unified else total,
                total + gtt - used - gtt_used if unified else total - used,
                unified,
                limit if unified else "",
                ":".join(ids),
                _bus(seen.text(f"{folder}/uevent")),
                power_limit=limited,
                power=_watts(seen, folder, "power1_average"),
            )
        )
    return found


def from_amd_smi(static: str, metric: str) -> list[Gpu]:
    """``amd-smi static`` and ``metric`` in JSON."""
    use = {entry.get("gpu"): entry for entry in _entries(metric)}
    found = []
    for entry in _entries(static):
        asic, vram, bus = entry.get("asic") or {}, entry.get("vram") or {}, entry.get("bus") or {}
        device = str(asic.get("device_id", "")).removeprefix("0x").casefold()
        now = use.get(entry.get("gpu"), {})
        memory = now.get("mem_usage") or {}
        total = _value(memory.get("total_vram")) or _value(vram.get("size"))
        free = _value(memory.get("free_vram"))
        width, speed = bus.get("max_pcie_width"), _value(bus.get("max_pcie_speed"))
        generation = {8: 3, 16: 4, 32: 5, 64: 6}.get(int(speed or 0))
        found.append(
            Gpu(
                str(asic.get("market_name", "")),
                "AMD",
                "amdgpu",
                total and total * MIB,
                None if free is None else free * MIB,
                pci=f"1002:{device}" if device else "",
                bus=str(bus.get("bdf", "")),
                cores=_count(asic.get("num_compute_units")),
                power=_value((now.get("power") or {}).get("socket_power")),
                power_limit=_value((entry.get("limit") or {}).get("max_power")),
                temperature=_value((now.get("temperature") or {}).get("hotspot")),
                pcie=f"PCIe {generation}.0 x{width}" if generation and width else "",
            )
        )
    return found


def from_rocm_smi(text: str) -> list[Gpu]:
    """``rocm-smi`` in JSON: one table per card."""
    try:
        held = json.loads(text) if text.strip() else {}
    except ValueError:
        return []
    found = []
    for name in sorted(held if isinstance(held, dict) else {}):
        card = held[name]
        if not re.fullmatch(r"card\d+", name) or not isinstance(card, dict):
            continue
        lower = {str(key).casefold(): str(value) for key, value in card.items()}
        total, used = _plain(lower.get("vram total memory (b)")), _plain(lower.get("vram total used memory (b)"))
        device = lower.get("card model", "") or lower.get("device id", "")
        power = next((value for key, value in lower.items() if "power (w)" in key), None)
        heat = next((value for key, value in lower.items() if "junction" in key and "temp" in key), None)
        found.append(
            Gpu(
                lower.get("card series", "") or lower.get("device name", ""),
                "AMD",
                "amdgpu",
                total,
                None if total is None else total - (used or 0.0),
                pci=f"1002:{device.removeprefix('0x').casefold()}" if device.startswith("0x") else "",
                power=_plain(power),
                temperature=_plain(heat),
            )
        )
    return found


def _entries(text: str) -> list[dict[str, Any]]:
    try:
        held = json.loads(text) if text.strip() else []
    except ValueError:
        return []
    if isinstance(held, dict):
        held = held.get("gpu_data", [])
    return [entry for entry in held if isinstance(entry, dict)]


def _value(held: Any) -> float | None:
    """A number, alone or with its unit: 5, "5", "5 W", {"value": 5, "unit": "W"}."""
    if isinstance(held, dict):
        held = held.get("value")
    return _plain(str(held).split()[0] if held not in (None, "") else None)


def _plain(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _count(held: Any) -> int | None:
    found = _value(held)
    return None if found is None else int(found)


def _bus(uevent: str) -> str:
    found = re.search(r"PCI_SLOT_NAME=(\S+)", uevent)
    return found[1] if found else ""


def _watts(seen: Seen, folder: str, name: str) -> float | None:
    for path in seen.paths(f"{folder}/hwmon/hwmon*/{name}"):
        text = seen.text(path).strip()
        if text.isdigit():
            return float(text) / 1e6
    return None

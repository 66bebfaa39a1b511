"""Which groups of measurements a deployment belongs to: the keys its calibrated coefficients are looked up by."""

from __future__ import annotations

from ridgewise.engines import load_engines
from ridgewise.hardware.device import Device
from ridgewise.models.architecture import Architecture
from ridgewise.models.formats import Format
from ridgewise.work.plan import Plan

#: The calibration block of many-user serving.
BLOCK = "serving"
#: Back end where the engine's sheet names none for a device.
BACKENDS = {
    "NVIDIA": "cuda", "AMD": "rocm", "Intel": "xpu", "Google": "tpu", "AWS": "neuron",
    "Huawei": "cann", "Apple": "metal",
}  # fmt: skip


def backend(engine: str, device: Device) -> str:
    """How an engine drives a device: the sheet's back end, or the maker's own stack."""
    sheet = load_engines().get(engine)
    found = sheet.backend(device) if sheet else None
    if found is not None:
        return found.id
    if device.kind == "accelerator" and device.vendor == "Intel":
        return "gaudi"
    return BACKENDS.get(device.vendor, "other")


def model_class(arch: Architecture) -> str:
    """What kind of work a model is: mixture or dense, with the kind of attention that sets it apart."""
    kinds = {group.mixer.kind for group in arch.kinds}
    sparse = any(group.mixer.selected for group in arch.kinds)
    recurrent = kinds & {"linear", "ssm", "conv"}
    attention = "sparse" if sparse else "mla" if "mla" in kinds else "hybrid" if recurrent else ""
    return "-".join(filter(None, ("moe" if arch.moe else "dense", attention)))


def link_kind(device: Device) -> str:
    """What devices talk over: a switch or mesh of the maker's, or the slot."""
    bandwidth = device.number("link_bandwidth") or 0.0
    if device.link.startswith("PCIe") or bandwidth < 100e9:
        return "slot"
    return "mesh" if "all-to-all" in device.link or device.vendor != "NVIDIA" else "switch"


def era(year: int | None) -> str:
    """Years whose engine releases behave alike; unknown or later years count as now."""
    if year is None or year >= 2026:
        return "2026"
    return "2023" if year <= 2023 else str(year)


def service_keys(
    engine: str,
    device: Device,
    arch: Architecture,
    fmt: Format,
    plan: Plan,
    year: int | None = None,
    expert_parallel: bool = False,
) -> dict[str, str]:
    """Level → group of a deployment that serves many users. ``year`` is that of the engine's release; None: now.

    ``expert_parallel``: whole experts lie on different devices, so that some wait for the busiest.
    """
    apart = arch.moe and float(plan.tp) > 1 and (expert_parallel or float(plan.attn_dp) > 1)
    stack = f"{engine}|{backend(engine, device)}"
    kind = model_class(arch)
    return {
        "engine": engine,
        "stack": stack,
        "chip": device.architecture or device.id,
        "device": device.id,
        "dtype": fmt.id,
        "kernel": f"{engine}|{fmt.id}",
        "silicon": f"{device.architecture or device.id}|{fmt.id}",
        "class": kind,
        "release": f"{engine}|{era(year)}",
        "era": era(year),
        "link": link_kind(device) if float(plan.tp) > 1 else "",
        "layout": "attention-dp" if float(plan.attn_dp) > 1 else "",
        "experts": "whole" if apart else "",
        "model": arch.name,
        "cell": f"{device.id}|{stack}|{arch.name}",
    }


def service_regime(device: Device, arch: Architecture, load: str) -> str:
    """How reports and intervals group a service under a kind of load."""
    kind = "moe" if arch.moe else "dense"
    if not device.kind.startswith("gpu"):
        return "other accelerators"
    plain = load.replace("_", " ")
    return f"{plain} {kind}" if load in ("closed_loop", "burst", "offline") else plain

"""What one device of a group offers to a format, from its sheet."""

from __future__ import annotations

from ridgewise.hardware.device import Device
from ridgewise.models.formats import Format
from ridgewise.timing import Rates
from ridgewise.timing.roofline import LINK_LATENCY, UNNAMED_LINK

#: FLOP per byte assumed of a device whose peak no sheet gives: between Volta and Ampere.
UNKNOWN_RIDGE = 150.0
#: Matrix rate over vector rate where the sheet gives only the former, by kind: 8 on A100, 15 on H100, 4 on RTX 6000
#: Ada, 2 on GeForce 40 and 50 (16-bit products with 32-bit sums) and everything else.
MATRIX_TO_VECTOR = {"gpu-datacenter": 12.0, "accelerator": 12.0, "tpu": 12.0, "npu": 12.0, "gpu-workstation": 4.0}


def matrix_to_vector(device: Device) -> float:
    """Matrix rate over vector rate of a device of this kind."""
    return MATRIX_TO_VECTOR.get(device.kind, 2.0)


def matrix_peak(device: Device, fmt: Format) -> tuple[float, str] | None:
    """Peak in which a format's products run: its own precision, or 16 bits where the device lacks it
    (weights of 4 and 8 bits are then unpacked on the way; activations stay at 16 bits)."""
    own = device.number(f"peak_{fmt.compute}")
    return (own, fmt.compute) if own is not None else device.peak("bf16")


def service_rates(device: Device, fmt: Format, group: float) -> Rates:
    """Rates of one device in a tensor-parallel group of ``group``. RequestError is for the caller: a device
    without bandwidth gives NaN; one without a peak the bandwidth times an old ridge point."""
    bandwidth = device.bandwidth or float("nan")
    wide = device.peak("bf16")
    base = wide[0] if wide else bandwidth * UNKNOWN_RIDGE
    found = matrix_peak(device, fmt)
    peak = found[0] if found else base
    link = device.number("link_bandwidth") or UNNAMED_LINK
    if "all-to-all" in device.link:  # a mesh: a group uses its own links alone
        mesh = (device.number("max_per_node") or 8) - 1
        link = link * max(min(group - 1, mesh), 1.0) / mesh
    latency = LINK_LATENCY["fast" if link > 100e9 else "pcie"]
    vector = min(device.number("peak_fp32") or base / matrix_to_vector(device), base)
    return Rates(peak, bandwidth, vector, link, latency, base)

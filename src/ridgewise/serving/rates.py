"""What one device of a group offers to a format, from its sheet."""

from __future__ import annotations

from ridgewise.hardware.device import Device
from ridgewise.models.formats import Format
from ridgewise.timing import Rates
from ridgewise.timing.reach import reachable
from ridgewise.timing.roofline import LINK_LATENCY, UNNAMED_LINK

#: FLOP per byte assumed of a device whose peak no sheet gives: between Volta and Ampere.
UNKNOWN_RIDGE = 150.0
#: Matrix rate over vector rate where the sheet gives only the former, by kind: 8 on A100, 15 on H100, 4 on RTX 6000
#: Ada, 2 on GeForce 40 and 50 (16-bit products with 32-bit sums) and everything else.
MATRIX_TO_VECTOR = {"gpu-datacenter": 12.0, "accelerator": 12.0, "tpu": 12.0, "npu": 12.0, "gpu-workstation": 4.0}
#: How the reachable share of a peak changes with the watts allowed. Medians of measured products of 4,096 rows fall
#: from 0.85 of the peak at 1.2 W per TFLOP/s to 0.45 at 0.11, which is a power of a third; steps of whole services,
#: in which other devices and formats are withheld, are told best with a fifth.
THROTTLING = 0.2
#: The reachable peak is itself known to so much: no share of it comes above.
CEILING = 1.2


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
    reach = CEILING * reachable(peak, device.number("board_power"), device.vendor, THROTTLING)
    return Rates(peak, bandwidth, vector, link, latency, base, reach)

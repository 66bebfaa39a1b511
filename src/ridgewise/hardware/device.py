"""A device: one accelerator, one processor or one unified-memory machine, as its sheet describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, get_args

from ridgewise.facts import Figure

DeviceKind = Literal[
    "gpu-datacenter", "gpu-workstation", "gpu-consumer", "unified", "cpu", "npu", "tpu", "accelerator", "sbc"
]
Status = Literal["available", "announced", "internal", "regional", "rare", "modified"]
DEVICE_KINDS: tuple[DeviceKind, ...] = get_args(DeviceKind)

#: Every figure a sheet may hold: name → (unit, what it is). The published schema is made from this table.
FIGURES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "memory": ("B", "memory one device can use for weights and caches, as labelled"),
        "memory_usable": ("B", "memory the driver reports or the system lets a process use"),
        "bandwidth": ("B/s", "peak memory bandwidth of the datasheet, read"),
        "peak_fp64": ("FLOP/s", "dense FP64 peak"),
        "peak_fp32": ("FLOP/s", "dense FP32 peak, vector units"),
        "peak_tf32": ("FLOP/s", "dense TF32 matrix peak"),
        "peak_fp16": ("FLOP/s", "dense FP16 matrix peak with FP32 accumulation"),
        "peak_bf16": ("FLOP/s", "dense BF16 matrix peak with FP32 accumulation"),
        "peak_fp8": ("FLOP/s", "dense FP8 matrix peak"),
        "peak_fp4": ("FLOP/s", "dense FP4 matrix peak"),
        "peak_int8": ("FLOP/s", "dense INT8 peak (operations per second)"),
        "peak_int4": ("FLOP/s", "dense INT4 peak (operations per second)"),
        "board_power": ("W", "power limit of the device: TDP, TBP or package power"),
        "idle_power": ("W", "draw with nothing loaded and nothing running"),
        "resident_power": ("W", "draw with a model in memory and nothing running"),
        "link_bandwidth": ("B/s", "device-to-device bandwidth per direction"),
        "host_bandwidth": ("B/s", "bandwidth to the host's memory per direction"),
        "max_per_node": ("1", "devices one node usually holds"),
        "sold_in": ("1", "devices in the smallest unit that is sold"),
        "cores": ("1", "processor cores"),
        "compute_units": ("1", "streaming multiprocessors, compute units or GPU cores"),
        "shader_cores": ("1", "CUDA cores or stream processors"),
        "tensor_cores": ("1", "tensor or matrix cores"),
        "base_clock": ("Hz", "clock under sustained load"),
        "boost_clock": ("Hz", "boost clock"),
        "l2": ("B", "level-2 cache"),
        "l3": ("B", "level-3 or last-level cache"),
        "memory_channels": ("1", "memory channels"),
        "memory_rate": ("T/s", "memory transfers per second and pin"),
    }
)

#: Peaks in the order in which a precision may fall back to a wider one that the device does have.
WIDER: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "fp4": ("fp4", "fp8", "bf16", "fp16", "tf32", "fp32"),
        "fp8": ("fp8", "bf16", "fp16", "tf32", "fp32"),
        "int8": ("int8", "fp16", "bf16", "fp32"),
        "int4": ("int4", "int8", "fp16", "bf16", "fp32"),
        "bf16": ("bf16", "fp16", "tf32", "fp32"),
        "fp16": ("fp16", "bf16", "tf32", "fp32"),
        "tf32": ("tf32", "fp32"),
        "fp32": ("fp32",),
    }
)


@dataclass(frozen=True, slots=True)
class Device:
    """One device of the catalogue. Figures that no source gives are absent, never invented.

    memory_options   capacities the same silicon is sold with (unified memory), in bytes
    compute_units    figures of further units on the same chip: {"cpu": {...}, "npu": {...}}
    purpose          "inference" where the device cannot train; empty: no restriction
    status           only "available" devices are recommended unasked; "announced", "internal", "regional" (sold
                     in one market), "rare" (few were made) and "modified" (not as its maker sold it) ones are listed
    """

    id: str
    name: str
    vendor: str
    kind: DeviceKind
    architecture: str = ""
    released: str = ""
    memory_type: str = ""
    link: str = ""
    pcie: str = ""
    status: Status = "available"
    purpose: str = ""
    aliases: tuple[str, ...] = ()
    memory_options: tuple[float, ...] = ()
    figures: Mapping[str, Figure] = field(default_factory=dict)
    compute_units: Mapping[str, Mapping[str, Figure]] = field(default_factory=dict)
    notes: str = ""

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def complete(self) -> bool:
        """Sold as a complete computer (Mac, mini PC, board computer, laptop): needs no host."""
        return self.kind in ("unified", "sbc", "npu") or "laptop" in self.id

    @property
    def slotted(self) -> bool:
        """A card for a PCIe slot, which a workstation can hold; other boards come in servers of eight."""
        return self.link.startswith("PCIe") or any(word in self.id for word in ("pcie", "nvl"))

    def number(self, figure: str) -> float | None:
        """A figure's value in SI units or bytes; None when the catalogue does not know it."""
        found = self.figures.get(figure)
        return None if found is None else found.number

    @property
    def memory(self) -> float | None:
        """Labelled capacity of one device [B]."""
        return self.number("memory")

    @property
    def bandwidth(self) -> float | None:
        """Peak memory bandwidth [B/s]."""
        return self.number("bandwidth")

    def peak(self, dtype: str) -> tuple[float, str] | None:
        """Peak matrix rate for a precision [FLOP/s] and the precision really used.

        A precision the device lacks runs as the next wider one it has (weights are converted on the fly).
        None when no usable peak is known.
        """
        for candidate in WIDER[dtype]:
            rate = self.number(f"peak_{candidate}")
            if rate is not None:
                return rate, candidate
        return None

    def ridge(self, dtype: str = "bf16") -> float | None:
        """The ridge point [FLOP/B]: arithmetic intensity above which compute, not bandwidth, limits."""
        peak, bandwidth = self.peak(dtype), self.bandwidth
        return None if peak is None or not bandwidth else peak[0] / bandwidth

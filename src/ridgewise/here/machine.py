"""What a machine was found to hold. Every figure may be unknown; nothing is guessed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

Bytes = Annotated[float, "B"]


@dataclass(frozen=True, slots=True)
class Cpu:
    """The processors. ``isa``: vector and matrix instructions that kernels look for; ``numa``: CPUs of each node."""

    name: str = ""
    vendor: str = ""
    architecture: str = ""
    sockets: int = 1
    cores: int = 0
    threads: int = 0
    isa: tuple[str, ...] = ()
    clock: Annotated[float, "Hz"] | None = None
    l2: Bytes | None = None
    l3: Bytes | None = None
    numa: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ram:
    """System memory: what there is, what programs can still take, and its modules where the firmware tells.

    rate   transfers per second and pin as configured
    """

    total: Bytes = 0.0
    free: Bytes = 0.0
    channels: int | None = None
    rate: Annotated[float, "T/s"] | None = None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One graphics or compute device.

    unified   computes from system memory; ``total`` is then what it may use (carve-out, GTT, working set)
    limit     why ``total`` is what it is, where that can be changed
    pci       vendor:device
    """

    name: str = ""
    vendor: str = ""
    driver: str = ""
    total: Bytes | None = None
    free: Bytes | None = None
    unified: bool = False
    limit: str = ""
    pci: str = ""
    bus: str = ""
    cores: int | None = None
    power: Annotated[float, "W"] | None = None
    power_limit: Annotated[float, "W"] | None = None
    temperature: Annotated[float, "degC"] | None = None
    pcie: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Npu:
    """A neural accelerator beside the processor."""

    name: str = ""
    driver: str = ""
    pci: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """How two devices reach each other: "NVLink", "PCIe switch", "PCIe host bridge", "between sockets"; ``lanes`` of
    it bonded."""

    first: str
    second: str
    kind: str
    lanes: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a container or virtual machine leaves of the processors and the memory."""

    around: str = ""
    cpus: float | None = None
    memory: Bytes | None = None


@dataclass(frozen=True, slots=True)
class Sensor:
    """A reading: power [W], temperature [degC] or a fan."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Here:
    """One machine. ``silent``: what was asked and did not answer."""

    system: str = ""
    cpu: Cpu = Cpu()
    ram: Ram = Ram()
    gpus: tuple[Gpu, ...] = ()
    npus: tuple[Npu, ...] = ()
    links: tuple[Link, ...] = ()
    limits: Limits = Limits()
    sensors: tuple[Sensor, ...] = ()
    silent: tuple[str, ...] = ()

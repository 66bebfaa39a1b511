"""What is asked: model, workload, priority and limits. The rest is derived and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, get_args

from ridgewise.economics.cost import TARIFF
from ridgewise.hardware import Device
from ridgewise.hardware.machine import configurations
from ridgewise.models import Architecture
from ridgewise.models.formats import Format, load_formats
from ridgewise.timing.coefficients import Block
from ridgewise.workloads import Workload

Priority = Literal["speed", "cost", "energy", "balanced"]
PRIORITIES: tuple[Priority, ...] = get_args(Priority)


@dataclass(frozen=True, slots=True)
class Question:
    """One planning question.

    budget      most to spend on buying [USD]; None: no limit
    max_power   most the machine may draw at the wall [W]; None: no limit
    hardware    candidates named by the user; empty: the whole catalogue
    format      weight format asked for; None: chosen per engine
    engine      engine asked for; None: chosen per device
    kv_bits     bits per cached value
    tariff      electricity price [USD/kWh]
    resolved    names that were taken for a certain variant
    host_price  the user's own price of the computer around boards [USD]; 0: already owned; None: the catalogue's
    prices      the user's own price per device [USD], by device id
    blocks      coefficients that the user's own measurements moved; None: the shipped ones
    counts      how many of a named device, by device id, where the user said so: exactly as many are planned with
    memories    the memory of a named device that is sold with several, by device id [B]
    weighing    the user's own points per doubling, by name of a weight; the rest are the priority's
    availability  share of the time in which it must answer; None: nothing was promised
    quoted      FLOP/s per device the user reckons with; None: he named none
    """

    arch: Architecture
    workload: Workload
    priority: Priority = "balanced"
    budget: float | None = None
    max_power: float | None = None
    hardware: tuple[Device, ...] = ()
    format: Format | None = None
    engine: str | None = None
    kv_bits: float = 16.0
    tariff: float | None = None
    resolved: tuple[str, ...] = ()
    host_price: float | None = None
    prices: Mapping[str, float] = field(default_factory=dict)
    blocks: Mapping[str, Block] | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    memories: Mapping[str, float] = field(default_factory=dict)
    weighing: Mapping[str, float] = field(default_factory=dict)
    availability: float | None = None
    quoted: float | None = None

    def weights(self, name: str) -> Format:
        """The weight format of that id: a file's own, or the catalogue's."""
        return self.format if self.format is not None and self.format.id == name else load_formats()[name]

    def configurations(self, device: Device) -> tuple[float | None, ...]:
        """The memory sizes of a device to consider [B]: the one named, or all it is sold with."""
        return (self.memories[device.id],) if device.id in self.memories else configurations(device)

    @property
    def electricity(self) -> Annotated[float, "USD/kWh"]:
        """The user's price, or the usual one."""
        return TARIFF if self.tariff is None else self.tariff

    @property
    def named(self) -> bool:
        """Did the user name the candidates?"""
        return bool(self.hardware)

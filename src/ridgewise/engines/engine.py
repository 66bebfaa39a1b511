"""An inference engine as its sheet describes it: data only; timing and memory read what they need."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from ridgewise.errors import RequestError
from ridgewise.facts import NameIndex
from ridgewise.facts.catalog import catalog_path, frozen, read_toml
from ridgewise.hardware.device import DEVICE_KINDS, Device

Split = Literal["tensor", "layer", "none"]


@dataclass(frozen=True, slots=True)
class Backend:
    """One way an engine drives a class of devices: CUDA, ROCm, Metal, Vulkan, a CPU, an NPU runtime.

    architectures   only these device architectures; empty: all
    excluded        device architectures the back end does not support
    formats         only these weight formats; empty: all of the engine's
    """

    id: str
    vendors: tuple[str, ...]
    kinds: tuple[str, ...]
    architectures: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    max_devices: int = 8

    def runs_on(self, device: Device) -> bool:
        return (
            (not self.vendors or device.vendor in self.vendors)
            and device.kind in self.kinds
            and (not self.architectures or device.architecture in self.architectures)
            and device.architecture not in self.excluded
        )


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine.

    families       weight-format families it reads (see catalog/formats.toml)
    memory         the memory policy it follows (memory/engines/)
    split          how it uses several devices: "tensor" (speed and capacity), "layer" (capacity), "none"
    service        made to serve many users at once (continuous batching)
    max_sequences  sequences it runs at once by default
    aliases        products that embed it
    """

    id: str
    name: str
    families: tuple[str, ...]
    memory: str
    split: Split
    service: bool
    max_sequences: int
    backends: tuple[Backend, ...]
    aliases: tuple[str, ...] = ()
    about: str = ""
    sources: tuple[str, ...] = ()

    def backend(self, device: Device) -> Backend | None:
        """The first back end that drives this device."""
        return next((b for b in self.backends if b.runs_on(device)), None)


def _engine(key: str, sheet: dict[str, Any], where: str) -> Engine:
    try:
        backends = tuple(Backend(**frozen(entry)) for entry in sheet.pop("backends", []))
        made = Engine(backends=backends, **frozen(sheet))
    except TypeError as error:
        raise RequestError(f"engine sheet: {error}", where) from None
    if made.id != key:
        raise RequestError(f"id {made.id!r} differs from the file name", where)
    wrong = [kind for b in backends for kind in b.kinds if kind not in DEVICE_KINDS]
    if wrong:
        raise RequestError(f"unknown device kind {wrong[0]!r}", where, DEVICE_KINDS)
    return made


@cache
def load_engines() -> dict[str, Engine]:
    """Every engine of the catalogue, by id."""
    paths = sorted(catalog_path("engines").glob("*.toml"))
    sheets = {path.stem: path for path in paths if path.stem != "sources"}
    return {key: _engine(key, read_toml(path), str(path.name)) for key, path in sheets.items()}


def engine(name: str, where: str = "--engine") -> Engine:
    """An engine by id or name; RequestError names the nearest ones."""
    engines = load_engines()
    index = NameIndex("engine", {key: (entry.name, *entry.aliases) for key, entry in engines.items()})
    return engines[index.resolve(name, where)]

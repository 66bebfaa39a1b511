"""An inference engine as its sheet describes it: data only; timing and memory read what they need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, Literal

from ridgewise.errors import RequestError
from ridgewise.facts import NameIndex
from ridgewise.facts.catalog import catalog_path, frozen, read_toml
from ridgewise.hardware.device import DEVICE_KINDS, Device
from ridgewise.units import parse

Split = Literal["tensor", "layer", "none"]
Unit = Literal["gpu", "cpu", "npu"]


@dataclass(frozen=True, slots=True)
class Backend:
    """One way an engine drives a class of devices: CUDA, ROCm, Metal, Vulkan, a CPU, an NPU runtime.

    architectures   only these device architectures; empty: all
    excluded        device architectures the back end does not support
    formats         only these weight formats; empty: all of the engine's
    unit            part of the chip that computes
    usual           taken unasked, as far as the engine is; False: only where a user names the engine
    many            measured under many users, where that differs from the engine's other back ends
    measured_as     what measurements call the engine under this back end, where not by the engine's own name
    like            another engine with kernels of the same kind, whose measurements stand in for its own
    stack           what those measurements call the back end, where not ``id``
    """

    id: str
    vendors: tuple[str, ...]
    kinds: tuple[str, ...]
    architectures: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    max_devices: int = 8
    unit: Unit = "gpu"
    usual: bool = True
    many: bool | None = None
    measured_as: str = ""
    like: str = ""
    stack: str = ""

    def runs_on(self, device: Device) -> bool:
        return (
            (not self.vendors or device.vendor in self.vendors)
            and device.kind in self.kinds
            and (not self.architectures or device.architecture in self.architectures)
            and device.architecture not in self.excluded
        )


@dataclass(frozen=True, slots=True)
class Limit:
    """What an engine sets itself unless told otherwise; of its limits the first that applies counts.

    sequences   most sequences running at once
    tokens      most tokens one step computes (chunked prefill)
    reserved    share of an answer's tokens that an arriving request must find free: 1 where the whole answer is
                reserved, less where sequences grow and are put back when memory runs out
    memory      only devices of at least so much memory
    excluded    not on devices of these architectures
    named       only devices whose id holds one of these, as engines that go by a device's name look for it
    since       only releases of this year and later
    """

    sequences: float
    tokens: Annotated[float, "tokens"]
    reserved: Annotated[float, "ratio"] = 1.0
    memory: Annotated[float, "B"] = 0.0
    excluded: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    since: int = 0

    def applies(self, device: Device, year: int | None) -> bool:
        """``year`` is that of the release; None: now."""
        large = (device.memory or 0.0) >= self.memory and device.architecture not in self.excluded
        named = not self.named or any(part in device.id for part in self.named)
        return large and named and (year is None or year >= self.since)


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine.

    families       weight-format families it reads (see catalog/formats.toml)
    memory         the memory policy it follows (memory/engines/); ``memory_before``: the policy of releases before
                   a year, as {"2025": "vllm-unified"}
    split          how it uses several devices: "tensor" (speed and capacity), "layer" (capacity), "none"
    service        made to serve many users at once (continuous batching)
    usual          taken unasked; False: only where a user names it
    many           measured under many users: timed with the coefficients of services, else with those of single users
    max_sequences  sequences it runs at once by default
    limits         bounds of one engine step, by device and release
    chunk          tokens of a prompt that pass the weights together for a single user
    offloads       what it can leave in the host's RAM beside one card: "layers", "experts"
    eight_bit_cache  caches 8 bits where the weights have fewer than 16
    launch         seconds in which the kernels of one layer are launched one by one: no pass is faster; 0: graphs
    jobs           what it does beside answering token by token: "embeddings", "pictures", "speech", "sequences"
    measured_as    what measurements call it
    like           another engine with kernels of the same kind, whose measurements stand in for its own
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
    usual: bool = True
    many: bool = False
    limits: tuple[Limit, ...] = ()
    chunk: Annotated[float, "tokens"] = 2048.0
    memory_before: tuple[tuple[int, str], ...] = ()
    offloads: tuple[str, ...] = ()
    eight_bit_cache: bool = False
    launch: Annotated[float, "s"] = 0.0
    jobs: tuple[str, ...] = ()
    measured_as: str = ""
    like: str = ""
    aliases: tuple[str, ...] = ()
    about: str = ""
    sources: tuple[str, ...] = ()

    def backend(self, device: Device, *, asked: bool = False) -> Backend | None:
        """The first back end that drives this device; ``asked``: those too that nobody takes unasked."""
        return next((b for b in self.backends if (asked or (self.usual and b.usual)) and b.runs_on(device)), None)

    def policy(self, year: int | None = None) -> str:
        """The memory policy of a release of that year; None: now."""
        early = [name for before, name in self.memory_before if year is not None and year < before]
        return early[0] if early else self.memory

    def serves(self, backend: Backend) -> bool:
        """Timed with the coefficients of services under a back end."""
        return self.many if backend.many is None else backend.many

    def called(self, backend: Backend) -> str:
        """What measurements call the engine under a back end, or the engine whose measurements stand in for it."""
        return self.borrows(backend) or backend.measured_as or self.measured_as or self.id

    def borrows(self, backend: Backend) -> str:
        """The engine whose measurements stand in for those of a back end; empty where it has its own or none."""
        return backend.like or self.like


def _limit(entry: Mapping[str, Any], where: str) -> Limit:
    read = dict(frozen(dict(entry)))
    if "memory" in read:
        read["memory"] = parse(read["memory"], "B", where)
    return Limit(**read)


def _engine(key: str, sheet: dict[str, Any], where: str) -> Engine:
    try:
        backends = tuple(Backend(**frozen(entry)) for entry in sheet.pop("backends", []))
        limits = tuple(_limit(entry, where) for entry in sheet.pop("limits", []))
        if "launch" in sheet:
            sheet["launch"] = parse(sheet["launch"], "s", where)
        before = tuple(sorted((int(year), name) for year, name in sheet.pop("memory_before", {}).items()))
        made = Engine(backends=backends, limits=limits, memory_before=before, **frozen(sheet))
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
    """An engine by id or name, or one of its back ends alone ("llama.cpp/rocm"); RequestError names the nearest."""
    engines = load_engines()
    index = NameIndex("engine", {key: (entry.name, *entry.aliases) for key, entry in engines.items()})
    whole, slash, part = name.partition("/")
    found = engines[index.resolve(whole, where)]
    if not slash:
        return found
    kept = tuple(backend for backend in found.backends if backend.id == part.strip().casefold())
    if not kept:
        able = tuple(dict.fromkeys(f"{found.id}/{backend.id}" for backend in found.backends))
        raise RequestError(f"{found.name} has no back end {part!r}", where, able)
    return replace(found, backends=kept)


def kin(name: str) -> Engine | None:
    """The engine of a measurement: the sheet of that id, or of the id before the first dash ("vllm-tpu")."""
    engines = load_engines()
    return engines.get(name) or engines.get(name.partition("-")[0])

"""What was found, by the catalogue's names: driver strings first, then PCI ids; never by resemblance."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated

from ridgewise.errors import RequestError
from ridgewise.facts.catalog import catalog_path, read_toml
from ridgewise.hardware import Device, device
from ridgewise.here.detect import detect, live
from ridgewise.here.machine import Gpu, Here

GIB = 2.0**30
#: The sheet that ``probe`` makes of this machine's processors.
OURS = "this-machine"
#: Driver's figure over label: what firmware and error correction take.
LABEL = (0.88, 1.03)
#: The model number of a processor in a name.
MODEL = re.compile(r"\b\d{3}[A-Z]*\b")
#: What names carry that catalogues leave out.
MAKERS = ("NVIDIA ", "AMD ", "Intel(R) ", "Intel ", "Apple ")
TAILS = (" Graphics", " with Radeon Graphics", " Laptop GPU")


@dataclass(frozen=True, slots=True)
class Detected:
    """So many equal devices of this machine.

    label    what the driver calls it
    device   id of its sheet; "" where the catalogue has none, and ``reason`` says why
    unit     "gpu", "cpu" or "npu"
    memory   of one device; ``free``: what one can still take, on the fullest of them
    """

    label: str
    device: str
    unit: str
    count: int = 1
    memory: Annotated[float, "B"] | None = None
    free: Annotated[float, "B"] | None = None
    reason: str = ""


def detected(extra: Path | None = None) -> tuple[Detected, ...]:
    """The devices of this machine with their sheets and free memory; ``extra``: the user's own sheets."""
    return matched(detect(live()), extra)


def matched(here: Here, extra: Path | None = None) -> tuple[Detected, ...]:
    """Graphics devices, then processors, then neural accelerators; equal ones are one entry."""
    found = [_gpu(gpu, here, extra) for gpu in here.gpus]
    groups: dict[tuple[str, str], list[Detected]] = {}
    for one in found:
        groups.setdefault((one.device or one.label, one.unit), []).append(one)
    several = [
        Detected(
            held[0].label, held[0].device, held[0].unit, len(held), held[0].memory,
            min((one.free for one in held if one.free is not None), default=None), held[0].reason,
        )
        for held in groups.values()
    ]  # fmt: skip
    held_ids = {one.device for one in several if one.device}
    cpu = _cpu(here, extra)
    whole = any(_kind(name, extra) == "unified" for name in held_ids)
    rest = [cpu] if cpu.label and cpu.device not in held_ids and (cpu.device or not whole) else []
    for npu in here.npus:
        sheet, reason = _by_pci(npu.pci, None, here.cpu.name, extra)
        if sheet is not None and sheet.id in held_ids:
            continue
        rest.append(Detected(npu.name or npu.driver or npu.pci, sheet.id if sheet else "", "npu", reason=reason))
    return (*several, *rest)


def _gpu(gpu: Gpu, here: Here, extra: Path | None) -> Detected:
    label = gpu.name or f"{gpu.vendor} device {gpu.pci}"
    chip = here.cpu.name if gpu.unified else ""
    sheet, reason = None, ""
    for name in _spellings(gpu, chip):
        sheet = _named(name, extra)
        if sheet is not None and sheet.kind not in ("cpu", "sbc"):
            break
        sheet = None
    if sheet is not None and gpu.total and not gpu.unified and sheet.memory:
        share = gpu.total / sheet.memory
        if not LABEL[0] <= share <= LABEL[1]:
            reason = f"the catalogue's {sheet.name} has {sheet.memory / GIB:.3g} GiB, this one {gpu.total / GIB:.3g}"
            sheet = None
    if sheet is None:
        by_id, why = _by_pci(gpu.pci, None if gpu.unified else gpu.total, chip, extra)
        sheet, reason = by_id, "" if by_id else reason or why
    memory, free = gpu.total, gpu.free
    if sheet is not None and sheet.kind == "unified":
        memory = here.ram.total
        if gpu.vendor == "AMD" and sheet.memory_options:  # the carve-out is no longer the system's
            memory = min(sheet.memory_options, key=lambda size: abs(size - (gpu.total or 0.0) / 0.85))
    return Detected(label, sheet.id if sheet else "", "gpu", 1, memory, free, reason)


def _cpu(here: Here, extra: Path | None) -> Detected:
    name = " ".join(here.cpu.name.split())
    own = _named(OURS, extra) if extra is not None else None
    sheet = own if own is not None and own.name == f"{name} (this machine)" else None
    board = re.sub(r" Model \w\+? Rev [\d.]+$", "", name)
    sold = 2 ** math.ceil(math.log2(max(here.ram.total / GIB, 1)))  # boards are sold by memory
    for spelled in (*_plainer(name), f"{board} {sold}GB", board) if sheet is None else ():
        sheet = _named(spelled, extra)
        if sheet is not None and sheet.kind in ("cpu", "sbc", "unified"):
            break
        sheet = None
    sockets = here.cpu.sockets
    reason = "" if sheet else f"no sheet is called {name!r}: ridgewise probe makes one"
    if sheet is not None and sheet.id != OURS:
        cores = sheet.number("cores")
        if cores and here.cpu.cores and not 0.9 <= here.cpu.cores / (cores * sockets) <= 1.1:
            reason = f"{here.cpu.cores} of the {cores * sockets:.0f} cores of {sheet.name} are here"
            sheet = None
    return Detected(
        name, sheet.id if sheet else "", "cpu", sockets if sheet else 1, here.ram.total, here.ram.free, reason
    )


def _spellings(gpu: Gpu, chip: str) -> Iterator[str]:
    """The driver's name; with its memory, where several are sold; plainer; the chip's, where they are one."""
    for name in filter(None, (gpu.name, chip)):
        for plain in _plainer(name):
            if gpu.cores:
                yield f"{plain} {gpu.cores}c"
                yield f"{plain} {gpu.cores}-core"
            if gpu.total and not gpu.unified:
                yield f"{plain} {gpu.total / GIB:.0f}GB"
            yield plain


def _plainer(name: str) -> Iterator[str]:
    yield name
    short = name.replace("(R)", "").replace("(TM)", "").replace("(tm)", "")
    for tail in TAILS:
        short = short.removesuffix(tail)
    short = " ".join(short.split())
    yield short
    for maker in MAKERS:
        if short.startswith(maker):
            yield short.removeprefix(maker)


def _kind(name: str, extra: Path | None) -> str:
    found = _named(name, extra)
    return found.kind if found is not None else ""


def _named(name: str, extra: Path | None) -> Device | None:
    return _shipped(name) if extra is None else _looked_up(name, extra)


@lru_cache(maxsize=512)
def _shipped(name: str) -> Device | None:
    """Names that are none of the catalogue's are tried in many spellings, and each is searched for resemblance."""
    return _looked_up(name, None)


def _looked_up(name: str, extra: Path | None) -> Device | None:
    try:
        return device(name, "", extra)
    except RequestError:
        return None


@cache
def _ids() -> dict[str, list[str]]:
    return read_toml(catalog_path("pci.toml"))


def _by_pci(pci: str, memory: float | None, chip: str, extra: Path | None) -> tuple[Device | None, str]:
    """The sheet of a PCI id; of several the one whose memory is the driver's. What is part of a processor (``chip``:
    its name) has one id in all cuts of the family, so the model number must be the processor's."""
    sheets = [found for found in (_named(name, extra) for name in _ids().get(pci, ())) if found is not None]
    if chip and sheets:
        sheets = [sheet for sheet in sheets if set(MODEL.findall(sheet.name)) & set(MODEL.findall(chip))]
        if not sheets:
            return None, f"no sheet with its PCI id {pci} is of this processor"
    if memory is not None:
        sheets = [s for s in sheets if s.memory is None or LABEL[0] <= memory / s.memory <= LABEL[1]]
    if len(sheets) == 1:
        return sheets[0], ""
    if sheets:
        return None, f"one of {', '.join(sheet.name for sheet in sheets)}: neither name nor memory tells which"
    return None, f"no sheet has its name or its PCI id {pci or '(none)'}"

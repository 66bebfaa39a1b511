"""Sheets: one TOML file per device, checked strictly and read once.

A sheet names the device, its default sources and its figures. A figure is a plain value (kind *spec*,
default sources) or a table ``{ value, kind, sources, as_of, note }``. A user's own sheet may leave
sources out; its figures then are *assumed* unless it says otherwise.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast, get_args

from ridgewise.errors import RequestError, nearest
from ridgewise.facts.catalog import catalog_path, load_sources, read_toml
from ridgewise.facts.figure import KINDS, Figure, Kind
from ridgewise.facts.names import NameIndex, normal
from ridgewise.hardware.device import DEVICE_KINDS, FIGURES, Device, Status
from ridgewise.units import parse

#: No name of a device is longer; file systems refuse longer ones.
LONGEST = 200
#: Text entries of a sheet: name → what it is.
TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "id": "the name of the file, without .toml",
        "name": "the device as people call it, with its memory where several are sold",
        "vendor": "who makes it",
        "kind": "what sort of device it is",
        "architecture": "generation of the silicon",
        "released": "release date: year, year-month or day",
        "memory_type": "memory technology",
        "link": "how devices talk to each other",
        "pcie": "how the device talks to its host",
        "purpose": "inference where the device cannot train",
        "status": "available, announced, internal, regional (one market only), rare (few were made) or modified",
        "as_of": "date of the figures",
        "notes": "what a buyer should know",
    }
)
#: List entries of a sheet: name → what it is.
LISTS: Mapping[str, str] = MappingProxyType(
    {
        "aliases": "other names: what people type and what drivers report",
        "memory_options": "capacities it is sold with",
        "sources": "default sources of the figures",
    }
)
REQUIRED = ("id", "name", "kind")
STATUSES = get_args(Status)
UNITS = ("cpu", "gpu", "npu")
#: What a figure table may hold.
FIGURE_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "value": "number or text with unit",
        "kind": "spec, measured, derived or assumed",
        "sources": "source keys",
        "as_of": "date of the figure",
        "note": "formula, caveat or disagreement",
    }
)
#: Values outside are slips of unit or keyboard: unit → (least, most).
PLAUSIBLE: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "B": (2.0**10, 1e15),
        "B/s": (1e6, 1e18),
        "FLOP/s": (1e8, 1e19),
        "W": (1e-2, 1e6),
        "Hz": (1e6, 1e11),
        "T/s": (1e6, 1e12),
        "1": (1.0, 1e7),
    }
)
_EXAMPLES: Mapping[str, str] = MappingProxyType(
    {
        "B": "80 GiB",
        "B/s": "3350 GB/s",
        "FLOP/s": "989 TFLOP/s",
        "W": "700 W",
        "Hz": "1.98 GHz",
        "T/s": "4800 MT/s",
        "1": "8",
    }
)


#: Sheets of the user's own that names are looked up in where no folder is passed: rows of measurements name them too.
_OWN: ContextVar[Path | None] = ContextVar("own", default=None)


@contextmanager
def also(extra: Path | None) -> Iterator[None]:
    """Within it, names of devices mean the user's own sheets of ``extra`` too."""
    before = _OWN.set(extra)
    try:
        yield
    finally:
        _OWN.reset(before)


def forget() -> None:
    """Read the sheets anew: a user's own was written."""
    for kept in (_load, _index, _one):
        kept.cache_clear()


def load_devices(extra: Path | None = None) -> Mapping[str, Device]:
    """Every device by id: the catalogue's, then the sheets of ``extra``, which add or override.

    ``extra`` is a user's own folder. Read once. RequestError names the file and figure of a broken sheet.
    """
    return _load(extra)


@cache
def _load(extra: Path | None) -> Mapping[str, Device]:
    found = {path.stem: load_device(path) for path in _sheets(catalog_path("hardware"))}
    if extra is not None:
        if not extra.is_dir():
            raise RequestError("no such folder of hardware sheets", str(extra))
        found |= {path.stem: load_device(path) for path in _sheets(extra)}
    return MappingProxyType(dict(sorted(found.items())))


def device(name: str, where: str = "", extra: Path | None = None) -> Device:
    """The device called ``name``: its id, its name or one of its aliases, case and separators aside.

    An id reads only its own sheet. RequestError with the nearest names when none or several match.
    """
    identity = normal(name)
    extra = _OWN.get() if extra is None else extra
    if extra is None:
        path = catalog_path("hardware", f"{identity}.toml")
        if 0 < len(identity) < LONGEST and "/" not in identity and "\\" not in identity and path.is_file():
            return _one(path)
    chip = _COMPUTER.sub("", name).strip()  # "MacBook Pro M4 Max" is the chip in it
    if not chip and name.strip():
        chips = sorted(
            found.id for found in _load(extra).values() if found.vendor == "Apple" and found.kind == "unified"
        )
        raise RequestError(f"{name.strip()}: with which chip?", where, tuple(chips))
    return _load(extra)[_index(extra).resolve(chip or name, where)]


#: Names of computers that say nothing about the chip inside.
_COMPUTER = re.compile(r"\b(?:macbook|imac|mac)(?:\s+(?:pro|air|mini|studio))?\b", re.I)


@cache
def _index(extra: Path | None) -> NameIndex:
    devices = _load(extra)
    return NameIndex("device", {key: (found.name, *found.aliases) for key, found in devices.items()})


@cache
def _one(path: Path) -> Device:
    return load_device(path)


def load_device(path: Path) -> Device:
    """One sheet, checked. Sheets outside the catalogue need no sources. RequestError when it is broken."""
    shipped = path.is_relative_to(catalog_path("hardware"))
    where = path.name if shipped else str(path)
    found = device_from(read_toml(path, limit=1 << 20), where, shipped)
    if found.id != path.stem:
        raise RequestError(f"id {found.id!r} differs from the file name {path.stem!r}", where)
    return found


def device_from(sheet: Mapping[str, Any], where: str, shipped: bool = False) -> Device:
    """A device from the content of its sheet; RequestError naming ``where`` and the entry at fault."""
    _known(sheet, (*TEXTS, *LISTS, "figures", "unit"), "entry", where)
    for key in REQUIRED:
        if not sheet.get(key):
            raise RequestError(f"{key} is missing", where)
    texts = {key: _text(sheet[key], f"{where}: {key}") for key in TEXTS if key in sheet}
    identity = texts["id"]
    if normal(identity) != identity or "/" in identity:
        raise RequestError(f"id {identity!r} must be lower case, words joined by '-'", where)
    _member(texts["kind"], DEVICE_KINDS, "device kind", f"{where}: kind")
    _member(texts.get("status", "available"), STATUSES, "status", f"{where}: status")
    sources = _sources(sheet.get("sources", ()), where)
    reader = _Reader(identity, where, sources, texts.pop("as_of", ""), shipped)
    options = _strings(sheet.get("memory_options", ()), f"{where}: memory_options")
    units = _table(sheet.get("unit", {}), f"{where}: unit")
    _known(units, UNITS, "unit", where)
    return Device(
        **{"vendor": "", **texts},  # type: ignore[arg-type]
        aliases=_strings(sheet.get("aliases", ()), f"{where}: aliases"),
        memory_options=tuple(_value(text, "B", f"{where}: memory_options") for text in options),
        figures=reader.figures(_table(sheet.get("figures", {}), f"{where}: figures"), ""),
        compute_units=MappingProxyType(
            {unit: reader.figures(_table(units[unit], f"{where}: unit.{unit}"), f"{unit}.") for unit in units}
        ),
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the figures of one sheet with its defaults."""

    identity: str
    where: str
    sources: tuple[str, ...]
    as_of: str
    shipped: bool

    def figures(self, table: Mapping[str, Any], prefix: str) -> Mapping[str, Figure]:
        """The figures of one compute unit by name."""
        _known(table, FIGURES, "figure", self.where)
        return MappingProxyType({name: self._figure(name, raw, prefix) for name, raw in table.items()})

    def _figure(self, name: str, raw: Any, prefix: str) -> Figure:
        where = f"{self.where}: {prefix}{name}"
        entry: Mapping[str, Any] = raw if isinstance(raw, dict) else {"value": raw}
        _known(entry, FIGURE_KEYS, "entry", where)
        if "value" not in entry:
            raise RequestError("value is missing", where)
        unit = FIGURES[name][0]
        value = _value(entry["value"], unit, where)
        sources = _sources(entry["sources"], where) if "sources" in entry else self.sources
        kind = entry.get("kind", "spec" if sources or self.shipped else "assumed")
        _member(kind, KINDS, "kind", where)
        if kind == "assumed" and "sources" not in entry:
            sources = ()
        if self.shipped and kind != "assumed" and not sources:
            raise RequestError("a figure that is not assumed needs a source", where)
        as_of = _text(entry["as_of"], where) if "as_of" in entry else self._date(entry)
        note = _text(entry["note"], where) if "note" in entry else ""
        return Figure(f"{self.identity}.{prefix}{name}", value, unit, cast(Kind, kind), sources, as_of, note)

    def _date(self, entry: Mapping[str, Any]) -> str:
        """The latest date of the figure's own sources, else the sheet's."""
        known = load_sources()
        dates = [known[key].date for key in entry.get("sources", ()) if known[key].date]
        return max(dates, default=self.as_of)


def _sheets(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.toml"))


def _value(raw: Any, unit: str, where: str) -> float:
    """A positive, plausible quantity in ``unit``."""
    value = parse(raw, unit, where)
    least, most = PLAUSIBLE[unit]
    if value <= 0:
        raise RequestError(f"{raw!r} is not above zero", where)
    if not least <= value <= most or not math.isfinite(value):
        raise RequestError(
            f"{raw!r} is no plausible quantity in {unit} ({least:g} to {most:g})", where, (_EXAMPLES[unit],)
        )
    return value


def _known(table: Mapping[str, Any], allowed: Iterable[str], what: str, where: str) -> None:
    allowed = tuple(allowed)
    for key in table:
        if key not in allowed:
            raise RequestError(f"unknown {what} {key!r}", where, nearest(key, allowed) or allowed[:4])


def _member(value: Any, allowed: tuple[str, ...], what: str, where: str) -> None:
    if value not in allowed:
        raise RequestError(f"unknown {what} {value!r}", where, nearest(str(value), allowed) or allowed)


def _text(raw: Any, where: str) -> str:
    if not isinstance(raw, str):
        raise RequestError(f"{raw!r} is not text", where)
    return raw


def _table(raw: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise RequestError(f"{raw!r} is not a table", where)
    return raw


def _strings(raw: Any, where: str) -> tuple[str, ...]:
    if not isinstance(raw, list | tuple) or not all(isinstance(item, str) and item.strip() for item in raw):
        raise RequestError(f"{raw!r} is not a list of texts", where)
    return tuple(raw)


def _sources(raw: Any, where: str) -> tuple[str, ...]:
    keys = _strings(raw, f"{where}: sources")
    for key in keys:
        if key not in load_sources():
            raise RequestError(f"unknown source {key!r}", where, nearest(key, load_sources()))
    return keys


def sheet_schema() -> dict[str, Any]:
    """The JSON Schema of a sheet, made from the tables above; published as hardware.schema.json."""
    texts: dict[str, Any] = {key: {"type": "string", "description": note} for key, note in TEXTS.items()}
    texts["kind"]["enum"] = list(DEVICE_KINDS)
    texts["status"]["enum"] = list(STATUSES)
    texts["id"]["pattern"] = "^[^\\sA-Z_/]+$"
    words = {"type": "array", "items": {"type": "string", "minLength": 1}}
    lists = {key: {**words, "description": note} for key, note in LISTS.items()}
    figures = {
        "type": "object",
        "properties": {name: _figure_schema(unit, note) for name, (unit, note) in FIGURES.items()},
        "additionalProperties": False,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Ridgewise hardware sheet",
        "type": "object",
        "properties": {
            **texts,
            **lists,
            "figures": {"$ref": "#/$defs/figures"},
            "unit": {
                "type": "object",
                "description": "figures of other compute units on the same chip",
                "properties": {unit: {"$ref": "#/$defs/figures"} for unit in UNITS},
                "additionalProperties": False,
            },
        },
        "required": list(REQUIRED),
        "additionalProperties": False,
        "$defs": {"figures": figures},
    }


def _figure_schema(unit: str, note: str) -> dict[str, Any]:
    quantity = {"type": ["string", "number"], "exclusiveMinimum": 0, "minLength": 1}
    entries: dict[str, Any] = {key: {"type": "string", "description": text} for key, text in FIGURE_KEYS.items()}
    entries["value"] = quantity
    entries["kind"]["enum"] = list(KINDS)
    entries["sources"] = {"type": "array", "items": {"type": "string"}, "description": FIGURE_KEYS["sources"]}
    table = {"type": "object", "properties": entries, "required": ["value"], "additionalProperties": False}
    return {"description": f"{note} [{unit}], for example {_EXAMPLES[unit]!r}", "anyOf": [quantity, table]}

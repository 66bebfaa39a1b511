"""``ridgewise models`` and ``ridgewise hardware``: list, show, add."""

from __future__ import annotations

import json as jsonlib
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgewise.app.home import keep, own, there
from ridgewise.errors import RequestError, nearest

if TYPE_CHECKING:
    from ridgewise.hardware import Device, Offer

SCHEMA_VERSION = 1
#: What a model may be called: one part or two, of letters, digits and a few marks.
MODEL_NAME = re.compile(r"[\w+-][\w.+ -]{0,79}(/[\w+-][\w.+ -]{0,79})?")


def _print_json(document: dict[str, Any]) -> None:
    print(jsonlib.dumps({"schema_version": SCHEMA_VERSION, **document}, ensure_ascii=False, allow_nan=False))


def list_models(search: str, *, json: bool) -> int:
    """Every model whose id or alias contains ``search``."""
    from ridgewise.models.read import catalogue_models

    wanted = search.casefold()
    found = [
        entry
        for entry in catalogue_models(own("models"))
        if any(wanted in name.casefold() for name in (entry.id, *entry.aliases))
    ]
    if json:
        _print_json({"models": [{"id": e.id, "kind": e.kind, "aliases": list(e.aliases)} for e in found]})
        return 0
    from ridgewise.report.catalogue import print_models

    print_models(found)
    return 0


def show_model(name: str, *, json: bool) -> int:
    """One model in full."""
    from ridgewise.models.read import load

    document = model_document(name)
    if json:
        _print_json(document)
        return 0
    from ridgewise.report.catalogue import print_model

    print_model(load(name, own("models")), document)
    return 0


def model_document(name: str) -> dict[str, Any]:
    """One model in full, as JSON has it."""
    from ridgewise.models.describe import describe
    from ridgewise.models.read import find, load

    try:
        entry = find(name, own("models")) if not there(Path(name)) else None
    except RequestError:
        entry = None
    return describe(load(name, own("models")), entry)


def add_model(path: Path, name: str) -> int:
    """Check a configuration and keep a copy under ``name`` in the user's catalogue."""
    from ridgewise.models.read import META, load_path, read_json

    if not MODEL_NAME.fullmatch(name) or "__" in name:
        raise RequestError(f"{name!r} is no model name", "name", ("org/name",))
    arch = load_path(path)
    config = read_json(path / "config.json" if path.is_dir() else path)
    entry = {"id": name, "kind": "checkpoint", "source": ["user"], "note": f"added from {path.name}"}
    own_names = [name.replace("/", "__") + ".json"]
    text = jsonlib.dumps({META: entry, **{k: v for k, v in config.items() if k != META}}, ensure_ascii=False, indent=1)
    written = keep("models", own_names[0], text)
    print(f"{name}: {arch.parameters_total:,} parameters, kept in {written}")
    return 0


def list_hardware(search: str, kind: str | None, *, json: bool) -> int:
    """Every device whose id, name or alias contains ``search``, of one class if asked."""
    from ridgewise.hardware import DEVICE_KINDS
    from ridgewise.hardware.sheets import load_devices

    if kind is not None and kind not in DEVICE_KINDS:
        raise RequestError(f"unknown class {kind!r}", "--kind", nearest(kind, DEVICE_KINDS) or DEVICE_KINDS)
    wanted = search.casefold()
    found = [
        device
        for device in load_devices(own("hardware")).values()
        if (kind is None or device.kind == kind)
        and any(wanted in name.casefold() for name in (device.id, device.name, *device.aliases))
    ]
    if json:
        rows = [
            {
                "id": d.id,
                "name": d.name,
                "class": d.kind,
                "memory_bytes": d.memory,
                "bandwidth_bytes_per_s": d.bandwidth,
                "status": d.status,
            }
            for d in found
        ]
        _print_json({"hardware": rows})
        return 0
    from ridgewise.report.catalogue import print_devices

    print_devices(found)
    return 0


def show_hardware(name: str, *, json: bool) -> int:
    """One device in full: figures, sources, prices, ridge points."""
    from ridgewise.hardware.sheets import device

    found = device(name, "hardware", own("hardware"))
    if json:
        _print_json(hardware_document(found))
        return 0
    from ridgewise.report.catalogue import print_device

    print_device(found, _offers(found))
    return 0


def _offers(found: Device) -> tuple[Offer, ...]:
    from ridgewise.hardware.offers import purchase_offers, rental_offers

    return (*purchase_offers(found.id), *rental_offers(found.id))


def hardware_document(found: Device) -> dict[str, Any]:
    """One device in full, as JSON has it."""
    from ridgewise.facts import load_sources
    from ridgewise.hardware.machine import Machine

    offers = _offers(found)
    figures = {key: asdict(figure) for key, figure in found.figures.items()}
    units = {u: {k: asdict(f) for k, f in table.items()} for u, table in found.compute_units.items()}
    cited = {
        key for table in (found.figures, *found.compute_units.values()) for f in table.values() for key in f.sources
    }
    cited |= {key for offer in offers for key in offer.sources}
    known = load_sources()
    return {
        "id": found.id,
        "name": found.name,
        "class": found.kind,
        "vendor": found.vendor,
        "architecture": found.architecture,
        "released": found.released,
        "status": found.status,
        "aliases": list(found.aliases),
        "figures": figures,
        "compute_units": units,
        "memory_usable_bytes": Machine(found).usable,
        "ridge_point_flop_per_byte": {
            d: found.ridge(d) for d in ("fp32", "bf16", "fp8", "int8") if found.ridge(d) is not None
        },
        "prices": [asdict(offer) for offer in offers],
        "sources": {key: asdict(known[key]) for key in sorted(cited) if key in known},
        "notes": found.notes,
    }


def add_hardware(path: Path) -> int:
    """Check a sheet and keep a copy in the user's catalogue; it must be named after its id."""
    from ridgewise.hardware.sheets import load_device

    found = load_device(path)
    written = keep("hardware", f"{found.id}.toml", path.read_text(encoding="utf-8"))
    print(f"{found.name}: {len(found.figures)} figures, kept in {written}")
    return 0

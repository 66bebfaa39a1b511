"""Lists of models and hardware, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ridgewise.app.home import own
from ridgewise.errors import RequestError, nearest
from ridgewise.hardware import DEVICE_KINDS, Device

#: Rows of a page where nothing is said, and at most.
ROWS, MOST_ROWS = 50, 200


@lru_cache(maxsize=2048)
def card(name: str) -> dict[str, Any]:
    """One model in a line: what it is called, how large it is, what it may hold."""
    from ridgewise.models.read import find, load

    arch, entry = load(name, own("models")), find(name, own("models"))
    return {
        "id": name, "kind": entry.kind, "aliases": list(entry.aliases), "family": arch.family,
        "parameters_total": arch.parameters_total, "parameters_active": arch.parameters_active,
        "max_context_tokens": arch.max_context or None, "generates_text": arch.causal and not arch.encoder,
    }  # fmt: skip


def models(search: str) -> list[str]:
    """Ids of the models whose id or alias holds every word of ``search``; those that begin with it first."""
    from ridgewise.models.read import catalogue_models

    words = search.casefold().split()
    found = []
    for entry in catalogue_models(own("models")):
        names = [name.casefold() for name in (entry.id, *entry.aliases)]
        if all(any(word in name for name in names) for word in words):
            tail = entry.id.rpartition("/")[2].casefold()
            found.append((not tail.startswith(search.casefold()), entry.id))
    return [identity for _, identity in sorted(found, key=lambda pair: pair[0])]


def hardware(search: str, kind: str | None) -> list[Device]:
    """Devices whose id, name or alias holds every word of ``search``, of one class if asked."""
    from ridgewise.hardware.sheets import load_devices

    if kind is not None and kind not in DEVICE_KINDS:
        raise RequestError(f"unknown class {kind!r}", "class", nearest(kind, DEVICE_KINDS) or DEVICE_KINDS)
    words = search.casefold().split()
    return [
        device
        for device in load_devices(own("hardware")).values()
        if (kind is None or device.kind == kind)
        and all(any(word in name.casefold() for name in (device.id, device.name, *device.aliases)) for word in words)
    ]


def line(device: Device) -> dict[str, Any]:
    """One device in a line."""
    return {
        "id": device.id, "name": device.name, "class": device.kind, "vendor": device.vendor, "status": device.status,
        "memory_bytes": device.memory, "bandwidth_bytes_per_s": device.bandwidth,
        "ridge_point_flop_per_byte": device.ridge(),
    }  # fmt: skip


def page(what: str, rows: Sequence[Any], total: int, limit: int, offset: int, here: str) -> dict[str, Any]:
    """One page of a list, and where the next one is."""
    after = offset + limit
    return {"schema_version": 1, "total": total, "limit": limit, "offset": offset, what: list(rows),
            "next": f"{here}offset={after}&limit={limit}" if after < total else None}  # fmt: skip

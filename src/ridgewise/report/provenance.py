"""Where the numbers of an answer come from: the keys in its ``basis`` as facts with kind, date and sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ridgewise.errors import RequestError
from ridgewise.facts import load_sources
from ridgewise.hardware import Device
from ridgewise.hardware.offers import hosts, purchase_offers, rental_offers
from ridgewise.report.cost import SourceDocument
from ridgewise.timing.coefficients import Block, load_blocks
from ridgewise.units import quantity, whole

#: Sources of coefficients that are named; the others are counted.
NAMED = 6


@dataclass(frozen=True, slots=True)
class CitedDocument:
    """One fact behind an answer: what it is, its value in words, how far to trust it, and where it was read."""

    key: str
    what: str
    value: str
    kind: str
    as_of: str
    sources: tuple[SourceDocument, ...]


def keys(answer: Any) -> Iterator[str]:
    """Every key in a ``basis`` or among the ``inputs`` of an answer's plain data, in the order of first use."""
    return iter(dict.fromkeys(_keys(answer)))


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        basis = value.get("basis")
        if isinstance(basis, list | tuple):
            yield from (key for key in basis if isinstance(key, str))
        if isinstance(entered := value.get("inputs"), list | tuple):  # an explanation names what entered one by one
            yield from (one["key"] for one in entered if isinstance(one, Mapping) and "key" in one)
        for item in value.values():
            yield from _keys(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _keys(item)


def cited(basis: Iterable[str], devices: Mapping[str, Device], model: str = "") -> tuple[CitedDocument, ...]:
    """The facts behind keys, the model's file first; keys of which the catalogue knows no more stand alone."""
    found = [_model(model)] if model else []
    return tuple(one for one in (*found, *(_fact(key, devices) for key in basis)) if one is not None)


def _sources(named: Iterable[str]) -> tuple[SourceDocument, ...]:
    known = load_sources()
    found = ((key, known.get(key) or known.get(f"m-{key}")) for key in named)  # measurements are listed under m-
    return tuple(
        SourceDocument(key, s.title, s.url, s.date) if s else SourceDocument(key, "", "", "") for key, s in found
    )


def _model(name: str) -> CitedDocument | None:
    from ridgewise.models.read import find

    try:
        entry = find(name)
    except RequestError:
        return CitedDocument(name, "the model's configuration", "", "spec", "", ())
    return CitedDocument(
        entry.id, "the model's configuration", entry.kind, "spec", entry.version, _sources(entry.source)
    )


def _fact(key: str, devices: Mapping[str, Device]) -> CitedDocument:
    owner, _, name = key.partition(".")
    if owner == "calibration":
        return _coefficients(key, name)
    if owner == "host":
        shell = next((host for host in hosts() if host.key == key), None)
        if shell is not None:
            return CitedDocument(
                key, "the computer around the boards", "", shell.figure_kind, "", _sources(shell.sources)
            )
    device = devices.get(owner)
    if device is not None and name in device.figures:
        figure = device.figures[name]
        value = quantity(figure.number, figure.unit) if not isinstance(figure.value, str) else figure.value
        what = f"{device.name}: {name.replace('_', ' ')}"
        return CitedDocument(key, what, value, figure.kind, figure.as_of, _sources(figure.sources))
    if device is not None and name in ("purchase", "rent"):
        offers = purchase_offers(owner) if name == "purchase" else rental_offers(owner)
        newest = max((offer.as_of for offer in offers), default="")
        told = dict.fromkeys(source for offer in offers if offer.as_of == newest for source in offer.sources)
        return CitedDocument(key, f"{device.name}: {name}", f"{len(offers)} prices", "spec", newest, _sources(told))
    return CitedDocument(key, key, "", "", "", ())


def _coefficients(key: str, name: str) -> CitedDocument:
    """Coefficients fitted from measurements: how many, and from which sources most."""
    blocks = load_blocks()
    while name not in blocks and "." in name:
        name = name.rpartition(".")[0]
    block: Block | None = blocks.get(name)
    if block is None:
        return CitedDocument(key, "fitted coefficients", "", "measured", "", ())
    most = sorted(block.sources, key=lambda source: -block.sources[source])
    more = f", {len(most) - NAMED} of them not named here" if len(most) > NAMED else ""
    value = f"fitted on {whole(block.rows)} measurements from {len(most)} sources{more}"
    return CitedDocument(key, f"what engines reach of a device ({name})", value, "measured", "", _sources(most[:NAMED]))

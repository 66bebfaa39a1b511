"""Where the numbers of an answer come from: the keys in its ``basis`` as facts with kind, date and sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ridgewise.errors import RequestError
from ridgewise.facts import load_sources
from ridgewise.hardware import Device
from ridgewise.hardware.device import FIGURES
from ridgewise.hardware.offers import hosts, purchase_offers, rental_offers
from ridgewise.report.cost import SourceDocument
from ridgewise.timing.coefficients import Block, load_blocks
from ridgewise.units import money, quantity, whole

#: Sources of coefficients and prices that are named; the others are counted.
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
    note: str = ""


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


def cited(
    basis: Iterable[str], devices: Mapping[str, Device], model: str = "", *, apart: bool = False
) -> tuple[CitedDocument, ...]:
    """The facts behind keys, the model's file first; keys of which the catalogue knows no more stand alone.

    apart   the first prices of a device each by itself, instead of how many there are
    """
    found = [_model(model)] if model else []
    return tuple(one for one in (*found, *(one for key in basis for one in _facts(key, devices, apart))) if one)


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


def _facts(key: str, devices: Mapping[str, Device], apart: bool) -> Iterator[CitedDocument]:
    owner, _, name = key.partition(".")
    device, known = devices.get(owner), load_sources()
    shell = next((host for host in hosts() if host.key == key), None) if owner == "host" else None
    if owner == "calibration":
        yield _coefficients(key, name)
    elif shell is not None:
        yield CitedDocument(key, "the computer around the boards", "", shell.figure_kind, "", _sources(shell.sources))
    elif device is not None and name in device.figures:
        figure = device.figures[name]
        value = quantity(figure.number, figure.unit) if not isinstance(figure.value, str) else figure.value
        what = f"{device.name}: {FIGURES.get(name, ('', name.replace('_', ' ')))[1]}"
        yield CitedDocument(key, what, value, figure.kind, figure.as_of, _sources(figure.sources), figure.note)
    elif device is not None and name in ("purchase", "rent"):
        yield from _prices(key, device, name, apart)
    elif key in known:
        yield CitedDocument(key, known[key].title, "", "", known[key].date, _sources((key,)))
    else:
        yield CitedDocument(key, key, "", "", "", ())


def _prices(key: str, device: Device, name: str, apart: bool) -> Iterator[CitedDocument]:
    """What is asked for a device: the first few offers, or how many there are."""
    offers = purchase_offers(device.id) if name == "purchase" else rental_offers(device.id)
    if apart:
        each = "" if name == "purchase" else " per device and hour"
        for offer in offers[:NAMED]:
            span = f"{money(offer.low)} to {money(offer.high)}" if offer.high > offer.low else money(offer.low)
            yield CitedDocument(key, f"{device.name}: {offer.terms}{each}", span, "offer", offer.as_of,
                                _sources(offer.sources))  # fmt: skip
        return
    newest = max((offer.as_of for offer in offers), default="")
    told = dict.fromkeys(source for offer in offers if offer.as_of == newest for source in offer.sources)
    yield CitedDocument(key, f"{device.name}: {name}", f"{len(offers)} prices", "spec", newest, _sources(told))


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

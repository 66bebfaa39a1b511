"""What stands behind a number: what it is, how it is counted, and the facts and measurements it rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ridgewise.advise.deployment import FORMULAS
from ridgewise.app.home import own
from ridgewise.errors import RequestError
from ridgewise.facts import load_sources
from ridgewise.hardware.device import FIGURES
from ridgewise.hardware.offers import purchase_offers, rental_offers
from ridgewise.hardware.sheets import load_devices
from ridgewise.timing.coefficients import load_blocks
from ridgewise.units import digits, duration, energy, money, power, quantity, size

#: What a tier of evidence means.
TIERS: Mapping[str, str] = {
    "measured": "this model on this device and engine was measured, or you gave the figure",
    "interpolated": "this device and engine were measured, with other models",
    "transferred": "the engine was measured on other devices",
    "datasheet": "neither was measured: physics, and the values that every fit starts from",
    "assumed": "a figure that enters has no source yet",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of number: its name, how people read it, how it is counted, and where that is told in full."""

    name: str
    write: Callable[[float], str]
    formulas: tuple[str, ...]
    page: str


STEP, SHARE, PARTS, EXPERTS = FORMULAS
SERVICE = "of many users: TPOT = decode(n) + (n − 1) · x · TPOT / R, n = sessions · E / (E + think), E the whole answer"
BYTES = "bytes = Σ parameters · bits / 8 + sequences · context · cache per token + buffers + engine, per device"
WALL = "watts at the wall = (boards · draw at the phases' load + host) / efficiency of the supply"
#: By the last part of a number's place in its document.
KINDS: Mapping[str, Kind] = {
    "ttft_s": Kind("time to the first token", duration, (PARTS, STEP, SHARE, SERVICE), "how-it-counts"),
    "tpot_s": Kind("time for each further token", duration, (PARTS, STEP, SHARE, SERVICE), "how-it-counts"),
    "e2e_s": Kind("time for a whole answer", duration, ("E2E = TTFT + (answer − 1) · TPOT", STEP), "how-it-counts"),
    "decode_tokens_per_s": Kind("tokens per second for each user", digits, ("1 / TPOT", PARTS, STEP), "how-it-counts"),
    "user_tokens_per_s": Kind("tokens per second for each user", digits, ("1 / TPOT", PARTS, STEP), "how-it-counts"),
    "total_tokens_per_s": Kind("tokens per second of the system", digits, ("requests in flight / TPOT", SERVICE, STEP),
                               "how-it-counts"),
    "output_tokens_per_s": Kind("tokens per second of the system", digits, (SERVICE, STEP), "how-it-counts"),
    "requests_per_s": Kind("requests per second", digits, ("running / whole answer", SERVICE), "how-it-counts"),
    "memory_bytes": Kind("memory held per device", size, (BYTES,), "memory-by-hand"),
    "total_bytes": Kind("memory held per device", size, (BYTES,), "memory-by-hand"),
    "peak_memory_bytes": Kind("peak memory of training per device", size,
                              ("weights + gradients + optimiser, shared by ZeRO, + activations kept",), "training"),
    "power_w": Kind("power at the wall", power, (WALL,), "how-it-counts"),
    "energy_j_per_token": Kind("energy per token", energy, ("power at the wall / tokens per second",), "how-it-counts"),
    "purchase_usd": Kind("price to buy", money, ("devices, in the unit that is sold, + the computer around",), "money"),
    "rent_usd_per_h": Kind("rent per hour", money, ("devices · rent per device and hour",), "money"),
    "cost_usd": Kind("cost over the horizon", money,
                     ("purchase − resale + financing + energy + space + upkeep, or hours · rent, or tokens · price",),
                     "money"),
    "run_s": Kind("time of the whole run", duration,
                  ("steps · step time / goodput; step = compute · (1 + bubble) + exposed communication",), "training"),
    "step_s": Kind("time of one step", duration, ("compute · (1 + bubble) + exposed communication + optimiser",),
                   "training"),
    "train_tokens_per_s": Kind("tokens trained per second", digits, ("tokens per step / step time",), "training"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ground:
    """One thing a number rests on."""

    key: str
    what: str
    value: str
    kind: str
    as_of: str
    note: str
    sources: tuple[Mapping[str, str], ...]


def estimate_at(document: Any, place: str) -> Any:
    """The estimate at ``options.0.ttft_s`` of a document; RequestError where there is none."""
    found = document
    for part in place.split("."):
        try:
            found = found[int(part)] if part.isdigit() else getattr(found, part)
        except (AttributeError, IndexError, TypeError, KeyError):
            raise RequestError(f"the answer has no number at {place!r}", "of", ("options.0.ttft_s",)) from None
    if not all(hasattr(found, name) for name in ("value", "low", "high", "tier")):
        raise RequestError(f"{place!r} is no number with an interval", "of", ("options.0.ttft_s",))
    return found


def kind_of(place: str) -> Kind:
    """What kind of number stands at a place."""
    name = place.rpartition(".")[2]
    return KINDS.get(name, Kind(name.replace("_", " "), digits, (), "how-it-counts"))


def grounds(basis: tuple[str, ...]) -> list[Ground]:
    """What the keys of an estimate mean."""
    return [ground for key in basis for ground in _ground(key)]


def _cited(keys: Any) -> tuple[Mapping[str, str], ...]:
    known = load_sources()
    return tuple(
        {"title": known[key].title, "url": known[key].url, "date": known[key].date} if key in known
        else {"title": key, "url": "", "date": ""}
        for key in keys
    )  # fmt: skip


def _ground(key: str) -> Iterator[Ground]:
    first, _, rest = key.partition(".")
    if first == "calibration":
        name = rest.split("/")[0].removesuffix("." + rest.rpartition(".")[2]) if "." in rest else rest
        blocks = load_blocks()
        if name in blocks:
            block = blocks[name]
            devices = len({pair.partition("|")[0] for pair in block.seen.get("device", ())})
            told = f"{block.rows:,} measurements, {devices} devices, {len(block.sources)} sources"
            yield Ground(key, f"coefficients fitted on measurements ({name})", told, "measured", "", "", ())
            return
    device = load_devices(own("hardware")).get(first)
    if device is not None and rest in device.figures:
        figure = device.figures[rest]
        about = FIGURES.get(rest, ("", rest))[1]
        yield Ground(key, f"{device.name}: {about}", quantity(figure.number, figure.unit), figure.kind, figure.as_of,
                     figure.note, _cited(figure.sources))  # fmt: skip
        return
    if device is not None and rest in ("purchase", "rent"):
        offers = purchase_offers(device.id) if rest == "purchase" else rental_offers(device.id)
        for offer in list(offers)[:6]:
            each = "" if rest == "purchase" else " per device and hour"
            span = f"{money(offer.low)} to {money(offer.high)}" if offer.high > offer.low else money(offer.low)
            yield Ground(key, f"{device.name}: {offer.terms}{each}", span, "offer", offer.as_of, "",
                         _cited(offer.sources))  # fmt: skip
        return
    known = load_sources()
    yield Ground(key, known[key].title if key in known else key, "", "", known[key].date if key in known else "", "",
                 _cited((key,)) if key in known else ())  # fmt: skip


def subject(document: Any, place: str) -> str:
    """Whose number it is: the option, way or system it stands in."""
    outer = document
    for part in place.split(".")[:-1]:
        outer = outer[int(part)] if part.isdigit() else getattr(outer, part)
    named = (getattr(outer, name, None) for name in ("name", "what", "device"))
    own_name = next((name for name in named if isinstance(name, str) and name), "")
    return f"{document.model} on {own_name}" if own_name else str(document.model)

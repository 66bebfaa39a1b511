"""What a number of an answer is, how it is counted and written; what it rests on stands in `report.provenance`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ridgewise.advise.explaining import FORMULAS
from ridgewise.errors import RequestError
from ridgewise.report.text import two
from ridgewise.units import digits, duration, energy, money, power, size

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
    "decode_tokens_per_s": Kind("tokens per second for each user", two, ("1 / TPOT", PARTS, STEP), "how-it-counts"),
    "user_tokens_per_s": Kind("tokens per second for each user", digits, ("1 / TPOT", PARTS, STEP), "how-it-counts"),
    "total_tokens_per_s": Kind("tokens per second of the system", two, ("requests in flight / TPOT", SERVICE, STEP),
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


def subject(document: Any, place: str) -> str:
    """Whose number it is: the option, way or system it stands in."""
    outer = document
    for part in place.split(".")[:-1]:
        outer = outer[int(part)] if part.isdigit() else getattr(outer, part)
    named = (getattr(outer, name, None) for name in ("name", "what", "device"))
    own_name = next((name for name in named if isinstance(name, str) and name), "")
    return f"{document.model} on {own_name}" if own_name else str(document.model)

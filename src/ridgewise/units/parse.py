"""Words to numbers, at the border only: ``parse("80 GiB", "B") == 80 * 2**30``."""

from __future__ import annotations

import math
import re

from ridgewise.errors import RequestError

_DECIMAL = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_BINARY = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50}
_TIME = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0,
    "min": 60.0, "h": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86400.0, "day": 86400.0, "days": 86400.0,
    "week": 604800.0, "weeks": 604800.0, "month": 2629800.0, "months": 2629800.0,
    "y": 31557600.0, "year": 31557600.0, "years": 31557600.0,
}  # fmt: skip
#: Digits, in groups of three where they are grouped at all: "1,5" is not fifteen.
_NUMBER = re.compile(
    r"^\s*([-+]?(?:(?:\d{1,3}(?:[,_]\d{3})+|\d+)(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?|[-+]?(?:nan|inf(?:inity)?))"
    r"\s*(.*?)\s*$",
    re.I,
)


def _scales(unit: str) -> dict[str, float]:
    """Every suffix accepted for a unit, with the factor to the unit held inside."""
    if unit == "s":
        return {"": 1.0, **_TIME}
    if unit == "B":
        binary = {f"{p}B": f for p, f in _BINARY.items()}
        decimal = {f"{p}B": f for p, f in _DECIMAL.items() if p not in ("B",)}
        return {"": 1.0, **decimal, **binary}
    if unit == "B/s":
        return {f"{suffix}/s": factor for suffix, factor in _scales("B").items() if suffix} | {"": 1.0}
    if unit == "FLOP/s":
        names = ("FLOP/s", "FLOPS", "OP/s", "OPS")
        return {"": 1.0} | {f"{p}{n}": f for p, f in _DECIMAL.items() if p != "B" for n in names}
    if unit in ("W", "J", "Hz", "T/s", "USD"):
        scaled = {f"{p}{unit}": f for p, f in _DECIMAL.items() if p not in ("B",)}
        plain = {"": 1.0, "$": 1.0, "k": 1e3, "K": 1e3, "M": 1e6} if unit == "USD" else {"": 1.0}
        return plain | scaled
    if unit == "tokens":
        counts = _DECIMAL | _BINARY
        return counts | {f"{p}{word}": f for p, f in counts.items() for word in ("tokens", "tok", " tokens")}
    if unit == "ratio":
        return {"": 1.0, "%": 0.01}
    return dict(_DECIMAL)


def parse(text: str | float, unit: str, where: str = "") -> float:
    """A quantity as a float in ``unit`` ("B", "B/s", "FLOP/s", "s", "W", "Hz", "USD", "tokens", "1").

    Raises RequestError naming ``where`` when the text is no finite number in that unit.
    """
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise RequestError(f"{text!r} is not a quantity in {unit}", where)
    if isinstance(text, int | float):
        value, suffix = (float(text) if abs(text) < 1e300 else math.inf), ""
    else:
        match = _NUMBER.match(text)
        if not match:
            raise RequestError(f"{text!r} is not a number" + (f" in {unit}" if unit != "1" else ""), where)
        value = float(match[1].replace(",", "").replace("_", ""))
        suffix = match[2]
    if not math.isfinite(value):
        raise RequestError(f"{text!r} is not a finite number", where)
    scales = _scales(unit)
    if suffix not in scales:
        shown = [s for s in scales if s][:6]
        raise RequestError(f"{text!r}: unknown unit {suffix!r} for a quantity in {unit}", where, tuple(shown))
    return value * scales[suffix]

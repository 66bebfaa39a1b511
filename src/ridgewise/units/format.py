"""Numbers for people: three significant digits, GB (10⁹) and GiB (2³⁰) never confused."""

from __future__ import annotations

import math

_STEPS = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
_BINARY_STEPS = ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B"))


def digits(value: float, significant: int = 3) -> str:
    """A plain number with ``significant`` digits and thousands separators: 1234.5 → '1,230'."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    places = significant - 1 - math.floor(math.log10(abs(value)))
    if places <= 0:
        return f"{round(value, places):,.0f}"
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _scaled(value: float, unit: str, significant: int = 3) -> str:
    for factor, prefix in _STEPS:
        if abs(value) >= factor * 0.9995 or factor == 1.0:
            return f"{digits(value / factor, significant)} {prefix}{unit}".strip()
    raise AssertionError("unreachable: the last step is 1")


def size(value: float) -> str:
    """Bytes in binary units: 80 GiB. File and memory sizes are binary throughout."""
    for factor, unit in _BINARY_STEPS:
        if abs(value) >= factor * 0.9995 or factor == 1.0:
            return f"{digits(value / factor)} {unit}"
    raise AssertionError("unreachable: the last step is 1")


def whole(value: float) -> str:
    """A countable number in full: 1,024."""
    return f"{value:,.0f}"


_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def up(value: float) -> float:
    """A number rounded up to two digits: what a limit would have to be."""
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / step - 1e-9) * step:.6g}")


def down(value: float) -> float:
    """A number of things rounded down to two digits."""
    step = 10.0 ** max(math.floor(math.log10(value)) - 1, 0)
    return math.floor(value / step) * step


def power_of_ten(value: float) -> str:
    """A very large number: 8.7 × 10²³."""
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPTS)}"


def rate(value: float, unit: str) -> str:
    """A rate in decimal units: 3.35 TB/s, 989 TFLOP/s."""
    return _scaled(value, unit)


def count(value: float) -> str:
    """A number of things: 8.03B parameters, 2T tokens, 128k context."""
    for factor, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= factor * 0.9995:
            scale = 1e3 if letter == "k" else factor
            return f"{digits(value / scale)}{letter}"
    return digits(value, 4)


def duration(seconds: float) -> str:
    """Seconds as people say them: 23 ms, 1.4 s, 3.2 h, 24 days, 5.1 years."""
    if not math.isfinite(seconds):
        return "never"
    steps = ((31557600.0 * 2, 31557600.0, "years"), (86400.0 * 2, 86400.0, "days"), (5400.0, 3600.0, "h"),
             (90.0, 60.0, "min"), (0.9995, 1.0, "s"), (0.0009995, 1e-3, "ms"))  # fmt: skip
    for least, factor, unit in steps:
        if abs(seconds) >= least:
            return f"{digits(seconds / factor, 2 if seconds / factor < 100 else 3)} {unit}"
    if 0 < abs(seconds) < 0.9995e-6:
        return f"{digits(seconds / 1e-9, 2)} ns"
    return f"{digits(seconds / 1e-6, 2)} µs" if seconds else "0 s"


def money(dollars: float) -> str:
    """US dollars: $3,999; $2.40; $1.26M; -$500."""
    if dollars < 0:
        return f"-{money(-dollars)}"
    if abs(dollars) >= 1e6:
        return f"${digits(dollars / 1e6)}M"
    if abs(dollars) >= 100:
        return f"${digits(dollars, 4) if abs(dollars) >= 1e5 else f'{dollars:,.0f}'}"
    return f"${dollars:,.2f}" if abs(dollars) >= 0.1 or dollars == 0 else f"${digits(dollars, 2)}"


def power(watts: float) -> str:
    """Watts: 450 W, 10.2 kW."""
    return _scaled(watts, "W") if abs(watts) >= 1e4 else f"{digits(watts)} W"


def energy(joules: float) -> str:
    """Joules below a watt-hour, kilowatt-hours above."""
    return f"{digits(joules)} J" if abs(joules) < 3.6e5 else f"{digits(joules / 3.6e6)} kWh"


def share(ratio: float) -> str:
    """A ratio as per cent: 0.64 → '64 %'."""
    return f"{digits(100 * ratio, 2 if abs(ratio) < 0.995 else 3)} %"


def quantity(value: float, unit: str) -> str:
    """A figure of a sheet in its own unit."""
    match unit:
        case "B":
            return size(value)
        case "s":
            return duration(value)
        case "USD":
            return money(value)
        case "W":
            return power(value)
        case "ratio":
            return share(value)
        case "1":
            return count(value)
        case "FLOP/s" | "B/s" | "Hz" | "T/s" | "FLOP" | "J":
            return _scaled(value, unit)
        case _:
            return f"{digits(value)} {unit}"

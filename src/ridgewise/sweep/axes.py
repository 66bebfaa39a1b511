"""The numbers of a grid: lists, ranges and draws, as axes whose product is walked in boxes.

A box is a product of slices, so that what depends on few axes is computed few times: columns of a box have the shape of
the box with 1 where they do not vary, and NumPy broadcasts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any
from zlib import crc32

import numpy as np

from ridgewise.errors import RequestError, nearest

#: Rows of a box: columns of so many numbers stay in a core's cache.
BOX = 16_384
#: Longest axis.
MOST = 10_000_000
#: What a distribution is given by.
DRAWN: Mapping[str, tuple[str, ...]] = {
    "uniform": ("lowest", "highest"),
    "normal": ("mean", "standard deviation"),
    "lognormal": ("median", "standard deviation of the logarithm"),
}
SPAN = ("from", "to", "points", "scale")


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: the columns that vary along it, all of its length. An axis of draws has several."""

    name: str
    columns: Mapping[str, np.ndarray]

    @property
    def size(self) -> int:
        return next(iter(self.columns.values())).size


@dataclass(frozen=True, slots=True)
class Box:
    """Neighbouring rows of a product of axes: where they begin, and a slice of every axis."""

    begin: int
    slices: tuple[slice, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(part.stop - part.start for part in self.slices)

    @property
    def rows(self) -> int:
        return prod(self.shape)


def boxes(shape: tuple[int, ...], begin: int, end: int, most: int = BOX) -> Iterator[Box]:
    """Rows ``begin`` to ``end`` of a product of axes, in order, in boxes of at most ``most`` rows."""
    while begin < end:
        box = _largest(shape, begin, min(end, begin + most))
        yield box
        begin += box.rows


def _largest(shape: tuple[int, ...], begin: int, end: int) -> Box:
    """The largest box that begins at a row and ends before another: a slice of one axis, with every axis behind it
    whole and every axis before it at one place."""
    place = np.unravel_index(begin, shape) if shape else ()
    inner, axis = 1, len(shape)
    while axis > 0 and place[axis - 1] == 0 and begin + inner * shape[axis - 1] <= end:
        axis -= 1
        inner *= shape[axis]
    slices = [slice(int(at), int(at) + 1) for at in place[:axis]] + [slice(0, size) for size in shape[axis:]]
    if axis > 0:
        at, size = int(place[axis - 1]), shape[axis - 1]
        slices[axis - 1] = slice(at, at + max(1, min((end - begin) // inner, size - at)))
    return Box(begin, tuple(slices))


def columns(axes: tuple[Axis, ...], box: Box) -> dict[str, np.ndarray]:
    """The numbers of a box, each of the box's dimensions and of length 1 where it does not vary."""
    found = {}
    for place, (axis, part) in enumerate(zip(axes, box.slices, strict=True)):
        shape = [1] * len(axes)
        shape[place] = part.stop - part.start
        for name, column in axis.columns.items():
            found[name] = column[part].reshape(shape)
    return found


def read_axes(
    given: Mapping[str, Any], known: Mapping[str, tuple[float, float, float]], seed: int, where: str
) -> tuple[Axis, ...]:
    """Axes of a table of numbers. ``known``: of every number its usual value, the lowest and the highest."""
    draws = given.get("draws")
    rest = {name: value for name, value in given.items() if name != "draws"}
    for name in rest:
        if name not in known:
            raise RequestError(f"unknown number {name!r}", where, nearest(name, known) or tuple(known))
    drawn = {name: value for name, value in rest.items() if isinstance(value, dict) and not set(value) & set(SPAN)}
    if drawn and draws is None:
        raise RequestError("how many are drawn is not said", f"{where}.draws", ("draws = 1000",))
    if draws is not None and not drawn:
        raise RequestError("nothing is drawn", f"{where}.draws", ("prompt = {lognormal = [1024, 0.9]}",))
    found = []
    for name, (usual, low, high) in known.items():
        if name not in drawn:
            values = _values(rest.get(name, usual), f"{where}.{name}")
            found.append(Axis(name, {name: _bounded(values, low, high, f"{where}.{name}")}))
    if drawn:
        many = _whole(draws, f"{where}.draws", 1, MOST)
        sets = {
            name: _bounded(_draws(drawn[name], name, many, seed, f"{where}.{name}"), low, high, f"{where}.{name}")
            for name, (_, low, high) in known.items()
            if name in drawn
        }
        found.append(Axis("draw", {"draw": np.arange(many, dtype=float), **sets}))
    return tuple(found)


def _values(given: Any, where: str) -> np.ndarray:
    if isinstance(given, dict):
        return _span(given, where)
    values = given if isinstance(given, list) else [given]
    if not values:
        raise RequestError("no value", where, ("[1, 2, 4]",))
    return np.array([_number(value, where) for value in values])


def _span(given: Mapping[str, Any], where: str) -> np.ndarray:
    for name in given:
        if name not in SPAN:
            raise RequestError(f"unknown field {name!r}", where, nearest(name, SPAN) or SPAN)
    if missing := [name for name in ("from", "to", "points") if name not in given]:
        raise RequestError(f"no {missing[0]!r}", where, ("{from = 1, to = 512, points = 10, scale = 'log'}",))
    low, high = _number(given["from"], f"{where}.from"), _number(given["to"], f"{where}.to")
    points = _whole(given["points"], f"{where}.points", 1, MOST)
    scale = given.get("scale", "linear")
    if scale == "linear":
        return np.linspace(low, high, points)
    if scale != "log":
        raise RequestError(f"unknown scale {scale!r}", f"{where}.scale", ("linear", "log"))
    if low <= 0 or high <= 0:
        raise RequestError("a logarithmic range begins above 0", f"{where}.from", ("1",))
    return np.geomspace(low, high, points)


def _draws(given: Mapping[str, Any], name: str, many: int, seed: int, where: str) -> np.ndarray:
    """The same numbers for the same seed and name, however they are shared out."""
    if len(given) != 1 or next(iter(given)) not in DRAWN:
        raise RequestError("unknown distribution", where, tuple(f"{kind} = [a, b]" for kind in DRAWN))
    kind, values = next(iter(given.items()))
    if not isinstance(values, list) or len(values) != 2:
        raise RequestError(f"{kind} is given by {' and '.join(DRAWN[kind])}", where)
    a, b = (_number(value, where) for value in values)
    if (kind == "uniform" and a > b) or (kind != "uniform" and b < 0) or (kind == "lognormal" and a <= 0):
        raise RequestError(f"no {kind} distribution has {a:g} and {b:g}", where)
    generator = np.random.Generator(np.random.Philox(key=[seed, crc32(name.encode())]))
    if kind == "uniform":
        return generator.uniform(a, b, many)
    return generator.normal(a, b, many) if kind == "normal" else a * np.exp(generator.normal(0.0, b, many))


def _bounded(values: np.ndarray, low: float, high: float, where: str) -> np.ndarray:
    wrong = values[~((values >= low) & (values <= high))]
    if wrong.size:
        raise RequestError(f"{wrong[0]:g} is outside {low:g} … {high:g}", where)
    return values


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RequestError(f"{value!r} is no number", where)
    return float(value)


def _whole(value: Any, where: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise RequestError(f"{value!r} is no whole number from {low:,} to {high:,}", where)
    return value

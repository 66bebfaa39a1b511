"""What importers have in common: their shape, and careful reading of text, JSON and numbers."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from typing import Any

from ridgewise.errors import RequestError

#: Most bytes of an imported file, and most figures taken from one.
LIMIT, FIGURES = 64 << 20, 100_000
#: No figure is larger, nor its inverse smaller.
MOST = 1e30
#: A number as tools print it, thousands separated or not.
NUMBER = r"(-?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?)"
#: Colours and cursor movements of a terminal.
COLOUR = re.compile(r"\x1b\[[0-9;?]{0,40}[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Found:
    """One figure as a tool printed it: its kind of measurement, and the columns the tool states."""

    kind: str
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Importer:
    """A format: how a file of it is recognised (text, path), and how it is read (text, place)."""

    name: str
    about: str
    recognises: Callable[[str, str], bool]
    read: Callable[[str, str], list[Found]]


def parsed(text: str, place: str) -> Any:
    """A JSON document; RequestError where it is none or is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise RequestError("is nested too deeply", place) from None
    except ValueError as error:
        raise RequestError(f"is not valid JSON: {error}"[:300], place) from None


def objects(text: str, place: str) -> list[Mapping[str, Any]]:
    """The objects of a JSON document (one, or a list of them) or of JSON lines."""
    whole = _whole(text)
    if whole is None:
        lines = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
        if len(lines) < 2:
            parsed(text, place)
        if len(lines) > FIGURES:
            raise RequestError(f"more than {FIGURES:,} lines", place)
        held = [(parsed(line, f"{place}, line {i}"), f"{place}, line {i}") for i, line in lines]
    else:
        held = [(entry, place) for entry in (whole[0] if isinstance(whole[0], list) else [whole[0]])]
    for entry, where in held:
        if not isinstance(entry, dict):
            raise RequestError("is not a JSON object", where)
    return [entry for entry, _ in held]


@lru_cache(maxsize=2)
def _whole(text: str) -> tuple[Any] | None:
    """The document in ``text`` if it is a single one; every importer asks, so it is kept."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return (json.loads(text),)
    except (ValueError, RecursionError):
        return None


@lru_cache(maxsize=2)
def first_object(text: str) -> Mapping[str, Any]:
    """The first object of a JSON document or of JSON lines; empty where there is none."""
    whole = _whole(text)
    if whole is None:
        line = text.lstrip()[: 1 << 20].partition("\n")[0]
        whole = _whole(line) if line.startswith("{") else None
    found = whole[0] if whole else None
    if isinstance(found, list) and found:
        found = found[0]
    return found if isinstance(found, dict) else {}


def at(document: Any, path: str) -> Any:
    """The entry under keys joined by dots; None where there is none."""
    for key in path.split("."):
        if not isinstance(document, Mapping):
            return None
        document = document.get(key)
    return document


def figure(value: Any, where: str) -> float | None:
    """A finite number; None where nothing stands; RequestError for anything else."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        value = value.strip().replace(",", "")
        if value in ("N/A", "[N/A]", "-", "[Not Supported]"):
            return None
    try:
        if isinstance(value, bool | list | dict):
            raise ValueError
        found = float(value)
    except (ValueError, OverflowError):
        raise RequestError(f"{str(value)[:60]!r} is not a number", where) from None
    if not math.isfinite(found) or abs(found) > MOST:
        raise RequestError(f"{str(value)[:60]!r} is not a finite number", where)
    return found if abs(found) > 1 / MOST else 0.0


def positive(value: Any, where: str) -> float | None:
    """A finite number above zero; None where nothing or zero stands."""
    found = figure(value, where)
    if found is not None and found < 0:
        raise RequestError(f"{found:g} is below zero", where)
    return found or None


def text_of(value: Any) -> str:
    """A cell of what a tool states: text, number or nothing; tables are none of these."""
    if value is None or isinstance(value, list | dict):
        return ""
    if isinstance(value, float):
        return plain(value) if math.isfinite(value) else ""
    return "".join(c if c.isprintable() else " " for c in str(value)[:300]).strip()


def plain(value: float) -> str:
    """A number with ten significant digits, as short as it gets."""
    return f"{value:.10g}" if abs(value) >= 1e10 or value != int(value) else str(int(value))


def stated(**cells: Any) -> dict[str, str]:
    """The cells that hold something."""
    return {name: text for name, value in cells.items() if (text := text_of(value))}


def figures(kind: str, cells: Mapping[str, str], values: Iterable[tuple[str, str, float | None]]) -> list[Found]:
    """One row per (metric, statistic, value) that is there, all under the same conditions."""
    return [
        Found(kind, {**cells, "metric": metric, **({"stat": stat} if stat else {}), "value": plain(value)})
        for metric, stat, value in values
        if value is not None
    ]


def lines_of(text: str) -> list[str]:
    """Lines without colours."""
    return COLOUR.sub("", text).splitlines()


def last(pattern: str, text: str) -> str:
    """The group of the last line that matches; empty where none does."""
    found = re.findall(pattern, text, re.M)
    return found[-1] if found else ""


def first(pattern: str, text: str) -> str:
    """The group of the first match; empty where there is none."""
    found = re.search(pattern, text, re.M)
    return found[1] if found else ""


def steady(values: list[float]) -> tuple[float | None, str]:
    """The median of a training log's steps without the first ones, which compile and warm up, and how many."""
    kept = values[max(1, len(values) // 10) :] if len(values) > 2 else values[-1:]
    return (median(kept), f"median of {len(kept)} logged steps") if kept else (None, "")


def nothing(what: str, place: str) -> RequestError:
    """The error of a file that looks right and holds no figure."""
    return RequestError(f"holds no {what}", place)

"""What a sweep can compute of a row, one file each: names and numbers it takes, columns it gives.

A kind is a module with ``NAMES``, ``NUMBERS``, ``COLUMNS``, ``WORDS`` and ``PART`` (rows of a part), ``prepared`` (a
case of names, ready for any numbers; RequestError where there is no such case) and ``computed`` (its columns).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from ridgewise.errors import RequestError, nearest


class Kind(Protocol):
    """The shape of a kind's module."""

    NAMES: Mapping[str, Any]
    NUMBERS: Mapping[str, tuple[str, float, float, float]]
    COLUMNS: tuple[str, ...]
    WORDS: tuple[str, ...]
    PART: int

    def prepared(self, case: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
        """The case, ready."""

    def computed(self, prepared: Any, numbers: Mapping[str, np.ndarray], needed: set[str]) -> dict[str, Any]:
        """Columns by name, of shapes that broadcast to the box of the numbers; words as they are."""


@cache
def kinds() -> tuple[str, ...]:
    """Every kind there is."""
    return tuple(sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py")))


def kind(name: str, where: str) -> Kind:
    """The kind of a name; RequestError with the nearest."""
    if name not in kinds():
        raise RequestError(f"unknown kind {name!r}", where, nearest(name, kinds()) or kinds())
    return cast(Kind, import_module(f"{__name__}.{name}"))

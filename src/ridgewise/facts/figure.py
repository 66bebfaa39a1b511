"""A fact: a value with its unit, its kind and where it was read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["spec", "measured", "derived", "assumed"]
KINDS: tuple[Kind, ...] = ("spec", "measured", "derived", "assumed")


@dataclass(frozen=True, slots=True)
class Source:
    """Where figures were read: a datasheet, a paper, a public repository at a commit."""

    key: str
    title: str
    publisher: str = ""
    url: str = ""
    licence: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a sheet.

    ``kind`` says how far to trust it: *spec* (the maker's figure), *measured*, *derived* (computed
    from other figures: see ``note`` for the formula) or *assumed* (no source yet).
    """

    key: str
    value: float | str
    unit: str
    kind: Kind = "spec"
    sources: tuple[str, ...] = ()
    as_of: str = ""
    note: str = ""

    @property
    def number(self) -> float:
        """The value of a numeric figure."""
        if isinstance(self.value, str):
            raise TypeError(f"{self.key} is text: {self.value!r}")
        return self.value

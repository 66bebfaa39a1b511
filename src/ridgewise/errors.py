"""What can go wrong, and how it is said.

    RidgewiseError          anything Ridgewise itself reports
    └── RequestError        the request cannot be answered as asked: exit code 2

"Does not fit" and "cannot be trained on this" are answers, not errors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class RidgewiseError(Exception):
    """Base of everything Ridgewise raises on purpose."""


@dataclass(eq=False)
class RequestError(RidgewiseError):
    """A request that cannot be computed: what is wrong, where, and the nearest valid choices."""

    what: str
    where: str = ""
    nearest: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        hint = f" (nearest: {', '.join(self.nearest)})" if self.nearest else ""
        return f"{place}{self.what}{hint}"


def nearest(name: str, choices: Iterable[str], count: int = 4) -> tuple[str, ...]:
    """The valid names closest to a wrong one, best first (Ratcliff–Obershelp similarity)."""
    from difflib import get_close_matches

    original = {choice.casefold(): choice for choice in choices}
    found = get_close_matches(name.casefold(), original, n=count, cutoff=0.45)
    return tuple(original[match] for match in found)

"""Names match exactly or by a listed alias, never by substring: no silent guess."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ridgewise.errors import RequestError, nearest

#: Catalogues of at most this many names are listed whole when nothing resembles the wrong one.
FEW = 32
_SEPARATORS = re.compile(r"[\s_\-]+")
#: A size written apart from its unit: "12 GB".
_APART = re.compile(r"(?<=\d)-(?=gi?b(?:-|$))")


def normal(name: str) -> str:
    """The form in which names are compared: case and separators do not count, nor a space before GB."""
    return _APART.sub("", _SEPARATORS.sub("-", name.strip().casefold()).strip("-"))


class NameIndex:
    """Ids and aliases of one catalogue. An alias claimed by two ids belongs to neither."""

    def __init__(self, what: str, aliases: Mapping[str, Iterable[str]]) -> None:
        self._what = what
        self._claims: dict[str, set[str]] = {}
        for identity, others in aliases.items():
            for alias in others:
                self._claims.setdefault(normal(alias), set()).add(identity)
        self._ids = {normal(identity): identity for identity in aliases}

    def resolve(self, name: str, where: str = "") -> str:
        """The id meant by ``name``; RequestError with the nearest names when none or several are."""
        wanted = normal(name)
        if wanted in self._ids:
            return self._ids[wanted]
        claims = self._claims.get(wanted, set())
        if len(claims) == 1:
            return next(iter(claims))
        if claims:
            raise RequestError(f"{name!r} names several {self._what}s", where, tuple(sorted(claims)[:8]))
        known = [*self._ids.values(), *self._claims]
        raise RequestError(f"unknown {self._what} {name!r}", where, self._suggest(wanted, known))

    def _suggest(self, wanted: str, known: list[str]) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for match in nearest(wanted, known, 12):
            owners = self._claims.get(normal(match), {self._ids.get(normal(match), match)})
            for owner in sorted(owners):
                found.setdefault(owner)
        everything = tuple(self._ids.values()) if len(self._ids) <= FEW else ()
        return tuple(found)[:4] or everything

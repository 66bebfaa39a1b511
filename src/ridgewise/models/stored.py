"""The exact format of one file: bits per element by role such that the whole is the file's bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ridgewise.models.architecture import Architecture
from ridgewise.models.formats import Format, model_bytes

#: Places of the model that are no role of a weight matrix.
EMBEDDING, HEAD, SMALL, EXPERT, EXTRA, DEFAULT = "embedding", "head", "small", "expert", "extra", "default"
_PLACES = (EMBEDDING, HEAD, SMALL)


@dataclass(frozen=True)
class Model:
    """A model as named: what it is, and where files were given, how and where it is stored."""

    arch: Architecture
    format: Format | None = None
    path: Path | None = None


def exact_format(arch: Architecture, held: Mapping[str, int], base: Format) -> Format:
    """``base`` with the bits per element at which ``model_bytes`` gives the bytes in ``held``.

    ``held`` maps places and roles to bytes. Modules apart are counted at the width of the embedding, so
    the two share one average; a tied table is counted at the width of the head.
    """
    slots = _slots(arch, held)
    named = [slot for slot in slots if slot not in _PLACES and slot != DEFAULT]
    counts = {slot: _elements(arch, slot, named) for slot in slots}
    bits = {slot: 8 * slots[slot] / count for slot, count in counts.items() if count}
    roles = {role: bits[role] for role in named if role in bits}
    default = bits.get(DEFAULT) or _average(bits, counts, roles)
    head = bits.get(HEAD, default)
    made = replace(
        base, default=default, small=bits.get(SMALL, 32.0), embedding=bits.get(EMBEDDING, head), head=head, roles=roles,
    )  # fmt: skip
    return _with_spare(arch, made, sum(size for slot, size in slots.items() if slot not in bits))


def with_extra(arch: Architecture, more: Architecture, fmt: Format, size: int) -> Format:
    """``fmt`` for ``more``, which is ``arch`` with a module apart of ``size`` bytes beside it."""
    wanted = model_bytes(arch, fmt) + size
    rest = model_bytes(more, replace(fmt, embedding=0.0))
    count = _elements(more, EMBEDDING, fmt.roles)
    return replace(fmt, embedding=8 * (wanted - rest) / count) if count else fmt


def _slots(arch: Architecture, held: Mapping[str, int]) -> dict[str, int]:
    """The bytes by the width of the format they are counted at."""
    slots: dict[str, int] = {}
    for place, size in held.items():
        slot = place.removeprefix("shared_")
        if place == EXTRA:
            slot = EMBEDDING
        elif place == EMBEDDING and arch.tied:
            slot = HEAD
        slots[slot] = slots.get(slot, 0) + size
    return slots


def _elements(arch: Architecture, place: str, named: Iterable[str]) -> int:
    """Elements counted at one width of a format: the bytes of a format with 8 bits there and none elsewhere.

    ``named``: the roles the format names; all others are counted at its default.
    """
    widths = dict.fromkeys((*_PLACES, DEFAULT, *named), 0.0) | {place: 8.0}
    roles = {role: widths[role] for role in named}
    probe = Format("", "", "", widths[DEFAULT], widths[SMALL], widths[EMBEDDING], widths[HEAD], "", roles)
    return round(model_bytes(arch, probe))


def _average(bits: Mapping[str, float], counts: Mapping[str, int], roles: Iterable[str]) -> float:
    """Bits per element over all named roles."""
    total = sum(counts[role] for role in roles)
    return sum(bits[role] * counts[role] for role in roles) / total if total else bits.get(HEAD, 16.0)


def _with_spare(arch: Architecture, made: Format, spare: int) -> Format:
    """Bytes whose place the architecture does not know are spread over everything else."""
    whole = model_bytes(arch, made)
    if not spare or not whole:
        return made
    more = 1 + spare / whole
    return replace(
        made, default=made.default * more, small=made.small * more, embedding=made.embedding * more,
        head=made.head * more, roles={role: bits * more for role, bits in made.roles.items()},
    )  # fmt: skip

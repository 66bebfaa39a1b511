"""Power by DCGM: ``dcgmi dmon -e 155``."""

from __future__ import annotations

from ridgewise.errors import RequestError
from ridgewise.evidence.importers.nvidia_smi import watts_of
from ridgewise.evidence.importers.reading import Found, Importer, figure, lines_of

TAGS = ("POWER", "PWR", "POWER_USAGE")


def recognises(text: str, path: str) -> bool:
    """By its header of entities and fields."""
    header = next((line for line in text[:4096].splitlines() if line.strip()), "")
    return header.lstrip("# ").startswith("Entity") and any(tag in header.split() for tag in TAGS)


def read(text: str, place: str) -> list[Found]:
    """The mean power of each GPU over the file, summed over the GPUs."""
    drawn: dict[str, list[float]] = {}
    column = None
    for i, line in enumerate(lines_of(text), 1):
        cells = line.replace("#", " ").split()
        if cells[:1] == ["Entity"]:
            column = next((cells.index(tag) for tag in TAGS if tag in cells), None)
        elif cells[:1] == ["GPU"]:
            if column is None or len(cells) <= column + 1:
                raise RequestError("has no power under its header", f"{place}, line {i}")
            watts = figure(cells[column + 1], f"{place}, line {i}, power")
            if watts is not None and watts < 0:
                raise RequestError(f"{watts:g} W is below zero", f"{place}, line {i}")
            if watts is not None:
                drawn.setdefault(cells[1], []).append(watts)
        if len(drawn) > 4096:
            raise RequestError("more than 4,096 GPUs", f"{place}, line {i}")
    return watts_of(drawn, dict.fromkeys(drawn, ""), "", True, place)


IMPORTER = Importer("dcgm", "power log of dcgmi dmon -e 155", recognises, read)

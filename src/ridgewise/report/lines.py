"""Tables as plain lines: aligned for a terminal, and in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

Row = Sequence[str]


def aligned(headers: Row, rows: Iterable[Row]) -> Iterator[str]:
    """Lines under their headers: everything to the left, two spaces between."""
    held = [headers, *rows]
    widths = [max(len(row[i]) for row in held) for i in range(len(headers))]
    for row in held:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def piped(headers: Row, rows: Iterable[Row]) -> list[str]:
    """The table in Markdown; cells may hold line breaks and strokes."""

    def line(cells: Row) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", "<br>") for cell in cells) + " |"

    return [line(headers), line(["---"] * len(headers)), *map(line, rows)]

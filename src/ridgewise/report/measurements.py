"""The store of measurements: documents, and lines for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Most reasons that are printed for one file.
REASONS = 6


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """One file: its format, and what became of its rows.

    new, known   rows that were not in the store, and rows that were
    replaced     rows of an earlier import of the same file that are gone
    score        rows that predictions can be compared with
    context      rows that they cannot, by reason
    """

    file: str
    format: str
    kinds: Mapping[str, int]
    rows: int
    new: int
    known: int
    replaced: int
    score: int
    context: Mapping[str, int]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportDocument:
    """What ``import`` answers."""

    schema_version: int
    command: str
    store: str
    files: tuple[ImportedFile, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one kind, device, model, engine and format."""

    kind: str
    device: str
    model: str
    engine: str
    precision: str
    rows: int
    score: int
    metrics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListDocument:
    """What ``measurements list`` answers."""

    schema_version: int
    command: str
    store: str
    measurements: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class RowDocument:
    """What ``measurements show`` answers: the cells of a row that hold something."""

    schema_version: int
    command: str
    kind: str
    origin: str
    row: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DumpDocument:
    """What ``measurements dump`` answers; ``out`` is the file that was written, if one was."""

    schema_version: int
    command: str
    kind: str
    out: str
    rows: tuple[Mapping[str, str], ...]


def counted(count: int, what: str) -> str:
    """3 rows, 1 row."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def print_imported(document: ImportDocument) -> None:
    """One line per file, and why rows of it cannot be scored, the commonest reasons first."""
    for one in document.files:
        again = f", {one.replaced:,} of an earlier import replaced" if one.replaced else ""
        print(f"{one.file}: {one.format}, {counted(one.rows, 'row')}, {one.new:,} new{again}")
        reasons = sorted(one.context.items(), key=lambda item: -item[1])
        for reason, count in reasons[:REASONS]:
            print(f"  {count:,} kept as context: {reason}")
        if len(reasons) > REASONS:
            rest = reasons[REASONS:]
            print(f"  {sum(count for _, count in rest):,} kept as context for {counted(len(rest), 'other reason')}")
        for note in one.notes:
            print(f"  {note}")
    print(f"kept in {document.store}")


def print_measurements(found: Sequence[Group]) -> None:
    """One line per kind, device, model, engine and format."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 1))
    for title in ("kind", "device", "model", "engine", "precision"):
        drawn.add_column(title, overflow="fold")
    for title in ("rows", "to score"):
        drawn.add_column(title, justify="right")
    drawn.add_column("metrics", overflow="fold")
    for one in found:
        texts = (one.kind, one.device, one.model, one.engine, one.precision)
        drawn.add_row(*map(Text, texts), f"{one.rows:,}", f"{one.score:,}", Text(", ".join(one.metrics)))
    console = Console(highlight=False)
    (console if console.is_terminal else Console(highlight=False, width=max(console.width, 120))).print(drawn)

"""The user's own measurements: one SQLite file, rows by the hash of what they say.

Importing a file twice changes nothing; importing it again with other flags replaces what it gave. A file is one
transaction: a process killed half-way leaves the store as it was. Several processes may read while one writes, and
writers wait for each other: SQLite's own rollback journal, since the switch to a write-ahead log does not wait.
"""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ridgewise.errors import RequestError
from ridgewise.evidence.columns import COLUMNS
from ridgewise.evidence.completion import content_hash
from ridgewise.evidence.tables import KINDS, Row, Table

#: Marks the file as ours ("Ridg"), and the version of its layout.
APPLICATION, VERSION = 0x52696467, 1
#: Longest wait for another process that writes [s].
WAIT = 30.0
LAYOUT = """
CREATE TABLE measurement (
    hash TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    cells TEXT NOT NULL,
    origin TEXT NOT NULL,
    content TEXT NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class Added:
    """What became of the rows of a file: new, known before, and earlier ones that they replace."""

    new: int
    known: int
    replaced: int


class Store:
    """Measurements in one file. Reading a file that is not there gives nothing, and makes none."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, kind: str, rows: Iterable[Row], origin: str) -> tuple[int, int]:
        """Keep rows of one kind, all or none; how many were new and how many known."""
        added = self.add_file({kind: rows}, origin)
        return added.new, added.known

    def add_file(self, rows: Mapping[str, Iterable[Row]], origin: str, content: str = "") -> Added:
        """Keep the rows of one file, all or none.

        ``content``: the hash of the file. Rows that the same content gave before, and does not give now, go.
        """
        new, given = 0, list[str]()
        with self._opened(write=True) as connection:
            connection.execute("BEGIN IMMEDIATE")
            for kind, held in rows.items():
                if kind not in KINDS:
                    raise RequestError(f"unknown kind {kind!r}", "kind", tuple(KINDS))
                for row in held:
                    given.append(content_hash(kind, row))
                    cells = json.dumps({name: cell for name, cell in row.items() if cell}, ensure_ascii=False)
                    done = connection.execute(
                        "INSERT OR IGNORE INTO measurement VALUES (?, ?, ?, ?, ?)",
                        (given[-1], kind, cells, origin, content),
                    )
                    new += done.rowcount
            gone = self._replaced(connection, content, set(given)) if content else 0
            connection.execute("COMMIT")
        return Added(new, len(given) - new, gone)

    @staticmethod
    def _replaced(connection: sqlite3.Connection, content: str, given: set[str]) -> int:
        before = connection.execute("SELECT hash FROM measurement WHERE content = ?", (content,)).fetchall()
        gone = [(key,) for (key,) in before if key not in given]
        connection.executemany("DELETE FROM measurement WHERE hash = ?", gone)
        return len(gone)

    def rows(self, kind: str | None = None) -> list[Table]:
        """Tables of all kinds that are there, or of one, rows in the order in which they were added."""
        found: dict[str, list[Row]] = {}
        for name, cells, _ in self._read(kind):
            row = self._cells(cells)
            found.setdefault(name, []).append({column: row.get(column, "") for column in (*COLUMNS[name], *row)})
        return [Table(KINDS[name], tuple(found[name]), str(self.path)) for name in KINDS if name in found]

    def origins(self) -> dict[str, str]:
        """The file that each row came from first, by row id."""
        return {self._cells(cells).get("row_id", ""): origin for _, cells, origin in self._read(None)}

    def dump(self, kind: str) -> str:
        """The rows of one kind as a table in its schema."""
        tables = self.rows(kind)
        return table_text_of(tables[0]) if tables else ",".join(COLUMNS[kind]) + "\n"

    def _read(self, kind: str | None) -> list[tuple[str, str, str]]:
        if kind is not None and kind not in KINDS:
            raise RequestError(f"unknown kind {kind!r}", "--kind", tuple(KINDS))
        if not self.path.exists() or (self.path.is_file() and not self.path.stat().st_size):
            return []
        with self._opened(write=False) as connection:
            query = "SELECT kind, cells, origin FROM measurement WHERE ? IS NULL OR kind = ? ORDER BY rowid"
            rows = connection.execute(query, (kind, kind)).fetchall()
        for row in rows:
            if len(row) != 3 or row[0] not in KINDS or not all(isinstance(cell, str) for cell in row):
                raise RequestError("holds a row of no known kind: the store is damaged", str(self.path))
        return rows

    def _cells(self, text: str) -> dict[str, str]:
        try:
            row = json.loads(text)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict) or not all(isinstance(cell, str) for cell in row.values()):
            raise RequestError("holds a row that cannot be read: the store is damaged", str(self.path))
        return row

    @contextmanager
    def _opened(self, *, write: bool) -> Iterator[sqlite3.Connection]:
        """A connection to a store of ours; every fault of the database is a RequestError that names the file."""
        if self.path.exists() and not self.path.is_file():
            raise RequestError("is not a regular file", str(self.path))
        connection = None
        try:
            if write:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=WAIT, isolation_level=None)
            self._prepare(connection, write=write)
            yield connection
        except sqlite3.Error as error:
            raise RequestError(_said(error), str(self.path)) from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            raise RequestError(f"cannot be opened: {reason or error}", str(self.path)) from None
        finally:
            if connection is not None:
                connection.close()

    @staticmethod
    def _stands(connection: sqlite3.Connection) -> tuple[int, int, bool]:
        """Whose file it is, of which version, and whether nothing is in it: one statement, so one state of the file."""
        held = connection.execute(
            "SELECT application_id, user_version, NOT EXISTS (SELECT 1 FROM sqlite_master) "
            "FROM pragma_application_id, pragma_user_version"
        )
        mark, version, empty = held.fetchone()
        return mark, version, bool(empty)

    def _prepare(self, connection: sqlite3.Connection, *, write: bool) -> None:
        """Make the layout in a new file; refuse a file of another program or version."""
        mark, version, empty = self._stands(connection)
        if mark == 0 and empty:
            connection.execute("BEGIN IMMEDIATE")
            mark, version, empty = self._stands(connection)
            if mark == 0 and empty:
                connection.execute(LAYOUT)
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
                mark, version = APPLICATION, VERSION
            connection.execute("COMMIT")
        if mark != APPLICATION:
            raise RequestError("is a database of another program, not a store of measurements", str(self.path))
        if version != VERSION:
            raise RequestError(f"is a store of version {version}; this program reads {VERSION}", str(self.path))
        if not write:
            connection.execute("PRAGMA query_only = ON")


def table_text_of(table: Table) -> str:
    """A table as CSV in the schema of its kind; columns of its own stand last."""
    columns = list(dict.fromkeys([*COLUMNS[table.kind.name], *(column for row in table for column in row)]))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(table.rows)
    return out.getvalue()


def _said(error: sqlite3.Error) -> str:
    text = str(error)
    if "locked" in text or "busy" in text:
        return "is being written by another process: try again"
    if "readonly" in text or "unable to open" in text or "disk" in text:
        return f"cannot be opened: {text}"
    return f"is not a store of measurements, or is damaged: {text}"

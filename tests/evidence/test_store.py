"""The store: nothing lost, nothing doubled, nobody else's file touched."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgewise.errors import RequestError
from ridgewise.evidence import Row
from ridgewise.evidence.columns import COLUMNS
from ridgewise.evidence.completion import content_hash
from ridgewise.evidence.store import Added, Store
from ridgewise.evidence.tables import parse_table


def rows(count: int, start: int = 0) -> list[Row]:
    return [{"row_id": f"r{i}", "metric": "decode_tok_s", "value": str(i + 1)} for i in range(start, start + count)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "deep" / "m.sqlite")


def test_adding_twice_changes_nothing(store: Store) -> None:
    assert store.add("local", rows(3), "a.json") == (3, 0)
    assert store.add("local", rows(5), "b.json") == (2, 3)
    (table,) = store.rows()
    assert [row["value"] for row in table] == ["1", "2", "3", "4", "5"]
    assert store.origins() == {"r0": "a.json", "r1": "a.json", "r2": "a.json", "r3": "b.json", "r4": "b.json"}


def test_the_same_row_in_one_file_counts_once(store: Store) -> None:
    assert store.add("local", rows(1) * 3, "a") == (1, 2)


def test_the_same_content_again_replaces_what_it_gave(store: Store) -> None:
    store.add("local", rows(1), "other")
    assert store.add_file({"local": rows(2)}, "a", content="c1") == Added(1, 1, 0)
    assert store.add_file({"local": rows(2, start=1)}, "a", content="c1") == Added(1, 1, 0)
    assert store.add_file({"local": rows(1, start=7)}, "a", content="c1") == Added(1, 0, 2)
    assert [row["row_id"] for row in store.rows()[0]] == ["r0", "r7"]  # the other file's row stays


def test_a_dump_reads_back(store: Store) -> None:
    store.add("local", [{**rows(1)[0], "notes": 'a "quoted", note\nin two lines', "own_column": "x"}], "a")
    text = store.dump("local")
    back = parse_table(text, "dump")
    assert dict(back.rows[0]) == dict(store.rows("local")[0].rows[0])
    assert store.dump("energy") == ",".join(COLUMNS["energy"]) + "\n"


def test_nothing_is_made_by_reading(tmp_path: Path) -> None:
    path = tmp_path / "absent.sqlite"
    assert Store(path).rows() == [] and not path.exists()


def test_a_failing_row_takes_its_file_with_it(store: Store) -> None:
    store.add("local", rows(2), "a")

    def breaking() -> Iterator[Row]:
        yield from rows(100, start=50)
        raise RequestError("broken")

    with pytest.raises(RequestError, match="broken"):
        store.add("local", cast(Any, breaking()), "b")
    assert len(store.rows()[0].rows) == 2


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from ridgewise.evidence.store import Added, Store

    def rows():
        for i in range(1000):
            yield {"row_id": f"r{i}", "metric": "decode_tok_s", "value": str(i + 1)}
            if i == 700:
                os.kill(os.getpid(), signal.SIGKILL)

    Store(Path(sys.argv[1])).add("local", rows(), "killed.json")
"""


def test_a_killed_import_leaves_the_store_as_it_was(store: Store) -> None:
    store.add("local", rows(10), "before.json")
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), str(store.path)], timeout=60)
    assert done.returncode == -9
    assert len(store.rows()[0].rows) == 10  # nothing of the killed file
    assert store.add("local", rows(1000), "killed.json") == (990, 10)  # and the next attempt keeps all of it, once
    assert len(store.rows()[0].rows) == 1000


def test_a_first_import_killed_leaves_a_store_that_works(store: Store) -> None:
    subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), str(store.path)], timeout=60)
    assert store.rows() == [] and store.add("local", rows(1000), "again") == (1000, 0)


def test_others_read_while_one_writes(store: Store) -> None:
    store.add("local", rows(2), "a")
    seen = []

    def watched() -> Iterator[Row]:
        for row in rows(3, start=10):
            seen.append([len(Store(store.path).rows()[0].rows) for _ in range(2)])
            yield row

    store.add("local", cast(Any, watched()), "b")
    assert seen == [[2, 2]] * 3 and len(store.rows()[0].rows) == 5


WRITER = """
    import sys
    from pathlib import Path
    from ridgewise.evidence.store import Added, Store

    start = int(sys.argv[2])
    for k in range(5):
        rows = [{"row_id": f"r{i}", "value": str(i)} for i in range(start + 20 * k, start + 20 * k + 30)]
        Store(Path(sys.argv[1])).add("local", rows, "w")
"""


@pytest.mark.parametrize("attempt", range(3))
def test_several_may_make_a_store_and_write_at_once(store: Store, attempt: int) -> None:
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(store.path)]
    running = [subprocess.Popen([*command, start]) for start in ("0", "50", "0", "50")]
    assert [process.wait(timeout=60) for process in running] == [0, 0, 0, 0]
    ids = [row["row_id"] for row in store.rows()[0]]
    assert sorted(ids) == sorted(f"r{i}" for i in range(160))


@pytest.mark.parametrize("content", [b"hello, this is no database" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.sqlite"
    path.write_bytes(content)
    for attempt in (lambda: Store(path).rows(), lambda: Store(path).add("local", rows(1), "a")):
        with pytest.raises(RequestError) as caught:
            attempt()
        assert caught.value.where == str(path)
    assert path.read_bytes() == content


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "browser.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    with pytest.raises(RequestError, match="another program"):
        Store(path).add("local", rows(1), "a")


def test_a_store_of_another_version_is_refused(store: Store) -> None:
    store.add("local", rows(1), "a")
    with sqlite3.connect(store.path) as connection:
        connection.execute("PRAGMA user_version = 7")
    with pytest.raises(RequestError, match="version 7"):
        store.rows()


@pytest.mark.parametrize(("kind", "cells"), [("local", "[1]"), ("local", "{"), ("local", '{"a": 1}'), ("none", "{}")])
def test_a_damaged_row_is_named(store: Store, kind: str, cells: str) -> None:
    store.add("local", rows(1), "a")
    with sqlite3.connect(store.path) as connection:
        connection.execute("INSERT INTO measurement VALUES ('h', ?, ?, 'x', '')", (kind, cells))
    with pytest.raises(RequestError, match="damaged"):
        store.rows()


def test_a_folder_and_a_device_are_no_store(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/null")):
        with pytest.raises(RequestError, match="not a regular file"):
            Store(path).rows()
    (tmp_path / "file").write_text("x")
    with pytest.raises(RequestError, match="cannot be opened"):
        Store(tmp_path / "file" / "m.sqlite").add("local", rows(1), "a")


def test_an_empty_file_is_an_empty_store(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    path.touch()
    assert Store(path).rows() == [] and path.stat().st_size == 0
    assert Store(path).add("local", rows(1), "a") == (1, 0)


def test_an_unknown_kind_is_refused(store: Store) -> None:
    with pytest.raises(RequestError, match="unknown kind 'lokal'"):
        store.add("lokal", rows(1), "a")
    with pytest.raises(RequestError, match="unknown kind"):
        store.rows("lokal")


CELLS = st.dictionaries(st.sampled_from(COLUMNS["local"]), st.text(max_size=8), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(CELLS, CELLS)
def test_the_hash_tells_rows_apart_and_nothing_else(one: dict[str, str], other: dict[str, str]) -> None:
    def held(row: Row) -> dict[str, str]:
        return {column: cell for column, cell in row.items() if cell}

    assert (content_hash("local", one) == content_hash("local", other)) == (held(one) == held(other))
    assert content_hash("local", one) == content_hash("local", dict(reversed(one.items())) | {"zzz": ""})
    assert content_hash("local", one) != content_hash("energy", one)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=4))
def test_the_store_is_the_union_of_what_was_added(tmp_path_factory: pytest.TempPathFactory, files: Any) -> None:
    store, known = Store(tmp_path_factory.mktemp("union") / "m.sqlite"), set[int]()
    for file in files:
        new, old = store.add("local", [rows(1, start=i)[0] for i in file], "f")
        assert new == len(set(file) - known) and new + old == len(file)
        known |= set(file)
    assert {row["row_id"] for table in store.rows() for row in table} == {f"r{i}" for i in known}

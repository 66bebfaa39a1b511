"""What is shipped may be passed on, says where it was published, and is read like a user's own file."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from ridgewise.errors import RequestError
from ridgewise.evidence import Table, read_table
from ridgewise.evidence.shipped import shipped
from ridgewise.evidence.tables import parse_table
from ridgewise.facts import catalog_path, load_sources
from ridgewise.validation.run import read_run


@pytest.fixture(scope="module")
def tables() -> list[Table]:
    return shipped()


def test_every_shipped_row_may_be_shipped_and_names_a_listed_source(tables: list[Table]) -> None:
    listed = load_sources()
    for table in tables:
        assert {row["ship"] for row in table} == {"yes"}, table.place
        assert {f"m-{row['source_key']}" for row in table} <= set(listed), table.place


def test_rows_of_a_table_have_ids_of_their_own_and_short_notes(tables: list[Table]) -> None:
    for table in tables:
        ids = [(row["source_key"], table.row_id(i), row.get("metric", "")) for i, row in enumerate(table)]
        assert len(set(ids)) == len(ids), table.place
        assert all(len(row.get("notes", "")) <= 200 for row in table), table.place


def test_the_shipped_tables_are_counted(tables: list[Table]) -> None:
    """Rows to score by kind: the figures by which errors are quoted rest on exactly these."""
    score = {table.kind.name: sum(row.get("use") == "score" for row in table) for table in tables}
    assert score == {
        "energy": 8, "local": 2121, "local-memory": 45, "serving": 3286, "training": 859, "training-memory": 186,
        "vllm-memory": 0,
    }  # fmt: skip


def test_a_packed_table_reads_like_a_plain_one(tmp_path: Path) -> None:
    packed = catalog_path("measurements", "local.csv.gz")
    plain = tmp_path / "local.csv"
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    assert read_table(packed).rows == read_table(plain).rows


@pytest.mark.parametrize(("content", "what"), [(b"row_id,device", "no gzip file"), (b"", "cut short")])
def test_a_broken_packed_table_is_refused(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(content)
    with pytest.raises(RequestError, match=what):
        read_table(path)
    path.write_bytes(gzip.compress(b"row_id,metric,value\n" * 100)[:-12])
    with pytest.raises(RequestError, match="cut short"):
        read_table(path)


def test_a_packed_table_is_unpacked_no_further_than_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ridgewise.evidence.tables.LIMIT", 1 << 20)
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"a" * (8 << 20)))
    with pytest.raises(RequestError, match="unpacks to more than 1 MiB"):
        read_table(path)


def test_the_shipped_run_reads_as_a_run() -> None:
    run = read_run(catalog_path("measurements", "runs", "rtxpro6000_llama-3.1-8b"))
    assert len(run.requests) == 300 and run.meta["licence"] == "MIT"


def test_a_table_of_no_kind_names_the_kinds() -> None:
    with pytest.raises(RequestError, match="none of the measurement schemas"):
        parse_table("a,b\n1,2\n", "x.csv")

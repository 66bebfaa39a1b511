"""Sources behind the figures, and the reading of sheets."""

from __future__ import annotations

from pathlib import Path

import pytest

from ridgewise.errors import RequestError
from ridgewise.facts import Figure, catalog_path, load_sources, source
from ridgewise.facts.catalog import read_toml
from ridgewise.models.formats import load_formats
from ridgewise.units import size


def test_every_source_says_what_it_is_and_where() -> None:
    sources = load_sources()
    assert len(sources) > 50
    for key, entry in sources.items():
        assert entry.key == key
        assert entry.title.strip(), key
        assert entry.publisher.strip() or "not recorded" in entry.title, key
        assert not entry.url or "." in entry.url, f"{key}: {entry.url!r} is no address"


def test_an_unlisted_source_is_a_fault_of_the_catalogue() -> None:
    with pytest.raises(RequestError, match="cited but not listed"):
        source("a-blog-nobody-wrote")
    assert source("qlora").url == "https://arxiv.org/abs/2305.14314"


def test_formats_cite_listed_sources() -> None:
    for fmt in load_formats().values():
        assert fmt.sources, fmt.id
        for key in fmt.sources:
            source(key)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no such file") as caught:
        read_toml(tmp_path / "absent.toml")
    assert caught.value.where.endswith("absent.toml")


def test_a_broken_file_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text('id = "x"\nmemory = = 3\n')
    with pytest.raises(RequestError, match=r"not valid TOML: .*line 2") as caught:
        read_toml(path)
    assert caught.value.where == str(path)


def test_a_file_larger_than_its_bound_is_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    path.write_text("# " + "x" * (1 << 20) + "\n")
    assert read_toml(path) == {}
    with pytest.raises(RequestError, match="larger than 1 MiB"):
        read_toml(path, limit=1 << 20)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00b\x00a\x00d", b'name = "\xe9t\xe9"\n'])
def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(content)
    with pytest.raises(RequestError, match=r"cannot be read|not valid TOML"):
        read_toml(path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="not a regular file"):
        read_toml(tmp_path)


def test_deep_nesting_is_refused_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "deep.toml"
    path.write_text("a = " + "[" * 5000 + "]" * 5000)
    with pytest.raises(RequestError, match="not valid TOML"):
        read_toml(path)


def test_a_text_figure_has_no_number() -> None:
    assert Figure("x.memory", 80 * 2.0**30, "B").number == 80 * 2**30
    with pytest.raises(TypeError, match=r"x\.link"):
        _ = Figure("x.link", "NVLink", "text").number


def test_the_catalogue_ships_within_reason() -> None:
    """The catalogue is data for people: small enough to install in a moment."""
    total = sum(path.stat().st_size for path in catalog_path().rglob("*") if path.is_file())
    assert total < 10 * 2**20, size(total)

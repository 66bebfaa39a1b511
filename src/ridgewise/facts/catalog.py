"""The shipped catalogue: data files beside the code, read by name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ridgewise.errors import RequestError
from ridgewise.facts.figure import Source

_ROOT = Path(__file__).resolve().parent.parent / "catalog"


def catalog_path(*parts: str) -> Path:
    """The path of a catalogue file or folder."""
    return _ROOT.joinpath(*parts)


def read_bytes(path: Path, limit: int) -> bytes:
    """The content of a regular file of at most ``limit`` bytes; RequestError for anything else."""
    try:
        if path.exists() and not path.is_file():
            raise RequestError("is not a regular file", str(path))
        with path.open("rb") as handle:
            content = handle.read(limit + 1)
    except FileNotFoundError:
        raise RequestError("no such file", str(path)) from None
    except (OSError, ValueError) as error:
        raise RequestError(f"cannot be read: {error}", str(path)) from None
    if len(content) > limit:
        raise RequestError(f"file is larger than {limit >> 20} MiB", str(path))
    return content


def read_toml(path: Path, limit: int = 4 << 20) -> dict[str, Any]:
    """A TOML file, bounded in size; a broken one is a RequestError naming file and line."""
    try:
        return tomllib.loads(read_bytes(path, limit).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RequestError(f"cannot be read: {error}", str(path)) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RequestError(f"not valid TOML: {error}", str(path)) from None


def frozen(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table of a sheet with its lists as tuples: ready for a frozen dataclass."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


@cache
def load_sources() -> dict[str, Source]:
    """Every source the catalogue cites, by key, from each ``sources.toml`` of the catalogue.

    A key defined in two files is a fault of the catalogue.
    """
    found: dict[str, Source] = {}
    for path in sorted(catalog_path().rglob("sources.toml")):
        for key, entry in read_toml(path).items():
            if key in found:
                raise RequestError(f"source {key!r} is listed twice", str(path.relative_to(catalog_path())))
            found[key] = Source(key=key, **entry)
    return found


def source(key: str) -> Source:
    """One source; an unknown key is a fault of the catalogue."""
    sources = load_sources()
    if key not in sources:
        raise RequestError(f"source {key!r} is cited but not listed", "catalog")
    return sources[key]

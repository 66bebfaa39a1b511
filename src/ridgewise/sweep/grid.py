"""A grid: names whose product makes the cases, numbers whose product makes the rows of each, and what is kept."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

from ridgewise.errors import RequestError, nearest
from ridgewise.hardware.sheets import device, load_devices
from ridgewise.models.read import catalogue_models, load_model
from ridgewise.sweep.axes import Axis, read_axes
from ridgewise.sweep.keep import ROW, Keep, read_keep
from ridgewise.sweep.kinds import Kind, kind
from ridgewise.timing.coefficients import Block

LIMIT = 1 << 20
MOST_ROWS = 10**12
#: Cases of a part at most: each takes some thousandths of a second to make ready.
CASES = 1024
#: The folder of the user's own that a name may come from.
EXTRA = {"model": "models", "hardware": "hardware"}
TABLES = ("kind", "seed", "names", "numbers", "keep")


@dataclass(frozen=True)
class Grid:
    """What is swept.

    names   the values of every name; their product, in this order, makes the cases
    axes    the numbers; their product, in this order, makes the rows of a case
    own     folders of the user's own ``hardware`` and ``models``, or None
    blocks  coefficients to use instead of the shipped ones (a user's own measurements moved them)
    part    rows of a part
    """

    kind: str
    names: Mapping[str, tuple[Any, ...]]
    axes: tuple[Axis, ...]
    keep: Keep
    seed: int = 0
    own: Mapping[str, str | None] = field(default_factory=lambda: {"hardware": None, "models": None})
    part: int = 0
    blocks: Mapping[str, Block] | None = None

    def __post_init__(self) -> None:
        """Where nothing is said, parts have the rows of the kind, or those of so many cases where these are short."""
        if not self.part:
            object.__setattr__(self, "part", min(self.does.PART, CASES * self.per_case))

    @property
    def does(self) -> Kind:
        return kind(self.kind, "kind")

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(axis.size for axis in self.axes)

    @property
    def per_case(self) -> int:
        return prod(self.shape)

    @property
    def cases(self) -> int:
        return prod(len(values) for values in self.names.values())

    @property
    def rows(self) -> int:
        return self.cases * self.per_case

    @property
    def parts(self) -> int:
        """Parts of that many rows; the last one may be shorter."""
        return -(-self.rows // self.part)

    def case(self, place: int) -> dict[str, Any]:
        """The names of one case."""
        found = dict.fromkeys(self.names)
        for name in reversed(list(self.names)):
            place, at = divmod(place, len(self.names[name]))
            found[name] = self.names[name][at]
        return found

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What every case may want to know of the grid."""
        most = {name: float(column.max()) for axis in self.axes for name, column in axis.columns.items()}
        return {"own": self.own, "longest": most, "blocks": self.blocks}

    @cached_property
    def hash(self) -> str:
        """What tells this grid from others."""
        told = hashlib.sha256()
        moved = sorted((name, repr(block)) for name, block in (self.blocks or {}).items())
        names = {name: list(values) for name, values in self.names.items()}
        plain = (self.kind, self.seed, names, repr(self.keep), moved)
        told.update(json.dumps(plain, default=str).encode())
        for axis in self.axes:
            for name, column in axis.columns.items():
                told.update(name.encode())
                told.update(column.tobytes())
        return told.hexdigest()


def read_grid(path: Path, own: Mapping[str, Path | None], blocks: Mapping[str, Block] | None = None) -> Grid:
    """The grid of a TOML file; RequestError names the place of what is wrong."""
    try:
        if path.stat().st_size > LIMIT:
            raise RequestError(f"is larger than {LIMIT} bytes: no grid", str(path))
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError(f"cannot be read: {error.strerror}", str(path)) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RequestError(f"is no TOML: {error}", str(path)) from None
    return replace(grid(told, own, str(path)), blocks=blocks)


def grid(told: Mapping[str, Any], own: Mapping[str, Path | None], where: str = "grid") -> Grid:
    """The grid that a table tells."""
    for name in told:
        if name not in TABLES:
            raise RequestError(f"unknown field {name!r}", where, nearest(name, TABLES) or TABLES)
    called, seed = told.get("kind", "estimate"), told.get("seed", 0)
    does = kind(str(called), f"{where}: kind")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise RequestError(f"{seed!r} is no whole number", f"{where}: seed", ("0",))
    tables = {name: told.get(name, {}) for name in ("names", "numbers", "keep")}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise RequestError("is no table", f"{where}: {name}", (f"[{name}]",))
    names = _names(tables["names"], does.NAMES, own, f"{where}: names")
    known = {name: (usual, low, high) for name, (_, usual, low, high) in does.NUMBERS.items()}
    axes = read_axes(tables["numbers"], known, seed, f"{where}: numbers")
    drawn = ("draw",) if any(axis.name == "draw" for axis in axes) else ()
    keep = read_keep(tables["keep"], (*does.COLUMNS, *drawn, ROW), does.WORDS, f"{where}: keep")
    folders = {name: str(path) if path else None for name, path in own.items()}
    found = Grid(str(called), names, axes, keep, seed, folders)
    if not 0 < found.rows <= MOST_ROWS:
        raise RequestError(f"{found.rows:,} rows; at most {MOST_ROWS:,}", where)
    return found


def _names(
    given: Mapping[str, Any], known: Mapping[str, Any], own: Mapping[str, Path | None], where: str
) -> dict[str, tuple[Any, ...]]:
    for name in given:
        if name not in known:
            raise RequestError(f"unknown name {name!r}", where, nearest(name, known) or tuple(known))
    found: dict[str, tuple[Any, ...]] = {}
    for name, usual in known.items():
        values = given.get(name, usual)
        values = values if isinstance(values, list) else [values]
        if not values or any(value is None or isinstance(value, bool | float | dict | list) for value in values):
            raise RequestError("which is not said", f"{where}.{name}", (f'{name} = ["…"]',))
        if name in ("model", "hardware"):
            expand = _models if name == "model" else _hardware
            values = [each for value in values for each in expand(str(value), own[EXTRA[name]], f"{where}.{name}")]
        else:
            values = [_plain(value, usual, f"{where}.{name}") for value in values]
        found[name] = tuple(dict.fromkeys(values))
    return found


def _plain(value: Any, usual: Any, where: str) -> Any:
    """A word, or where numbers are usual a whole number or a word that stands for one."""
    if not isinstance(usual, int):
        return str(value)
    if value == "least":
        return value
    if not isinstance(value, int) or not 1 <= value <= 100_000:
        raise RequestError(f"{value!r} is no whole number from 1", where, ("1", '"least"'))
    return value


def _models(pattern: str, own: Path | None, where: str) -> list[str]:
    """Models that a pattern means, by id; of one name that one."""
    if not set(pattern) & set("*?"):
        load_model(pattern, own)
        return [pattern]
    found = [entry.id for entry in catalogue_models(own) if fnmatchcase(entry.id.casefold(), pattern.casefold())]
    if not found:
        raise RequestError(f"no model is called {pattern!r}", where, ("*", "qwen/*"))
    return found


def _hardware(pattern: str, own: Path | None, where: str) -> list[str]:
    """Devices that a pattern means: of a name, of ``kind:…`` or of ids with stars."""
    devices = load_devices(own)
    if pattern.startswith("kind:"):
        wanted = pattern.removeprefix("kind:")
        found = [name for name, each in devices.items() if each.kind == wanted]
        kinds = sorted({each.kind for each in devices.values()})
        if not found:
            raise RequestError(f"no hardware of kind {wanted!r}", where, nearest(wanted, kinds) or tuple(kinds))
        return found
    if set(pattern) & set("*?"):
        found = [name for name in devices if fnmatchcase(name, pattern.casefold())]
        if not found:
            raise RequestError(f"no hardware is called {pattern!r}", where, ("*", "nvidia-*", "kind:unified"))
        return found
    return [device(pattern, where, own).id]

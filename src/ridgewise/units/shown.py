"""Answers in notebooks: a table of figures with their intervals, and the same rows as a data frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from html import escape
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from ridgewise.errors import RequestError
from ridgewise.units.format import digits

#: Fields that hold the rows of an answer, where it has several.
ROWS = ("options", "systems", "machines", "ways", "findings", "phases", "layouts")
#: Libraries of data frames, in the order in which they are taken.
FRAMES = ("polars", "pandas")


class Shown:
    """What a published answer shows of itself in a notebook.

    ``_repr_html_`` is a table; ``to_frame`` one row per option, system, machine or phase (else a single row), a column
    per figure, and of a figure with an interval its ends in ``…_low`` and ``…_high`` and its evidence in ``…_tier``.
    """

    __slots__ = ()

    def to_frame(self, library: str | None = None) -> Any:
        """The rows as a data frame of ``polars`` or ``pandas``, whichever is installed; RequestError without either."""
        wanted = (library,) if library else FRAMES
        found = next((name for name in wanted if name in FRAMES and find_spec(name)), None)
        if found is None:
            raise RequestError("needs polars or pandas", "to_frame", ("pip install 'ridgewise[frame]'",))
        rows = self.rows()
        names = list(dict.fromkeys(name for row in rows for name in row))
        columns = {name: [row.get(name) for row in rows] for name in names}
        if len(rows) == 1:  # a load of columns answers in columns
            longest = max((np.size(value) for value in rows[0].values() if isinstance(value, np.ndarray)), default=1)
            columns = {name: _column(rows[0].get(name), longest) for name in names}
        return import_module(found).DataFrame(columns)

    def rows(self) -> list[dict[str, Any]]:
        """The rows of the frame, in plain values."""
        inner = next((getattr(self, name) for name in ROWS if getattr(self, name, None)), None)
        return [dict(_flat(one)) for one in (inner if isinstance(inner, tuple) else (self,))]

    def _repr_html_(self) -> str:
        """The figures of every row: value, interval, evidence."""
        heads = [getattr(self, name, "") for name in ("command", "model", "device") if getattr(self, name, "")]
        title = escape(" · ".join(map(str, heads)) or type(self).__name__)
        tables = "".join(_table(row) for row in self.rows())
        return f"<div><strong>{title}</strong>{tables}</div>"


def _column(value: Any, length: int) -> list[Any]:
    return list(value) if isinstance(value, np.ndarray) and value.ndim else [value] * length


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Figures of an answer by name: nested ones joined by an underscore, lists of lines left out."""
    for one in fields(value):
        held, name = getattr(value, one.name), f"{prefix}{one.name}"
        if is_dataclass(held) and not isinstance(held, type):
            if hasattr(held, "low") and hasattr(held, "high"):
                yield name, getattr(held, "value", None)
                yield from (
                    (f"{name}_{end}", getattr(held, end)) for end in ("low", "high", "tier") if hasattr(held, end)
                )
            else:
                yield from _flat(held, f"{name}_")
        elif isinstance(held, Mapping):
            yield from ((f"{name}_{key}", item) for key, item in held.items() if isinstance(item, int | float | str))
        elif held is None or isinstance(held, str | int | float | bool | np.ndarray | np.generic):
            yield name, held


def _table(row: Mapping[str, Any]) -> str:
    """One row, a line per figure."""
    lines = []
    for name, value in row.items():
        if name.endswith(("_low", "_high", "_tier")) and name.rpartition("_")[0] in row:
            continue
        ends = [row.get(f"{name}_{end}") for end in ("low", "high", "tier")]
        span = f"{_said(ends[0])} – {_said(ends[1])}" if ends[0] is not None else ""
        cells = (name, _said(value), span, str(ends[2] or ""))
        lines.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th>{title}</th>" for title in ("figure", "value", "80 % interval", "evidence"))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _said(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.ndim:
        return (
            f"{digits(float(np.min(value)))} … {digits(float(np.max(value)))} ({value.size})" if value.size else "none"
        )
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, str):
        return value or ""
    return digits(float(value))

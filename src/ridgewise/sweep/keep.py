"""What a sweep keeps of its rows: those that pass, the best, those that nothing beats, or a summary of groups.

Each is applied to every part as it is computed, and once more to what the parts left: the best of the best of parts are
the best of all, and so for fronts and for sums.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ridgewise.errors import RequestError, nearest

Columns = dict[str, np.ndarray]
#: The number of a row in its grid: what orders rows, and breaks ties.
ROW = "row"
COMPARE = {
    "<=": operator.le, ">=": operator.ge, "==": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt,
}  # fmt: skip
CONDITION = re.compile(r"(\w+)\s*(<=|>=|==|!=|<|>)\s*(.+)")
#: What a group is summed up in: its size, and of every column named what is known of it.
SUMS = ("min", "max", "sum", "known")


@dataclass(frozen=True, slots=True)
class Condition:
    """A column that must hold, or be so."""

    column: str
    sign: str = ""
    value: float | str = 0.0

    def __call__(self, rows: Columns) -> np.ndarray:
        column = rows[self.column]
        if not self.sign:
            return np.asarray(column, dtype=bool)
        with np.errstate(invalid="ignore"):
            return np.asarray(COMPARE[self.sign](column, self.value), dtype=bool)


@dataclass(frozen=True, slots=True)
class Keep:
    """``where`` every condition holds; of these the first ``top`` by ``order``, or the ``front`` that none beats, or
    ``groups`` of the columns ``by`` with sums of the columns ``of``. ``columns``: what is written; all, where empty.

    order, front   columns, with a "-" where more is better
    """

    where: tuple[Condition, ...] = ()
    columns: tuple[str, ...] = ()
    top: int = 0
    order: str = ""
    front: tuple[str, ...] = ()
    groups: bool = False
    by: tuple[str, ...] = ()
    of: tuple[str, ...] = ()

    @property
    def reduces(self) -> bool:
        return bool(self.top or self.front or self.groups)

    @property
    def needed(self) -> set[str]:
        """Columns that must be computed; empty: all."""
        told = {self.order.lstrip("-"), *(name.lstrip("-") for name in self.front), *self.by, *self.of} - {""}
        if not self.columns and not self.groups:
            return set()
        return told | {condition.column for condition in self.where} | set(self.columns)

    def passing(self, rows: Columns) -> np.ndarray | None:
        """Which rows pass; None where all do."""
        mask: np.ndarray | None = None
        for condition in self.where:
            holds = condition(rows)
            mask = holds if mask is None else mask & holds
        return mask

    def reduced(self, rows: Columns) -> Columns:
        """The rows of a part that may still matter."""
        if self.groups:
            return self.summed(rows) if ROW in rows else self._joined(rows)
        if self.top:
            return _taken(rows, self._best(rows))
        return _taken(rows, self._front(rows)) if self.front else rows

    def shown(self, rows: Columns) -> Columns:
        """The columns that are written."""
        if self.groups or not self.columns:
            return rows
        return {name: column for name, column in rows.items() if name in {*self.columns, ROW}}

    def finished(self, rows: Columns) -> Columns:
        """What the parts left, reduced once more, best first; sums as means."""
        found = self.reduced(rows)
        if not self.groups:
            return found
        kept = {name: found[name] for name in (*self.by, "rows")}
        for name in self.of:
            least, most, total, known = (found[f"{name}_{what}"] for what in SUMS)
            some = known > 0
            means = np.divide(total, known, out=np.full(known.size, np.nan), where=some)
            columns = (np.where(some, least, np.nan), means, np.where(some, most, np.nan))
            kept |= dict(zip((f"{name}_min", f"{name}_mean", f"{name}_max"), columns, strict=True))
        return kept

    def _best(self, rows: Columns) -> np.ndarray:
        """Places of the first rows of every group, in the order asked for."""
        return _first(_groups(rows, self.by), _least(rows, self.order), rows[ROW], self.top)

    def _front(self, rows: Columns) -> np.ndarray:
        goals = np.column_stack([_least(rows, name) for name in self.front])
        found = [
            members[unbeaten(goals[members])] for members in _members(_groups(rows, self.by)) if members.size
        ]  # fmt: skip
        return np.sort(np.concatenate(found)) if found else np.zeros(0, dtype=int)

    def summed(self, rows: Columns) -> Columns:
        """Size, least, most and sum of every group."""
        groups, firsts = _groups(rows, self.by), _firsts(_groups(rows, self.by))
        found: Columns = {name: rows[name][firsts] for name in self.by}
        found["rows"] = np.bincount(groups, minlength=firsts.size)
        for name in self.of:
            column = np.asarray(rows[name], dtype=float)
            known = ~np.isnan(column)
            found |= _sums(groups, firsts.size, name, (column, column, np.where(known, column, 0.0), known))
        return found

    def _joined(self, rows: Columns) -> Columns:
        """The sums of groups of which several parts had some."""
        groups, firsts = _groups(rows, self.by), _firsts(_groups(rows, self.by))
        found: Columns = {name: rows[name][firsts] for name in self.by}
        found["rows"] = np.bincount(groups, rows["rows"], firsts.size).astype(int)
        for name in self.of:
            found |= _sums(groups, firsts.size, name, [rows[f"{name}_{what}"] for what in SUMS])
        return found


def _sums(groups: np.ndarray, many: int, name: str, columns: Sequence[np.ndarray]) -> Columns:
    least, most = np.full(many, np.inf), np.full(many, -np.inf)
    np.fmin.at(least, groups, columns[0])
    np.fmax.at(most, groups, columns[1])
    total, known = (np.bincount(groups, column, many).astype(float) for column in columns[2:])
    return dict(zip((f"{name}_{what}" for what in SUMS), (least, most, total, known), strict=True))


def _taken(rows: Columns, places: np.ndarray) -> Columns:
    return {name: column[places] for name, column in rows.items()}


def _least(rows: Columns, name: str) -> np.ndarray:
    """A column of which less is better; what is not known comes last."""
    column = np.asarray(rows[name.lstrip("-")], dtype=float)
    column = -column if name.startswith("-") else column
    return np.where(np.isnan(column), np.inf, column)


def _groups(rows: Columns, by: Sequence[str]) -> np.ndarray:
    """The group of every row, numbered by its columns' values."""
    some = next(iter(rows.values()))
    found = np.zeros(some.size, dtype=np.int64)
    for name in by:
        kinds, place = np.unique(rows[name], return_inverse=True)
        found = np.unique(found * kinds.size + place, return_inverse=True)[1]
    return found


def _firsts(groups: np.ndarray) -> np.ndarray:
    return np.unique(groups, return_index=True)[1]


def _members(groups: np.ndarray) -> list[np.ndarray]:
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)


def _first(groups: np.ndarray, value: np.ndarray, row: np.ndarray, many: int) -> np.ndarray:
    """Places of the ``many`` least of every group, ties by row; least first, group after group."""
    order = np.lexsort((row, value, groups))
    ordered = groups[order]
    begins = np.flatnonzero(np.r_[True, np.diff(ordered) > 0]) if ordered.size else np.zeros(0, dtype=int)
    rank = np.arange(ordered.size) - np.repeat(begins, np.diff(np.r_[begins, ordered.size]))
    return order[rank < many]


def unbeaten(goals: np.ndarray) -> np.ndarray:
    """Places of the rows that no other row beats: is as low in every column and lower in one. Shape (rows, columns)."""
    order = np.lexsort(goals.T[::-1])  # what comes later beats nothing that comes before
    front = np.zeros((0, goals.shape[1]))
    kept: list[int] = []
    for begin in range(0, order.size, 1024):
        block = order[begin : begin + 1024]
        block = block[~_beaten(goals[block], front)]
        block = block[~_beaten(goals[block], goals[block])]
        kept += block.tolist()
        front = np.vstack([front, goals[block]])
    return np.array(kept, dtype=int)


def _beaten(rows: np.ndarray, by: np.ndarray) -> np.ndarray:
    beaten = np.zeros(len(rows), dtype=bool)
    for begin in range(0, len(by), 256):
        some = by[np.newaxis, begin : begin + 256]
        each = rows[:, np.newaxis]
        beaten |= np.any(np.all(some <= each, axis=2) & np.any(some < each, axis=2), axis=1)
    return beaten


def read_keep(given: Mapping[str, Any], known: Sequence[str], words: Sequence[str], where: str) -> Keep:
    """What a table says is kept. ``known``: the columns there are; ``words`` those of them that hold words."""
    fields = ("where", "columns", "top", "front", "groups")
    for name in given:
        if name not in fields:
            raise RequestError(f"unknown field {name!r}", where, nearest(name, fields) or fields)
    ways = [name for name in ("top", "front", "groups") if name in given]
    if len(ways) > 1:
        raise RequestError(f"{' and '.join(ways)} at once", where, tuple(ways))
    conditions = tuple(_condition(text, known, words, f"{where}.where") for text in _texts(given, "where", where))
    columns = tuple(_known(name, known, f"{where}.columns") for name in _texts(given, "columns", where))
    if not ways:
        return Keep(conditions, columns)
    table, place = given[ways[0]], f"{where}.{ways[0]}"
    if not isinstance(table, dict):
        raise RequestError("is no table", place, ('top = {order = "tpot_s", first = 10}',))
    parts = {"top": ("order", "first", "by"), "front": ("of", "by"), "groups": ("by", "of")}[ways[0]]
    for name in table:
        if name not in parts:
            raise RequestError(f"unknown field {name!r}", place, nearest(name, parts) or parts)
    by = tuple(_known(name, known, f"{place}.by") for name in _texts(table, "by", place))
    of = tuple(_known(name, known, f"{place}.of", sign=ways[0] == "front") for name in _texts(table, "of", place))
    if any(name.lstrip("-") in words for name in of):
        raise RequestError("columns of words have no order", f"{place}.of")
    if ways[0] == "groups":
        if not by:
            raise RequestError("grouped by nothing", f"{place}.by", ('by = ["model", "hardware"]',))
        return Keep(conditions, columns, groups=True, by=by, of=of)
    if ways[0] == "front":
        if not 2 <= len(of) <= 6:
            raise RequestError("a front has two to six columns", f"{place}.of", ('of = ["tpot_s", "buy_usd"]',))
        return Keep(conditions, columns, front=of, by=by)
    order = table.get("order")
    if not isinstance(order, str) or order.lstrip("-") in words:
        raise RequestError("no column of numbers to order by", f"{place}.order", ('order = "tpot_s"',))
    first = table.get("first", 10)
    if isinstance(first, bool) or not isinstance(first, int) or not 1 <= first <= 1_000_000:
        raise RequestError(f"{first!r} is no whole number from 1 to 1,000,000", f"{place}.first")
    return Keep(conditions, columns, top=first, order=_known(order, known, f"{place}.order", sign=True), by=by)


def _texts(table: Mapping[str, Any], name: str, where: str) -> list[str]:
    found = table.get(name, [])
    found = [found] if isinstance(found, str) else found
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise RequestError("is no list of words", f"{where}.{name}")
    return found


def _known(name: str, known: Sequence[str], where: str, sign: bool = False) -> str:
    plain = name.lstrip("-") if sign else name
    if plain not in known:
        raise RequestError(f"unknown column {plain!r}", where, nearest(plain, known) or tuple(known))
    return ("-" if sign and name.startswith("-") else "") + plain


def _condition(text: str, known: Sequence[str], words: Sequence[str], where: str) -> Condition:
    told = CONDITION.fullmatch(text.strip())
    if told is None:
        return Condition(_known(text.strip(), known, where))
    column, sign, value = told.groups()
    _known(column, known, where)
    if column in words:
        if sign not in ("==", "!="):
            raise RequestError(f"{column} has words: they are equal or not", where, (f"{column} == …",))
        return Condition(column, sign, value.strip().strip("\"'"))
    try:
        return Condition(column, sign, float(value))
    except ValueError:
        raise RequestError(f"{value!r} is no number", where, (f"{column} {sign} 1",)) from None

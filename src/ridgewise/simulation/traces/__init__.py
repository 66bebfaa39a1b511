"""Traces of requests: one reader per form, recognised by what a file begins with.

A reader knows a form's columns or keys and yields rows; here they are bounded, checked and become
:class:`ridgewise.simulation.request.Requests`. Times begin at 0. RequestError names the line.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import numpy as np

from ridgewise.errors import RequestError, nearest
from ridgewise.simulation.request import LONGEST_ANSWER, LONGEST_PROMPT, MOST, Requests, requests

Record = Mapping[str, Any]
#: Most characters of one line.
LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One request of a trace. ``arrival`` is None where the form has none; ``prefix`` names what its prompt begins
    with, block by block of ``block`` tokens."""

    arrival: float | None
    prompt: float
    output: float
    prefix: tuple[Any, ...] = ()
    block: int = 0
    session: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """A form of trace.

    needs     columns or keys a record must have
    entry     a record, and what the file's first time was, to requests: none where it holds none
    ordered   later records come later; otherwise they are sorted
    """

    name: str
    about: str
    lines: bool
    needs: tuple[str, ...]
    entries: Callable[[Record], Iterable[Entry]]
    ordered: bool = True
    sources: tuple[str, ...] = ()


@cache
def load_forms() -> Mapping[str, Form]:
    """Every form by name, most specific first: one module each beside this one."""
    found = [import_module(f"{__name__}.{m.name}").FORM for m in iter_modules(__path__)]
    return {form.name: form for form in sorted(found, key=lambda form: (-len(form.needs), form.name))}


def read_trace(path: Path, form: str | None = None, most: int = MOST) -> Requests:
    """The requests of a file, at most so many; RequestError says what cannot be read, and where."""
    if not path.is_file():
        raise RequestError("is no file", str(path))
    forms = load_forms()
    if form is not None and form not in forms:
        raise RequestError(f"unknown form of trace {form!r}", "--trace-format", nearest(form, forms) or tuple(forms))
    plain = _plain(path, most) if form in (None, "own") else None
    if plain is not None:
        return plain
    records = _records(path)
    first = next(records, None)
    if first is None:
        raise RequestError("holds no request", str(path))
    chosen = forms[form] if form else _recognised(first[1], str(path))
    missing = [name for name in chosen.needs if name not in first[1]]
    if missing:
        near = nearest(missing[0], [str(key) for key in first[1]])
        raise RequestError(f"has no {missing[0]}, which {chosen.about} needs", f"{path}, line {first[0]}", near)
    return _gathered(path, chosen, first, records, most)


def _plain(path: Path, most: int) -> Requests | None:
    """A table of three columns in one go; None where it is anything else, or wrong: it is then read line by line."""
    with path.open("rb") as stream:
        if stream.readline(LINE).strip() != b"arrival_s,input_tokens,output_tokens":
            return None
        begin = stream.tell()
        if not stream.readline(LINE).strip():
            return None
        stream.seek(begin)
        try:
            table = np.loadtxt(stream, delimiter=",", max_rows=most, ndmin=2)
        except ValueError:
            return None
    if table.shape[1] != 3 or not (np.isfinite(table) & (np.abs(table) < 1e15)).all():
        return None
    whole = table[:, 1:].astype(np.int64)
    if (whole != table[:, 1:]).any():
        return None
    came = table[:, 0] - table[0, 0]
    good = (table[0, 0] >= 0) & (np.diff(came) >= 0).all() & (whole >= 1).all()
    if not good or whole[:, 0].max() > LONGEST_PROMPT or whole[:, 1].max() > LONGEST_ANSWER:
        return None
    about = f"{path.name}, {load_forms()['own'].about}"
    return requests(came, whole[:, 0], whole[:, 1], about=about, where=str(path))


def _recognised(record: Record, place: str) -> Form:
    for form in load_forms().values():
        if all(need in record for need in form.needs):
            return form
    near = max(load_forms().values(), key=lambda form: sum(need in record for need in form.needs) / len(form.needs))
    lacking = [need for need in near.needs if need not in record]
    if len(lacking) < len(near.needs):
        alike = nearest(lacking[0], [str(key) for key in record])
        raise RequestError(
            f"has no {lacking[0]}, which {near.about} needs", place, alike or tuple(map(str, record))[:6]
        )
    known = tuple(f"{f.name} ({', '.join(f.needs)})" for f in load_forms().values())
    raise RequestError("is no form of trace that is known", place, known)


def _records(path: Path) -> Iterator[tuple[int, Record]]:
    """Line number and record, one after the other: rows of a CSV, objects of JSON lines, or of one JSON list."""
    packed = path.suffix == ".gz"
    try:
        with gzip.open(path, "rt", encoding="utf-8-sig") if packed else path.open(encoding="utf-8-sig") as stream:
            head = stream.readline(LINE)
            if head.lstrip().startswith("["):
                yield from _whole(head + stream.read(256 << 20), path)
            elif head.lstrip().startswith("{"):
                yield from _objects(head, stream, path)
            else:
                yield from _rows(head, stream, path)
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError, csv.Error, OSError) as error:
        raise RequestError(f"cannot be read: {error}", str(path)) from None


def _whole(text: str, path: Path) -> Iterator[tuple[int, Record]]:
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"is no JSON: {error}", str(path)) from None
    for number, record in enumerate(listed, 1):
        if not isinstance(record, dict):
            raise RequestError("is no object", f"{path}, entry {number}")
        yield number, record


def _objects(head: str, stream: io.TextIOBase | Any, path: Path) -> Iterator[tuple[int, Record]]:
    number, line = 1, head
    while line:
        if len(line) >= LINE:
            raise RequestError(f"is longer than {LINE:,} characters", f"{path}, line {number}")
        if line.strip():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise RequestError(f"is no JSON: {error}", f"{path}, line {number}") from None
            if not isinstance(record, dict):
                raise RequestError("is no object", f"{path}, line {number}")
            yield number, record
        line = stream.readline(LINE)
        number += 1


def _rows(head: str, stream: io.TextIOBase | Any, path: Path) -> Iterator[tuple[int, Record]]:
    names = [name.strip() for name in next(csv.reader([head]), [])]
    for number, row in enumerate(csv.reader(stream), 2):
        if row:
            if len(row) != len(names):
                raise RequestError(f"has {len(row)} cells for {len(names)} columns", f"{path}, line {number}")
            yield number, dict(zip(names, row, strict=True))


def _gathered(
    path: Path, form: Form, first: tuple[int, Record], rest: Iterator[tuple[int, Record]], most: int
) -> Requests:  # fmt: skip
    times, prompts, outputs = array("d"), array("q"), array("q")
    prefixes = _Prefixes()
    timed: bool | None = None
    before = -math.inf
    for number, record in _chained(first, rest):
        where = f"{path}, line {number}"
        try:
            found = list(form.entries(record))
        except (KeyError, TypeError, ValueError) as error:
            raise RequestError(f"cannot be read as {form.about}: {error}", where) from None
        for entry in found:
            if timed is None:
                timed = entry.arrival is not None
            arrival = entry.arrival if entry.arrival is not None else math.nan
            _check(entry, timed, before if form.ordered else -math.inf, where)
            before = arrival
            times.append(arrival)
            prompts.append(int(entry.prompt))
            outputs.append(int(entry.output))
            prefixes.add(entry)
        if len(times) >= most:
            break
    if not times:
        raise RequestError("holds no request", str(path))
    count = min(len(times), most)
    came, prompt, output = (np.array(column[:count]) for column in (times, prompts, outputs))
    group, shared = (np.array(column[:count]) for column in (prefixes.group, prefixes.shared))
    if timed:
        order = np.argsort(came, kind="stable")
        came, prompt, output, group, shared = (c[order] for c in (came, prompt, output, group, shared))
        came = came - came[0]
    else:
        came = np.zeros(count)
    about = f"{path.name}, {form.about}{'' if timed else ', without times'}"
    return requests(came, prompt, output, group=group, shared=shared, about=about, where=str(path))


def _chained(first: tuple[int, Record], rest: Iterator[tuple[int, Record]]) -> Iterator[tuple[int, Record]]:
    yield first
    yield from rest


def _check(entry: Entry, timed: bool, before: float, where: str) -> None:
    if (entry.arrival is not None) != timed:
        raise RequestError("some requests have a time and some have none", where)
    if entry.arrival is not None and not math.isfinite(entry.arrival):
        raise RequestError("its time is no finite number", where)
    if entry.arrival is not None and entry.arrival < 0:
        raise RequestError(f"its time is negative: {entry.arrival:g}", where)
    if entry.arrival is not None and entry.arrival < before:
        raise RequestError("comes before the one above it: sort the trace by time", where)
    for what, value, largest in (("prompt", entry.prompt, LONGEST_PROMPT), ("answer", entry.output, LONGEST_ANSWER)):
        if not math.isfinite(value) or value != int(value):
            raise RequestError(f"its {what} is no whole number of tokens", where)
        if not 1 <= value <= largest:
            raise RequestError(f"its {what} has {value:,.0f} tokens, not 1 to {largest:,}", where)


class _Prefixes:
    """Who may share whose cache: a request joins the group of the last one whose prompt begins most alike.

    The first block of a prompt finds the candidates; only the latest of them is compared, which is what a cache that
    forgets the least recently used still holds.
    """

    def __init__(self) -> None:
        self.group, self.shared = array("q"), array("q")
        self._latest: dict[Any, tuple[int, tuple[Any, ...]]] = {}
        self._sessions: dict[str, tuple[int, int]] = {}
        self._count = 0

    def add(self, entry: Entry) -> None:
        group, shared = -1, 0
        if entry.prefix:
            group, before = self._latest.get(entry.prefix[0], (self._next(), ()))
            alike = 0
            for a, b in zip(entry.prefix, before, strict=False):
                if a != b:
                    break
                alike += 1
            shared = min(alike * entry.block, int(entry.prompt))
            self._latest[entry.prefix[0]] = group, entry.prefix
        elif entry.session:
            group, said = self._sessions.get(entry.session, (self._next(), 0))
            shared = min(said, int(entry.prompt))
            self._sessions[entry.session] = group, int(entry.prompt + entry.output)
        self.group.append(group)
        self.shared.append(shared)

    def _next(self) -> int:
        self._count += 1
        return self._count - 1


def number(record: Record, key: str) -> float:
    """A number of a record, as number or text; ValueError says what it was."""
    value = record[key]
    if isinstance(value, bool) or (isinstance(value, str) and not value.strip()) or value is None:
        raise ValueError(f"{key} is empty")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{key} is no number: {str(value)[:40]!r}") from None

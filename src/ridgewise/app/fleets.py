"""``ridgewise plan --fleet FILE``: a fleet file read, planned and told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgewise.app.home import own
from ridgewise.errors import RequestError, nearest
from ridgewise.units import parse

if TYPE_CHECKING:
    from ridgewise.advise.fleets import Fleet, Kind, Period, Task
    from ridgewise.advise.question import Question
    from ridgewise.report.fleets import FleetDocument
    from ridgewise.simulation.metrics import Limit

#: Keys of the tables of a fleet file.
TOP = ("limits", "periods", "workloads", "machines", "tariff", "spares", "spread")
MACHINE = ("hardware", "count", "memory", "have", "most", "rented", "price", "rent", "rack_units")
OWN = ("team", "load", "periods", "every")
CANDIDATES = ("quant", "engine", "kv_bits")
UNITS = {"budget": "USD", "month": "USD", "power": "W", "rack": "1"}
#: Time from one run to the next where none is given [s]: a week.
WEEK = 7 * 86400.0

Table = Mapping[str, Any]


def alone(flags: Mapping[str, Any]) -> None:
    """Refuse flags beside a fleet file, which says everything itself."""
    given = next((name for name, value in flags.items() if value not in (None, False, [], {}, ())), None)
    if given:
        flag = f"--{given.replace('_', '-')}" if given != "model" else "a model"
        raise RequestError(f"{flag} means nothing beside a fleet file, which says it", "--fleet", ("--fleet FILE",))


def run(path: Path, *, json: bool, markdown: bool) -> int:
    """Plan a fleet; 0 where one keeps the limits, 1 where none does."""
    from ridgewise.report import fleets as report
    from ridgewise.report.document import as_json

    if json and markdown:
        raise RequestError("--json and --markdown exclude each other", "flags", ("--json", "--markdown"))
    found = answered(path)
    if json:
        print(as_json(found))
    else:
        print(report.markdown(found)) if markdown else report.show(found)
    return 0 if found.feasible else 1


def answered(path: Path) -> FleetDocument:
    """The answer to a fleet file as a document."""
    from ridgewise.advise.fleets import plan
    from ridgewise.report.fleets import document

    with _told() as tell:
        return document(plan(read(path), tell))


@contextmanager
def _told() -> Iterator[Callable[[str], None]]:
    """What is being done, on a terminal, for those who wait."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console

    with Console(stderr=True).status("the machines to choose from") as status:
        yield status.update


def read(path: Path) -> Fleet:
    """A fleet from its file; RequestError names the place and what may stand there."""
    from ridgewise.facts.catalog import read_toml

    return fleet(read_toml(path, limit=1 << 20), str(path), path.parent)


def fleet(data: Table, where: str, folder: Path) -> Fleet:
    """A fleet from the content of a file; models named by path lie beside it."""
    from ridgewise.advise.fleets import Fleet, Period, offered
    from ridgewise.hardware.sheets import load_devices

    _known(data, TOP, where)
    periods = tuple(
        Period(name, _number(hours, "1", f"{where}: periods.{name}", 1e-3, 24.0))
        for name, hours in _table(data, "periods", where).items()
    ) or (Period("all day", 24.0),)
    day = sum(period.hours for period in periods)
    if day > 24.0 + 1e-9:
        raise RequestError(f"{day:g} hours in a day", f"{where}: periods", ("24 hours at most",))
    tariff = _number(data["tariff"], "USD", f"{where}: tariff", 0.0, 100.0) if "tariff" in data else None
    tasks = tuple(
        _task(name, table, periods, f"{where}: workloads.{name}", folder)
        for name, table in _tables(data, "workloads", where)
    )
    if not tasks:
        raise RequestError("a fleet needs workloads", where, ("[workloads.chat]",))
    kinds = tuple(_kind(name, table, f"{where}: machines.{name}") for name, table in _tables(data, "machines", where))
    if not kinds:
        available = tuple(d for d in load_devices(own("hardware")).values() if d.status == "available")
        kinds = offered(tasks, available)
    limits = _table(data, "limits", where)
    _known(limits, tuple(UNITS), f"{where}: limits")
    found = Fleet(
        tasks, kinds, periods,
        {name: _number(value, UNITS[name], f"{where}: limits.{name}", 0.0, 1e12) for name, value in limits.items()},
        spares=int(_number(data.get("spares", 0), "1", f"{where}: spares", 0.0, 16.0)),
    )  # fmt: skip
    if "spread" in data:
        seconds = _number(data["spread"], "s", f"{where}: spread", 86400.0, 3.2e9)
        found = replace(found, months=seconds / (365.25 * 86400.0 / 12.0))
    return found if tariff is None else replace(found, tariff=tariff)


def _known(table: Table, keys: Iterable[str], where: str) -> None:
    """Refuse keys that mean nothing here."""
    names = tuple(keys)
    for key in table:
        if key not in names:
            raise RequestError(f"unknown key {key!r}", where, nearest(key, names) or names[:6])


def _table(data: Table, name: str, where: str) -> Table:
    found = data.get(name, {})
    if not isinstance(found, dict):
        raise RequestError(f"{name} must be a table", where, (f"[{name}]",))
    return found


def _tables(data: Table, name: str, where: str) -> list[tuple[str, Table]]:
    """Named tables: ``[workloads.chat]``."""
    found = _table(data, name, where)
    for key, value in found.items():
        if not isinstance(value, dict):
            raise RequestError(f"{name}.{key} must be a table", where, (f"[{name}.{key}]",))
    return list(found.items())


def _number(value: Any, unit: str, where: str, low: float, high: float) -> float:
    found = parse(value, unit, where)
    if not low <= found <= high:
        raise RequestError(f"{value} is not between {low:g} and {high:g}", where)
    return found


def _whole(table: Table, name: str, where: str, default: int | None, least: int) -> int | None:
    if name not in table:
        return default
    found = _number(table[name], "1", f"{where}.{name}", least, 1e5)
    if found != int(found):
        raise RequestError(f"{table[name]} is no whole number", f"{where}.{name}")
    return int(found)


def _text(table: Table, name: str, where: str, needed: str = "") -> str:
    found = table.get(name, "")
    if not isinstance(found, str) or (needed and not found):
        raise RequestError(f"needs {name}", where, (f'{name} = "{needed or "text"}"',))
    return found


def _kind(name: str, table: Table, where: str) -> Kind:
    from ridgewise.advise.fleets import Kind
    from ridgewise.economics.cost import sold
    from ridgewise.hardware.machine import Machine
    from ridgewise.hardware.sheets import device

    _known(table, MACHINE, where)
    found = device(_text(table, "hardware", where, "H100 SXM"), f"{where}.hardware", own("hardware"))
    count = _whole(table, "count", where, sold(found, 1), 1)
    assert count is not None
    memory = _number(table["memory"], "B", f"{where}.memory", 1.0, 1e15) if "memory" in table else None
    Machine(found, count, memory)  # is it sold so?
    rented = table.get("rented", False)
    if not isinstance(rented, bool):
        raise RequestError(f"{rented!r} is neither true nor false", f"{where}.rented", ("true", "false"))
    for key, other in (("rent", False), ("have", True), ("price", True), ("rack_units", True)):
        if key in table and rented is other:
            raise RequestError(f"{key} means nothing for machines that are {'' if rented else 'not '}rented",
                               f"{where}.{key}", (f"rented = {'false' if rented else 'true'}",))  # fmt: skip
    amounts = {
        key: _number(table[key], unit, f"{where}.{key}", 0.0, 1e12) if key in table else None
        for key, unit in (("price", "USD"), ("rent", "USD"), ("rack_units", "1"))
    }
    kind = Kind(
        name, found, count, rented, _whole(table, "have", where, 0, 0) or 0, _whole(table, "most", where, None, 0),
        memory, amounts["price"], amounts["rent"], amounts["rack_units"],
    )  # fmt: skip
    if not kind.offered:
        what = "rent" if rented else "price"
        raise RequestError(f"the catalogue has no {what} of {found.name}", where, (f"{what} = 1000 (USD)",))
    return kind


def _task(name: str, table: Table, periods: tuple[Period, ...], where: str, folder: Path) -> Task:
    from ridgewise.advise.fleets import Task
    from ridgewise.app.request import WorkloadTable, check, question

    workload = [key for key in WorkloadTable.model_fields if key != "hours"]
    _known(table, ("model", *OWN, *CANDIDATES, *workload), where)
    model = _text(table, "model", where, "Llama-3.1-8B-Instruct")
    beside = folder / model
    promises, kept = _promises({key: table[key] for key in workload if key in table}, where)
    asked = question(check({
        "model": str(beside) if beside.exists() else model, "workload": kept,
        "candidates": {key: table[key] for key in CANDIDATES if key in table},
    }, where))  # fmt: skip
    asked = _served(asked)
    team = _text(table, "team", where)
    if asked.workload.goal == "infer":
        _foreign(table, ("every", "periods"), where, "a service")
        if promises and "concurrency" in table:
            raise RequestError("percentiles are kept for users, not for requests in flight", where, ("users = 100",))
        loads = _loads(table.get("load", 1.0), periods, where)
        if not any(loads):
            raise RequestError("nothing is asked in any period", f"{where}.load", ("load = 1.0",))
        return Task(name, asked, loads, team, promises)
    _foreign(table, ("load",), where, "a run")
    allowed = table.get("periods", [period.name for period in periods])
    names = [period.name for period in periods]
    for one in allowed if isinstance(allowed, list) else [allowed]:
        if one not in names:
            raise RequestError(f"no period {one!r}", f"{where}.periods", tuple(names))
    limit = getattr(asked.workload, "deadline", None) if "deadline" in table else None
    default = WEEK if limit is None else max(WEEK, limit)
    every = _number(table["every"], "s", f"{where}.every", 60.0, 3.2e9) if "every" in table else default
    return Task(name, asked, tuple(float(period.name in allowed) for period in periods), team, every=every)


def _foreign(table: Table, keys: Iterable[str], where: str, what: str) -> None:
    for key in keys:
        if key in table:
            raise RequestError(f"{key} means nothing for {what}", f"{where}.{key}", OWN)


def _promises(table: dict[str, Any], where: str) -> tuple[tuple[Limit, ...], dict[str, Any]]:
    """Limits on percentiles ("p95=1s"), and what is left."""
    from ridgewise.simulation.metrics import limit

    promised = {key: table[key] for key in ("slo_ttft", "slo_tpot") if "=" in str(table.get(key, ""))}
    if not promised:
        return (), table
    plain = next((key for key in ("slo_ttft", "slo_tpot") if key in table and key not in promised), None)
    if plain:
        raise RequestError("percentiles and means are not mixed", f"{where}.{plain}", (f'"p95={table[plain]}"',))
    found = tuple(limit(key.removeprefix("slo_"), text, f"{where}.{key}") for key, text in promised.items())
    return found, {key: value for key, value in table.items() if key not in promised}


def _loads(given: Any, periods: tuple[Period, ...], where: str) -> tuple[float, ...]:
    """Share of the busiest load in every period: one for all, or by name."""
    if not isinstance(given, dict):
        return tuple(_number(given, "ratio", f"{where}.load", 0.0, 1.0) for _ in periods)
    _known(given, [period.name for period in periods], f"{where}.load")
    missing = [period.name for period in periods if period.name not in given]
    if missing:
        raise RequestError(f"no load for {missing[0]}", f"{where}.load", (f"{missing[0]} = 0.1",))
    return tuple(_number(given[p.name], "ratio", f"{where}.load.{p.name}", 0.0, 1.0) for p in periods)


def _served(asked: Question) -> Question:
    """One person is served like several."""
    from ridgewise.workloads import Service, SingleUser

    work = asked.workload
    if not isinstance(work, SingleUser):
        return asked
    return replace(asked, workload=Service(
        1.0, work.prompt, work.output, work.context, 1.0, concurrency=1.0, slo_ttft=work.slo_ttft,
        slo_tpot=work.slo_tpot, busy=work.busy,
    ))  # fmt: skip

"""A planned fleet as a document, as text and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from ridgewise.advise.fleets import Column, Plan, Task
from ridgewise.advise.fleets.columns import BEYOND
from ridgewise.report.document import SCHEMA_VERSION
from ridgewise.report.lines import aligned, piped
from ridgewise.units import digits, duration, money, power

#: Names of shares of one device.
SHARES = {0.5: "a half", 0.25: "a quarter", 0.125: "an eighth"}


@dataclass(frozen=True, slots=True)
class PlacementDocument:
    """Replicas of a workload, or places kept for its run, on one machine in one period."""

    period: str
    workload: str
    count: int
    devices_each: float


@dataclass(frozen=True, slots=True)
class MachineDocument:
    """Machines that carry the same."""

    machines: int
    placements: tuple[PlacementDocument, ...]


@dataclass(frozen=True, slots=True)
class KindDocument:
    """A kind of machine in the fleet; ``rented`` by period."""

    name: str
    device: str
    devices: int
    bought: int
    owned_used: int
    owned_idle: int
    rented: dict[str, int]
    purchase_usd_each: float | None
    rent_usd_per_h_each: float | None
    rack_units_each: float
    machines: tuple[MachineDocument, ...]


@dataclass(frozen=True, slots=True)
class WayDocument:
    """How a workload is done on one kind of machine; ``carries`` the load of one replica within its limits."""

    machine: str
    period: str
    engine: str
    format: str
    devices_each: float
    replicas: int
    load: float
    carries: float
    run_s: float | None


@dataclass(frozen=True, slots=True)
class WorkloadDocument:
    """A workload, how it is done, its share of the month, and what a tenth more of it would cost."""

    name: str
    team: str
    model: str
    goal: str
    load: float | None
    unit: str
    every_s: float | None
    ways: tuple[WayDocument, ...]
    cost_usd_per_month: float
    growth_usd_per_month: float | None
    undone: str


@dataclass(frozen=True, slots=True)
class LimitDocument:
    """A limit and what it costs: the month without it, with a tenth more of it, and by the dual of the relaxation."""

    limit: str
    most: float
    taken: float
    binds: bool
    cheaper_at: float | None
    without_saves_usd_per_month: float
    more_saves_usd_per_month: float
    dual_usd_per_month_per_unit: float


@dataclass(frozen=True, slots=True)
class PassedDocument:
    """A limit that must give way: in the least change of all, and where it alone gives way."""

    limit: str
    most: float
    over: float
    alone: float | None


@dataclass(frozen=True, slots=True)
class FleetDocument:
    """The answer to a fleet file."""

    schema_version: int
    command: str
    feasible: bool
    cost_usd_per_month: float | None
    bound_usd_per_month: float | None
    gap: float | None
    proved: bool
    search_s: float
    purchase_usd: float
    purchase_usd_per_month: float
    rent_usd_per_month: float
    energy_usd_per_month: float
    power_w: dict[str, float]
    rack_units: float
    machines: tuple[KindDocument, ...]
    workloads: tuple[WorkloadDocument, ...]
    teams_usd_per_month: dict[str, float]
    spare_usd_per_month: float
    apart_usd_per_month: float | None
    limits: tuple[LimitDocument, ...]
    passed: tuple[PassedDocument, ...]
    simulations: int
    assumptions: tuple[str, ...]


def document(found: Plan) -> FleetDocument:
    """A plan of a fleet as a document."""
    fleet, solution = found.fleet, found.solution
    names = [period.name for period in fleet.periods]
    teams: dict[str, float] = {}
    for place, dollars in (found.shares or {}).items():
        team = fleet.tasks[place].team or fleet.tasks[place].name
        teams[team] = teams.get(team, 0.0) + float(dollars)
    return FleetDocument(
        SCHEMA_VERSION, "plan", found.feasible, solution.cost if solution else None,
        solution.bound if solution else None, solution.gap if solution else None,
        solution is not None and solution.proved, solution.seconds if solution else 0.0,
        found.money.purchase, found.money.spread, found.money.rents, found.money.energy,
        {name: float(watts) for name, watts in zip(names, found.power, strict=False)}, found.rack[0],
        tuple(_kinds(found)), tuple(_workload(found, i, task) for i, task in enumerate(fleet.tasks)), teams,
        float(found.spare), found.apart,
        tuple(
            LimitDocument(u.limit, u.most, float(u.taken), u.binds, u.step, u.without, u.more, u.dual)
            for u in found.uses
        ),
        tuple(PassedDocument(p.limit, p.most, p.by, p.alone) for p in found.passed), found.simulations,
        tuple(_assumptions(found)),
    )  # fmt: skip


def _kinds(found: Plan) -> Iterator[KindDocument]:
    fleet = found.fleet
    for chosen in found.machines:
        kind = fleet.kinds[chosen.kind]
        machines = tuple(
            MachineDocument(stand.machines, tuple(
                PlacementDocument(period.name, fleet.tasks[found.columns[p.column].task].name, p.count, p.devices)
                for period, placed in zip(fleet.periods, stand.periods, strict=True) for p in placed
            ))
            for stand in found.stands if stand.kind == chosen.kind
        )  # fmt: skip
        rented = {period.name: n for period, n in zip(fleet.periods, chosen.rented, strict=False)}
        yield KindDocument(
            kind.name, kind.device.id, kind.count, chosen.bought, chosen.used, chosen.idle, rented,
            None if kind.rented else kind.cost, kind.rent if kind.rented else None, kind.rack[0], machines,
        )  # fmt: skip


def _workload(found: Plan, place: int, task: Task) -> WorkloadDocument:
    work = task.question.workload
    growth = (found.growth or {}).get(place)
    return WorkloadDocument(
        task.name, task.team, task.question.arch.name, work.goal, task.amount if task.serves else None,
        task.unit if task.serves else "runs", None if task.serves else task.every, tuple(_ways(found, place)),
        float((found.shares or {}).get(place, 0.0)), growth, (found.undone or {}).get(place, ""),
    )  # fmt: skip


def _ways(found: Plan, place: int) -> Iterator[WayDocument]:
    fleet = found.fleet

    def way(column: Column, period: str, replicas: int, load: float) -> WayDocument:
        setup, run = column.setup, column.run
        return WayDocument(
            fleet.kinds[column.kind].name, period, setup.engine.id if setup else "training",
            setup.plan.format.id if setup else "", column.devices, replicas, load, column.carries,
            run.seconds if run else None,
        )  # fmt: skip

    for (d, t), load in (found.served or {}).items():
        column = found.columns[d]
        if column.task == place:
            yield way(column, fleet.periods[t].name, max(math.ceil(load / column.carries - 1e-9), 1), load)
    if place in (found.runs or {}):
        column = found.columns[(found.runs or {})[place]]
        on = [
            period.name for t, period in enumerate(fleet.periods)
            if any(fleet.tasks[found.columns[p.column].task] is fleet.tasks[place]
                   for stand in found.stands for p in stand.periods[t])
        ]  # fmt: skip
        yield way(column, ", ".join(on) or "rented for the run", 1, 1.0)


def _assumptions(found: Plan) -> Iterator[str]:
    fleet = found.fleet
    yield (
        f"purchases spread over {digits(fleet.months)} months (spread), electricity at {money(fleet.tariff)}/kWh "
        "(tariff); machines that are there cost their energy alone; what is owned is on all day"
    )
    yield "a replica carries what it carries within its limits at the slow end of the interval, as plan holds them"
    if any(task.promises for task in fleet.tasks):
        yield f"percentiles: {found.simulations} kinds of replica simulated, prompts and answers as in public traces"
    if any(0 < column.devices < 1 for d, column in enumerate(found.columns) if _stands_somewhere(found, d)):
        yield (
            "a share of a device is one of its memory, bandwidth and peak: an instance (MIG) where it has them, else a "
            "process that the engine holds to so much"
        )
    if len(fleet.periods) > 1:
        yield "between periods machines change what they run: minutes to load weights; runs go on from a checkpoint"
    if found.rack[1]:
        yield "rack units of some machines are assumed (rack_units)"
    if any(not task.serves for task in fleet.tasks):
        yield "a run takes as long as expected; devices it needs together are kept for it"


def _stands_somewhere(found: Plan, d: int) -> bool:
    return any(p.column == d for stand in found.stands for placed in stand.periods for p in placed)


# ------------------------------------------------------------------------------------------------ for people


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the answer: a heading, rows of a table under their headers, sentences."""

    title: str
    headers: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    lines: tuple[str, ...] = ()


def parts(found: FleetDocument) -> Iterator[Part]:
    """Everything that is said, in order."""
    if not found.feasible:
        yield from _impossible(found)
        yield Part("Assumed, change in the file", lines=found.assumptions)
        return
    yield Part(_headline(found), lines=tuple(_sums(found)))
    yield Part("", ("machines", "how many", "each", "what runs on one"), tuple(_machine_rows(found)))
    yield Part("", ("workload", "load", "done by", "carries", "a month", "10 % more"), tuple(_workload_rows(found)))
    if found.limits:
        yield Part("Limits", lines=tuple(map(_limit, found.limits)))
    if len(found.teams_usd_per_month) > 1:
        shares = sorted(found.teams_usd_per_month.items(), key=lambda pair: -pair[1])
        told = [f"{team} {money(dollars)}" for team, dollars in shares]
        told += [f"free {money(found.spare_usd_per_month)}"] if found.spare_usd_per_month >= 0.5 else []
        yield Part("A month by team", lines=("; ".join(told),))
    yield Part("Assumed, change in the file", lines=found.assumptions)


def _headline(found: FleetDocument) -> str:
    cost, bound = found.cost_usd_per_month or 0.0, found.bound_usd_per_month or 0.0
    proof = "proved: no choice of these machines is cheaper" if found.proved else (
        f"none can be cheaper than {money(bound)}: at most {digits(100 * (found.gap or 0.0), 2)} % more than the best"
    )  # fmt: skip
    return f"{money(cost)} a month ({proof})"


def _sums(found: FleetDocument) -> Iterator[str]:
    sums = [
        f"{money(found.purchase_usd)} to buy, {money(found.purchase_usd_per_month)} a month of it",
        f"rents {money(found.rent_usd_per_month)}", f"energy {money(found.energy_usd_per_month)}",
    ]  # fmt: skip
    yield "; ".join(sums)
    watts = ", ".join(f"{name} {power(value)}" for name, value in found.power_w.items())
    yield f"at the wall of what is owned: {watts}; {digits(found.rack_units)} rack units"
    if found.apart_usd_per_month is not None and found.apart_usd_per_month - (found.cost_usd_per_month or 0.0) > 0.5:
        apart = money(found.apart_usd_per_month)
        yield f"with machines of its own, bought or rented, for every workload: {apart} a month"


def _machine_rows(found: FleetDocument) -> Iterator[tuple[str, ...]]:
    for kind in found.machines:
        many = [
            *([f"buy {kind.bought}"] if kind.bought else []), *([f"use {kind.owned_used}"] if kind.owned_used else []),
            *([f"{kind.owned_idle} not needed"] if kind.owned_idle else []),
            *(f"rent {n} {name}" for name, n in kind.rented.items() if n),
        ]  # fmt: skip
        rent = kind.rent_usd_per_h_each
        price = f"{money(rent)}/h" if rent is not None else money(kind.purchase_usd_each) if kind.bought and (
            kind.purchase_usd_each is not None) else "there"  # fmt: skip
        runs = [line for machine in kind.machines for line in _runs(machine, len(kind.machines) > 1)]
        yield from zip_longest((kind.name,), many, (price,), runs, fillvalue="")


def _runs(machine: MachineDocument, several: bool) -> Iterator[str]:
    """What machines that carry the same run, period by period; nothing: they stand by."""
    many = f"{machine.machines} of them: " if several else ""
    held = dict.fromkeys(p.period for p in machine.placements)
    lines = [f"{period}: {_placed(machine, period)}" for period in held] or ["spare"]
    for number, line in enumerate(lines):
        yield f"{' ' * len(many) if number else many}{line}"


def _placed(machine: MachineDocument, period: str) -> str:
    """What runs on one machine in a period; several share a device where parts of one are placed."""
    return ", ".join(
        f"{p.workload}{f' ×{p.count}' if p.count > 1 else ''} on {_devices(p.devices_each)}"
        for p in machine.placements if p.period == period
    )  # fmt: skip


def _devices(each: float) -> str:
    return SHARES.get(each) or digits(each)


def _workload_rows(found: FleetDocument) -> Iterator[tuple[str, ...]]:
    for work in found.workloads:
        serves = work.load is not None
        load = (
            f"{digits(work.load or 0.0)} {work.unit}" if serves else f"{work.goal} every {duration(work.every_s or 0)}"
        )
        ways = [
            f"{way.period}: {way.machine}, {way.format or 'run'}{f' ×{way.replicas}' if way.replicas > 1 else ''}"
            for way in work.ways
        ]
        able = [_able(way, work.load) for way in work.ways]
        more = "" if not serves else "not within the limits" if work.growth_usd_per_month is None else (
            f"+{money(work.growth_usd_per_month)}")  # fmt: skip
        firsts = (work.name,), (load,), ways, able, (money(work.cost_usd_per_month),), (more,)
        yield from zip_longest(*firsts, fillvalue="")


def _able(way: WayDocument, load: float | None) -> str:
    """Load that a replica carries, looked for up to twice what is asked; time of a run."""
    if load is None:
        return duration(way.run_s or 0.0)
    return f"{'over ' if way.carries >= BEYOND * load else ''}{digits(way.carries)}"


def _amount(limit: str, value: float) -> str:
    """So much of a limit, in its unit."""
    match limit:
        case "budget":
            return money(value)
        case "month":
            return f"{money(value)} a month"
        case "power":
            return power(value)
        case "rack":
            return f"{digits(value)} rack units"
        case _:
            return f"{digits(value)} machines"


def _limit(one: LimitDocument) -> str:
    said = f"{one.limit}: {_amount(one.limit, one.taken)} of {_amount(one.limit, one.most)}"
    if not one.binds:
        return f"{said}: not what decides"
    unit = 1000.0 if one.limit in ("budget", "power") else 1.0
    without, more, dual = map(money, (
        one.without_saves_usd_per_month, one.more_saves_usd_per_month, one.dual_usd_per_month_per_unit * unit
    ))  # fmt: skip
    return (
        f"{said}: it binds. {_first(one)}Without it the month would cost {without} less, with 10 % more of it {more} "
        f"less, each chosen anew; could machines be split, {_amount(one.limit, unit)} more would save {dual} a month "
        "(dual of the linear relaxation)"
    )


def _first(one: LimitDocument) -> str:
    """The least of a limit with which something changes."""
    if one.cheaper_at is None:
        return ""
    return f"The least that would save is {_amount(one.limit, one.cheaper_at)}. "


def _impossible(found: FleetDocument) -> Iterator[Part]:
    undone = tuple(f"{work.name}: {work.undone}" for work in found.workloads if work.undone)
    if undone:
        yield Part("No machine named does it", lines=undone)
        return
    lines = tuple(
        f"{one.limit}: {_amount(one.limit, one.over)} over {_amount(one.limit, one.most)}"
        for one in found.passed if one.over > 1e-6 * max(one.most, 1.0)
    )  # fmt: skip
    alone = tuple(
        f"{one.limit} at {_amount(one.limit, one.alone)} instead of {_amount(one.limit, one.most)}"
        for one in found.passed if one.alone is not None
    )  # fmt: skip
    if not lines:
        yield Part("Nothing keeps the limits", lines=("no further machine of any kind named would help",))
        return
    yield Part("Nothing keeps the limits: the least that must give way, all together", lines=lines)
    said = alone or ("no single limit, moved alone, is enough",)
    yield Part("One limit alone, the others as they are", lines=said)


def show(found: FleetDocument) -> None:
    """Print it for a terminal."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=False)
    for part in parts(found):
        if part.title:
            console.print(part.title, style="bold", markup=False)
        for line in aligned(part.headers, part.rows) if part.headers else ():
            console.print(line, markup=False, soft_wrap=True)
        for line in part.lines:
            console.print(f"  · {line}", markup=False)
        console.print()


def markdown(found: FleetDocument) -> str:
    """The same as a page."""
    lines: list[str] = []
    for part in parts(found):
        lines += [f"## {part.title}", ""] if part.title else []
        if part.headers:
            lines += [*piped(part.headers, part.rows), ""]
        lines += [f"- {line}" for line in part.lines] + [""] * bool(part.lines)
    return "\n".join(lines)

"""The fleet that does everything asked at the least cost a month: its machines, what runs where, what binds it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from ridgewise.advise.field import Field
from ridgewise.advise.fleets.columns import columns as columns_of
from ridgewise.advise.fleets.fleet import Column, Fleet, Kind
from ridgewise.advise.fleets.program import Layout, Solution, program_of, relaxed, solved
from ridgewise.advise.fleets.promises import simulated

#: By how much more of a limit, or of a load, a choice is made again to see what that is worth.
MORE = 1.1
#: Differences of the month below this are none [USD]; the share by which another is called cheaper.
NOTHING, CHEAPER = 0.5, 0.005


@dataclass(frozen=True, slots=True)
class Placed:
    """Replicas of a task, or the groups kept for its run, on one machine in one period.

    devices  of each, or the share of one device; ``first`` the device of the machine on which it begins
    """

    column: int
    count: int
    devices: float


@dataclass(frozen=True, slots=True)
class Stand:
    """One machine, or so many alike: what is placed on it in every period."""

    kind: int
    machines: int
    periods: tuple[tuple[Placed, ...], ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """How many machines of a kind: bought, used of those there, rented in every period; ``idle`` those there that are
    not needed."""

    kind: int
    bought: int
    used: int
    rented: tuple[int, ...]
    idle: int


@dataclass(frozen=True, slots=True)
class Spending:
    """Money of the fleet [USD]: to buy, and a month of purchases spread, of rents and of energy."""

    purchase: float
    spread: float
    rents: float
    energy: float

    @property
    def month(self) -> float:
        return self.spread + self.rents + self.energy

    @property
    def paid(self) -> float:
        """What is paid every month besides purchases."""
        return self.rents + self.energy


@dataclass(frozen=True, slots=True)
class Use:
    """A limit and what the fleet takes of it.

    without   what the month would cost less if it were not there [USD]; 0 where it does not bind
    step      the least of it with which the month is cheaper, the rest as it is; None where it does not bind
    more      what a tenth more of it would save, the choice made again [USD]
    dual      what one unit more is worth a month where machines may be split [USD]: the dual of the relaxation
    """

    limit: str
    most: float
    taken: float
    without: Annotated[float, "USD"]
    step: float | None
    more: Annotated[float, "USD"]
    dual: Annotated[float, "USD"]

    @property
    def binds(self) -> bool:
        return self.without > NOTHING


@dataclass(frozen=True, slots=True)
class Passed:
    """A limit that must be passed: ``by`` how much in the least change of all, and what it must be where it alone
    changes (None: that is not enough)."""

    limit: str
    most: float
    by: float
    alone: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer. Where nothing keeps the limits, ``passed`` says by how much; where a task can be done by no machine
    at all, ``undone`` says why.

    power      watts at the wall of what is owned, in every period
    rack       rack units, and whether some are assumed
    shares     USD a month by task, each machine's by the devices and hours it is used; ``spare`` what is left of them
    growth     USD a month more for a tenth more of each task's load; None where limits allow none
    apart      USD a month with machines of its own for every task, no limit kept; None where that cannot be
    """

    fleet: Fleet
    columns: tuple[Column, ...]
    solution: Solution | None
    machines: tuple[Chosen, ...] = ()
    stands: tuple[Stand, ...] = ()
    served: Mapping[tuple[int, int], float] | None = None
    runs: Mapping[int, int] | None = None
    money: Spending = Spending(0.0, 0.0, 0.0, 0.0)
    power: tuple[float, ...] = ()
    rack: tuple[float, bool] = (0.0, False)
    uses: tuple[Use, ...] = ()
    shares: Mapping[int, float] | None = None
    spare: float = 0.0
    growth: Mapping[int, float | None] | None = None
    apart: float | None = None
    passed: tuple[Passed, ...] = ()
    undone: Mapping[int, str] | None = None
    simulations: int = 0

    @property
    def feasible(self) -> bool:
        return self.solution is not None


def plan(fleet: Fleet, watch: Callable[[str], None] | None = None) -> Plan:
    """Choose machines and places; say what binds, or what stands in the way."""
    tell = watch or (lambda text: None)
    tell("what every machine carries")
    found = columns_of(fleet)
    undone = {i: _undone(fleet, i) for i, _ in enumerate(fleet.tasks) if not any(c.task == i for c in found)}
    if undone:
        return Plan(fleet, tuple(found), None, undone=undone)
    tell("the choice of machines")
    (solution, layout), kept, looks = _kept(fleet, found, tell)
    if solution is None:
        return Plan(fleet, tuple(kept), None, passed=tuple(_passed(fleet, kept)), simulations=looks)
    return _told(fleet, kept, solution, layout, looks)


def _solve(
    fleet: Fleet, columns: Sequence[Column], limits: Mapping[str, float] | None = None
) -> tuple[Solution | None, Layout]:
    program, layout = program_of(fleet, columns, limits)
    return solved(program), layout


def _kept(
    fleet: Fleet, columns: Sequence[Column], tell: Callable[[str], None]
) -> tuple[tuple[Solution | None, Layout], list[Column], int]:
    """The choice in which every replica that has promises was simulated: where it carries less than was hoped, the
    choice is made again. What is hoped is never less than what a simulation finds, so the end is the best choice."""
    kept, looks = list(columns), 0
    known: set[int] = set()
    while True:
        solution, layout = _solve(fleet, kept)
        if solution is None:
            return (solution, layout), kept, looks
        chosen = {
            d for (d, t), x in layout.replicas.items()
            if solution.values[x] > 0 and fleet.tasks[kept[d].task].promises and d not in known
        }  # fmt: skip
        if not chosen:
            return (solution, layout), kept, looks
        for d in chosen:
            task = fleet.tasks[kept[d].task]
            tell(f"{task.name} on {fleet.kinds[kept[d].kind].name}, simulated")
            alike = [e for e, other in enumerate(kept) if other.setup is kept[d].setup]
            setup = kept[d].setup
            assert setup is not None
            carried = simulated(task, setup, kept[d].carries)
            looks += 1
            for e in alike:
                known.add(e)
                kept[e] = replace(kept[e], carries=min(carried, kept[e].carries))


def _undone(fleet: Fleet, place: int) -> str:
    """Why no machine of the fleet does a task: what comes nearest, and what it falls short of."""
    task = fleet.tasks[place]
    devices = tuple(dict.fromkeys(kind.device for kind in fleet.kinds))
    options = Field().options(task.question, devices)
    if not options:
        return "no engine runs it on any machine named"
    nearest = min(options, key=lambda option: option.distance)
    if nearest.shortfalls:
        return f"nearest is {nearest.name}: {'; '.join(nearest.shortfalls)}"
    return f"{nearest.name} would do it, but no machine named holds as many together"


def _told(fleet: Fleet, columns: Sequence[Column], solution: Solution, layout: Layout, looks: int) -> Plan:
    machines = tuple(_machines(fleet, solution, layout))
    stands = tuple(_stands(fleet, columns, machines, solution, layout))
    money = _money(fleet, columns, machines, solution, layout)
    shares, spare = _shares(fleet, columns, machines, stands, solution, layout)
    runs = {columns[d].task: d for d, y in layout.chosen.items() if solution.values[y] > 0.5}
    served = {
        (d, t): share * fleet.tasks[columns[d].task].load(t)
        for (d, t), s in layout.served.items() if (share := float(solution.values[s])) > 1e-6
    }  # fmt: skip
    power = tuple(_power(fleet, columns, machines, solution, layout, t) for t in range(len(fleet.periods)))
    units = [(fleet.kinds[m.kind].rack, m.bought + m.used) for m in machines if m.bought + m.used]
    rack = sum(each * count for (each, _), count in units), any(assumed for (_, assumed), _ in units)
    return Plan(
        fleet, tuple(columns), solution, machines, stands, served, runs, money, power, rack,
        tuple(_uses(fleet, columns, solution, money, max(power), rack[0], machines)), shares, spare,
        dict(_growth(fleet, columns, solution)), _apart(fleet, columns), simulations=looks,
    )  # fmt: skip


def _machines(fleet: Fleet, solution: Solution, layout: Layout) -> Iterator[Chosen]:
    """Kinds of which some machine is needed, or stands idle."""
    periods = range(len(fleet.periods))

    def value(place: int | None) -> int:
        return 0 if place is None else round(float(solution.values[place]))

    for number, kind in enumerate(fleet.kinds):
        bought, used = value(layout.bought.get(number)), value(layout.used.get(number))
        rented = tuple(value(layout.rented.get((number, t))) for t in periods)
        if bought or kind.have or any(rented):
            yield Chosen(number, bought, used, rented if kind.rented else (), kind.have - used)


def _stands(
    fleet: Fleet, columns: Sequence[Column], machines: Sequence[Chosen], solution: Solution, layout: Layout
) -> Iterator[Stand]:
    """Machines one by one: the largest placed first, where there is room; machines with the same load are one."""
    for chosen in machines:
        kind = fleet.kinds[chosen.kind]
        most = max((chosen.bought + chosen.used, *chosen.rented))
        if not most:
            continue
        held: list[list[list[Placed]]] = [[[] for _ in fleet.periods] for _ in range(most)]
        for t, _ in enumerate(fleet.periods):
            room = [float(kind.count)] * (chosen.rented[t] if kind.rented else most)
            for d, devices, count in _asked(fleet, columns, chosen.kind, t, solution, layout):
                _place(held, room, kind, d, devices, count, t)
        yield from _alike(chosen.kind, held)


def _replicas(fleet: Fleet, columns: Sequence[Column], d: int, t: int, solution: Solution, layout: Layout) -> int:
    """Replicas that the load served takes: where room is left, a choice may have more of them at no cost."""
    load = fleet.tasks[columns[d].task].load(t) * float(solution.values[layout.served[d, t]])
    return math.ceil(load / columns[d].carries - 1e-6)


def _asked(
    fleet: Fleet, columns: Sequence[Column], number: int, t: int, solution: Solution, layout: Layout
) -> list[tuple[int, float, int]]:
    """(column, devices, count) of everything on a kind in a period, the largest first."""
    asked = [
        (d, columns[d].devices, _replicas(fleet, columns, d, period, solution, layout))
        for d, period in layout.replicas if period == t and columns[d].kind == number
    ]  # fmt: skip
    for (d, period), u in layout.taken.items():
        if period == t and columns[d].kind == number and solution.values[u] > 1e-6:
            asked.append((d, columns[d].devices, 1))
    return sorted((entry for entry in asked if entry[2]), key=lambda entry: (-entry[1], entry[0]))


def _place(
    held: list[list[list[Placed]]], room: list[float], kind: Kind, d: int, devices: float, count: int, t: int
) -> None:
    """Replicas where there is room; a run of several machines on whole ones."""
    for _ in range(count):
        wide = devices > kind.count
        for _ in range(kind.machines(devices) if wide else 1):
            each = float(kind.count) if wide else devices
            i = next((i for i, left in enumerate(room) if left >= each - 1e-9), None)
            if i is None:  # runs that follow each other share a place
                i = next((i for i, on in enumerate(held) if any(p.devices == each for p in on[t])), 0)
            else:
                room[i] -= each
            same = next((p for p in held[i][t] if p.column == d), None)
            if same is not None:
                held[i][t].remove(same)
            held[i][t].append(Placed(d, (same.count if same else 0) + 1, each))


def _alike(number: int, held: Sequence[Sequence[Sequence[Placed]]]) -> Iterator[Stand]:
    """Machines that carry the same are told once."""
    seen: dict[tuple[tuple[Placed, ...], ...], int] = {}
    for machine in held:
        key = tuple(tuple(placed) for placed in machine)
        seen[key] = seen.get(key, 0) + 1
    for key, count in seen.items():
        yield Stand(number, count, key)


def _money(
    fleet: Fleet, columns: Sequence[Column], machines: Sequence[Chosen], solution: Solution, layout: Layout
) -> Spending:
    """What it costs, from the same coefficients as the objective."""
    purchase = sum((fleet.kinds[m.kind].cost or 0.0) * m.bought for m in machines)
    rents = sum(
        (fleet.kinds[m.kind].rent or 0.0) * count * period.month
        for m in machines for count, period in zip(m.rented, fleet.periods, strict=False)
    )  # fmt: skip
    for d, y in layout.chosen.items():
        column, kind = columns[d], fleet.kinds[columns[d].kind]
        if column.alone and solution.values[y] > 0.5:
            rents += (kind.rent or 0.0) * kind.machines(column.devices) * column.hours * fleet.tasks[column.task].runs
    spread = purchase / fleet.months
    return Spending(purchase, spread, rents, solution.cost - spread - rents)


def _power(
    fleet: Fleet, columns: Sequence[Column], machines: Sequence[Chosen], solution: Solution, layout: Layout, t: int
) -> float:
    """Watts at the wall of what is owned, with every replica and run of a period at work."""
    own = {m.kind for m in machines if not fleet.kinds[m.kind].rented}
    watts = sum(fleet.kinds[m.kind].idle * (m.bought + m.used) for m in machines if m.kind in own)
    for d, period in layout.replicas:
        if period == t and columns[d].kind in own:
            watts += columns[d].watts * _replicas(fleet, columns, d, t, solution, layout)
    for (d, period), u in layout.taken.items():
        if period == t and columns[d].kind in own and solution.values[u] > 1e-6:
            watts += columns[d].watts
    return watts


def _shares(
    fleet: Fleet, columns: Sequence[Column], machines: Sequence[Chosen], stands: Sequence[Stand],
    solution: Solution, layout: Layout,
) -> tuple[dict[int, float], float]:  # fmt: skip
    """USD a month by task: of every kind's spread price, rent and waiting watts by the devices and hours it is kept
    for, what work adds to the one that works; and what no task keeps."""
    shares = dict.fromkeys(range(len(fleet.tasks)), 0.0)
    for (d, t), s in layout.served.items():
        column, task = columns[d], fleet.tasks[columns[d].task]
        if not fleet.kinds[column.kind].rented:
            hours = fleet.periods[t].month * task.busy
            watts = column.watts * task.load(t) * float(solution.values[s]) / column.carries
            shares[column.task] += watts / 1000.0 * hours * fleet.tariff
    for d, y in layout.chosen.items():
        if solution.values[y] < 0.5:
            continue
        column, kind = columns[d], fleet.kinds[columns[d].kind]
        hours = column.hours * fleet.tasks[column.task].runs
        if column.alone:
            shares[column.task] += (kind.rent or 0.0) * kind.machines(column.devices) * hours
        else:
            shares[column.task] += column.watts / 1000.0 * hours * fleet.tariff
    for chosen in machines:
        kind, own = fleet.kinds[chosen.kind], chosen.bought + chosen.used
        for t, period in enumerate(fleet.periods):
            part = period.hours / sum(p.hours for p in fleet.periods)
            if kind.rented:
                dollars, devices = (kind.rent or 0.0) * chosen.rented[t] * period.month, chosen.rented[t] * kind.count
            else:
                dollars = chosen.bought * (kind.cost or 0.0) / fleet.months * part
                dollars += own * kind.idle / 1000.0 * period.month * fleet.tariff
                devices = own * kind.count
            if not devices:
                continue
            for stand in stands:
                if stand.kind == chosen.kind:
                    for placed in stand.periods[t]:
                        place = columns[placed.column].task
                        shares[place] += dollars * stand.machines * placed.count * placed.devices / devices
    return shares, max(solution.cost - sum(shares.values()), 0.0)


def _taken(
    fleet: Fleet, money: Spending, power: float, rack: float, machines: Sequence[Chosen]
) -> dict[str, tuple[float, float]]:
    """Of every limit the most and what is taken."""
    taken = {"budget": money.purchase, "month": money.paid, "power": power, "rack": rack}
    found = {name: (most, taken[name]) for name, most in fleet.limits.items()}
    for chosen in machines:
        kind = fleet.kinds[chosen.kind]
        if kind.most:
            found[f"machines: {kind.name}"] = (float(kind.most), float(max((chosen.bought, *chosen.rented))))
    return found


def _uses(
    fleet: Fleet, columns: Sequence[Column], solution: Solution, money: Spending, power: float, rack: float,
    machines: Sequence[Chosen],
) -> Iterator[Use]:  # fmt: skip
    """Every limit: what is taken of it, and what it costs."""
    duals = relaxed(program_of(fleet, columns)[0])
    for name, (most, taken) in _taken(fleet, money, power, rack, machines).items():
        without = _solve(fleet, columns, {**fleet.limits, name: math.inf})[0]
        saved = solution.cost - without.cost if without else 0.0
        more = 0.0
        if saved > NOTHING:
            wider = max(most * MORE, most + 1.0) if name.startswith("machines") else most * MORE
            again = _solve(fleet, columns, {**fleet.limits, name: wider})[0]
            more = solution.cost - again.cost if again else 0.0
        dual = duals.get(name, 0.0) / max(most, 1.0) if saved > NOTHING else 0.0
        step = _least(fleet, columns, name, solution.cost) if saved > NOTHING else None
        yield Use(name, most, taken, max(saved, 0.0), step, max(more, 0.0), dual)


def _growth(fleet: Fleet, columns: Sequence[Column], solution: Solution) -> Iterator[tuple[int, float | None]]:
    """USD a month more for a tenth more load of every service."""
    for place, task in enumerate(fleet.tasks):
        if task.serves:
            grown = replace(task, loads=tuple(load * MORE for load in task.loads))
            tasks = tuple(grown if i == place else other for i, other in enumerate(fleet.tasks))
            again = _solve(replace(fleet, tasks=tasks), columns)[0]
            yield place, max(again.cost - solution.cost, 0.0) if again else None


def _apart(fleet: Fleet, columns: Sequence[Column]) -> float | None:
    """USD a month where every task has machines of its own and no limit is kept; machines that are there go to none."""
    total = 0.0
    kinds = tuple(replace(kind, have=0, most=None) for kind in fleet.kinds)
    for place, task in enumerate(fleet.tasks):
        own = [replace(column, task=0) for column in columns if column.task == place]
        alone = replace(fleet, tasks=(task,), kinds=kinds, limits={})
        found = _solve(alone, own)[0]
        if found is None:
            return None
        total += found.cost
    return total


def _passed(fleet: Fleet, columns: Sequence[Column]) -> Iterator[Passed]:
    """Limits that must give way: the least of all together, and each by itself."""
    program, layout = program_of(fleet, columns, soft=True)
    found = solved(program)
    if found is None:
        return
    machines = {f"machines: {kind.name}": float(kind.most) for kind in fleet.kinds if kind.most is not None}
    for name, most in {**fleet.limits, **machines}.items():
        by = max(most, 1.0) * float(found.values[layout.slack[name]]) if name in layout.slack else 0.0
        alone = _least(fleet, columns, name)
        if by > 1e-6 * max(most, 1.0) or alone is not None:
            yield Passed(name, most, by, alone)


def _least(fleet: Fleet, columns: Sequence[Column], name: str, cost: float = math.inf) -> float | None:
    """The least that a limit must be where all others stay, for a month cheaper than ``cost``; None where that is not
    enough."""
    program, layout = program_of(fleet, columns, soft=True)
    if name not in layout.slack:
        return None
    for other, place in layout.slack.items():
        if other != name:
            program.most[place] = 0.0
    if not math.isinf(cost):
        dollars = {place: each for place, each in enumerate(layout.dollars) if each}
        program.row(dollars, high=cost - max(NOTHING, CHEAPER * cost))
    found = solved(program)
    if found is None:
        return None
    most = fleet.limits.get(name)
    if most is None:
        most = next(float(kind.most or 0) for kind in fleet.kinds if name == f"machines: {kind.name}")
    return most + max(most, 1.0) * float(found.values[layout.slack[name]])

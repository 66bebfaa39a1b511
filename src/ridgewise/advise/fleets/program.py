"""The choice of machines and places as a mixed-integer program, solved by HiGHS.

Variables, all at least 0 (d a column, m a kind, t a period):

    b[m], h[m]     machines bought, and machines that are there and used       whole
    r[m,t]         machines rented in a period                                 whole
    x[d,t]         replicas                                                    whole
    s[d,t] ≤ c·x   share of the task's load they serve, c: of one replica
    y[d]           the run is done in this way; a[d,t] ≤ y: in this period     0 or 1
    u[d,t] ≤ a     share of the period it takes
    v[m,k,t] ≥ Σu  groups of k devices kept for runs, one after the other      whole

    Σ_d s[d,t] ≥ 1                                       every service and period
    Σ_d y[d] = 1;  Σ_t u·hours·days ≥ hours of the run   every run, days it may take
    Σ k·x + Σ k·v ≤ devices · (b + h − spares)           every kind and period (r of rented ones)

Sizes k are powers of two (or parts of one), so what fits in sum fits on the machines one by one. The objective is the
month: purchases over the months they are spread over, rents, energy.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np

from ridgewise.advise.fleets.fleet import Column, Fleet, Kind
from ridgewise.economics.cost import HOURS_PER_MONTH
from ridgewise.errors import RidgewiseError

#: Relative gap at which a choice counts as proved the best, and seconds that the search may take.
PROVED, PATIENCE = 1e-6, 30.0
Terms = dict[int, float]


@dataclass(frozen=True, slots=True)
class Row:
    """A constraint ``low ≤ Σ terms ≤ high``; ``limit`` where it is one that the user gave."""

    terms: Terms
    low: float
    high: float
    limit: str = ""


@dataclass
class Program:
    """A mixed-integer program that grows."""

    cost: list[float] = field(default_factory=list)
    most: list[float] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def variable(self, cost: float = 0.0, most: float = np.inf, whole: bool = True) -> int:
        """A further variable between 0 and ``most``; its place."""
        self.cost.append(cost)
        self.most.append(most)
        self.whole.append(whole)
        return len(self.cost) - 1

    def row(self, terms: Terms, low: float = -np.inf, high: float = np.inf, limit: str = "") -> None:
        """A further constraint."""
        self.rows.append(Row(terms, low, high, limit))

    def matrix(self) -> Any:
        """The constraints as SciPy takes them."""
        from scipy.optimize import LinearConstraint
        from scipy.sparse import csr_array

        entries = [(i, j, value) for i, row in enumerate(self.rows) for j, value in row.terms.items()]
        places, columns, values = zip(*entries, strict=True)
        shape = (len(self.rows), len(self.cost))
        return LinearConstraint(
            csr_array((values, (places, columns)), shape=shape), [r.low for r in self.rows], [r.high for r in self.rows]
        )


@dataclass(frozen=True, slots=True)
class Solution:
    """Values of the variables, the objective, a bound that none can be better than, and the search."""

    values: np.ndarray
    cost: float
    bound: float
    seconds: Annotated[float, "s"]
    nodes: int

    @property
    def gap(self) -> float:
        """How far above the best possible it may be, as a share of it."""
        return max(self.cost - self.bound, 0.0) / max(abs(self.cost), 1e-9)

    @property
    def proved(self) -> bool:
        """No other choice is cheaper."""
        return self.gap <= 10 * PROVED


def solved(program: Program, patience: float = PATIENCE) -> Solution | None:
    """The best choice; None where there is none."""
    from scipy.optimize import Bounds, milp

    began = time.perf_counter()
    found = milp(
        np.array(program.cost), integrality=np.array(program.whole, dtype=int), constraints=program.matrix(),
        bounds=Bounds(0.0, np.array(program.most)), options={"mip_rel_gap": PROVED, "time_limit": patience},
    )  # fmt: skip
    if found.status == 2:
        return None
    if found.x is None:
        raise RidgewiseError(f"the search for a fleet found nothing in {patience:g} s: {found.message}")
    whole = np.array(program.whole)
    values = np.where(whole, np.round(found.x), found.x)
    bound = float(found.mip_dual_bound) if found.mip_dual_bound is not None else float(found.fun)
    return Solution(values, float(found.fun), bound, time.perf_counter() - began, int(found.mip_node_count or 0))


def relaxed(program: Program) -> Mapping[str, float]:
    """What once more of each limit would be worth where nothing need be whole, by the slope at it."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, vstack

    held = program.matrix()
    matrix = csr_array(held.A)
    upper, lower = np.isfinite(held.ub), np.isfinite(held.lb)
    sides = np.concatenate([held.ub[upper], -held.lb[lower]])
    found = linprog(
        np.array(program.cost), A_ub=vstack([matrix[upper], -matrix[lower]]), b_ub=sides,
        bounds=np.column_stack([np.zeros(len(program.most)), program.most]), method="highs",
    )  # fmt: skip
    if found.status != 0:
        return {}
    places = np.flatnonzero(upper)
    worth: dict[str, float] = {}
    for i, row in enumerate(places):
        if name := program.rows[row].limit:  # power has a row for every period
            worth[name] = worth.get(name, 0.0) - float(found.ineqlin.marginals[i])
    return worth


@dataclass(frozen=True)
class Layout:
    """Where the variables of a fleet stand in its program."""

    bought: Mapping[int, int]
    used: Mapping[int, int]
    rented: Mapping[tuple[int, int], int]
    replicas: Mapping[tuple[int, int], int]
    served: Mapping[tuple[int, int], int]
    chosen: Mapping[int, int]
    running: Mapping[tuple[int, int], int]
    taken: Mapping[tuple[int, int], int]
    groups: Mapping[tuple[int, float, int], int]
    slack: Mapping[str, int]  # passed, as a share of the limit
    dollars: tuple[float, ...]  # a month, by variable


def program_of(
    fleet: Fleet, columns: Sequence[Column], limits: Mapping[str, float] | None = None, soft: bool = False
) -> tuple[Program, Layout]:
    """The program of a fleet. ``limits`` instead of its own; ``soft``: limits may be passed, and by how much of them in
    all is what is made least, before anything else."""
    return _Built(fleet, columns, fleet.limits if limits is None else limits, soft).result


class _Built:
    """A fleet's program in the making."""

    def __init__(self, fleet: Fleet, columns: Sequence[Column], limits: Mapping[str, float], soft: bool) -> None:
        self.fleet, self.columns, self.limits, self.soft = fleet, columns, limits, soft
        self.program = Program()
        self.enough = [self._enough(number) for number, _ in enumerate(fleet.kinds)]
        self.slack: dict[str, int] = {}
        periods, kinds = range(len(fleet.periods)), fleet.kinds
        self._machines(periods)
        self._services(periods)
        self._runs(periods)
        for number, _ in enumerate(kinds):
            for t in periods:
                self._room(number, t)
        self._limits(periods)
        layout = Layout(
            self.bought, self.used, self.rented, self.replicas, self.served, self.chosen, self.running, self.taken,
            self.groups, self.slack, tuple(self.program.cost),
        )  # fmt: skip
        if soft:
            passed = set(self.slack.values())
            self.program.cost = [float(place in passed) for place, _ in enumerate(self.program.cost)]
        self.result = self.program, layout

    def _enough(self, number: int) -> float:
        """Machines of a kind that carry everything, in whatever way."""
        devices = 0.0
        for place, task in enumerate(self.fleet.tasks):
            busiest = task.amount * max(task.loads) if task.serves else 1.0
            able = [c for c in self.columns if c.task == place and c.kind == number and c.carries > 0]
            devices += max((math.ceil(busiest / c.carries) * max(c.devices, 1.0) for c in able), default=0.0)
        return float(self.fleet.kinds[number].machines(devices) + self.fleet.spares)

    def _energy(self, watts: float, hours: float) -> float:
        """USD a month of so many watts for so many hours a month, where the fleet pays the electricity."""
        return watts / 1000.0 * hours * self.fleet.tariff

    def _machines(self, periods: range) -> None:
        fleet, program = self.fleet, self.program
        self.bought: dict[int, int] = {}
        self.used: dict[int, int] = {}
        self.rented: dict[tuple[int, int], int] = {}
        self.month: Terms = {}  # rents and energy [USD per month]
        for number, kind in enumerate(fleet.kinds):
            if kind.rented:
                if kind.rent is None:
                    continue
                for t in periods:
                    dollars = kind.rent * fleet.periods[t].month
                    self.rented[number, t] = place = program.variable(dollars, self.enough[number])
                    self.month[place] = dollars
                    self._at_most(kind, {place: 1.0})
                continue
            energy = self._energy(kind.idle, HOURS_PER_MONTH)
            if kind.have:
                self.used[number] = place = program.variable(energy, float(kind.have))
                self.month[place] = energy
            if kind.cost is not None:
                self.bought[number] = place = program.variable(kind.cost / fleet.months + energy, self.enough[number])
                self.month[place] = energy
                self._at_most(kind, {place: 1.0})

    def _at_most(self, kind: Kind, terms: Terms) -> None:
        if kind.most is not None:
            self._limit(f"machines: {kind.name}", terms, float(kind.most))

    def _services(self, periods: range) -> None:
        fleet, program = self.fleet, self.program
        self.replicas: dict[tuple[int, int], int] = {}
        self.served: dict[tuple[int, int], int] = {}
        for place, task in enumerate(fleet.tasks):
            if not task.serves:
                continue
            for t in periods:
                load = task.load(t)
                terms: Terms = {}
                for d, column in enumerate(self.columns):
                    kind = fleet.kinds[column.kind]
                    if column.task != place or min(load, column.carries) <= 0 or not self._there(column.kind, t):
                        continue
                    most = math.ceil(load / column.carries)
                    hours = fleet.periods[t].month * task.busy
                    each = 0.0 if kind.rented else self._energy(column.watts, hours) * load / column.carries
                    x, s = program.variable(0.0, most), program.variable(each, 1.0, whole=False)
                    program.row({s: 1.0, x: -column.carries / load}, high=0.0)
                    self.replicas[d, t], self.served[d, t], terms[s] = x, s, 1.0
                    if each:
                        self.month[s] = each
                if load > 0:
                    program.row(terms or {self._nothing(): 1.0}, low=1.0)

    def _nothing(self) -> int:
        """A variable that is always 0."""
        return self.program.variable(0.0, 0.0)

    def _there(self, number: int, t: int) -> bool:
        return number in self.bought or number in self.used or (number, t) in self.rented

    def _runs(self, periods: range) -> None:
        fleet, program = self.fleet, self.program
        self.chosen: dict[int, int] = {}
        self.running: dict[tuple[int, int], int] = {}
        self.taken: dict[tuple[int, int], int] = {}
        self.groups: dict[tuple[int, float, int], int] = {}
        sharing: dict[tuple[int, float, int], Terms] = {}
        for place, task in enumerate(fleet.tasks):
            if task.serves:
                continue
            one: Terms = {}
            for d, column in enumerate(self.columns):
                kind = fleet.kinds[column.kind]
                if column.task != place:
                    continue
                if column.alone:
                    if kind.rent is None:
                        continue
                    dollars = kind.rent * kind.machines(column.devices) * column.hours * task.runs
                else:
                    dollars = self._energy(column.watts, column.hours * task.runs)
                self.chosen[d] = y = program.variable(dollars, 1.0)
                self.month[y], one[y] = dollars, 1.0
                if column.alone:
                    continue
                days = task.within / 86400.0
                done: Terms = {y: -column.hours}
                for t in periods:
                    if not task.loads[t] or not self._there(column.kind, t):
                        continue
                    self.running[d, t] = a = program.variable(0.0, 1.0)
                    self.taken[d, t] = u = program.variable(0.0, 1.0, whole=False)
                    program.row({a: 1.0, y: -1.0}, high=0.0)
                    program.row({u: 1.0, a: -1.0}, high=0.0)
                    done[u] = fleet.periods[t].hours * days
                    key = (column.kind, column.devices, t)
                    sharing.setdefault(key, {})[u] = 1.0
                program.row(done, low=0.0)
            program.row(one or {self._nothing(): 1.0}, low=1.0, high=1.0)
        for key, terms in sharing.items():
            self.groups[key] = v = program.variable(0.0, float(len(terms)))
            program.row({**terms, v: -1.0}, high=0.0)

    def _room(self, number: int, t: int) -> None:
        """What stands on a kind in a period fits the machines of it."""
        kind, program = self.fleet.kinds[number], self.program
        terms: Terms = {}
        for (d, period), x in self.replicas.items():
            if period == t and self.columns[d].kind == number:
                terms[x] = self.columns[d].devices
        for (m, devices, period), v in self.groups.items():
            if m == number and period == t:
                terms[v] = devices
        if not terms:
            return
        if kind.rented:
            terms[self.rented[number, t]] = -float(kind.count)
        for owned in (self.bought, self.used):
            if number in owned:
                terms[owned[number]] = -float(kind.count)
        if self.fleet.spares and not kind.rented:
            some = program.variable(0.0, 1.0)  # is anything of this kind used?
            needed = {x: size for x, size in terms.items() if size > 0}
            program.row({**needed, some: -self.enough[number] * kind.count}, high=0.0)
            terms[some] = float(kind.count * self.fleet.spares)
        program.row(terms, high=0.0)

    def _limits(self, periods: range) -> None:
        kinds, limits = self.fleet.kinds, self.limits
        if "budget" in limits:
            prices = {place: kinds[number].cost or 0.0 for number, place in self.bought.items()}
            self._limit("budget", prices, limits["budget"])
        if "month" in limits:
            self._limit("month", self.month, limits["month"])
        owned = {place: number for held in (self.bought, self.used) for number, place in held.items()}
        if "rack" in limits:
            self._limit("rack", {place: kinds[number].rack[0] for place, number in owned.items()}, limits["rack"])
        if "power" in limits:
            for t in periods:
                terms = {place: kinds[number].idle for place, number in owned.items()}
                for (d, period), x in self.replicas.items():
                    if period == t and not kinds[self.columns[d].kind].rented:
                        terms[x] = self.columns[d].watts
                for (d, period), a in self.running.items():
                    if period == t and not kinds[self.columns[d].kind].rented:
                        terms[a] = self.columns[d].watts
                self._limit("power", terms, limits["power"])

    def _limit(self, name: str, terms: Terms, most: float) -> None:
        """A limit of the user's, as a share of it; soft ones may be passed, at a price of the share."""
        terms = {place: value for place, value in terms.items() if value}
        if name.partition(":")[0] == "machines" and name in self.limits:
            most = self.limits[name]
        if not terms or math.isinf(most):
            return
        unit = max(most, 1.0)
        terms = {place: value / unit for place, value in terms.items()}
        if self.soft:
            if name not in self.slack:
                self.slack[name] = self.program.variable(whole=False)
            terms[self.slack[name]] = -1.0
        self.program.row(terms, high=most / unit, limit=name)

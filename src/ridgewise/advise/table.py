"""Deployments side by side: what their users feel and what they hold, as columns, whatever the limits.

A row is one layout of one format on so many of one device. Rows that are alike are timed together
(:mod:`ridgewise.serving.together`); those that differ in replicas alone share their times. What one user's model holds
does not depend on how fast it is, so there only the rows that are asked for are timed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated

import numpy as np

from ridgewise.advise.drawing import drawn, serving_effort
from ridgewise.advise.option import Option
from ridgewise.economics import Draw
from ridgewise.memory import Footprint
from ridgewise.memory.engines import policy
from ridgewise.serving import Setup, Speed
from ridgewise.serving.estimate import (
    GRID,
    bands,
    footprint,
    loaded,
    memory_batch,
    most_sequences,
    settled,
    speed,
    yielded,
)
from ridgewise.serving.local import FEW_TOKENS
from ridgewise.serving.together import Together, alike
from ridgewise.timing.power import Effort
from ridgewise.units import Count, Num
from ridgewise.workloads import Service, SingleUser

#: Columns of times over the load, of requests and times at the load, of effort, and the parts of a footprint.
CURVES = ("ttft", "tpot", "e2e")
TIMES = ("batch", "felt", "ttft", "tpot", "slow_ttft", "slow_tpot")
EFFORT = ("moved", "computed")
PARTS = ("weights", "KV cache", "buffers", "engine")


@dataclass(frozen=True, slots=True)
class Row:
    """One deployment of a table: ``configuration`` is the memory of the machine where it is sold with several [B]."""

    setup: Setup
    configuration: Annotated[float, "B"] | None


class Table:
    """Columns of one value per row; NaN where a row was not asked for.

    curves          what users of one replica feel at every load of :data:`GRID`, or alone
    ends            by how much TTFT and TPOT are longer at the slow ends of their intervals, alone and with others
    peaked          the catalogue knows the peak that prompts take
    times           seconds a user waits for the first token ("felt"; "ttft" is NaN where the catalogue lacks the peak
                    it takes) and per further one ("tpot"), the same at the slow end of the interval ("slow_ttft",
                    "slow_tpot"), and the requests in flight of a replica that go with them ("batch")
    parts           bytes per device by part, ``usable`` what the engine takes
    sequences       requests of a replica that memory must hold, each of ``context`` tokens
    batch_limit     requests that all replicas run at once
    effort          what a device does per second: bytes "moved" and FLOPs "computed"
    hopeless        not even the weights fit, in a layout that only shares out the load
    options         rows that were looked at, each once
    """

    def __init__(self, work: SingleUser | Service, rows: Sequence[Row], known: Table | None = None) -> None:
        """``known``: a table of the same rows, prompts and answers, whose curves hold here too, and where the load is
        the same its times and draws."""
        self.work, self.rows = work, rows
        self.replicas = np.array([float(row.setup.replicas) for row in rows])
        self.grid = GRID if isinstance(work, Service) else np.ones(1)
        self.curves: dict[str, np.ndarray] = (
            known.curves if known else {name: self._empty(self.grid.size) for name in CURVES}
        )
        self.ends: np.ndarray = known.ends if known else self._empty(2, 2)
        self.peaked: np.ndarray = known.peaked if known else np.zeros(len(rows), dtype=bool)
        same = known if known and known.same_load(work) else None
        self.times: dict[str, np.ndarray] = same.times if same else {name: self._empty() for name in TIMES}
        self.effort: dict[str, np.ndarray] = same.effort if same else {name: self._empty() for name in EFFORT}
        self._draws: dict[int, Draw | None] = same._draws if same else {}
        self.parts = {part: self._empty() for part in PARTS}
        self.usable, self.batch_limit = self._empty(), self._empty()
        self.sequences, self.context = np.ones(len(rows)), np.full(len(rows), work.context)
        self.hopeless = np.zeros(len(rows), dtype=bool)
        self.options: dict[int, Option] = {}
        every = range(len(rows))
        if isinstance(work, Service):
            self.time(every)
            self.sequences = np.maximum(reserved(work, self.concurrency / self.replicas), 1.0)
            self.context = np.asarray(mean_context(work, self.sequences))
            self._limit(every)
        self._hold(every)

    def same_load(self, work: SingleUser | Service) -> bool:
        """Does a load differ from the table's in its longest context alone, which moves no time?"""
        return type(work) is type(self.work) and replace(self.work, context=work.context) == work

    def _empty(self, *shape: int) -> np.ndarray:
        return np.full((len(self.rows), *shape), np.nan)

    @property
    def concurrency(self) -> np.ndarray:
        """Requests in flight, all replicas together."""
        found: np.ndarray = self.times["batch"] * self.replicas
        return found

    @property
    def foot(self) -> Footprint:
        """What every row holds."""
        return Footprint(self.parts, self.usable)

    def ask(self, places: Iterable[int]) -> None:
        """Time some rows, find how many requests they run at once and what they do for it."""
        wanted = list(places)
        self.time(wanted)
        self._limit(wanted)
        self._toil(wanted)

    def speed(self, place: int) -> Speed:
        """The speed of one row that was asked for."""
        batch, ttft, tpot = (float(self.times[name][place]) for name in ("batch", "felt", "tpot"))
        return speed(self.rows[place].setup, self.work, batch, ttft, tpot)

    def draw(self, place: int) -> Draw | None:
        """What the devices of one row that was asked for draw."""
        if place not in self._draws:
            effort = Effort(*(float(self.effort[name][place]) for name in EFFORT))
            self._draws[place] = drawn(self.rows[place].setup, effort)
        return self._draws[place]

    def _groups(
        self, places: Iterable[int], key: Callable[[int], Hashable], column: np.ndarray
    ) -> Iterator[tuple[np.ndarray, Together]]:
        """Those of some rows that have no value yet in a column, in groups that share a key."""
        groups: dict[Hashable, list[int]] = {}
        wanted = np.fromiter(places, dtype=int)
        for place in wanted[np.isnan(column[wanted])].tolist():
            groups.setdefault(key(place), []).append(place)
        for members in groups.values():
            yield np.array(members), Together.of([self.rows[place].setup for place in members])

    def _timed_alike(self, place: int) -> Hashable:
        return alike(self.rows[place].setup)

    def _weighed_alike(self, place: int) -> Hashable:
        """What rows share that are weighed together: format, cache and the engine's rules on their devices."""
        setup = self.rows[place].setup
        plan, device = setup.plan, setup.device
        rules = policy(setup.engine.memory, device.architecture).id
        return setup.engine.id, plan.format.id, float(plan.kv_bits), rules, device.kind.startswith("gpu")

    def _works_alike(self, place: int) -> Hashable:
        """Rows that are timed together and, at their load, multiply in the same way."""
        setup = self.rows[place].setup
        return alike(setup), not setup.many and self.times["batch"][place] / float(setup.plan.pp) > FEW_TOKENS

    def time(self, places: Iterable[int]) -> None:
        """Time some rows."""
        wanted = np.fromiter(places, dtype=int)
        for members, setups in self._groups(wanted, self._timed_alike, self.curves["tpot"][:, 0]):
            self._draw_curves(members, setups.members)
        missing = wanted[np.isnan(self.times["tpot"][wanted])]
        if missing.size:
            for name, column in zip(TIMES, self._settled(missing), strict=True):
                self.times[name][missing] = column

    def _draw_curves(self, places: np.ndarray, setups: Sequence[Setup]) -> None:
        """Curves of deployments that are alike; those that differ in replicas alone are timed once."""
        order: dict[Hashable, int] = {}
        index = np.array([order.setdefault((setup.device, setup.plan.tp), len(order)) for setup in setups])
        many = Together.of([setups[place] for place in np.unique(index, return_index=True)[1]])
        found = loaded(many, self.work.prompt, self.work.output, self.grid)
        for name in CURVES:
            self.curves[name][places] = np.broadcast_to(getattr(found, name), (len(order), self.grid.size))[index]
        for place, sequences in enumerate((1.0, 2.0)):
            self.ends[places, place] = np.array(many.each(partial(_slow_ends, sequences=sequences)))[index]
        self.peaked[places] = np.array(many.each(lambda setup: setup.peak is not None))[index]

    def _settled(self, places: np.ndarray) -> tuple[np.ndarray, ...]:
        """:data:`TIMES` of rows whose curves are known."""
        work, replicas = self.work, self.replicas[places]
        ttft, tpot, e2e = (self.curves[name][places] for name in CURVES)
        batch, felt, pace = np.ones(len(places)), ttft[:, 0], tpot[:, 0]
        if isinstance(work, Service):
            batch, felt, pace = settled(work, replicas, ttft, tpot, e2e)
        others = (batch * replicas / replicas > 1)[:, np.newaxis]
        first, rest = np.where(others, self.ends[places, 1], self.ends[places, 0]).T
        wait = np.where(self.peaked[places], felt, np.nan)
        return batch, felt, wait, pace, wait * first, pace * rest

    def _toil(self, places: Iterable[int]) -> None:
        work = self.work
        for members, setups in self._groups(places, self._works_alike, self.effort["moved"]):
            batch, felt, tpot = (self.times[name][members, np.newaxis] for name in ("batch", "felt", "tpot"))
            each = yielded(work, batch, felt, tpot)
            found = serving_effort(setups, work.prompt, work.output, batch, each)
            for name in EFFORT:
                self.effort[name][members] = _column(getattr(found, name), len(members))

    def _hold(self, places: Iterable[int]) -> None:
        for members, setups in self._groups(places, self._weighed_alike, self.usable):
            foot = footprint(setups, self.sequences[members, np.newaxis], self.context[members, np.newaxis])
            for part in PARTS:
                self.parts[part][members] = _column(foot.parts[part], len(members))
            self.usable[members] = _column(foot.usable, len(members))
            if isinstance(self.work, Service):
                empty = _column(footprint(setups, 0.0, 256.0).left, len(members))
                self.hopeless[members] = (empty < 0) & (self.replicas[members] > 1)

    def _limit(self, places: Iterable[int]) -> None:
        for members, setups in self._groups(places, self._weighed_alike, self.batch_limit):
            held = _column(memory_batch(setups, self.context[members, np.newaxis]), len(members))
            most = np.array([most_sequences(member) for member in setups.members])
            self.batch_limit[members] = np.minimum(held, most) * self.replicas[members]


def _slow_ends(setup: Setup, sequences: float) -> tuple[float, float]:
    """Ratios of TTFT and TPOT at the slow end of their intervals, with so many sequences at once."""
    first, rest, _ = bands(setup, sequences)
    return first.high, rest.high


def _column(values: Num, rows: int) -> np.ndarray:
    return np.broadcast_to(values, (rows, 1))[:, 0]


def mean_context(work: Service, sequences: Count) -> Num:
    """Tokens per sequence when one of them is as long as the longest allowed and the others are typical."""
    typical = work.prompt + work.output
    found: Num = typical + np.maximum(work.context - typical, 0.0) / sequences
    return found


def reserved(work: Service, concurrency: Count) -> Count:
    """Requests memory must hold for a mean of ``concurrency`` in flight: arrivals are independent, so their
    number varies like a Poisson count, and ``c + 2·√c`` covers 97 % of moments. A stated concurrency is
    taken at its word."""
    return concurrency if work.concurrency is not None else concurrency + 2.0 * np.sqrt(concurrency)

"""Replicas behind a router: who gets which request, pools for prompts and answers, scaling, failures.

Routers whose choice does not depend on how busy replicas are (round robin, by prefix) share the requests out first and
run every replica by itself. ``least_outstanding`` runs all replicas up to each arrival and looks. Users in a closed
loop stay with the replica that their first request was given to, until it fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ridgewise.errors import RequestError
from ridgewise.simulation import loop
from ridgewise.simulation.replica import Outcomes, Replica
from ridgewise.simulation.request import Requests
from ridgewise.simulation.system import System
from ridgewise.units import Num

Whole = NDArray[np.int64]
Column = NDArray[np.float64]

ROUTERS = {
    "round_robin": "in turn",
    "least_outstanding": "to the replica with the fewest unanswered requests",
    "prefix_affine": "requests of one conversation to the same replica",
}
#: Passes of the loop between two looks at the clock of the person who waits.
SLICE = 20_000
#: Seconds it takes to start a replica: load weights, capture graphs, be found healthy.
START_DELAY = 120.0
#: Seconds until a failed replica is back: replaced and started.
REPAIR = 1800.0
#: Seconds below what it needs before scaling gives a replica back.
PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Scaling:
    """Replicas follow the load: one more is started when there are more unanswered requests than ``target`` for each
    that runs or starts; one is drained when a smaller number would have done for :data:`PATIENCE` seconds."""

    least: Annotated[int, "1"] = 1
    target: Annotated[float, "1"] = 32.0
    start_delay: Annotated[float, "s"] = START_DELAY
    patience: Annotated[float, "s"] = PATIENCE


@dataclass(frozen=True, slots=True)
class Failure:
    """A replica fails: what it holds is lost, and its requests begin anew elsewhere."""

    at: Annotated[float, "s"]
    replica: int = 0
    repair: Annotated[float, "s"] = REPAIR


@dataclass(frozen=True, slots=True)
class Transfer:
    """What moves a prompt's cache from one pool to the other; ``cache``: bytes of it, by tokens of the prompt."""

    cache: Callable[[Column], Num]
    bandwidth: Annotated[float, "B/s"]
    latency: Annotated[float, "s"] = 1e-3

    def seconds(self, tokens: Column) -> Num:
        """Seconds until the cache of prompts of so many tokens is there."""
        return self.latency + self.cache(tokens) / self.bandwidth


@dataclass(frozen=True, slots=True)
class Fleet:
    """Replicas and how work reaches them.

    systems   one per replica; models may differ
    answers   a second pool, which makes the tokens after the first; ``transfer`` is what lies between
    """

    systems: tuple[System, ...]
    router: str = "round_robin"
    scaling: Scaling | None = None
    failures: tuple[Failure, ...] = ()
    answers: tuple[System, ...] = ()
    transfer: Transfer | None = None

    def __post_init__(self) -> None:
        if self.router not in ROUTERS:
            raise RequestError(f"unknown router {self.router!r}", "--router", tuple(ROUTERS))
        if not self.systems:
            raise RequestError("needs one replica at least", "--replicas", ("--replicas 1",))
        wrong = [f.replica for f in self.failures if not 0 <= f.replica < len(self.systems)]
        if wrong:
            raise RequestError(f"no replica {wrong[0]}", "--fail", (f"0 to {len(self.systems) - 1}",))


def router_of(replicas: int, closed: bool) -> str:
    """The router where none is named: requests from outside go to whoever has the fewest, users stay."""
    return "least_outstanding" if replicas > 1 and not closed else "round_robin"


@dataclass(frozen=True, slots=True)
class Run:
    """A fleet's run, whole or as far as it came.

    up        seconds that each replica was paid for: running, or starting
    partial   stopped before the end
    """

    fleet: Fleet
    outcomes: Outcomes
    replicas: tuple[Replica, ...]
    up: Annotated[tuple[float, ...], "s"]
    partial: bool = False
    answering: tuple[Replica, ...] = ()

    @property
    def asked(self) -> Requests:
        return self.outcomes.asked

    @property
    def end(self) -> float:
        """When the last step ended [s]."""
        return max(replica.clock for replica in (*self.replicas, *self.answering))


Watch = Callable[[int, int, float], None]


def run(
    fleet: Fleet, asked: Requests, fast: bool | None = None, watch: Watch | None = None, log: int = 0
) -> Run:  # fmt: skip
    """Simulate. ``fast``: the compiled loop, None: where it is worth compiling; ``watch`` hears of requests done, in
    all, and the simulated time; ``log``: runs of steps to keep for a timeline.

    A KeyboardInterrupt ends the run where it is: what was answered until then counts.
    """
    compiled = fast if fast is not None else worth_compiling(len(asked))
    if fleet.answers:
        return _pools(fleet, asked, compiled, watch, log)
    outcomes = Outcomes(asked)
    replicas = tuple(Replica(system, outcomes, compiled, log) for system in fleet.systems)
    moving = fleet.router == "least_outstanding" or bool(fleet.failures) or fleet.scaling is not None
    if asked.closed and fleet.scaling:
        raise RequestError("users in a closed loop stay with their replica", "--users", ("--rate",))
    partial, up = False, None
    try:
        if asked.closed and fleet.failures:
            up = _staying(fleet, asked, outcomes, replicas, watch)
        elif moving and not asked.closed:
            up = _moving(fleet, asked, outcomes, replicas, watch)
        else:
            _apart(fleet, asked, outcomes, replicas, watch)
    except KeyboardInterrupt:
        partial = True
    end = max(replica.clock for replica in replicas)
    return Run(fleet, outcomes, replicas, up or tuple(end for _ in replicas), partial)


#: Requests from which the time numba takes to start pays.
WORTH = 20_000


def worth_compiling(count: int) -> bool:
    """Whether so many requests are better run compiled."""
    return count >= WORTH and loop.compiled() is not None


def _of_model(fleet: Fleet, asked: Requests) -> Iterator[tuple[Whole, Whole]]:
    """For each model, its requests and its replicas; RequestError where nobody serves one."""
    serving = np.array([system.model for system in fleet.systems])
    for model in np.unique(asked.model):
        able = np.flatnonzero(serving == model)
        if not len(able):
            raise RequestError(f"no replica serves model {model}", "requests")
        yield np.flatnonzero(asked.model == model), able


def _choice(fleet: Fleet, asked: Requests) -> Whole:
    """The replica of each request, where it does not depend on how busy they are."""
    chosen = np.zeros(len(asked), dtype=np.int64)
    followers = np.zeros(len(asked), dtype=bool)
    followers[asked.follower[asked.follower >= 0]] = True
    for mine, able in _of_model(fleet, asked):
        own = mine[~followers[mine]]
        turn = np.arange(len(own))
        if fleet.router == "prefix_affine":
            turn = np.where(asked.group[own] >= 0, asked.group[own], turn)
        chosen[own] = able[turn % len(able)]
    for i in np.flatnonzero(asked.follower >= 0):  # in order: who follows comes later
        chosen[asked.follower[i]] = chosen[i]
    return chosen


def _apart(
    fleet: Fleet, asked: Requests, outcomes: Outcomes, replicas: Sequence[Replica], watch: Watch | None
) -> None:  # fmt: skip
    """Every replica by itself."""
    chosen = _choice(fleet, asked)
    outcomes.place[:] = chosen
    coming = ~np.isnan(asked.arrival)
    for number, replica in enumerate(replicas):
        mine = np.flatnonzero((chosen == number) & coming)
        replica.expect(mine) if asked.closed else replica.push(mine)
    outcomes.place[:] = chosen
    total = len(asked)
    for replica in replicas:
        while replica.advance(np.inf, SLICE):
            if watch:
                watch(sum(r.done for r in replicas), total, replica.clock)


@dataclass(slots=True)
class _Moving:
    """Replicas while requests are given to whoever is least busy."""

    up: list[bool]
    ready: list[float]
    since: list[float]
    paid: list[float]
    given: list[int]
    spare_since: float = np.inf


def _moving(
    fleet: Fleet, asked: Requests, outcomes: Outcomes, replicas: Sequence[Replica], watch: Watch | None
) -> tuple[float, ...]:  # fmt: skip
    """Up to each arrival or event in turn; the seconds each replica was paid for."""
    count, scaling = len(replicas), fleet.scaling
    running = scaling.least if scaling else count
    now = _Moving([i < running for i in range(count)], [0.0] * count, [0.0] * count, [0.0] * count, [0] * count)
    events = _events(fleet)
    able = {int(asked.model[mine[0]]): list(map(int, who)) for mine, who in _of_model(fleet, asked)}
    homeless: list[int] = []
    for i in range(len(asked)):
        time = float(asked.arrival[i])
        while events and events[0][0] <= time:
            at, kind, failure = events.pop(0)
            homeless += _fail(now, outcomes, replicas, failure, at) if kind == 0 else _repaired(now, failure, at)
            homeless = _place_all(fleet, now, outcomes, replicas, able, homeless, at)
        if not _give(fleet, now, outcomes, replicas, able[int(asked.model[i])], i, time, i):
            homeless.append(i)
        if scaling:
            _scale(scaling, now, replicas, time)
            homeless = _place_all(fleet, now, outcomes, replicas, able, homeless, time)
        if watch and i % 500 == 0:
            watch(sum(r.done for r in replicas), len(asked), time)
    for at, kind, failure in events:
        homeless += _fail(now, outcomes, replicas, failure, at) if kind == 0 else _repaired(now, failure, at)
        homeless = _place_all(fleet, now, outcomes, replicas, able, homeless, at)
    if homeless:
        homeless = _place_all(fleet, now, outcomes, replicas, able, homeless, max(now.ready))
    for replica in replicas:
        while replica.advance(np.inf, SLICE):
            if watch:
                watch(sum(r.done for r in replicas), len(asked), replica.clock)
    return _paid(now, max(replica.clock for replica in replicas))


def _events(fleet: Fleet) -> list[tuple[float, int, Failure]]:
    """When replicas fail (0) and are back (1), in order."""
    both = [(f.at, 0, f) for f in fleet.failures] + [(f.at + f.repair, 1, f) for f in fleet.failures]
    return sorted(both, key=lambda event: event[:2])


def _paid(now: _Moving, end: float) -> tuple[float, ...]:
    """Seconds each replica was paid for up to the end."""
    return tuple(
        paid + (max(end - since, 0.0) if up else 0.0)
        for paid, since, up in zip(now.paid, now.since, now.up, strict=True)
    )


def _staying(
    fleet: Fleet, asked: Requests, outcomes: Outcomes, replicas: Sequence[Replica], watch: Watch | None
) -> tuple[float, ...]:  # fmt: skip
    """Users in a closed loop, who stay with their replica until it fails: they are then dealt to those that run, and
    dealt anew when it is back. The seconds each replica was paid for."""
    count = len(replicas)
    now = _Moving([True] * count, [0.0] * count, [0.0] * count, [0.0] * count, [0] * count)
    chosen = _choice(fleet, asked)
    outcomes.place[:] = chosen
    coming = ~np.isnan(asked.arrival)
    for number, replica in enumerate(replicas):
        replica.expect(np.flatnonzero((chosen == number) & coming))
    homeless: list[int] = []
    for at, kind, failure in _events(fleet):
        for number, replica in enumerate(replicas):
            if now.up[number]:
                replica.advance(at)
        if kind == 0:
            if now.up[failure.replica]:
                homeless += replicas[failure.replica].thinking()
            homeless += _fail(now, outcomes, replicas, failure, at)
        else:
            homeless += [i for number, replica in enumerate(replicas) if now.up[number] for i in replica.thinking()]
            _repaired(now, failure, at)
        homeless = _dealt(now, outcomes, replicas, homeless, at)
    for replica in replicas:
        while replica.advance(np.inf, SLICE):
            if watch:
                watch(sum(r.done for r in replicas), len(asked), replica.clock)
    return _paid(now, max(replica.clock for replica in replicas))


def _dealt(
    now: _Moving, outcomes: Outcomes, replicas: Sequence[Replica], items: Sequence[int], at: float
) -> list[int]:  # fmt: skip
    """Requests of users without a replica, each to the one that runs and has the fewest users; those that are left."""
    left = []
    for i in items:
        able = [r for r, up in enumerate(now.up) if up and replicas[r].system.model == outcomes.asked.model[i]]
        if not able:
            left.append(i)
            continue
        chosen = min(able, key=lambda r: replicas[r].held)
        replica = replicas[chosen]
        replica.real[loop.CLOCK] = max(replica.clock, at)  # it cannot begin before it is given
        replica.expect(np.array([i]))
        while i >= 0:
            outcomes.place[i] = chosen
            i = int(outcomes.asked.follower[i])
    return left


def _give(
    fleet: Fleet, now: _Moving, outcomes: Outcomes, replicas: Sequence[Replica], able: Sequence[int], i: int,
    time: float, turn: int,
) -> bool:  # fmt: skip
    """A request to the replica its router chooses among those that run; False where none does."""
    alive = [r for r in able if now.up[r] and now.ready[r] <= time]
    if not alive:
        return False
    if fleet.router == "least_outstanding":
        for r in alive:
            if replicas[r].clock < time and not replicas[r].idle:
                replicas[r].advance(time)
        start = turn % len(alive)
        chosen = min(alive[start:] + alive[:start], key=lambda r: now.given[r] - replicas[r].done)
    elif fleet.router == "prefix_affine" and outcomes.asked.group[i] >= 0:
        chosen = alive[int(outcomes.asked.group[i]) % len(alive)]
    else:
        chosen = alive[turn % len(alive)]
    replica = replicas[chosen]
    if replica.clock < time and not replica.idle:
        replica.advance(time)
    replica.push(np.array([i]))
    outcomes.place[i] = chosen
    now.given[chosen] += 1
    return True


def _place_all(
    fleet: Fleet, now: _Moving, outcomes: Outcomes, replicas: Sequence[Replica], able: dict[int, list[int]],
    items: Sequence[int], time: float,
) -> list[int]:  # fmt: skip
    """Requests that nobody holds, to whoever runs; those that are left."""
    left = []
    for turn, i in enumerate(items):
        mine = able[int(outcomes.asked.model[i])]
        for r in mine:  # it cannot begin before it is given
            if replicas[r].idle and now.up[r] and now.ready[r] <= time:
                replicas[r].real[loop.CLOCK] = max(replicas[r].clock, time)
        if not _give(fleet, now, outcomes, replicas, mine, i, time, turn):
            left.append(i)
    return left


def _fail(
    now: _Moving, outcomes: Outcomes, replicas: Sequence[Replica], failure: Failure, at: float
) -> list[int]:  # fmt: skip
    """What a failed replica held, to be begun anew."""
    r, replica = failure.replica, replicas[failure.replica]
    if not now.up[r]:
        return []
    replica.advance(at)
    held = replica.own["queue"][: int(replica.state[loop.TAIL])]
    lost = held[np.isin(outcomes.status[held], (loop.WAITING, loop.DECODES, loop.READS)) & (outcomes.place[held] == r)]
    lost = np.unique(lost)
    for column in (outcomes.first, outcomes.finish, outcomes.scheduled):
        column[lost] = np.nan
    outcomes.made[lost] = 0
    outcomes.status[lost] = loop.WAITING
    outcomes.place[lost] = -1
    outcomes.put_back[lost] += 1
    replica.clear(at)
    now.given[r] = replica.done
    now.up[r] = False
    now.paid[r] += at - now.since[r]
    return [int(i) for i in lost]


def _repaired(now: _Moving, failure: Failure, at: float) -> list[int]:
    now.up[failure.replica], now.ready[failure.replica], now.since[failure.replica] = True, at, at
    return []


def _scale(scaling: Scaling, now: _Moving, replicas: Sequence[Replica], time: float) -> None:
    """One replica more, or one fewer, as the unanswered requests ask for."""
    up = [r for r in range(len(replicas)) if now.up[r]]
    for r in up:
        if replicas[r].clock < time and not replicas[r].idle:
            replicas[r].advance(time)
    unanswered = sum(now.given[r] - replicas[r].done for r in up)
    down = [r for r in range(len(replicas)) if not now.up[r]]
    if unanswered > scaling.target * len(up) and down:
        r = down[0]
        now.up[r], now.ready[r], now.since[r] = True, time + scaling.start_delay, time
        now.spare_since = np.inf
    elif len(up) > scaling.least and unanswered < scaling.target * (len(up) - 1):
        now.spare_since = min(now.spare_since, time)
        ending = next((r for r in reversed(up) if now.given[r] == replicas[r].done), None)
        if time - now.spare_since > scaling.patience and ending is not None:
            now.up[ending] = False
            now.paid[ending] += time - now.since[ending]
            now.spare_since = np.inf
    else:
        now.spare_since = np.inf


def _pools(
    fleet: Fleet, asked: Requests, compiled: bool, watch: Watch | None, log: int
) -> Run:  # fmt: skip
    """Prompts in one pool, further tokens in another, the cache sent between them."""
    if asked.closed:
        raise RequestError("pools for prompts and answers take open arrivals", "--users", ("--rate",))
    if fleet.failures or fleet.scaling:
        raise RequestError("pools for prompts and answers neither fail nor scale", "--fail")
    assert fleet.transfer is not None
    prompts = replace(asked, output=np.ones(len(asked), dtype=np.int64))
    before = run(Fleet(fleet.systems, fleet.router), prompts, compiled, watch, log)
    first = before.outcomes.first
    served = (before.outcomes.status == loop.SERVED) & (asked.output > 1)
    sent = np.where(served, first + fleet.transfer.seconds(asked.prompt.astype(float)), np.inf)
    order = np.argsort(sent, kind="stable")[: int(served.sum())]
    final = Outcomes(asked)
    for name in ("scheduled", "first", "finish", "status", "put_back", "hit", "place"):
        getattr(final, name)[:] = getattr(before.outcomes, name)
    if not len(order):
        return Run(fleet, final, before.replicas, before.up, before.partial)
    rest = Requests(
        sent[order], asked.prompt[order], asked.output[order], np.full(len(order), -1), asked.shared[order],
        np.full(len(order), -1), asked.think[order], asked.model[order], asked.counted[order],
    )  # fmt: skip
    outcomes = Outcomes(rest)
    outcomes.along[:] = 1
    second = tuple(Replica(system, outcomes, compiled, log) for system in fleet.answers)
    partial = before.partial
    try:
        _apart(Fleet(fleet.answers), rest, outcomes, second, watch)
    except KeyboardInterrupt:
        partial = True
    final.finish[order], final.status[order] = outcomes.finish, outcomes.status
    end = max(replica.clock for replica in (*before.replicas, *second))
    return Run(fleet, final, before.replicas, (end,) * (len(before.replicas) + len(second)), partial, second)

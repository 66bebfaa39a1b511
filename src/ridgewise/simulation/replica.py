"""A replica at work: the columns of the loop, and the loop run on them in plain Python or compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ridgewise.simulation import loop
from ridgewise.simulation.request import Requests
from ridgewise.simulation.steptimes import columns
from ridgewise.simulation.system import System

Column = NDArray[np.float64]
Whole = NDArray[np.int64]

#: Edges of the bins of gaps between tokens [s].
EDGES: Column = np.asarray(loop.GAP_LEAST * loop.GAP_RATIO ** np.arange(loop.GAPS), dtype=np.float64)
#: Width of a bin of the series at first [s].
FIRST_WIDTH = 0.05


class Outcomes:
    """What became of every request: columns that all replicas write to, a row each.

    arrival is the requests' own, filled in for followers; ``scheduled``, ``first`` and ``finish`` are seconds, NaN
    where it did not come to that; ``status`` as in :mod:`ridgewise.simulation.loop`.
    """

    def __init__(self, asked: Requests) -> None:
        count = len(asked)
        self.asked = asked
        self.arrival: Column = asked.arrival.copy()
        self.scheduled, self.first, self.finish = (np.full(count, np.nan) for _ in range(3))
        self.status, self.made, self.put_back, self.hit = (np.zeros(count, dtype=np.int64) for _ in range(4))
        self.joined, self.due, self.before, self.after = (np.empty(count, dtype=np.int64) for _ in range(4))
        self.along: Whole = np.zeros(count, dtype=np.int64)
        self.place: Whole = np.full(count, -1, dtype=np.int64)

    def shared(self) -> dict[str, Any]:
        """The columns of the loop that belong to requests."""
        mine = ("arrival", "along", "scheduled", "first", "finish", "status", "made", "joined", "due", "put_back",
                "hit", "before", "after")  # fmt: skip
        theirs = ("prompt", "output", "group", "shared", "follower", "think")
        return {name: getattr(self, name) for name in mine} | {name: getattr(self.asked, name) for name in theirs}


class Replica:
    """One replica's state. ``fast``: run the compiled loop."""

    def __init__(self, system: System, outcomes: Outcomes, fast: bool, log: int = 0) -> None:
        self.system, self.outcomes = system, outcomes
        asked, policy = outcomes.asked, system.policy
        count, groups = len(asked), int(asked.group.max(initial=-1)) + 1
        self.state: Whole = np.zeros(loop.STATE, dtype=np.int64)
        self.real: Column = np.zeros(loop.REAL_STATE)
        self.rules: Whole = np.zeros(loop.RULES, dtype=np.int64)
        self.ratios: Column = np.zeros(loop.RATIOS)
        rules = {
            loop.SEQUENCES: system.sequences, loop.TOKENS: system.tokens, loop.BLOCKS: system.blocks,
            loop.BLOCK: policy.block, loop.MIXED: policy.mixed, loop.RESERVE_ALL: policy.reserve_all,
            loop.WHOLE: policy.whole, loop.CHUNKED: policy.chunked, loop.ROWS: system.times.rows_each,
            loop.LONGEST: system.longest, loop.PREFIX: policy.prefix and groups > 0,
            loop.PERIOD: max(1, round(policy.block / system.gained)), loop.KINDS: len(system.times.windows),
        }  # fmt: skip
        for place, value in rules.items():
            self.rules[place] = int(value)
        self.ratios[:] = system.gained, policy.reserve_least, policy.reserve_less
        later = count + 1 if asked.closed else 1
        own: dict[str, Any] = {
            "queue": np.empty(count + 1, dtype=np.int64), "stack": np.empty(system.sequences + 1, dtype=np.int64),
            "heap": np.empty(2 * system.sequences + 16, dtype=np.int64),
            "coming_time": np.empty(later), "coming": np.empty(later, dtype=np.int64),
            "fresh": np.empty(2 * system.sequences + 2, dtype=np.int64),
            "phases": np.zeros(int(self.rules[loop.PERIOD]), dtype=np.int64),
            "kept": np.zeros(groups + 1, dtype=np.int64), "older": np.zeros(groups + 1, dtype=np.int64),
            "newer": np.zeros(groups + 1, dtype=np.int64), "gaps": np.zeros(loop.GAPS, dtype=np.int64),
            "edges": EDGES, "series": np.zeros(loop.SERIES * loop.BINS), "log": np.zeros(log * loop.LOG),
        }  # fmt: skip
        self.own = own
        given = {"state": self.state, "real": self.real, "rules": self.rules, "ratios": self.ratios}
        given |= outcomes.shared() | own | dict(columns(system.times))
        kernel = loop.compiled() if fast else None
        self._run = kernel or loop.advance
        names = loop.advance.__code__.co_varnames[2 : loop.advance.__code__.co_argcount]
        self._columns = [given[name] if kernel else _plain(given[name]) for name in names]
        self.clear(0.0)

    def clear(self, clock: float) -> None:
        """Empty, at this time: nothing queued, cached or running."""
        state = self.state
        kept = {place: int(state[place]) for place in (loop.ENDED, loop.STEPS, loop.REFUSED, loop.PUT_BACK, loop.HIT,
                                                       loop.PEAK, loop.READ, loop.LOGGED, loop.STEP)}  # fmt: skip
        state[:] = 0
        for place, value in kept.items():
            state[place] = value
        state[loop.FREE] = self.system.blocks
        for place in (loop.PARTIAL, loop.LAST, loop.OLDEST, loop.NEWEST):
            state[place] = -1
        self.own["phases"][:] = 0
        self.own["kept"][:] = 0
        real = self.real
        real[loop.CLOCK] = max(clock, real[loop.CLOCK])
        real[loop.RATIO], real[loop.CONTEXT], real[loop.LEFT] = self.system.policy.reserve, 0.0, 0.0
        real[loop.WIDTH] = real[loop.WIDTH] or FIRST_WIDTH

    def push(self, items: Whole) -> None:
        """Requests to its queue, in order of arrival, none before those already there."""
        tail = int(self.state[loop.TAIL])
        self.own["queue"][tail : tail + len(items)] = items
        self.state[loop.TAIL] += len(items)

    def expect(self, items: Whole) -> None:
        """Requests of users who will ask again when they are answered."""
        size = int(self.state[loop.COMING])
        times, numbers = self.own["coming_time"], self.own["coming"]
        for i in items:
            size = loop.push_timed(times, numbers, size, self.outcomes.arrival[i], i)
        self.state[loop.COMING] = size

    def advance(self, until: float, most: int = 1 << 60) -> bool:
        """Run to a time; whether it stopped early, after ``most`` passes."""
        return bool(self._run(until, most, *self._columns))

    def thinking(self) -> list[int]:
        """Requests that have not come yet; they are no longer expected."""
        found = [int(i) for i in self.own["coming"][: int(self.state[loop.COMING])]]
        self.state[loop.COMING] = 0
        return sorted(found)

    @property
    def held(self) -> int:
        """Requests that run, wait or will come."""
        s = self.state
        return int(s[loop.RUNNING] + s[loop.STACKED] + s[loop.COMING] + s[loop.TAIL] - s[loop.HEAD])

    @property
    def clock(self) -> float:
        return float(self.real[loop.CLOCK])

    @property
    def idle(self) -> bool:
        """Nothing runs, waits or will come."""
        return self.held == 0

    @property
    def done(self) -> int:
        """Requests answered or refused."""
        return int(self.state[loop.ENDED] + self.state[loop.REFUSED])


def _plain(value: Any) -> Any:
    """A column as plain Python reads it fastest: indexing gives floats and ints, writing goes to the array."""
    return memoryview(value) if isinstance(value, np.ndarray) else value  # type: ignore[arg-type]

"""A fleet under a load, as expected and at the ends of its calibrated interval, and which limits it keeps.

The calibrated 80 % band of TPOT is a band of step times: the run is repeated with every step as long as its ends say,
so that queues are part of the interval. Whoever shows a latency or says that a limit is kept asks here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ridgewise.serving.estimate import bands
from ridgewise.serving.setup import Setup
from ridgewise.simulation.fleet import Fleet, Run, Watch, run
from ridgewise.simulation.metrics import Limit, Metrics, measured, ranges
from ridgewise.simulation.request import Requests
from ridgewise.timing.coefficients import Band

#: The ends of an interval that a run may be repeated at.
SLOW, QUICK = "slow", "quick"


def bands_of(setup: Setup, sequences: float) -> dict[str, Band]:
    """The calibrated intervals of the latencies; those of ITL and E2E follow from TPOT's."""
    first, rest, _ = bands(setup, max(sequences, 1.0))
    return {"ttft": first, "tpot": rest, "itl": rest}


@dataclass(frozen=True, slots=True)
class Kept:
    """A limit, and what it is held against: value, low and high end [s]; None where nothing was answered."""

    limit: Limit
    range: tuple[float, float, float] | None

    @property
    def likely(self) -> bool:
        """Whether it is kept as expected."""
        return self.range is not None and self.range[0] <= self.limit.most

    @property
    def surely(self) -> bool:
        """Whether it is kept at the slow end."""
        return self.range is not None and self.range[2] <= self.limit.most

    @property
    def high(self) -> float:
        return self.range[2] if self.range is not None else float("inf")


@dataclass(frozen=True, slots=True)
class Interval:
    """What a fleet does under a load: as expected, and at the ends that were run (None: not)."""

    run: Run
    found: Metrics
    slow: Metrics | None
    quick: Metrics | None
    bands: Mapping[str, Band]

    @property
    def latencies(self) -> dict[str, dict[str, tuple[float, float, float]]]:
        """Name → statistic → value, low and high end [s]; none is narrower than the calibrated one."""
        return ranges(self.found, self.slow, self.quick, self.bands)

    @property
    def rates(self) -> dict[str, tuple[float, float, float]]:
        """Requests, tokens made ("output") and tokens in all ("total") per second: value, low and high end, of the
        same runs as the latencies, so that of each end holds what Little's law says."""
        ends = [one for one in (self.found, self.slow, self.quick) if one is not None]
        every = {name: [float(getattr(one, name)) for one in ends] for name in ("requests", "output", "total")}
        return {name: (values[0], min(values), max(values)) for name, values in every.items()}

    def kept(self, limits: Sequence[Limit]) -> Iterator[Kept]:
        latencies = self.latencies
        for one in limits:
            yield Kept(one, latencies.get(one.latency, {}).get(one.statistic))


def interval(
    fleet: Fleet, asked: Requests, setup: Setup, limits: Sequence[Limit] = (), ends: Sequence[str] = (SLOW, QUICK),
    fast: bool | None = None, watch: Watch | None = None, log: int = 0,
) -> Interval:  # fmt: skip
    """Simulate a fleet of replicas of ``setup``, and again at each of ``ends``. Where the user stops a repetition, the
    interval is the calibrated one alone."""
    done = run(fleet, asked, fast, watch, log)
    found = measured(done, limits)
    calibrated = bands_of(setup, found.running / max(len(fleet.systems), 1))
    repeated: dict[str, Metrics] = {}
    for end in ends if not done.partial else ():
        factor = calibrated["tpot"].high if end == SLOW else calibrated["tpot"].low
        other = replace(
            fleet, systems=tuple(s.slower(factor) for s in fleet.systems),
            answers=tuple(s.slower(factor) for s in fleet.answers),
        )  # fmt: skip
        again = run(other, asked, fast, watch)
        if again.partial:
            repeated = {}
            break
        repeated[end] = measured(again, limits)
    return Interval(done, found, repeated.get(SLOW), repeated.get(QUICK), calibrated)

"""What a run says: latencies as people feel them, goodput, stability, and how busy the system was.

    TTFT  arrival to first token       TPOT  (last token − first token) / (tokens − 1), of each request
    E2E   arrival to last token        ITL   gap between two tokens of one request, over all tokens

TTFT and E2E include the time a request takes outside the engine. Only requests that count and were answered enter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ridgewise.errors import RequestError, nearest
from ridgewise.simulation import loop
from ridgewise.simulation.fleet import Run
from ridgewise.simulation.replica import EDGES
from ridgewise.timing.coefficients import Band
from ridgewise.units import duration, parse

Column = NDArray[np.float64]

#: Statistics of each latency, in the order they are shown.
STATISTICS = ("mean", "p50", "p90", "p95", "p99")
LATENCIES = ("ttft", "tpot", "itl", "e2e", "wait")


def statistics(values: Sequence[float] | Column) -> dict[str, float]:
    """Mean and percentiles [s]; nothing of no values."""
    held = np.asarray(values, dtype=float)
    if not held.size:
        return {}
    points = np.percentile(held, [50, 90, 95, 99])
    return dict(zip(STATISTICS, (float(held.mean()), *map(float, points)), strict=True))


@dataclass(frozen=True, slots=True)
class Limit:
    """A promise about a latency: a statistic of it and the most it may be."""

    latency: str
    statistic: str
    most: Annotated[float, "s"]

    def __str__(self) -> str:
        return f"{self.latency.upper()} {self.statistic} ≤ {duration(self.most)}"


def limit(latency: str, text: str, where: str) -> Limit:
    """A promise from words: "p95=1s", or "1s" for the 95th percentile; RequestError shows the form."""
    statistic, equals, amount = text.partition("=")
    if not equals:
        statistic, amount = "p95", text
    statistic = {"median": "p50", "avg": "mean"}.get(statistic.strip().casefold(), statistic.strip().casefold())
    if statistic not in STATISTICS:
        raise RequestError(f"unknown statistic {statistic!r}", where, nearest(statistic, STATISTICS) or STATISTICS)
    most = parse(amount, "s", where)
    if not 0 < most <= 3600:
        raise RequestError(f"{amount!r} is no limit anybody feels", where, ("p95=1s", "p99=50ms"))
    return Limit(latency, statistic, most)


@dataclass(frozen=True, slots=True)
class Level:
    """How busy the system was over time, in bins of equal width [s]; all replicas together.

    running, waiting   requests being answered, and requests that have come and wait for a place
    cache    share of the cache blocks held
    read, made   tokens of prompts, tokens of answers, per second
    """

    width: Annotated[float, "s"]
    running: Column
    waiting: Column
    cache: Column
    read: Annotated[Column, "tokens/s"]
    made: Annotated[Column, "tokens/s"]


@dataclass(frozen=True, slots=True)
class Metrics:
    """The figures of a run.

    latencies   name → statistic → seconds; "wait" is from arrival until the first step it takes part in
    counted     requests that the latencies are of, of ``asked`` in all; ``refused`` could never fit
    requests, output, total   per second: requests answered, tokens made, tokens read and made
    goodput     requests per second that kept every limit, and their share of those counted
    jitter      ITL p99 over p50; ``spread``: p99 over p50 of TTFT, TPOT and E2E
    running   mean number of requests at work at once (of a single replica: while it was busy)
    cache     mean share of the cache held while busy; ``cache_peak``: the most
    busy        share of the time in which replicas computed
    put_back    times a request was put back because memory ran out; ``hit``: share of prompt tokens found in the cache
    span        seconds from the first counted arrival to the end of what is counted
    simulated   seconds of the whole run; ``steps`` of all engines
    """

    latencies: Mapping[str, Mapping[str, float]]
    asked: int
    counted: int
    refused: int
    unfinished: int
    requests: Annotated[float, "1/s"]
    output: Annotated[float, "tokens/s"]
    total: Annotated[float, "tokens/s"]
    goodput: Annotated[float, "1/s"]
    good: Annotated[float, "ratio"]
    jitter: Annotated[float, "ratio"]
    spread: Mapping[str, float]
    running: Annotated[float, "1"]
    cache: Annotated[float, "ratio"]
    cache_peak: Annotated[float, "ratio"]
    busy: Annotated[float, "ratio"]
    put_back: int
    hit: Annotated[float, "ratio"]
    span: Annotated[float, "s"]
    simulated: Annotated[float, "s"]
    up: Annotated[float, "s"]
    steps: int
    level: Level


def columns(run: Run) -> dict[str, Column]:
    """Latencies of every request [s]; NaN where it was not answered. An answer of one token has no TPOT."""
    o = run.outcomes
    served = o.status == loop.SERVED
    outside = np.array([system.overhead for system in run.fleet.systems])[np.maximum(o.place, 0)]
    tokens = run.asked.output

    def of(values: Column) -> Column:
        return np.where(served, values, np.nan)

    with np.errstate(invalid="ignore"):
        return {
            "ttft": of(o.first - o.arrival + outside),
            "tpot": np.where(served & (tokens > 1), (o.finish - o.first) / np.maximum(tokens - 1, 1), np.nan),
            "e2e": of(o.finish - o.arrival + outside),
            "wait": of(o.scheduled - o.arrival),
        }


def measured(run: Run, limits: Sequence[Limit] = ()) -> Metrics:
    """The figures of a run; latencies are held against ``limits`` request by request for the goodput."""
    o, asked = run.outcomes, run.asked
    found = columns(run)
    served = o.status == loop.SERVED
    begin, end = _window(run, served)
    with np.errstate(invalid="ignore"):
        counted = served & asked.counted & (o.arrival >= begin) & (o.arrival <= end)
    latencies = {name: statistics(values[counted & np.isfinite(values)]) for name, values in found.items()}
    gaps = sum((r.own["gaps"] for r in (*run.answering, *run.replicas)), np.zeros(loop.GAPS, dtype=np.int64))
    latencies["itl"] = _from_bins(gaps)
    good = counted.copy()
    for promise in limits:
        with np.errstate(invalid="ignore"):
            good &= ~(found[promise.latency] > promise.most) if promise.latency in found else True
    last = end if asked.closed else float(np.max(o.finish[counted], initial=begin))
    span = max(last - begin, 1e-12)
    inside = served & (o.finish >= begin) & (o.finish <= last) if asked.closed else counted
    made, read = float(asked.output[inside].sum()), float(asked.prompt[inside].sum())
    replicas = (*run.replicas, *run.answering)
    up, busy = sum(run.up), sum(float(r.real[loop.BUSY]) for r in replicas)
    level = _level(run, run.end)
    work = max(sum(float(r.own["series"][: loop.BINS].sum()) for r in replicas), 1e-12)
    batch = sum(float(r.own["series"][loop.BINS : 2 * loop.BINS].sum()) for r in replicas)
    held = sum(float(r.own["series"][2 * loop.BINS : 3 * loop.BINS].sum()) / r.system.blocks for r in replicas)
    prompts = max(float(asked.prompt[o.status != loop.TOO_LARGE].sum()), 1.0)
    return Metrics(
        latencies, len(asked), int(counted.sum()), int((o.status == loop.TOO_LARGE).sum()),
        int(((o.status != loop.SERVED) & (o.status != loop.TOO_LARGE)).sum()),
        float(inside.sum()) / span, made / span, (made + read) / span,
        float(good.sum()) / span, float(good.sum()) / max(int(counted.sum()), 1),
        _ratio(latencies["itl"]), {name: _ratio(latencies[name]) for name in ("ttft", "tpot", "e2e")},
        batch / work if len(replicas) == 1 else _mean_running(run, begin, last),
        held / work, max(float(r.state[loop.PEAK]) / r.system.blocks for r in replicas),
        min(busy / up, 1.0) if up > 0 else 0.0, int(o.put_back.sum()), float(o.hit.sum()) / prompts,
        span, run.end, up, sum(int(r.state[loop.STEPS]) for r in replicas), level,
    )  # fmt: skip


def _window(run: Run, served: NDArray[np.bool_]) -> tuple[float, float]:
    """When counting begins and ends: with users in a closed loop, when the first of them has asked all of theirs."""
    o, asked = run.outcomes, run.asked
    mine = asked.counted & np.isfinite(o.arrival)
    begin = float(o.arrival[mine].min()) if mine.any() else 0.0
    if not asked.closed:
        return begin, float(np.inf)
    last = (asked.follower < 0) & served & (asked.counted if (asked.counted & (asked.follower < 0)).any() else True)
    first = np.zeros(len(asked), dtype=bool)
    first[asked.follower[asked.follower >= 0]] = True
    begun = o.arrival[~first & np.isfinite(o.arrival)]
    begin = max(begin, float(begun.max()) if len(begun) else begin)
    end = float(o.finish[last].min()) if last.any() else run.end
    return (begin, end) if end > begin else (float(o.arrival[mine].min()) if mine.any() else 0.0, run.end)


def _mean_running(run: Run, begin: float, end: float) -> float:
    """Requests at work at once, over the window (Little's law)."""
    o = run.outcomes
    with np.errstate(invalid="ignore"):
        inside = np.clip(np.minimum(o.finish, end) - np.maximum(o.scheduled, begin), 0.0, None)
    return float(np.nansum(inside)) / max(end - begin, 1e-12)


def _from_bins(counts: NDArray[np.int64]) -> dict[str, float]:
    """Statistics of gaps that were counted in bins: each percentile to a bin's width."""
    total = int(counts.sum())
    if not total:
        return {}
    middle = EDGES * np.sqrt(loop.GAP_RATIO)
    passed = np.cumsum(counts) / total
    points = [float(middle[int(np.searchsorted(passed, q))]) for q in (0.5, 0.9, 0.95, 0.99)]
    mean = float((middle * counts).sum() / total)
    return dict(zip(STATISTICS, (mean, *points), strict=True))


def _ratio(found: Mapping[str, float]) -> float:
    return found["p99"] / found["p50"] if found and found["p50"] > 0 else 1.0


def _level(run: Run, end: float) -> Level:
    """The series of all replicas in bins of one width."""
    replicas = (*run.replicas, *run.answering)
    width = max(float(r.real[loop.WIDTH]) for r in replicas)
    bins = max(min(int(np.ceil(end / width)), loop.BINS), 1)
    total = np.zeros((loop.SERIES, loop.BINS))
    blocks = sum(float(r.system.blocks) for r in replicas)
    for replica in replicas:
        mine = replica.own["series"].reshape(loop.SERIES, loop.BINS)
        for _ in range(round(np.log2(width / float(replica.real[loop.WIDTH])))):
            folded = mine.reshape(loop.SERIES, loop.BINS // 2, 2).sum(axis=2)
            mine = np.concatenate((folded, np.zeros_like(folded)), axis=1)
        total += mine
    edges = np.asarray(np.arange(bins + 1) * width, dtype=np.float64)
    o = run.outcomes
    waiting = _held(o.arrival, np.where(np.isfinite(o.scheduled), o.scheduled, np.where(
        np.isfinite(o.finish), o.finish, end)), edges)  # fmt: skip
    part = total[:, :bins] / width
    return Level(
        width, part[loop.S_BATCH], waiting, part[loop.S_KV] / blocks, part[loop.S_READ], part[loop.S_MADE]
    )  # fmt: skip


def _held(begin: Column, end: Column, edges: Column) -> Column:
    """Mean number of intervals that cover each bin."""
    known = np.isfinite(begin)
    begin, end = begin[known], np.maximum(end[known], begin[known])

    def area(points: Column) -> Column:
        """Seconds that intervals starting at ``points`` have covered by each edge."""
        held = np.sort(points)
        before = np.searchsorted(held, edges)
        sums = np.concatenate(([0.0], np.cumsum(held)))
        return np.asarray(before * edges - sums[before])

    return np.diff(area(begin) - area(end)) / np.diff(edges)


def ranges(
    found: Metrics, slow: Metrics | None, quick: Metrics | None, bands: Mapping[str, Band]
) -> dict[str, dict[str, tuple[float, float, float]]]:  # fmt: skip
    """Value, low and high end of each statistic.

    The calibrated 80 % band of TPOT is a band of step times: ``slow`` and ``quick`` are the run with every step as
    long as its ends say, so that queues which a slower system would build are part of the interval. A latency that
    has a band of its own (TTFT) is given no narrower one than that.
    """
    result: dict[str, dict[str, tuple[float, float, float]]] = {}
    for name, values in found.latencies.items():
        band = bands.get(name, Band(1.0, 1.0))
        result[name] = {}
        for statistic, value in values.items():
            ends = [value, value * band.low, value * band.high]
            ends += [other.latencies[name].get(statistic, value) for other in (slow, quick) if other is not None]
            result[name][statistic] = (value, min(ends), max(ends))
    return result

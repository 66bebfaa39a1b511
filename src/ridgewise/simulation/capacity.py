"""How much hardware a service needs: the most load a replica carries within its limits, and what follows from it.

Each candidate replica is simulated at rising loads until a limit breaks; replicas are then the load over that, rounded
up, and the fleet of them is simulated with the whole load, as ``simulate`` does. A limit counts as kept when the slow
end of the latency's interval keeps it. What the expected system carries stands beside it. A quick bound from step times
alone says in which order candidates are worth simulating.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from ridgewise.models.formats import native_format
from ridgewise.serving.estimate import fixed_seconds, step_terms
from ridgewise.serving.setup import Setup
from ridgewise.simulation.arrivals import Arrivals, People, closed_load, open_load
from ridgewise.simulation.fleet import Fleet, worth_compiling
from ridgewise.simulation.interval import QUICK, SLOW, Interval, bands_of, interval
from ridgewise.simulation.lengths import Lengths
from ridgewise.simulation.metrics import Limit, Metrics
from ridgewise.simulation.request import Requests
from ridgewise.simulation.steptimes import StepTimes
from ridgewise.simulation.system import System, system
from ridgewise.work import decode

#: Requests of one look at a load: at least, at most, per conversation or request at work; more for the far tail.
LEAST, MOST, EACH, TAIL = 600, 12_000, 6, 2
#: Looks of a search: how often a compiled loop would be used.
LOOKS = 100
#: How closely the most load is found; loads of the knee curve, over the most of the slow and of the expected system.
PRECISION, SLOW_KNEE, KNEE = 0.03, (0.3, 0.6, 0.85, 1.0), (0.4, 0.7, 0.9, 1.0, 1.1, 1.25)
#: Share of an open load's requests that warm the system up.
WARM = 0.1
#: Token budgets that are tried, over the engine's own; the largest; how much more load makes one worth telling.
BUDGETS, MOST_BUDGET, GAINED = (0.25, 0.5, 2.0), 16384, 1.05
#: Sequences at once, besides the most, for which the bound takes its intervals.
BATCHES = (1.0, 8.0, 32.0)
#: How often replicas are added to a fleet that misses.
ADDED = 3
#: Shares from which something counts as full.
FULL, WAITS = 0.97, 0.25


@dataclass(frozen=True, slots=True)
class Shape:
    """What is asked, whatever the amount: ``people`` in a closed loop, or ``arrivals`` from outside."""

    prompt: Lengths
    output: Lengths
    people: People | None = None
    arrivals: Arrivals | None = None
    system_prompt: Annotated[int, "tokens"] = 0
    seed: int = 0
    requests: Annotated[int, "1"] = 0

    @property
    def unit(self) -> str:
        return "requests/s" if self.people is None else "conversations"

    def load(self, amount: float, limits: Sequence[Limit] = ()) -> Requests:
        """Requests of so many conversations, or at so many per second, for one replica."""
        tail = TAIL if any(one.statistic == "p99" for one in limits) else 1
        if self.people is not None:
            sessions = max(int(amount), 1)
            count = self.requests or min(max(LEAST, EACH * sessions), MOST) * tail
            one = replace(self.people, users=float(sessions), active_share=1.0)
            return closed_load(
                one, max(count, EACH * sessions), self.prompt, self.output, self.seed, self.system_prompt
            )
        assert self.arrivals is not None
        count = self.requests or min(max(2 * LEAST, round(60 * amount)), MOST) * tail
        return open_load(self.arrivals, amount, count, self.prompt, self.output, self.seed, WARM)

    @property
    def context(self) -> float:
        """Tokens of a typical request with its answer, late in its conversation."""
        once = self.prompt.mean + self.output.mean
        if self.people is None or not self.people.growing:
            return once
        return self.system_prompt + once * (self.people.turns + 1) / 2


@dataclass(frozen=True, slots=True)
class Candidate:
    """A kind of replica worth trying."""

    setup: Setup
    system: System
    memory: Annotated[float, "B"] | None = None

    @property
    def devices(self) -> int:
        """Devices of one replica."""
        return int(self.setup.plan.tp * self.setup.plan.pp)

    @property
    def narrow(self) -> bool:
        """Weights of so few bits that answers get worse."""
        return self.setup.plan.format.default < 8.0 and self.setup.plan.format.id != native_format(self.setup.arch).id


@dataclass(frozen=True, slots=True)
class Look:
    """Replicas under a load, held against limits."""

    amount: float
    interval: Interval
    limits: tuple[Limit, ...]

    @property
    def metrics(self) -> Metrics:
        """As expected."""
        return self.interval.found

    @property
    def slow(self) -> Metrics:
        """At the slow end, where that was run."""
        return self.interval.slow or self.interval.found

    @property
    def held(self) -> tuple[tuple[Limit, float], ...]:
        """Every limit with the value at the slow end [s]; infinite where nothing was answered."""
        return tuple((one.limit, one.high) for one in self.interval.kept(self.limits))

    @property
    def broken(self) -> tuple[tuple[Limit, float], ...]:
        """Those that the slow end breaks."""
        return tuple((limit, value) for limit, value in self.held if value > limit.most)

    @property
    def answered(self) -> bool:
        return self.metrics.refused == 0 and self.metrics.counted > 0

    @property
    def good(self) -> bool:
        """Whether the slow end keeps every limit."""
        return self.answered and all(one.surely for one in self.interval.kept(self.limits))

    @property
    def likely(self) -> bool:
        """Whether every limit is kept as expected."""
        return self.answered and all(one.likely for one in self.interval.kept(self.limits))


def look(
    candidate: Candidate, shape: Shape, amount: float, limits: Sequence[Limit], ends: Sequence[str] = (SLOW,)
) -> Look:  # fmt: skip
    """Simulate one replica with so much load, and again at ``ends`` of the interval."""
    asked = shape.load(amount, limits)
    fast = worth_compiling(LOOKS * len(asked))
    return Look(amount, interval(Fleet((candidate.system,)), asked, candidate.setup, limits, ends, fast), tuple(limits))


def most_load(
    candidate: Candidate, shape: Shape, limits: Sequence[Limit], guess: float, enough: float = math.inf,
    slow: bool = True,
) -> tuple[float, Look]:  # fmt: skip
    """The most load that keeps every limit, and the last look that did; 0 and the look that did not where none does.

    ``guess`` begins the search; it ends early at ``enough``. ``slow``: at the slow end, else as expected.
    """
    least = 1.0 if shape.people is not None else min(guess, 1.0) / 1e3
    amount = min(max(_whole(shape, guess), least), enough)
    best: Look | None = None
    worst: Look | None = None
    for _ in range(24):
        found = look(candidate, shape, amount, limits, (SLOW,) if slow else ())
        if found.good if slow else found.likely:
            best = found
            if amount >= enough:
                break
        else:
            worst = found
            if amount <= least:
                break
        if best is None:
            amount = max(_whole(shape, amount * 0.6), least)
        elif worst is None:
            amount = min(_whole(shape, amount * 1.5 + 1e-9), enough)
        else:
            low, high = best.amount, worst.amount
            if high / low - 1 < PRECISION or (shape.people is not None and high - low <= 1):
                break
            amount = _whole(shape, math.sqrt(low * high))
            if amount in (low, high):
                break
    if best is None:
        assert worst is not None
        return 0.0, worst
    return best.amount, best


def _whole(shape: Shape, amount: float) -> float:
    """Conversations come whole."""
    return float(max(round(amount), 1)) if shape.people is not None else amount


def bound(candidate: Candidate, shape: Shape, limits: Sequence[Limit]) -> float:
    """Load that no replica of this kind carries more of for long: from mean step times at the slow end.

    With b answers at work a step takes T(b) and reads b/o prompts, which cost what they add to the fullest step that
    holds them, the least that they can; b is limited by TPOT, memory and places. Requests leave at b/(o·T) per second,
    and conversations are that times (R + think), R as long as the limits let one wait (Little's law). The interval
    narrows with the sequences measured at once: the narrowest is taken. What is drawn may do better than means by
    :data:`PRECISION`; what a short run carries beyond that, it carries while it fills up.
    """
    output = shape.output.mean / candidate.system.gained
    context = shape.context - shape.output.mean / 2
    most = int(max(min(candidate.system.sequences, candidate.system.capacity / max(context, 1.0)), 1))
    calibrated = [bands_of(candidate.setup, float(b)) for b in (*(b for b in BATCHES if b < most), most)]
    slower = min(one["tpot"].high for one in calibrated)
    longer = max(min(one["ttft"].high for one in calibrated) / slower, 1.0)
    system = candidate.system.slower(slower)
    times = system.times
    prompt = max(int(min(shape.prompt.mean, len(times.base) - 1)), 1)
    read = times.seconds(0, 0.0, [(0, prompt)]) * max(shape.prompt.mean / prompt, 1.0)
    wait = slowest = longest = math.inf
    for one in limits:
        if one.latency == "tpot":
            slowest = min(slowest, one.most * system.gained)
        elif one.latency == "ttft":
            wait = min(wait, one.most)
        elif one.latency == "e2e":
            longest = min(longest, one.most)
    if (read + system.overhead) * longer > wait or read > longest:
        return 0.0
    slowest = min(slowest, (longest - read) / output)
    batch = np.unique(np.round(np.geomspace(1, most, 40))).astype(int)
    alone = np.array([times.seconds(int(b), context) for b in batch])
    added = np.array([_added(times, int(b), context, prompt) for b in batch]) * shape.prompt.mean
    step = np.maximum.accumulate(alone + batch / output * added)
    if step[0] > slowest:
        return 0.0
    answers = np.append(batch, np.interp(slowest, step, batch))
    step = np.append(step, min(slowest, float(step[-1])))
    able = step <= slowest
    leaving = answers / (output * step)
    if shape.people is None:
        return (1.0 + PRECISION) * float(leaving[able].max())
    whole = np.minimum(wait + output * step, longest)
    return (1.0 + PRECISION) * float((leaving * (whole + shape.people.think))[able].max())


def _added(times: StepTimes, batch: int, context: float, prompt: int) -> float:
    """What a token of a prompt adds to a step of so many answers that has no room for more prompts [s]."""
    room = max(len(times.base) - 1 - batch * times.rows_each, 1)
    chunks = [(0, min(prompt, room))] * max(room // prompt, 1)
    more = times.seconds(batch, context, chunks) - times.seconds(batch, context)
    return max(more, 0.0) / sum(new for _, new in chunks)


#: All replicas of a kind under the whole load.
Together = Callable[[Candidate, int], Look]
#: What replicas cost a month [USD] at a load per replica: candidate, replicas, requests at work and tokens per second
#: of each; None where no price is known.
Price = Callable[[Candidate, int, float, float], float | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """A kind of replica that keeps the limits.

    most      load that one replica carries even at the slow end
    replicas  for the whole load; ``month``: what they cost [USD]
    at        one replica with its share of the load; ``whole``: all of them with all of it
    """

    candidate: Candidate
    most: float
    replicas: int
    month: Annotated[float, "USD"] | None
    at: Look
    whole: Look

    @property
    def devices(self) -> int:
        return self.candidate.devices * self.replicas


@dataclass(frozen=True, slots=True)
class Missed:
    """A kind of replica that misses the limits, and by how much."""

    candidate: Candidate
    look: Look


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search found: cheapest first, what cannot, and how many kinds of replica were considered."""

    answers: tuple[Answer, ...]
    missed: tuple[Missed, ...]
    considered: int
    simulated: int


def search(
    candidates: Iterable[Candidate], shape: Shape, amount: float, limits: Sequence[Limit], price: Price,
    largest: Callable[[Candidate], float], top: int = 5, most: int = 24,
    watch: Callable[[int, int], None] | None = None, together: Together | None = None, below: float = math.inf,
) -> Searched:  # fmt: skip
    """The cheapest kinds of replica for ``amount`` of load in all, one per device, those that cost less than ``below``.

    Candidates are simulated in the order of the least they could cost; a search ends when no other could be cheaper
    than the ``top`` found, or after ``most`` that keep the limits. What a short run carries beyond :func:`bound` counts
    for nothing, so the cheapest is the same whatever ``top``. ``largest``: most devices of a kind. Weights below 8 bits
    are tried last, and on devices where wider ones did not do: what they cost in quality is no matter of load.
    ``together`` simulates a whole fleet, which must keep the limits too; where it is None, one replica stands for all.
    """
    ranked: list[tuple[tuple[bool, float, int, int], float, Candidate]] = []
    hopeless, considered = [], 0
    for candidate in candidates:
        considered += 1
        carries = bound(candidate, shape, limits)
        if carries <= 0:
            hopeless.append(candidate)
            continue
        replicas = max(math.ceil(amount / carries - 1e-9), 1)
        month = price(candidate, replicas, 1.0, 1.0)
        if candidate.devices * replicas <= largest(candidate) and (below == math.inf or (month or math.inf) < below):
            key = (candidate.narrow, math.inf if month is None else month, candidate.devices * replicas, len(ranked))
            ranked.append((key, carries, candidate))
    ranked.sort(key=lambda entry: entry[0])
    answers: dict[str, Answer] = {}
    missed: list[Missed] = []
    simulated = 0
    for (narrow, least, _, _), carries, candidate in ranked:
        costs = sorted(math.inf if a.month is None else a.month for a in answers.values())
        name = candidate.setup.device.id
        if simulated - len(missed) >= most:
            break
        if len(costs) >= top and least >= costs[top - 1]:
            continue
        if name in answers and (narrow or least >= (answers[name].month or math.inf)):
            continue
        simulated += 1
        if watch:
            watch(simulated, len(ranked))
        alone = look(candidate, shape, 1.0 if shape.people else min(carries, 1.0) / 1e3, limits)
        if not alone.good:  # no load is little enough
            missed.append(Missed(candidate, alone))
            continue
        held, last = most_load(candidate, shape, limits, 0.8 * min(carries, amount), min(carries, amount))
        if held <= 0:
            missed.append(Missed(candidate, last))
            continue
        found = answer(candidate, shape, amount, limits, held, price, together)
        if not found.whole.good:
            missed.append(Missed(candidate, found.whole))
            continue
        if found.devices > largest(candidate) or (found.month or 0.0) >= below:
            continue
        before = answers.get(name)
        if before is None or (found.month or math.inf) < (before.month or math.inf):
            answers[name] = found
    if not answers and not missed and below == math.inf:
        missed = [Missed(c, look(c, shape, 1.0 if shape.people else amount / 1e3, limits)) for c in hopeless[:3]]
    order = sorted(answers.values(), key=lambda a: (a.month is None, a.month, a.devices))
    shown = tuple(_unbounded(one, shape, amount, limits) for one in order[:top])
    return Searched(shown, tuple(missed), considered, simulated)


def _unbounded(found: Answer, shape: Shape, amount: float, limits: Sequence[Limit]) -> Answer:
    """The same with the most load that one replica carries, where the search ended at what was asked."""
    if found.most < amount:
        return found
    carries = bound(found.candidate, shape, limits)
    return replace(found, most=max(most_load(found.candidate, shape, limits, 1.5 * amount, carries)[0], amount))


def answer(
    candidate: Candidate, shape: Shape, amount: float, limits: Sequence[Limit], held: float, price: Price,
    together: Together | None = None,
) -> Answer:  # fmt: skip
    """Replicas of which each carries ``held``, and how they do with their share and together.

    Where a fleet misses a limit that each replica kept by itself, replicas are added, and each carries its share.
    """
    replicas = max(math.ceil(amount / held - 1e-9), 1)
    whole = together(candidate, replicas) if together else None
    for _ in range(ADDED):
        if together is None or whole is None or whole.good:
            break
        replicas += max(replicas // 10, 1)
        held, whole = amount / replicas, together(candidate, replicas)
    share = amount / replicas
    each = float(math.ceil(share)) if shape.people is not None else share
    at = look(candidate, shape, each, limits, () if whole else (SLOW, QUICK))
    month = price(candidate, replicas, at.metrics.running, at.metrics.output)
    return Answer(candidate, held, replicas, month, at, whole or at)


def knee(
    candidate: Candidate, shape: Shape, limits: Sequence[Limit], most: float, likely: float
) -> Iterator[Look]:  # fmt: skip
    """One replica at rising loads: up to the ``most`` it carries when slow, and on past the
    ``likely`` most."""
    amounts = [_whole(shape, share * most) for share in SLOW_KNEE] + [_whole(shape, share * likely) for share in KNEE]
    for amount in sorted(set(amounts)):
        yield look(candidate, shape, amount, limits, (SLOW, QUICK))


def tuned(
    candidate: Candidate, shape: Shape, limits: Sequence[Limit], most: float
) -> Iterator[tuple[str, float]]:  # fmt: skip
    """Token budgets of a step with which a slow replica carries clearly more than the ``most`` it does now: a small
    one keeps answers even, a large one reads prompts sooner."""
    now = candidate.system
    for factor in BUDGETS:
        tokens = max(int(now.tokens * factor), now.sequences * now.times.rows_each)
        if tokens == now.tokens or now.setup is None or tokens > MOST_BUDGET:
            continue
        policy = replace(now.policy, tokens=tokens, sequences=now.sequences)
        made = system(now.setup, policy, shape.context, float(now.capacity))
        other = replace(candidate, system=made)
        carried, _ = most_load(other, shape, limits, most, bound(other, shape, limits))
        if carried > GAINED * most:
            yield f"max_num_batched_tokens={tokens}", carried


def breaks_first(candidate: Candidate, shape: Shape, found: Look) -> str:
    """What stands in the way of more load, from how a replica does beyond its limits."""
    metrics, limit = found.slow, candidate.system.sequences
    wait = metrics.latencies["wait"].get("p95", 0.0)
    waits = wait > WAITS * metrics.latencies["ttft"].get("p95", math.inf)
    broken = {one.latency for one, _ in found.broken}
    steps_alone = bool(broken) and broken <= {"tpot", "itl"}
    if metrics.put_back or (waits and not steps_alone and metrics.cache_peak > FULL):
        return "memory: the KV cache is full, and requests wait for room or are put back"
    if waits and not steps_alone and float(metrics.level.running.max(initial=0.0)) >= FULL * limit:
        return f"places: all {limit} sequences that the engine runs at once are taken"
    if waits and not steps_alone:
        return "queue: prompts wait for compute, since prompts before them are still being read"
    if broken == {"ttft"}:
        return "prompts: one takes so long to read even where none waits"
    reading, whole = prompt_share(candidate, shape, metrics)
    if reading > 0.5 * whole:
        return "compute: most of a step's time goes into reading prompts"
    return f"{decode_bound(candidate.setup, shape, metrics.running)}: most of a decode step's time goes there"


def prompt_share(candidate: Candidate, shape: Shape, metrics: Metrics) -> tuple[float, float]:
    """Seconds per second that go into reading prompts, and into all steps, of one replica."""
    times = candidate.system.times
    batch = max(round(metrics.running), 1)
    step = times.seconds(min(batch, len(times.dec) - 1), shape.context - shape.output.mean / 2)
    prompt = max(int(min(shape.prompt.mean, len(times.base) - 1)), 1)
    read = max(times.seconds(0, 0.0, [(0, prompt)]) - float(times.dec[1]), 0.0)
    per_step = batch / shape.output.mean * read
    return per_step, per_step + step


def decode_bound(setup: Setup, shape: Shape, batch: float) -> str:
    """What a decode step of so many sequences mostly waits for: bandwidth, compute or fixed costs."""
    step = decode(shape.context - shape.output.mean / 2, max(batch, 1.0))
    terms = step_terms(setup, step)
    sums = {
        "compute": sum(float(t.compute_seconds) for t in terms if t.bound == "compute"),
        "memory bandwidth": sum(float(t.memory_seconds) for t in terms if t.bound == "memory"),
        "fixed costs": float(fixed_seconds(setup, step)),
    }
    return max(sums, key=lambda name: sums[name])

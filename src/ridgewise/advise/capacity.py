"""How much hardware a service needs: kinds of replica worth trying, their money, the cheapest that keep the limits.

The search itself (:mod:`ridgewise.simulation.capacity`) knows neither prices nor what is sold. Here it is given both,
and of the cheapest system what a buyer asks next is worked out: how latency grows with load, what breaks first, when
the next replica is due, what a spare one costs, and which limit, were it softer, would make it much cheaper.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from ridgewise.advise.drawing import serving_draw
from ridgewise.advise.inference import engines_for, formats_for, layouts
from ridgewise.advise.limits import divides
from ridgewise.advise.question import Question
from ridgewise.economics import Cost, Draw, monthly_cost
from ridgewise.engines import Backend, Engine
from ridgewise.hardware.machine import Machine, configurations
from ridgewise.hardware.sheets import load_devices
from ridgewise.serving import Setup
from ridgewise.simulation.capacity import (
    LOOKS,
    Answer,
    Candidate,
    Look,
    Searched,
    Shape,
    breaks_first,
    knee,
    look,
    most_load,
    search,
    tuned,
)
from ridgewise.simulation.fleet import Fleet, router_of, worth_compiling
from ridgewise.simulation.interval import interval
from ridgewise.simulation.metrics import Limit
from ridgewise.simulation.policies import Policy
from ridgewise.simulation.request import Requests
from ridgewise.simulation.system import cache_tokens, system
from ridgewise.units import up
from ridgewise.work import Plan
from ridgewise.workloads import Service

#: Kinds of devices that serve many where nobody named one.
KINDS = ("gpu-datacenter", "gpu-workstation", "gpu-consumer", "tpu", "accelerator")
#: Formats of a device and layouts of a format that are tried: the widest, and the smallest that hold the model.
FORMATS, LAYOUTS = 3, 3
#: Most devices of a kind that anybody puts together unasked: one desktop's cards, eight workstations of four.
MOST_DEVICES = {"gpu-consumer": 4.0, "gpu-workstation": 32.0}
#: Times the most load at which it is looked for what breaks first: chance lets some loads past the most.
BEYOND = (1.15, 1.5, 2.0)
#: Steps of growth and spare replicas that are shown.
STEPS, SPARES = 4, 2
#: How much softer a limit may be to be worth telling, the share of the month that it must save, and how many kinds of
#: replica are tried for it.
SOFTER, SAVED, TRIED = 2.0, 0.2, 3


@dataclass(frozen=True, slots=True)
class Sizing:
    """A service to be sized.

    question   model, engine, format, bits of the cache, prices and tariff, the user's own measurements; its hardware
               empty: every device that is sold
    shape      what is asked, and ``amount`` of it: conversations, or requests per second
    policy     the scheduler of a deployment
    tp         devices of a replica; None: searched
    requests   the very requests of the whole load; None: it is so large that one replica stands for all
    """

    question: Question
    shape: Shape
    amount: float
    limits: tuple[Limit, ...]
    policy: Callable[[Setup], Policy]
    tp: int | None = None
    requests: Requests | None = None
    top: int = 5

    @property
    def context(self) -> float:
        """Tokens of a typical request with its answer."""
        return self.requests.mean_context if self.requests is not None else self.shape.context

    @property
    def users(self) -> float:
        """People behind one unit of the load."""
        return 1.0 if self.shape.people is None else 1.0 / self.shape.people.active_share

    def draw(self, candidate: Candidate, replicas: int, running: float, output: float) -> Draw | None:
        """What so many replicas draw at work, each with ``running`` requests and ``output`` tokens per second."""
        setup = replace(candidate.setup, replicas=replicas)
        return serving_draw(setup, self.shape.prompt.mean, self.shape.output.mean, max(running, 1.0), max(output, 1.0))

    def cost(self, candidate: Candidate, replicas: int, running: float, output: float) -> Cost:
        """Purchase, rent and month of so many replicas."""
        question, work, device = self.question, self.question.workload, candidate.setup.device
        assert isinstance(work, Service)
        return monthly_cost(
            device, candidate.devices * replicas, self.draw(candidate, replicas, running, output),
            work.hours_per_day, work.busy, self.tariff, candidate.memory, question.prices.get(device.id),
            question.host_price,
        )  # fmt: skip

    @property
    def tariff(self) -> float:
        """Electricity [USD/kWh]."""
        return self.question.electricity

    def month(self, candidate: Candidate, replicas: int, running: float, output: float) -> float | None:
        """What a month of so many replicas costs [USD]; None where no price is known."""
        found = self.cost(candidate, replicas, running, output).month
        return None if found is None else float(found)

    def largest(self, candidate: Candidate) -> float:
        """Most devices of a kind that are put together."""
        return math.inf if self.question.named else MOST_DEVICES.get(candidate.setup.device.kind, math.inf)

    def together(self, candidate: Candidate, replicas: int, limits: tuple[Limit, ...]) -> Look:
        """So many replicas under the whole load."""
        assert self.requests is not None
        fleet = Fleet((candidate.system,) * replicas, router_of(replicas, self.requests.closed))
        fast = worth_compiling(LOOKS * len(self.requests))
        return Look(self.amount, interval(fleet, self.requests, candidate.setup, limits, fast=fast), limits)


@dataclass(frozen=True, slots=True)
class Step:
    """So many replicas: the load they carry, and what a month of them costs [USD]."""

    replicas: int
    devices: int
    load: float
    month: Annotated[float, "USD"] | None


@dataclass(frozen=True, slots=True)
class Softer:
    """Limits that, were they this much, would make the answer much cheaper.

    month, bought   saved a month, and of the purchase (None: no price) [USD]
    """

    limits: tuple[Limit, ...]
    answer: Answer
    month: Annotated[float, "USD"] | None
    bought: Annotated[float, "USD"] | None


@dataclass(frozen=True, slots=True)
class Best:
    """What follows for the first system.

    likely    most load that one replica carries as expected
    curve     one replica at rising loads, ``beyond`` at one that breaks a limit, and what stands in the way there
    settings  an engine setting, and the most load that one replica carries with it
    """

    likely: float
    curve: tuple[Look, ...]
    beyond: Look
    breaks: str
    settings: tuple[tuple[str, float], ...]
    growth: tuple[Step, ...]
    spares: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Sized:
    """The answer: what a search found, what follows for its first system (None: nothing keeps the limits), and limits
    that cost much."""

    asked: Sizing
    found: Searched
    best: Best | None
    softer: tuple[Softer, ...]


def candidates(asked: Sizing) -> Iterator[Candidate]:
    """Kinds of replica worth trying: devices that are sold or were named, formats, tensor-parallel degrees."""
    question, context = asked.question, asked.context
    devices = question.hardware or tuple(
        one for one in load_devices().values() if one.status == "available" and one.kind in KINDS
    )
    for one in devices:
        memory = configurations(one)[0]
        usable = Machine(one, 1, memory).usable
        if usable is None or not one.bandwidth or one.peak("bf16") is None:
            continue
        for engine, backend in engines_for(question, one):
            for fmt in formats_for(question, engine, backend, one)[:FORMATS]:
                tried = 0
                for tp, pp in _single(engine, backend, Machine(one).per_node, asked.tp):
                    if not divides(question.arch, tp) or tried >= LAYOUTS:
                        continue
                    plan = Plan(fmt, float(tp), float(pp), question.kv_bits)
                    setup = Setup(question.arch, one, engine, backend, plan, usable, blocks=question.blocks)
                    held = cache_tokens(setup, context)
                    if held < context:
                        continue
                    tried += 1
                    yield Candidate(setup, system(setup, asked.policy(setup), context, held), memory)
            break


def _single(engine: Engine, backend: Backend, per_node: int, wanted: int | None) -> Iterator[tuple[int, int]]:
    """Layouts of one replica, fewest devices first; no pipelines where tensor parallelism is known."""
    for count in (1, 2, 4, 8, 16):
        for tp, pp, replicas in layouts(engine, backend, count, per_node):
            in_turn = engine.split == "tensor" and pp > 1
            if replicas == 1 and not in_turn and (wanted is None or wanted == tp * pp):
                yield tp, pp


def sized(asked: Sizing, watch: Callable[[int, int], None] | None = None) -> Sized:
    """The cheapest systems that keep the limits under the whole load; ``watch`` hears of kinds of replica tried."""
    kinds = list(candidates(asked))
    found = _searched(asked, kinds, asked.limits, watch=watch)
    first = found.answers[0] if found.answers else None
    softer = tuple(_softer(asked, kinds, first)) if kinds else ()
    return Sized(asked, found, None if first is None else _best(asked, first), softer)


def _searched(
    asked: Sizing, kinds: Sequence[Candidate], limits: tuple[Limit, ...], below: float = math.inf, top: int = 0,
    most: int = 24, watch: Callable[[int, int], None] | None = None,
) -> Searched:  # fmt: skip
    def together(candidate: Candidate, replicas: int) -> Look:
        return asked.together(candidate, replicas, limits)

    return search(
        kinds, asked.shape, asked.amount, limits, asked.month, asked.largest, top or asked.top, most, watch,
        None if asked.requests is None else together, below,
    )  # fmt: skip


def _softer(asked: Sizing, kinds: Sequence[Candidate], first: Answer | None) -> Iterator[Softer]:
    """Each limit in turn as soft as is worth telling, then all of them: who keeps them then for clearly less, and what
    that one needs."""
    if first is not None and first.month is None:
        return
    below = math.inf if first is None or first.month is None else (1.0 - SAVED) * first.month
    cheapest, every = math.inf, tuple(range(len(asked.limits)))
    for places in (*((place,) for place in every), *((every,) if len(every) > 1 else ())):
        loose = tuple(
            replace(one, most=SOFTER * one.most) if place in places else one for place, one in enumerate(asked.limits)
        )
        least = below if len(places) == 1 else min(below, (1.0 - SAVED) * cheapest)
        found = _searched(asked, kinds, loose, least, 1, TRIED).answers
        if not found:
            continue
        needs = dict(found[0].whole.held)
        softened = tuple(
            replace(asked.limits[place], most=up(needs[loose[place]]))
            for place in places
            if needs[loose[place]] > asked.limits[place].most
        )
        month, bought = (_less(_money(asked, first)[i], _money(asked, found[0])[i]) for i in (0, 1))
        yield Softer(softened, found[0], month, bought)
        cheapest = min(cheapest, found[0].month or math.inf)


def _less(dear: float | None, cheap: float | None) -> float | None:
    return None if dear is None or cheap is None else dear - cheap


def _money(asked: Sizing, of: Answer | None) -> tuple[float | None, float | None]:
    """A month and the purchase of an answer [USD]."""
    if of is None:
        return None, None
    return of.month, asked.cost(of.candidate, of.replicas, of.at.metrics.running, of.at.metrics.output).buy


def _best(asked: Sizing, first: Answer) -> Best:
    """What a buyer asks next of the first system."""
    candidate, shape, limits, n, slow = first.candidate, asked.shape, asked.limits, first.replicas, first.most
    likely = max(most_load(candidate, shape, limits, slow, slow=False)[0], slow)
    for more in BEYOND:
        beyond = look(candidate, shape, max(slow * more, slow + (1 if shape.people else 0)), limits)
        if beyond.broken:
            break

    def step(replicas: int, load: float) -> Step:
        metrics = first.at.metrics
        month = asked.month(candidate, replicas, metrics.running, metrics.output)
        return Step(replicas, replicas * candidate.devices, load, month)

    return Best(
        likely, tuple(knee(candidate, shape, limits, slow, likely)), beyond, breaks_first(candidate, shape, beyond),
        tuple(tuned(candidate, shape, limits, slow)),
        tuple(step(k, k * slow) for k in range(n, n + STEPS)),
        tuple(step(n + k, asked.amount) for k in range(1, SPARES + 1)),
    )  # fmt: skip

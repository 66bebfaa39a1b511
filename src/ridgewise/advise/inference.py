"""Candidates for using a model: every device class, the engines that run there, the layouts that fit."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ridgewise.advise.limits import divides
from ridgewise.advise.option import Option, Shortfall, doublings, over
from ridgewise.advise.question import Question
from ridgewise.advise.rank import quality_loss, utility
from ridgewise.advise.table import Row, Table
from ridgewise.economics import monthly_cost, purchase
from ridgewise.economics.cost import sold
from ridgewise.engines import Backend, Engine, load_engines
from ridgewise.hardware import Device
from ridgewise.hardware.machine import Machine, configurations
from ridgewise.models.formats import Format, load_formats, native_format, stored
from ridgewise.serving import Setup
from ridgewise.units import digits, duration, money, size
from ridgewise.work import Plan
from ridgewise.workloads import Service, SingleUser

#: Engines in order of preference by what they are good at.
SINGLE_ENGINES = ("mlx", "llama.cpp", "npu", "vllm")
SERVICE_ENGINES = ("vllm", "llama.cpp")
#: Weight formats tried in order: the usual quality floor first, smaller ones only when it does not fit.
LADDERS = {
    "gguf": ("q4_k_m", "iq4_xs", "q3_k_m"),
    "mlx": ("mlx-4bit",),
    "hf": ("fp8", "w4a16"),
}
#: An answer slower than this is slower than people read [tokens/s]: about 4 words a second.
READING_SPEED = 6.0
#: Time to first token a service is held to when no limit is given [s].
PATIENCE = 10.0
#: How many further counts are tried for better weights once quantised ones do.
FURTHER = 2
#: Pipeline stages beyond which the bubbles and hops are not modelled.
MOST_STAGES = 4
COUNTS: dict[str, tuple[int, ...]] = {
    "gpu-datacenter": (1, 2, 4, 8, 16, 32, 64),
    "gpu-workstation": (1, 2, 4),
    "gpu-consumer": (1, 2, 4),
    "unified": (1,),
    "cpu": (1,),
    "npu": (1,),
    "sbc": (1,),
    "tpu": (1, 4, 8, 16, 32, 64),
    "accelerator": (1, 2, 4, 8, 16),
}


def engines_for(question: Question, device: Device) -> Iterator[tuple[Engine, Backend]]:
    """The engine that would be chosen on this device for this workload, best first."""
    engines = load_engines()
    if question.engine:
        order: tuple[str, ...] = (question.engine,)
    elif isinstance(question.workload, Service):
        order = SERVICE_ENGINES
    else:
        order = SINGLE_ENGINES if device.kind != "gpu-datacenter" else ("vllm", "llama.cpp")
    for name in order:
        backend = engines[name].backend(device, asked=bool(question.engine))
        if backend is not None:
            yield engines[name], backend
            if isinstance(question.workload, Service):
                return


def formats_for(question: Question, engine: Engine, backend: Backend, device: Device) -> list[Format]:
    """Weight formats worth trying, highest quality first."""
    formats = load_formats()
    if question.format is not None:
        return [question.format] if question.format.family in engine.families else []
    native = native_format(question.arch)
    if native.id in ("mxfp4", "nvfp4"):
        own = formats["gguf-mxfp4"] if "gguf" in engine.families and native.id == "mxfp4" else native
        if own.family in engine.families and (not backend.formats or own.id in backend.formats):
            return [own]
        return [formats["bf16"]] if "bf16" in backend.formats else []  # unpacked while loading
    tried: list[Format] = [native] if native.family in engine.families else []
    for family in engine.families:
        tried += [formats[name] for name in LADDERS.get(family, ()) if name != native.id]
    allowed = [f for f in tried if not backend.formats or f.id in backend.formats]
    smaller = native.default
    return [
        f
        for f in allowed
        if (f.id == native.id or f.default < smaller)
        and not (f.compute == "fp8" and f.id != native.id and device.number("peak_fp8") is None)
    ]


def layouts(engine: Engine, backend: Backend, count: int, per_node: int) -> Iterator[tuple[int, int, int]]:
    """(tp, pp, replicas) that use ``count`` devices: tensor parallelism stays inside a node, pipeline stages
    join nodes, replicas share the load."""
    if engine.split == "tensor":
        most = min(per_node, backend.max_devices)
        for tp in (1, 2, 4, 8, 16):
            if tp <= most and count % tp == 0:
                yield tp, 1, count // tp
        stages = count // most
        if stages > 1 and count % most == 0 and stages <= MOST_STAGES:
            yield most, stages, 1
    elif engine.split == "layer" and count <= backend.max_devices:
        yield 1, count, 1
    elif count == 1:
        yield 1, 1, 1


@dataclass(frozen=True, slots=True)
class Ladder:
    """How one engine is tried on a device: by rising count, of each the formats finest first, of each its layouts.

    counts   numbers of devices in the order in which they are tried
    rungs    rows of a table by number of devices and format; whole servers are among them
    """

    counts: tuple[int, ...]
    rungs: Mapping[int, tuple[range, ...]]


#: The ladders of a device: of every memory it is sold with those of every engine, in order of preference.
Ladders = tuple[tuple[Ladder, ...], ...]


class Deployments:
    """The deployments of one question and of those it is compared with: timed, weighed and priced once, whatever the
    limits they are held against."""

    def __init__(self) -> None:
        self._known: dict[Hashable, list[tuple[list[Table], Mapping[Device, Ladders]]]] = {}
        self._prices: dict[tuple[Device, float | None, int], float] = {}

    def of(self, question: Question, devices: Sequence[Device]) -> tuple[Table, Mapping[Device, Ladders]]:
        """Every layout of every device in every format worth trying, and in which order they are looked at."""
        work = question.workload
        assert isinstance(work, SingleUser | Service)
        load = replace(work, slo_ttft=None, slo_tpot=None)
        named = question.format.id if question.format is not None else None
        exact = (tuple(sorted(question.counts.items())), tuple(sorted(question.memories.items())))
        key = (type(work), work.prompt, work.output, named, question.engine, question.kv_bits, exact)
        known = self._known.setdefault(key, [])
        found = next((entry for entry in known if all(device in entry[1] for device in devices)), None)
        if found is None:
            rows: list[Row] = []
            laid_out = {device: tuple(_ladders(question, device, rows)) for device in devices}
            found = [Table(load, rows)], laid_out
            known.append(found)
        tables, ladders = found
        table = next((table for table in tables if table.work == load), None)
        if table is None:
            same = (known for known in tables if known.same_load(load))
            table = Table(load, tables[0].rows, next(same, tables[0]))
            tables.append(table)
        return table, ladders

    def prices(self, question: Question, rows: Sequence[Row]) -> np.ndarray:
        """Middle of what every row costs to buy [USD]; NaN where nobody asks a price."""
        keys = [(row.setup.device, row.configuration, row.setup.count) for row in rows]
        for key in set(keys) - self._prices.keys():
            device, configuration, count = key
            bought = purchase(device, count, configuration, question.prices.get(device.id), question.host_price)
            self._prices[key] = np.nan if bought is None else bought.middle
        return np.array([self._prices[key] for key in keys])


def _ladders(question: Question, device: Device, rows: list[Row]) -> Iterator[tuple[Ladder, ...]]:
    """The ladders of a device; their rows are added to ``rows``."""
    for configuration in question.configurations(device):
        machine = Machine(device, 1, configuration)
        usable = machine.usable
        if usable is not None and device.bandwidth:
            yield tuple(
                _ladder(question, device, configuration, usable, engine, backend, machine.per_node, rows)
                for engine, backend in engines_for(question, device)
            )


def _ladder(
    question: Question, device: Device, configuration: float | None, usable: float, engine: Engine, backend: Backend,
    per_node: int, rows: list[Row],
) -> Ladder:  # fmt: skip
    asked = question.counts.get(device.id)
    counts = (asked,) if asked else COUNTS[device.kind] if not device.complete else (1,)
    serves, arch = isinstance(question.workload, Service), question.arch
    whole = {sold(device, count) for count in counts} if serves and not asked else set()
    formats = [stored(arch, fmt) for fmt in formats_for(question, engine, backend, device)]
    able = {tp for tp in (1, 2, 4, 8, 16) if divides(arch, tp)}
    rungs: dict[int, tuple[range, ...]] = {}
    for count in sorted({*counts, *whole}):
        every = [
            (tp, pp, replicas)
            for tp, pp, replicas in layouts(engine, backend, count, per_node)
            if tp in able and (replicas == 1 or serves)
        ]
        found = []
        for fmt in formats:
            start = len(rows)
            for tp, pp, replicas in every:
                plan = Plan(fmt, float(tp), float(pp), question.kv_bits)
                setup = Setup(arch, device, engine, backend, plan, usable, replicas, question.blocks)
                rows.append(Row(setup, configuration))
            found.append(range(start, len(rows)))
        rungs[count] = tuple(found)
    return Ladder(counts, rungs)


def candidates(question: Question, devices: Sequence[Device], deployments: Deployments) -> Iterator[Option]:
    """The best layout of every device, feasible or with its shortfalls."""
    table, ladders = deployments.of(question, devices)
    places = [
        row
        for device in devices
        for tried in ladders[device]
        for ladder in tried
        for rung in ladder.rungs.values()
        for rows in rung
        for row in rows
    ]
    judged = Judged(question, table, places, deployments)
    found = [
        judged.nearest(rows)
        for device in devices
        for tried in ladders[device]
        if (rows := list(_looked_at(judged, device, tried)))
    ]
    table.ask(row for rows in found for row in rows)
    for rows in found:
        yield judged.best(rows)


def _looked_at(judged: Judged, device: Device, ladders: Sequence[Ladder]) -> Iterator[int]:
    """Rows by rising count, up to the first that does the job with weights as published (or, past a quantised one that
    does, as far as :data:`FURTHER` doublings)."""
    serves = isinstance(judged.question.workload, Service)
    for ladder in ladders:
        further = FURTHER
        for count in ladder.counts:
            rows = list(_widest(judged, ladder.rungs[count]))
            yield from rows
            able = [row for row in rows if judged.able[row]]
            if any(judged.lossless(row) for row in able):
                bought = sold(device, count)
                if bought in ladder.rungs and bought > count and serves:  # a server is paid for whole
                    yield from _widest(judged, ladder.rungs[bought])
                return
            further -= bool(able)
            if further == 0:
                return
        if further < FURTHER:
            return


def _widest(judged: Judged, rung: Sequence[range]) -> Iterator[int]:
    """Every layout in the widest format that does the job."""
    for rows in rung:
        tried = [row for row in rows if not judged.hopeless[row]]
        yield from tried
        if any(judged.able[row] for row in tried):
            return


class Judged:
    """Some rows of a table of deployments, held against the limits of a question."""

    def __init__(self, question: Question, table: Table, places: Sequence[int], deployments: Deployments) -> None:
        self.question, self.table = question, table
        self._factors = factors(question, table, places, deployments)
        self._distance = np.broadcast_to(doublings(self._factors.values()), table.usable.shape)
        missed = np.any([factor > 0 for factor in self._factors.values()], axis=0)
        self.able: list[bool] = (~missed).tolist()
        self.hopeless: list[bool] = table.hopeless.tolist()
        self._lossless: dict[str, bool] = {}

    def lossless(self, row: int) -> bool:
        """Does a row keep the weights as they were published?"""
        name = self.table.rows[row].setup.plan.format.id
        if name not in self._lossless:
            self._lossless[name] = quality_loss(self.question, self.question.weights(name)) == 0.0
        return self._lossless[name]

    def option(self, row: int) -> Option:
        """One row, with what it falls short of."""
        found = self.table.options.get(row)
        if found is None:
            self.table.ask((row,))
            found = self.table.options[row] = evaluated(self.question, self.table, row)
        if self.able[row]:
            return found
        texts = tuple(_said(name, self.question, found) for name, factor in self._factors.items() if factor[row] > 0)
        return replace(found, shortfalls=texts, distance=float(self._distance[row]))

    def nearest(self, rows: Sequence[int]) -> list[int]:
        """Those of some rows that do; where none does the one that comes nearest."""
        able = [row for row in rows if self.able[row]]
        return able or [min(rows, key=lambda row: (self._distance[row], self.table.rows[row].setup.count))]

    def best(self, rows: Sequence[int]) -> Option:
        """The best ranked of some rows of one device."""
        question, options = self.question, [self.option(row) for row in rows]
        if isinstance(question.workload, SingleUser) and question.priority != "speed":
            options = [option for option in options if not any(_simpler(question, other, option) for other in options)]
        return max(options, key=lambda option: (utility(question, option), -option.count))


def _simpler(question: Question, one: Option, other: Option) -> bool:
    """Does one do with fewer devices what the other does in no finer weights? Nobody builds in a second card for
    himself to wait half a second less."""
    losses = (quality_loss(question, question.weights(option.format)) for option in (one, other))
    return one.count < other.count and next(losses) <= next(losses)


def evaluated(question: Question, table: Table, row: int) -> Option:
    """Memory, speed, power and cost of one deployment, before any limit."""
    work, setup, configuration = table.work, table.rows[row].setup, table.rows[row].configuration
    speed = table.speed(row)
    draw = table.draw(row)
    return Option(
        device=setup.device,
        count=setup.count,
        engine=setup.engine.id,
        format=setup.plan.format.id,
        tp=int(setup.plan.tp),
        pp=int(setup.plan.pp),
        replicas=setup.replicas,
        memory={part: float(column[row]) for part, column in table.parts.items()},
        usable=float(table.usable[row]),
        cost=monthly_cost(
            setup.device,
            setup.count,
            draw,
            work.hours_per_day,
            work.busy,
            question.electricity,
            configuration,
            question.prices.get(setup.device.id),
            question.host_price,
        ),
        draw=draw,
        configuration=configuration,
        speed=speed,
        sequences=float(table.sequences[row]),
        batch_limit=float(table.batch_limit[row]),
    )


def factors(question: Question, table: Table, places: Sequence[int], deployments: Deployments) -> dict[str, np.ndarray]:
    """By which factor rows miss each limit; 0 where they keep it, infinite where what it takes is unknown, as it is of
    rows that are not asked for.

    Latencies are held at the upper end of the 80 % interval: a limit kept only on average is not kept. A service
    without limits is held to reading speed and patience.
    """
    work, foot = table.work, table.foot
    waits, paces = ttft_limit(question), tpot_limit(question)
    if waits is not None or paces is not None:
        table.time(places)
    tight = np.where(foot.left < foot.doubt, CLOSE, 0.0) if isinstance(work, Service) else 0.0
    found = {"memory": np.where(foot.left < 0, foot.total / foot.usable, tight)}
    if waits is not None:
        found["TTFT"] = _late(table.times["ttft"], table.times["slow_ttft"], waits)
    if paces is not None:
        found["TPOT"] = _late(table.times["tpot"], table.times["slow_tpot"], paces)
    if isinstance(work, Service):
        waiting = table.concurrency > table.batch_limit
        found["concurrency"] = np.where(waiting, table.concurrency / np.maximum(table.batch_limit, 0.1), 0.0)
    if question.budget is not None:
        found["budget"] = np.asarray(over(deployments.prices(question, table.rows), question.budget))
    if question.max_power is not None:
        table.ask(places)
        walls = np.full(len(table.rows), np.nan)
        for row in places:
            draw = table.draw(row)
            walls[row] = np.nan if draw is None else draw.wall
        found["power"] = np.asarray(over(walls, question.max_power))
    return found


#: How far off a service counts whose memory is left, but by less than the estimate may be off.
CLOSE = 1.05


def _late(value: np.ndarray, slow: np.ndarray, limit: float) -> np.ndarray:
    """The factor by which a latency is over its limit: 0 where even the slow end keeps it."""
    return np.where(np.isnan(value), np.inf, np.where((value > limit) | (slow > limit), slow / limit, 0.0))


def ttft_limit(question: Question) -> float | None:
    """Longest time to the first token [s]."""
    work = question.workload
    assert isinstance(work, SingleUser | Service)
    return work.slo_ttft if work.slo_ttft is not None or isinstance(work, SingleUser) else PATIENCE


def tpot_limit(question: Question) -> float | None:
    """Longest time per further token [s]."""
    work = question.workload
    assert isinstance(work, SingleUser | Service)
    return work.slo_tpot if work.slo_tpot is not None or isinstance(work, SingleUser) else 1 / READING_SPEED


def _said(name: str, question: Question, option: Option) -> str:
    """What the option falls short of, in a sentence with how much is missing."""
    speed = option.speed
    assert speed is not None
    if name == "memory":
        return _too_full(option)
    if name == "TTFT" and speed.ttft is not None and speed.slow_ttft is not None:
        return _over(name, question, speed.ttft, speed.slow_ttft, ttft_limit(question))
    if name == "TPOT":
        return _over(name, question, speed.tpot, speed.slow_tpot, tpot_limit(question))
    if name == "concurrency":
        held = digits(option.batch_limit or 0.0)
        return f"concurrency: {digits(speed.concurrency)} requests in flight, it runs {held} at once"
    if name in ("budget", "power"):
        return next(s.text for s in money_and_power(question, option) if s.text.startswith(name))
    return "TTFT unknown: the catalogue has no peak rate for this device"


def _too_full(option: Option) -> str:
    if option.left < 0:
        return f"memory: {size(-option.left)} too little per device"
    doubt = size(option.memory_doubt)
    return f"memory: {size(option.left)} left per device, the estimate may be off by {doubt}"


def _over(what: str, question: Question, value: float, worst: float, limit: float | None) -> str:
    assert limit is not None, "only a limit is missed"
    mean = " on average" if isinstance(question.workload, Service) else ""
    if value > limit:
        return f"{what} {duration(value)}{mean}, over the limit of {duration(limit)}"
    return f"{what} {duration(value)}{mean} may reach {duration(worst)}, over the limit of {duration(limit)}"


def money_and_power(question: Question, option: Option) -> Iterator[Shortfall]:
    """Budget, held at the middle of the price, and power at the wall."""
    price, budget, limit = option.outlay, question.budget, question.max_power
    if budget is not None and price is None:
        yield Shortfall("budget: no sourced price")
    elif budget is not None and price is not None and price > budget:
        yield Shortfall(f"budget: {money(price - budget)} over", float(over(price, budget)))
    if limit is not None and option.draw is None:
        yield Shortfall("power: its draw is not in the catalogue")
    elif limit is not None and option.draw is not None and option.draw.wall > limit:
        drawn = option.draw.wall
        yield Shortfall(f"power: {digits(drawn)} W at the wall, limit {digits(limit)} W", float(over(drawn, limit)))


def unable(question: Question, device: Device) -> str:
    """Why a device is no candidate at all."""
    if not device.bandwidth:
        return "its memory bandwidth is not in the catalogue"
    if Machine(device, 1, configurations(device)[0]).usable is None:
        return "its memory is not in the catalogue"
    found = list(engines_for(question, device))
    if not found:
        named = load_engines()[question.engine].name if question.engine else "no engine of the catalogue"
        return f"{named} {'does not run' if question.engine else 'runs'} on it"
    fmt = question.format.name if question.format else "a format of this model"
    return f"{found[0][0].name} does not read {fmt}"


def again(question: Question, options: Sequence[Option]) -> list[Option]:
    """The same deployments under another question: the same devices, layouts, engines and formats."""
    rows, work = [], question.workload
    assert isinstance(work, SingleUser | Service)
    for option in options:
        engine = load_engines()[option.engine]
        backend = engine.backend(option.device, asked=True)
        usable = Machine(option.device, 1, option.configuration).usable
        assert backend is not None and usable is not None, "the option was built with them"
        plan = Plan(question.weights(option.format), float(option.tp), float(option.pp), question.kv_bits)
        setup = Setup(question.arch, option.device, engine, backend, plan, usable, option.replicas, question.blocks)
        rows.append(Row(setup, option.configuration))
    table = Table(replace(work, slo_ttft=None, slo_tpot=None), rows)
    every = range(len(rows))
    table.ask(every)
    judged = Judged(question, table, every, Deployments())
    return [judged.option(row) for row in every]

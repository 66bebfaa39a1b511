"""Candidates for using a model: every device class, the engines that run there, the layouts that fit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ridgewise.advise.limits import divides
from ridgewise.advise.option import Option, Shortfall, missed
from ridgewise.advise.question import Question
from ridgewise.advise.rank import quality_loss, utility
from ridgewise.economics import monthly_cost, wall_power
from ridgewise.economics.cost import TARIFF, sold
from ridgewise.engines import Backend, Engine, load_engines
from ridgewise.hardware import Device
from ridgewise.hardware.machine import Machine, configurations
from ridgewise.models.formats import Format, load_formats, native_format
from ridgewise.serving import Setup, Speed, largest_batch, service, single
from ridgewise.serving.estimate import footprint
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


def evaluate(question: Question, setup: Setup, configuration: float | None) -> Option:
    """Memory, speed, power and cost of one deployment, and what it falls short of."""
    work = question.workload
    assert isinstance(work, SingleUser | Service)
    if isinstance(work, Service):
        speed = service(setup, work)
        sequences = max(reserved(work, speed.concurrency / setup.replicas), 1.0)
        context = mean_context(work, sequences)
    else:
        speed = single(setup, work)
        sequences, context = 1.0, work.context
    foot = footprint(setup, sequences, context)
    many = isinstance(work, Service) and speed.concurrency >= 8 * setup.replicas
    draw = wall_power(setup.device, setup.count, "serve" if many else "decode")
    cost = monthly_cost(
        setup.device,
        setup.count,
        draw,
        work.hours_per_day,
        work.busy,
        question.tariff if question.tariff is not None else TARIFF,
        configuration,
        question.prices.get(setup.device.id),
        question.host_price,
    )
    option = Option(
        device=setup.device,
        count=setup.count,
        engine=setup.engine.id,
        format=setup.plan.format.id,
        tp=int(setup.plan.tp),
        pp=int(setup.plan.pp),
        replicas=setup.replicas,
        memory={part: float(amount) for part, amount in foot.parts.items()},
        usable=float(foot.usable),
        cost=cost,
        draw=draw,
        configuration=configuration,
        speed=speed,
        context_limit=largest_context(setup, sequences),
        batch_limit=largest_batch(setup, context) * setup.replicas,
    )
    return replace(option, **missed(shortfalls(question, setup, option)))


def largest_context(setup: Setup, sequences: float) -> float:
    """Longest context that fits with this many sequences, up to the model's own limit [tokens]."""
    limit = float(setup.arch.max_context or 131072)
    grid = np.geomspace(256, max(limit, 512), 48)
    left = np.asarray(footprint(setup, sequences, grid).left)
    if left[0] < 0:
        return 0.0
    if left[-1] >= 0:
        return limit
    while True:  # caches grow in steps, so the last whole token is searched, not interpolated
        place = int(np.argmax(left < 0))
        low, high = math.floor(grid[place - 1]), math.ceil(grid[place])
        if high - low <= 1:
            return float(low)
        grid = np.unique(np.floor(np.linspace(low, high, 64)))
        left = np.asarray(footprint(setup, sequences, grid).left)


def shortfalls(question: Question, setup: Setup, option: Option) -> Iterator[Shortfall]:
    """What the option falls short of, one sentence each, with how much is missing."""
    work, speed = question.workload, option.speed
    assert speed is not None and isinstance(work, SingleUser | Service)
    if not np.isfinite(speed.tpot):
        yield Shortfall("no memory bandwidth is known for this device")
    factor = option.memory_total / option.usable
    if option.left < 0:
        yield Shortfall(f"memory: {size(-option.left)} too little per device", factor)
    elif isinstance(work, Service) and option.left < option.memory_doubt:
        doubt = size(option.memory_doubt)
        yield Shortfall(f"memory: {size(option.left)} left per device, the estimate may be off by {doubt}", 1.05)
    yield from speed_shortfalls(work, speed, option)
    yield from money_and_power(question, option, option.cost.buy)


def money_and_power(question: Question, option: Option, price: float | None) -> Iterator[Shortfall]:
    """Budget, held at the middle of the price, and power at the wall."""
    budget, limit = question.budget, question.max_power
    if budget is not None and price is None:
        yield Shortfall("budget: no sourced price")
    elif budget is not None and price is not None and price > budget:
        yield Shortfall(f"budget: {money(price - budget)} over", price / budget)
    if limit is not None and option.draw is None:
        yield Shortfall("power: its draw is not in the catalogue")
    elif limit is not None and option.draw is not None and option.draw.wall > limit:
        drawn = option.draw.wall
        yield Shortfall(f"power: {digits(drawn)} W at the wall, limit {digits(limit)} W", drawn / limit)


def speed_shortfalls(work: SingleUser | Service, speed: Speed, option: Option) -> Iterator[Shortfall]:
    """Latency limits, held at the upper end of the 80 % interval: a limit kept only on average is not kept.
    A service without limits is held to reading speed and patience. And concurrency."""
    serves = isinstance(work, Service)
    ttft_limit = work.slo_ttft if work.slo_ttft is not None or not serves else PATIENCE
    tpot_limit = work.slo_tpot if work.slo_tpot is not None or not serves else 1 / READING_SPEED
    if ttft_limit is not None and speed.ttft is not None:
        yield from _over("TTFT", speed.ttft, speed.ttft_band.high, ttft_limit)
    if speed.ttft is None and ttft_limit is not None:
        yield Shortfall("TTFT unknown: the catalogue has no peak rate for this device")
    if tpot_limit is not None:
        yield from _over("TPOT", speed.tpot, speed.tpot_band.high, tpot_limit)
    if serves and option.batch_limit is not None and speed.concurrency > option.batch_limit:
        held = digits(option.batch_limit)
        yield Shortfall(
            f"concurrency: {digits(speed.concurrency)} requests in flight, it runs {held} at once",
            speed.concurrency / max(option.batch_limit, 0.1),
        )


def _over(what: str, value: float, spread: float, limit: float) -> Iterator[Shortfall]:
    worst = value * spread
    if value > limit:
        yield Shortfall(f"{what} {duration(value)} over the limit of {duration(limit)}", worst / limit)
    elif worst > limit:
        text = f"{what} {duration(value)} may reach {duration(worst)}, over the limit of {duration(limit)}"
        yield Shortfall(text, worst / limit)


def mean_context(work: Service, sequences: float) -> float:
    """Tokens per sequence when one of them is as long as the longest allowed and the others are typical."""
    typical = work.prompt + work.output
    return typical + max(work.context - typical, 0.0) / sequences


def reserved(work: Service, concurrency: float) -> float:
    """Requests memory must hold for a mean of ``concurrency`` in flight: arrivals are independent, so their
    number varies like a Poisson count, and ``c + 2·√c`` covers 97 % of moments. A stated concurrency is
    taken at its word."""
    return concurrency if work.concurrency is not None else concurrency + 2.0 * math.sqrt(concurrency)


def candidates(question: Question, devices: tuple[Device, ...]) -> Iterator[Option]:
    """The best layout of every device, feasible or with its shortfalls."""
    for device in devices:
        for configuration in configurations(device):
            found = list(_of_device(question, device, configuration))
            if found:
                yield _best(question, found)


def _best(question: Question, options: list[Option]) -> Option:
    """Of one device: the best ranked among those that do; else the one that comes nearest."""
    able = [option for option in options if option.feasible]
    if able and isinstance(question.workload, SingleUser) and question.priority != "speed":
        able = [option for option in able if not any(_simpler(question, other, option) for other in able)]
    if able:
        return max(able, key=lambda option: (utility(question, option), -option.count))
    return min(options, key=lambda option: (option.distance, option.count))


def _simpler(question: Question, one: Option, other: Option) -> bool:
    """Does one do with fewer devices what the other does in no finer weights? Nobody builds in a second card for
    himself to wait half a second less."""
    losses = (quality_loss(question, question.weights(option.format)) for option in (one, other))
    return one.count < other.count and next(losses) <= next(losses)


def _of_device(question: Question, device: Device, configuration: float | None) -> Iterator[Option]:
    """Layouts by rising count, up to the first that does the job with weights as published (or, past a
    quantised one that does, as far as :data:`FURTHER` doublings)."""
    usable = Machine(device, 1, configuration).usable
    if usable is None or not device.bandwidth:
        return
    for engine, backend in engines_for(question, device):
        further = FURTHER
        for count in COUNTS[device.kind] if not device.complete else (1,):
            options = list(_layouts_of(question, device, configuration, usable, engine, backend, count))
            yield from options
            able = [option for option in options if option.feasible]
            if any(quality_loss(question, question.weights(option.format)) == 0.0 for option in able):
                bought = sold(device, count)
                if bought > count and isinstance(question.workload, Service):  # a server is paid for whole
                    yield from _layouts_of(question, device, configuration, usable, engine, backend, bought)
                return
            further -= bool(able)
            if further == 0:
                return
        if further < FURTHER:
            return


def _layouts_of(
    question: Question, device: Device, configuration: float | None, usable: float,
    engine: Engine, backend: Backend, count: int,
) -> Iterator[Option]:  # fmt: skip
    """Every layout of ``count`` devices in the widest format that does the job."""
    for fmt in formats_for(question, engine, backend, device):
        options = []
        for tp, pp, replicas in layouts(engine, backend, count, Machine(device, 1).per_node):
            if replicas > 1 and not isinstance(question.workload, Service):
                continue
            if not divides(question.arch, tp):
                continue
            plan = Plan(fmt, float(tp), float(pp), question.kv_bits)
            setup = Setup(question.arch, device, engine, backend, plan, usable, replicas, question.blocks)
            if _hopeless(setup):
                continue
            options.append(evaluate(question, setup, configuration))
        yield from options
        if any(option.feasible for option in options):
            return


def _hopeless(setup: Setup) -> bool:
    """Not even the weights fit: no need to compute speeds, unless it is the only thing to report."""
    return float(footprint(setup, 0.0, 256.0).left) < 0 and setup.replicas > 1


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


def again(question: Question, option: Option) -> Option:
    """The same deployment under another question: the same devices, layout, engine and format."""
    engine = load_engines()[option.engine]
    backend = engine.backend(option.device, asked=True)
    assert backend is not None, "the option was built with this back end"
    plan = Plan(question.weights(option.format), float(option.tp), float(option.pp), question.kv_bits)
    usable = Machine(option.device, 1, option.configuration).usable
    assert usable is not None
    setup = Setup(question.arch, option.device, engine, backend, plan, usable, option.replicas, question.blocks)
    return evaluate(question, setup, option.configuration)

"""A training run on one kind of device: the best layouts, the run with its failures, power and money, the same on
fewer and more devices, what fine-tuning and post-training add, and why it cannot be done where it cannot."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from ridgewise.advise.drawing import training_draw
from ridgewise.advise.failures import BETWEEN, RESTART, Goodput, goodput, interrupted
from ridgewise.advise.learning import COUNTS, NEVER, SLOTTED, kind_of, rent_together, run_cost, usable_memory
from ridgewise.economics import Cost, Draw
from ridgewise.economics.cost import SERVER_KINDS, TARIFF
from ridgewise.economics.energy import DESK, RACK, circuits, heat, kilowatt_hours
from ridgewise.errors import RequestError
from ridgewise.hardware import Device
from ridgewise.hardware.machine import Machine
from ridgewise.hardware.sheets import device as find_device
from ridgewise.memory.training import OPTIMISERS, Method, Recompute
from ridgewise.models.architecture import Architecture
from ridgewise.models.formats import weight_format
from ridgewise.models.read import load
from ridgewise.serving.outcome import Load, Range, outcome
from ridgewise.timing.coefficients import Band, Block, load_blocks
from ridgewise.training import TrainingEstimate, unsupported
from ridgewise.training.estimate import BLOCK, CHOSEN, PRECISIONS, PROGRAMS
from ridgewise.training.layouts import UNEVEN, Space, fullness
from ridgewise.training.planning import DESKS, HOSTS, Job, Plan, fitting, floor_seconds, job, programs, search, usual
from ridgewise.units import count as counted
from ridgewise.units import digits, duration, share, size, whole
from ridgewise.workloads import FineTuning, Pretraining

Goal = Literal["train", "finetune", "lora", "qlora", "dpo", "grpo"]
GOALS: tuple[Goal, ...] = ("train", "finetune", "lora", "qlora", "dpo", "grpo")
#: How each goal updates weights where nothing else is said.
METHODS: Mapping[Goal, Method] = {
    "train": "full", "finetune": "full", "lora": "lora", "qlora": "qlora", "dpo": "lora", "grpo": "lora"
}  # fmt: skip
#: The goal that updates weights by each method.
METHOD_GOALS: Mapping[Method, Goal] = {"full": "finetune", "lora": "lora", "qlora": "qlora"}
#: Power of a rack [W], assumed.
RACK_WATTS = 40e3
#: Tokens per parameter at which training FLOPs are spent best (Chinchilla, arXiv 2203.15556); later models are trained
#: far longer because they are used long.
CHINCHILLA = 20.0
#: The same of peak memory where nothing is calibrated, assumed.
MEMORY = Band(0.7, 1.5)
#: Metrics of measured runs, and what they are.
METRICS = {"tokens_s_per_gpu": "tokens/s", "iter_time_s": "seconds of a step", "samples_s": "samples/s"}
#: How much fuller than the mean an expert group is taken to be where its risk is told: the capacity that mixtures with
#: a limit train with (Switch Transformer, arXiv 2101.03961).
HOT = 1.25
#: Models by which the largest that fits a machine is told, smallest first.
LADDER = (
    "Qwen/Qwen2-0.5B-Instruct", "Qwen/Qwen2.5-1.5B-Instruct", "Qwen/Qwen2.5-3B-Instruct", "Qwen/Qwen2.5-7B-Instruct",
    "Qwen/Qwen2.5-14B-Instruct", "Qwen/Qwen2.5-32B-Instruct", "Qwen/Qwen2.5-72B-Instruct",
    "meta-llama/Meta-Llama-3.1-405B",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be trained, in numbers.

    tokens      trained in all; ``batch`` sequences per optimiser step of ``length`` tokens
    samples     of the data set, for fine-tuning; 0: told in tokens
    count       devices; None: as many as the deadline asks for, or as it takes to fit
    group, prompt, answer   of GRPO: answers per prompt, and tokens of both
    deadline [s], budget [USD]
    memory      of the machine where several are sold [B]
    hot         routed tokens of the fullest expert group over the mean
    said        what was changed to make the numbers fit each other
    """

    arch: Architecture
    device: Device
    goal: Goal
    method: Method
    tokens: float
    length: float
    batch: float
    count: int | None
    precision: str = "bf16"
    optimiser: str = "adamw"
    rank: float = 16.0
    samples: float = 0.0
    epochs: float = 1.0
    group: float = 8.0
    prompt: float = 512.0
    answer: float = 1024.0
    deadline: float | None = None
    budget: float | None = None
    tariff: float = TARIFF
    memory: float | None = None
    program: str = ""
    chunked: bool | None = None
    space: Space = field(default_factory=Space)
    top: int = 5
    said: tuple[str, ...] = ()
    blocks: Mapping[str, Block] | None = None
    hot: float = 1.0


@dataclass(frozen=True, slots=True)
class Point:
    """The run on so many devices: seconds with failures, its rent, and how much of perfect scaling is left."""

    count: int
    plan: Plan
    run: Annotated[float, "s"]
    useful: Annotated[float, "ratio"]
    rent: Annotated[float, "USD"] | None
    scaling: Annotated[float, "ratio"]
    pareto: bool


@dataclass(frozen=True, slots=True)
class Knob:
    """What turning one knob does: bytes per device and share of the time, against the plan."""

    name: str
    memory: Annotated[float, "B"]
    time: Annotated[float, "ratio"]
    fits: bool


@dataclass(frozen=True, slots=True)
class Generation:
    """The other phase of post-training: answers written by the same devices.

    requests    answers per optimiser step, by ``replicas`` of ``tp`` devices under ``engine``
    seconds     of one step's answers
    """

    requests: float
    replicas: int
    tp: int
    engine: str
    seconds: Range
    tier: str


@dataclass(frozen=True, slots=True)
class Training:
    """The answer. ``plans`` is empty where nothing can be said; ``impossible`` then says why."""

    asked: Asked
    plans: tuple[Plan, ...]
    run: TrainingEstimate | None
    goodput: Goodput | None
    draw: Draw | None
    cost: Cost | None
    curve: tuple[Point, ...]
    knobs: tuple[Knob, ...]
    largest: Mapping[str, str]
    generation: Generation | None
    impossible: str
    floor: Annotated[float, "s"] | None
    risks: tuple[str, ...]
    notes: tuple[str, ...]
    error: str

    @property
    def feasible(self) -> bool:
        return not self.impossible

    @property
    def plan(self) -> Plan:
        return self.plans[0]

    @property
    def step(self) -> Range:
        """Seconds of an optimiser step, both phases, with the interval."""
        assert self.run is not None
        ratio = self.run.seconds
        seconds = self.plan.seconds
        train = Range(seconds, seconds * self.run.low / ratio, seconds / self.plan.work.known.low / CHOSEN)
        return train + self.generation.seconds if self.generation else train

    @property
    def steps(self) -> float:
        return self.asked.tokens / (self.asked.batch * self.asked.length)

    @property
    def duration(self) -> Range:
        """Seconds of the whole run, failures counted."""
        assert self.run is not None and self.goodput is not None
        made = self.generation.seconds * self.steps if self.generation else Range(0.0, 0.0, 0.0)
        run = interrupted(self.run, self.goodput)
        return Range(run.seconds, run.low, run.high) + made

    @property
    def energy(self) -> float | None:
        """Energy of the run at the wall [kWh]."""
        if self.draw is None:
            return None
        return float(kilowatt_hours(self.draw.wall, 0.0, 1.0, float(self.duration.value) / 3600.0))

    @property
    def heat(self) -> float | None:
        """Heat to remove [BTU/h]."""
        return None if self.draw is None else float(heat(self.draw.wall))

    @property
    def site(self) -> tuple[int, float, float, int] | None:
        """Circuits with their volts and amperes, and racks (0: it stands on a desk)."""
        if self.draw is None:
            return None
        room = self.asked.device.kind in SERVER_KINDS
        volts, amperes = RACK if room else DESK
        racks = math.ceil(self.draw.wall / RACK_WATTS) if room else 0
        return int(circuits(self.draw.wall, volts, amperes)), volts, amperes, racks


def prepared(asked: Asked, program: str = "", **changed: Any) -> Job:
    """The job by one program, with what else is loaded beside it."""
    usable = usable_memory(asked.device, asked.memory)
    assert usable is not None, "devices without a known memory are refused before"
    extra, reference = 0.0, 0.0
    if asked.goal in ("dpo", "grpo"):
        extra = 1.0 if asked.goal == "dpo" else 2.0  # the reference; for GRPO the old probabilities too
        reference = 2.0 * asked.arch.parameters_total if asked.method == "full" else 0.0
    settings: dict[str, Any] = {
        "precision": asked.precision, "optimiser": asked.optimiser, "rank": asked.rank, "blocks": asked.blocks,
        "extra": extra, "reference": reference, "program": program or asked.program, "chunked": asked.chunked,
        "kind": kind_of(asked.method, asked.goal == "train"), "hot": asked.hot,
    }  # fmt: skip
    at: dict[str, Any] = {"arch": asked.arch, "method": asked.method, "length": asked.length, "batch": asked.batch}
    at |= {name: value for name, value in changed.items() if name in at}
    settings |= {name: value for name, value in changed.items() if name not in at}
    return job(at["arch"], asked.device, at["method"], at["length"], at["batch"], usable, **settings)


def fitted(asked: Asked, count: int, most: int = 1) -> tuple[Plan, ...]:
    """The best layouts on so many devices, by the program that is usual or, where its habits do not fit, by one that
    holds less."""
    pretraining = asked.goal == "train"
    tried = (asked.program,) if asked.program else programs(asked.method, pretraining)
    jobs = [prepared(asked, program) for program in tried]
    return fitting(jobs, count, usual(asked.space, asked.method, pretraining), most)


def answered(asked: Asked) -> Training:
    """The answer to one training question."""
    why = _unable(asked)
    floor = floor_seconds(asked.arch, asked.device, asked.count or 1, asked.tokens, asked.length, asked.method)
    floor = None if floor is None else float(floor)
    if why:
        return _impossible(asked, why, floor)
    points = tuple(_points(asked))
    count = asked.count or _enough(asked, points)
    plans = fitted(asked, count, asked.top)
    if not plans:
        return _impossible(asked, f"no layout of {count} devices is possible: {_blocked(asked, count)}", floor)
    plan = plans[0]
    run, kept = plan.estimate(asked.tokens), goodput(plan)
    made = _generation(asked, plan) if asked.goal == "grpo" else None
    if isinstance(made, str):
        return _impossible(asked, made, floor)
    draw = training_draw(asked.arch, asked.device, run, asked.method, asked.length, asked.blocks)
    whole_run = run.seconds / kept.useful + (float(made.seconds.value) * _steps(asked) if made else 0.0)
    cost = run_cost(
        asked.device, count, draw, replace(run, seconds=whole_run), asked.tariff, asked.memory, None, None,
        asked.goal == "train",
    ) if kept.useful > 0 else None  # fmt: skip
    tuned = asked.goal != "train"
    found = Training(
        asked, plans, run, kept, draw, cost, _curve(points), tuple(_knobs(asked, plan)) if tuned else (),
        _largest(asked, count) if tuned and count <= 8 else {}, made, "", floor, (), (), "",
    )  # fmt: skip
    return replace(
        found, impossible=_hindrance(found, points), risks=tuple(_risks(found)), notes=tuple(_notes(found)),
        error=_error(asked, plan),
    )  # fmt: skip


def _steps(asked: Asked) -> float:
    return asked.tokens / (asked.batch * asked.length)


def _unable(asked: Asked) -> str:
    """Why nothing can be said about training on this device."""
    reason = unsupported(asked.device, asked.method)
    if reason is None and usable_memory(asked.device, asked.memory) is None:
        reason = "its memory is not in the catalogue"
    return reason or ""


def _impossible(asked: Asked, why: str, floor: float | None) -> Training:
    devices = f"{whole(asked.count or 1)} × {asked.device.name}"
    if floor is not None and floor > NEVER:
        why = f"{duration(floor)} on {devices} at their full peak, which nothing reaches; {why}"
    return Training(asked, (), None, None, None, None, (), (), {}, None, why, floor, (), (), "")


def _counts(asked: Asked) -> tuple[int, ...]:
    """Device counts of the scaling curve: powers of two, and the count asked for."""
    device = asked.device
    known = [n for n in COUNTS.get(device.kind, (1,)) if not device.slotted or n <= SLOTTED]
    if device.complete:
        known = [1]
    if asked.count is None:
        return tuple(known)
    near = [n for n in (*known, 8192, 16384, 32768) if asked.count / 8 <= n <= 4 * asked.count]
    return tuple(sorted({*(n for n in near if n in known or (n > known[-1] and known[-1] >= 4096)), asked.count}))


def _points(asked: Asked) -> Iterator[tuple[int, Plan, float, float]]:
    """Count, best plan, seconds with failures and useful share of every count that fits."""
    free = asked if asked.space.shards is None else replace(asked, space=replace(asked.space, shards=None))
    for count in _counts(asked):
        plans = fitted(asked if count == asked.count else free, count)
        if plans and plans[0].fits:
            kept = goodput(plans[0])
            if kept.useful > 0:
                run = plans[0].estimate(asked.tokens).seconds / kept.useful
                made = _generation(asked, plans[0]) if asked.goal == "grpo" else None
                if isinstance(made, Generation):
                    run += float(made.seconds.value) * _steps(asked)
                if not isinstance(made, str):
                    yield count, plans[0], run, kept.useful


def _rent(device: Device, count: int, seconds: float) -> float | None:
    offer = rent_together(device, count)
    return None if offer is None else offer.middle * count * seconds / 3600.0


def _curve(points: Sequence[tuple[int, Plan, float, float]]) -> tuple[Point, ...]:
    """Points with their rent; on the Pareto front is what nothing else beats in time at no more device-hours."""
    if not points:
        return ()
    spent = [count * run for count, _, run, _ in points]
    return tuple(
        Point(
            count, plan, run, useful, _rent(plan.work.device, count, run), spent[0] / (run * count),
            not any(other[2] < run and cost <= count * run for other, cost in zip(points, spent, strict=True)),
        )
        for count, plan, run, useful in points
    )  # fmt: skip


def _enough(asked: Asked, points: Sequence[tuple[int, Plan, float, float]]) -> int:
    """The smallest count that keeps the deadline and the budget; else the one that comes nearest."""
    limit = asked.deadline or usual_deadline(asked.goal)
    for count, _, run, _ in points:
        rent = _rent(asked.device, count, run)
        if run <= limit and (asked.budget is None or rent is None or rent <= asked.budget):
            return count
    return min(points, key=lambda point: point[2])[0] if points else _counts(asked)[-1]


def usual_deadline(goal: Goal) -> Annotated[float, "s"]:
    """By when a run of each goal is to end where nobody says."""
    if goal == "train":
        return Pretraining(0.0).deadline or NEVER
    found = next((method for method, name in METHOD_GOALS.items() if name == goal), None)
    return NEVER if found is None else FineTuning(found).deadline or NEVER


def _blocked(asked: Asked, count: int) -> str:
    if OPTIMISERS[asked.optimiser].fused:
        return f"weights that change inside the backward pass need all {whole(asked.batch)} sequences at once (--batch)"
    return (
        f"{whole(asked.batch)} sequences per step, {asked.arch.layers} layers and the degrees asked for leave nothing "
        "to share out"
    )


def _hindrance(found: Training, points: Sequence[tuple[int, Plan, float, float]]) -> str:
    """Why the run is not possible as asked, with how far off it is; empty where it is."""
    asked, plan, run = found.asked, found.plan, float(found.duration.value)
    devices = f"{whole(plan.count)} × {asked.device.name}"
    if not plan.fits:
        more = next((n for n, *_ in points if n > plan.count), None)
        way = f"; {whole(more)} devices hold it" if more else ""
        return (
            f"{devices} cannot hold it: {size(plan.least)} per device in the tightest layout, {size(plan.work.usable)} "
            f"usable ({digits(plan.least / plan.work.usable)} times too much){way}"
        )
    if found.goodput is not None and found.goodput.useful <= 0:
        return f"{devices} fail so often that a run never ends"
    if run > NEVER:
        return f"{duration(run)} on {devices}; hardware is replaced every three to five years"
    if asked.deadline is not None and run > asked.deadline:
        times = digits(run / asked.deadline)
        return f"{duration(run)} on {devices}, deadline {duration(asked.deadline)}: {times} times too long"
    spent = found.cost.month if found.cost else None
    if asked.budget is not None and spent is not None and spent > asked.budget:
        return f"the run costs ${spent:,.0f}, budget ${asked.budget:,.0f}: {digits(spent / asked.budget)} times"
    return ""


def _error(asked: Asked, plan: Plan) -> str:
    """How wrong such answers were for publications that the fit had not seen."""
    block, like = (asked.blocks if asked.blocks is not None else load_blocks()).get(BLOCK), regime(plan.work)
    scores = {what: block.errors[key] for metric, what in METRICS.items()
              if block and (key := f"source {metric} {like}") in block.errors}  # fmt: skip
    if not scores:
        return "no measured run of this kind: the interval is a judgement"
    what = max(scores, key=lambda name: scores[name][0])
    rows, median = scores[what][:2]
    return f"median error {share(median)} on {whole(rows)} runs of publications left out ({like}, {what})"


def memory_band(plan: Plan) -> Band:
    """Measured peaks over estimates, between which 80 % of the runs left out lay."""
    block = load_blocks().get(f"{BLOCK}-memory")
    return block.band("peak_mem_gib", regime(plan.work), "") if block else MEMORY


def regime(work: Job) -> str:
    """The kind of measured runs that a job is held against."""
    return f"{'moe' if work.arch.moe else 'dense'} {work.kind}"


def _risks(found: Training) -> Iterator[str]:
    """What may go otherwise than the numbers say."""
    asked, plan, run = found.asked, found.plan, found.run
    assert run is not None and found.goodput is not None
    left = 1.0 - plan.memory_total / plan.work.usable
    most = plan.memory_total * memory_band(plan).high
    if left >= 0 and most > plan.work.usable:
        ways = {
            "--recompute full": plan.recompute != "full", "--micro-batch 1": plan.micro > 1,
            "--zero 3": plan.stage < 3 and plan.dp > 1 and plan.pp == 1,
        }  # fmt: skip
        able = " or ".join(way for way, other in ways.items() if other)
        yield (
            f"memory: {share(left)} left; one measured run in ten took more than "
            f"{share(most / plan.memory_total - 1.0)} over such an estimate, here {size(most)}"
            + (f" ({able} leaves more)" if able else "")
        )
    if asked.arch.moe:
        yield "mixtures of experts: releases of one program were up to three times apart on the same devices"
        if asked.hot < HOT:
            (hot,) = turned(asked, plan, hot=HOT)
            yield (
                f"routing: as even as in the measured runs, which force it; an expert group {share(HOT - 1.0)} fuller "
                f"than the mean makes a step {share(hot.seconds / plan.seconds - 1.0)} longer and takes "
                f"{size(hot.memory_total - plan.memory_total)} more (--imbalance {HOT:g})"
            )
    if run.tier in ("datasheet", "assumed"):
        yield f"no training run on this class of device was measured ({run.tier}): the interval reaches accordingly"
    elif run.tier == "transferred":
        yield "this device was not measured, its class was"
    if PRECISIONS[asked.precision][0] in ("fp8", "fp4"):
        yield f"{asked.precision}: attention, norms and the head stay in 16 bits; a loss that diverges costs a restart"
    if found.goodput.useful < 0.9:
        often = duration(3600 * found.goodput.between)
        yield f"failures: one every {often}; {share(found.goodput.useful)} of the time counts"
    if plan.count > int(asked.device.number("max_per_node") or 8):
        yield (
            f"network: {digits(8 * float(plan.work.rates.network) / 1e9)} Gbit/s per device is assumed between nodes; "
            "slower networks stretch what the step shows as messages"
        )
    if plan.pp > 1 and asked.arch.layers % plan.pp and (fuller := float(fullness(asked.arch.layers, plan.pp))) > UNEVEN:
        yield f"stages: {asked.arch.layers} layers on {plan.pp} of them: the fullest takes {share(fuller - 1.0)} longer"
    if plan.bound == "launches":
        yield "launches decide: micro-batches are too small for the device (--micro-batch, --length)"
    if asked.deadline is not None and float(found.duration.high) > asked.deadline >= float(found.duration.value):
        yield f"deadline: at the slow end of the interval it takes {duration(float(found.duration.high))}"


def _notes(found: Training) -> Iterator[str]:
    """Assumptions."""
    asked, plan, kept = found.asked, found.plan, found.goodput
    assert kept is not None
    yield from asked.said
    if asked.count is None and asked.deadline is None and (limit := usual_deadline(asked.goal)) < NEVER:
        yield f"as many devices as end it within {duration(limit)} (--deadline, --count)"
    if asked.goal == "train":
        ideal = CHINCHILLA * asked.arch.parameters_active
        yield (
            f"{digits(asked.tokens / asked.arch.parameters_active)} tokens per active parameter; about 20 spend the "
            f"FLOPs best ({counted(ideal)} tokens; arXiv 2203.15556), more make a better model of this size"
        )
    yield (
        f"as {plan.work.program} trains it"
        + (", loss in chunks" if plan.work.program == "torchtune" and asked.chunked is not False else "")
        + (", whose habits stand for those of mlx-lm" if asked.device.vendor == "Apple" else "")
        + f"; {asked.optimiser}: {OPTIMISERS[asked.optimiser].note} (--optimizer)"
    )
    if plan.hosted:
        waiting = plan.hosted * plan.count / Machine(asked.device, plan.count).nodes
        desk = find_device(HOSTS[0 if asked.device.kind in DESKS else 1])
        yield f"{size(waiting)} wait in the RAM of each host (--offload, --optimizer)" + (
            f", which is taken for a {desk.name}" if plan.offload in ("optimizer", "both") else ""
        )
    if plan.work.program != PROGRAMS[asked.method]:
        yield (f"it would not fit as {PROGRAMS[asked.method]} holds it: copies, scales and whole logits take more")
    yield (
        f"one interruption per {whole(BETWEEN)} device-hours (Llama 3, arXiv 2407.21783), checkpoints of "
        f"{size(kept.checkpoint)} written at 1 GB/s per node every {duration(3600 * kept.interval)}, "
        f"{duration(3600 * RESTART)} to restart"
    )
    if asked.goal == "dpo":
        yield "DPO: chosen and rejected answers are two sequences of a pair; the reference model reads both once more"
    if asked.goal == "grpo":
        yield (
            f"GRPO trains and serves at once: {digits(asked.group)} answers of {whole(asked.answer)} tokens per prompt "
            "are written, read by the reference and for old probabilities, then trained on; rewards are taken as free"
        )


def _generation(asked: Asked, plan: Plan) -> Generation | str:
    """The answers of one step, written by the devices that train; a sentence where they cannot be."""
    from ridgewise.advise.deploy import deploy

    why = f"{asked.arch.name} in 16 bits does not fit {whole(plan.count)} × {asked.device.name} for writing answers"
    for tp in (n for n in (1, 2, 4, 8) if plan.count % n == 0):
        try:
            setup = deploy(asked.arch, asked.device, None, weight_format("bf16"), 16.0, tp, None, None,
                           blocks=asked.blocks)  # fmt: skip
        except RequestError as error:
            why = error.what
            continue
        replicas = plan.count // tp
        made = replace(setup, replicas=replicas)
        done = outcome(made, Load(asked.prompt, asked.answer, asked.batch))
        if float(done.room) >= 1:
            each = done.requests.inverse
            return Generation(asked.batch, replicas, tp, setup.engine.id, each * asked.batch, setup.tier)
    return why


def turned(asked: Asked, plan: Plan, **changed: Any) -> tuple[Plan, ...]:
    """The same layout with other settings: of the job, or its recomputation, micro-batch or offload."""
    own: dict[str, Any] = {"recompute": plan.recompute, "micro": plan.micro, "offload": plan.offload}
    own |= {name: changed.pop(name) for name in tuple(changed) if name in own}
    space = Space((plan.tp,), (plan.pp,), (plan.chunks,), (plan.cp,), (plan.ep,), (plan.dp,), (own["micro"],),
                  (plan.stage,), (own["recompute"],), (plan.schedule,), (own["offload"],))  # fmt: skip
    return search(prepared(asked, plan.work.program, **changed), plan.count, space)


def _knobs(asked: Asked, plan: Plan) -> Iterator[Knob]:
    """What turning one knob does to memory and time; the layout stays, but another method is laid out anew."""

    def changed(name: str, times: float = 1.0, **settings: Any) -> Iterator[Knob]:
        for found in turned(asked, plan, **settings):
            rate = plan.tokens_per_second / found.tokens_per_second * times
            yield Knob(name, found.memory_total - plan.memory_total, rate, found.fits)

    other: Recompute = "none" if plan.recompute == "full" else "full"
    yield from changed(f"--recompute {other}", recompute=other)
    if plan.micro > 1:
        yield from changed(f"--micro-batch {plan.micro // 2}", micro=plan.micro // 2)
    if 2 * plan.micro * plan.dp <= asked.batch:
        yield from changed(f"--micro-batch {2 * plan.micro}", micro=2 * plan.micro)
    yield from changed(f"--length {asked.length / 2:.0f}", length=asked.length / 2)
    yield from changed(f"--length {asked.length * 2:.0f}", length=asked.length * 2)
    if asked.method != "full":
        yield from changed(f"--rank {asked.rank * 4:.0f}", rank=asked.rank * 4)
    for name in ("adamw-8bit", "adamw-8bit-paged"):
        if asked.optimiser != name:
            yield from changed(f"--optimizer {name}", optimiser=name)
    if plan.offload == "none" and asked.device.kind != "unified":
        for name in ("activations", "both") if asked.method == "full" else ("activations",):
            yield from changed(f"--offload {name}", offload=name)
    for method in ("full", "lora", "qlora"):
        if method != asked.method and unsupported(asked.device, method) is None:
            goal: Goal = asked.goal if asked.goal in ("dpo", "grpo") else METHOD_GOALS[method]
            flag = f"--method {method}" if goal == asked.goal else f"--goal {goal}"
            for found in fitted(replace(asked, goal=goal, method=method, program=""), plan.count):
                rate = plan.tokens_per_second / found.tokens_per_second
                yield Knob(flag, found.memory_total - plan.memory_total, rate, found.fits)


def _largest(asked: Asked, count: int) -> dict[str, str]:
    """Per method the largest that fits, of the ladder and the model asked for, at this length and a micro-batch of one
    sequence."""
    found, frugal = {}, "adamw-8bit-fused" if count == 1 else "adamw-bf16"
    ladder = sorted({**{name: load(name) for name in LADDER}, asked.arch.name: asked.arch}.items(),
                    key=lambda step: step[1].parameters_total)  # fmt: skip
    for method in ("full", "lora", "qlora"):
        if unsupported(asked.device, method):
            continue
        for name, arch in ladder:
            trial = replace(
                asked, arch=arch, method=method, batch=max(float(count), 1.0), goal="finetune",
                program=asked.program if method == asked.method else "",
                optimiser=frugal if method == "full" else asked.optimiser,
                space=Space(micro=(1,), recompute=("full",)),
            )  # fmt: skip
            plans = fitted(trial, count)
            if plans and plans[0].fits:
                found[method] = name
    return found


__all__ = ["GOALS", "METHODS", "Asked", "Generation", "Goodput", "Knob", "Point", "Training", "answered", "goodput"]

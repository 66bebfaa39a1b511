"""A training run as a document and for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ridgewise.advise.classic import ClassicTraining
from ridgewise.advise.training import Training, memory_band
from ridgewise.economics import Cost, Draw
from ridgewise.economics.energy import heat
from ridgewise.report.document import SCHEMA_VERSION, Estimate
from ridgewise.serving.outcome import Range
from ridgewise.training.planning import Plan
from ridgewise.units import count, digits, duration, money, power, rate, share, size, whole
from ridgewise.units.shown import Shown

#: What people call the parts of a step.
PARTS: Mapping[str, str] = {
    "products": "matrix products", "head": "output head", "attention": "attention", "traffic": "norms, activations",
    "launches": "launches", "unpacking": "unpacking weights", "tensor": "tensor-parallel messages",
    "context": "context-parallel messages", "experts": "expert messages", "bubble": "pipeline bubble",
    "data": "gradients, gathers", "update": "optimiser", "scaling": "stragglers", "host": "to and from host RAM",
}  # fmt: skip
#: What the meter of MFU counts.
CONVENTION = "model FLOPs, attention halved for causality, nothing twice, over the dense peak of the precision"


@dataclass(frozen=True, slots=True)
class LayoutDocument:
    """Degrees of one layout and its numbers. MFU counts every pair once halved for causality; ``mfu_full_attention``
    all pairs; HFU what is computed again."""

    tp: int
    pp: int
    vpp: int
    cp: int
    ep: int
    dp: int
    zero_stage: int
    micro_batch_sequences: int
    micro_steps: int
    recompute: str
    precision: str
    step_s: float
    step_parts_s: dict[str, float]
    tokens_per_s: float
    memory_bytes: float
    memory_parts_bytes: dict[str, float]
    memory_left_bytes: float
    fits: bool
    mfu: float
    mfu_full_attention: float
    hfu: float
    bound: str
    schedule: str
    offload: str
    host_memory_bytes: float


@dataclass(frozen=True, slots=True)
class GoodputDocument:
    """What failures leave of the run."""

    share: float
    hours_between_interruptions: float
    checkpoint_bytes: float
    checkpoint_write_s: float
    checkpoint_interval_s: float


@dataclass(frozen=True, slots=True)
class CurveDocument:
    """The run on another number of devices."""

    devices: int
    run_s: float
    rent_usd: float | None
    device_hours: float
    goodput: float
    scaling: float
    mfu: float
    pareto: bool


@dataclass(frozen=True, slots=True)
class KnobDocument:
    """What one change does to memory per device and to the time."""

    change: str
    memory_delta_bytes: float
    time_ratio: float
    fits: bool


@dataclass(frozen=True, slots=True)
class GenerationDocument:
    """Answers written for one step of post-training."""

    answers: float
    replicas: int
    tp: int
    engine: str
    seconds_s: Estimate


@dataclass(frozen=True, slots=True)
class TrainingDocument(Shown):
    """One training run: layouts, time, memory, power, money, and how sure all that is."""

    schema_version: int
    command: str
    model: str
    parameters_total: int
    parameters_active: int
    device: str
    device_name: str
    devices: int
    goal: str
    method: str
    optimiser: str
    program: str
    rank: float | None
    tokens: float
    length_tokens: float
    batch_sequences: float
    epochs: float
    feasible: bool
    impossible: str
    floor_s: float | None
    usable_memory_bytes: float | None
    memory_least_bytes: float | None
    layouts: tuple[LayoutDocument, ...]
    layouts_compared: int
    step_s: Estimate | None
    tokens_per_s: Estimate | None
    peak_memory_bytes: Estimate | None
    run_s: Estimate | None
    epoch_s: Estimate | None
    device_hours: Estimate | None
    mfu_convention: str
    goodput: GoodputDocument | None
    generation: GenerationDocument | None
    power_w: Estimate | None
    energy_kwh: float | None
    heat_btu_per_h: float | None
    circuits: int | None
    circuit_volts: float | None
    circuit_amperes: float | None
    racks: int | None
    purchase_usd: Estimate | None
    rent_usd_per_h: Estimate | None
    cost_usd_run: float | None
    tenure: str
    curve: tuple[CurveDocument, ...]
    knobs: tuple[KnobDocument, ...]
    largest: dict[str, str]
    bound: str
    risks: tuple[str, ...]
    accuracy: str
    notes: tuple[str, ...]
    tier: str


def _layout(plan: Plan) -> LayoutDocument:
    return LayoutDocument(
        plan.tp, plan.pp, plan.chunks, plan.cp, plan.ep, plan.dp, plan.stage if plan.dp * plan.cp > 1 else 0,
        plan.micro, plan.micro_steps, plan.recompute, plan.work.precision, plan.seconds, dict(plan.parts),
        plan.tokens_per_second, plan.memory_total, dict(plan.memory), float(plan.work.usable) - plan.memory_total,
        plan.fits, plan.mfu, plan.full_mfu, plan.hfu, plan.bound, plan.schedule, plan.offload, plan.hosted,
    )  # fmt: skip


def document(found: Training) -> TrainingDocument:
    """The published form of a run."""
    asked, plans = found.asked, found.plans
    plan, run = plans[0] if plans else None, found.run
    tier = run.tier if run else "datasheet"
    basis = (f"{asked.device.id}.peak_bf16", f"{asked.device.id}.bandwidth", "calibration.training")

    def around(range_: Range | None, *more: str) -> Estimate | None:
        if range_ is None:
            return None
        value, low, high = (float(x) for x in (range_.value, range_.low, range_.high))
        return Estimate(value, low, high, tier, (*more, *basis))  # type: ignore[arg-type]

    whole_run = found.duration if plan else None
    band = memory_band(plan) if plan else None
    kept, site, cost, draw = found.goodput, found.site, found.cost, found.draw
    batch = asked.batch * asked.length
    return TrainingDocument(
        schema_version=SCHEMA_VERSION,
        command="train",
        model=asked.arch.name,
        parameters_total=asked.arch.parameters_total,
        parameters_active=asked.arch.parameters_active,
        device=asked.device.id,
        device_name=asked.device.name,
        devices=plan.count if plan else asked.count or 1,
        goal=asked.goal,
        method=asked.method,
        optimiser=asked.optimiser,
        program=plan.work.program if plan else "",
        rank=None if asked.method == "full" else asked.rank,
        tokens=asked.tokens,
        length_tokens=asked.length,
        batch_sequences=asked.batch,
        epochs=asked.epochs,
        feasible=found.feasible,
        impossible=found.impossible,
        floor_s=found.floor,
        usable_memory_bytes=float(plan.work.usable) if plan else None,
        memory_least_bytes=float(plan.least) if plan else None,
        layouts=tuple(_layout(one) for one in plans),
        layouts_compared=plan.tried if plan else 0,
        step_s=around(found.step) if plan else None,
        tokens_per_s=around(found.step.inverse * batch) if plan else None,
        peak_memory_bytes=around(
            Range(plan.memory_total, plan.memory_total * band.low, plan.memory_total * band.high)
        ) if plan and band else None,
        run_s=around(whole_run),
        epoch_s=around(whole_run * (1.0 / asked.epochs)) if whole_run and asked.goal != "train" else None,
        device_hours=around(whole_run * (plan.count / 3600.0)) if plan and whole_run else None,
        mfu_convention=CONVENTION,
        goodput=GoodputDocument(kept.useful, kept.between, kept.checkpoint, 3600 * kept.write, 3600 * kept.interval)
        if kept else None,
        generation=_generation(found, around),
        power_w=around(Range(draw.wall, draw.low, draw.high), f"{asked.device.id}.board_power") if draw else None,
        energy_kwh=found.energy if plan else None,
        heat_btu_per_h=found.heat,
        circuits=site[0] if site else None,
        circuit_volts=site[1] if site else None,
        circuit_amperes=site[2] if site else None,
        racks=site[3] if site else None,
        purchase_usd=_money(cost.buy_low, cost.buy_high, cost) if cost else None,
        rent_usd_per_h=_money(cost.rent_low, cost.rent_high, cost) if cost else None,
        cost_usd_run=cost.month if cost else None,
        tenure=cost.tenure if cost else "",
        curve=tuple(
            CurveDocument(p.count, p.run, p.rent, p.count * p.run / 3600.0, p.useful, p.scaling, p.plan.mfu, p.pareto)
            for p in found.curve
        ),
        knobs=tuple(KnobDocument(k.name, k.memory, k.time, k.fits) for k in found.knobs),
        largest=dict(found.largest),
        bound=plan.bound if plan else "",
        risks=found.risks,
        accuracy=found.error,
        notes=found.notes,
        tier=tier,
    )  # fmt: skip


def _generation(found: Training, around: object) -> GenerationDocument | None:
    made = found.generation
    if made is None:
        return None
    assert callable(around)
    return GenerationDocument(made.requests, made.replicas, made.tp, made.engine, around(made.seconds))


def _money(low: float | None, high: float | None, cost: Cost) -> Estimate | None:
    if low is None or high is None:
        return None
    return Estimate((low + high) / 2, low, high, cost.tier, cost.basis)  # type: ignore[arg-type]


def _table(*columns: str, left: int = 1) -> Table:
    table = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 1))
    for place, title in enumerate(columns):
        table.add_column(title, justify="left" if place < left else "right", no_wrap=True)
    return table


def _heading(found: TrainingDocument) -> str:
    task = {"train": "Pretraining", "finetune": "Full fine-tuning", "lora": "LoRA", "qlora": "QLoRA",
            "dpo": "DPO", "grpo": "GRPO"}[found.goal]  # fmt: skip
    how = f" by {found.method}" if found.goal in ("dpo", "grpo") else ""
    on = f"{whole(found.devices)} × {found.device_name}"
    return f"{task}{how} of {found.model} ({count(found.parameters_total)}) on {on}"


def show(found: TrainingDocument, console: Console | None = None) -> None:
    """Print the answer: the run, its layouts, memory, step, scaling, risks."""
    out = console or Console(highlight=False)
    out.print(Text(_heading(found), style="bold"))
    batch = f"{whole(found.batch_sequences)} per step ({count(found.batch_sequences * found.length_tokens)} tokens)"
    out.print(Text(
        f"{count(found.tokens)} tokens, sequences of {whole(found.length_tokens)}, {batch}, {found.optimiser}"
    ))  # fmt: skip
    out.print()
    if not found.feasible:
        out.print(Text(f"Impossible as asked: {found.impossible}", style="bold red"))
        out.print()
    for table in _tables(found):
        out.print(table)
        out.print()
    for title, lines in _lists(found):
        out.print(Text(title, style="bold"))
        for line in lines:
            out.print(Text(f"  · {line}"))
        out.print()


def _tables(found: TrainingDocument) -> Iterator[Table]:
    if not found.layouts:
        return
    first = found.layouts[0]
    if first.fits:
        yield _numbers(found)
    yield _layouts(found.layouts)
    yield _waterfall(found)
    if first.fits:
        yield _step(first)
    if len(found.curve) > 1:
        yield _scaling(found)
    if found.knobs:
        yield _turning(found)


def _numbers(found: TrainingDocument) -> Table:
    table = _table("", "value", "80 % interval", "evidence")
    lines: list[tuple[str, Estimate | None, object]] = [
        ("whole run, failures counted", found.run_s, duration), ("one epoch", found.epoch_s, duration),
        ("one step", found.step_s, duration), ("tokens per second", found.tokens_per_s, digits),
        ("device-hours", found.device_hours, digits), ("peak memory per device", found.peak_memory_bytes, size),
        ("at the wall", found.power_w, power),
    ]  # fmt: skip
    for name, estimate, form in lines:
        if estimate is not None and callable(form):
            table.add_row(name, form(estimate.value), f"{form(estimate.low)} – {form(estimate.high)}", estimate.tier)
    return table


def _layouts(layouts: Iterable[LayoutDocument]) -> Table:
    """Layouts side by side; a degree that is 1 in all of them has no column, and what bounds them folds."""
    layouts = tuple(layouts)
    degrees = [title for title in ("PP×VPP", "CP", "EP") if any(_degree(one, title) not in ("1", "1×1")
               for one in layouts)]  # fmt: skip
    table = _table("TP", *degrees, "DP", "share", "micro", "again", "memory", "step", "MFU", "HFU", left=0)
    table.add_column("bound")
    for one in layouts:
        memory = f"{size(one.memory_bytes)}{'' if one.fits else ' !'}"
        sharing = f"ZeRO-{one.zero_stage}" if one.zero_stage else "–"
        table.add_row(
            str(one.tp), *(_degree(one, title) for title in degrees), str(one.dp), sharing,
            f"{one.micro_batch_sequences}×{one.micro_steps}", one.recompute, memory, duration(one.step_s),
            f"{one.mfu:.0%}", f"{one.hfu:.0%}", one.bound,
        )  # fmt: skip
    return table


def _degree(one: LayoutDocument, title: str) -> str:
    return {"PP×VPP": f"{one.pp}×{one.vpp}", "CP": str(one.cp), "EP": str(one.ep)}[title]


def _waterfall(found: TrainingDocument) -> Table:
    first = found.layouts[0]
    assert found.usable_memory_bytes is not None
    table = _table("memory of the fullest device", "bytes", "of usable")
    for name, part in first.memory_parts_bytes.items():
        if part:
            table.add_row(name, size(part), share(part / found.usable_memory_bytes))
    table.add_row("in all", size(first.memory_bytes), share(first.memory_bytes / found.usable_memory_bytes))
    left = first.memory_left_bytes
    table.add_row("left" if left >= 0 else "MISSING", size(abs(left)), share(abs(left) / found.usable_memory_bytes))
    return table


def _step(first: LayoutDocument) -> Table:
    table = _table("one step", "time", "share")
    for name, seconds in sorted(first.step_parts_s.items(), key=lambda part: -part[1]):
        if seconds > 5e-4 * first.step_s:
            table.add_row(PARTS[name], duration(seconds), share(seconds / first.step_s))
    return table


def _scaling(found: TrainingDocument) -> Table:
    table = _table("devices", "run", "rent", "goodput", "MFU", "scaling", "", left=0)
    for one in found.curve:
        table.add_row(
            whole(one.devices), duration(one.run_s),
            money(one.rent_usd) if one.rent_usd is not None else "no price", share(one.goodput), f"{one.mfu:.0%}",
            share(one.scaling), "← here" if one.devices == found.devices else "",
        )  # fmt: skip
    return table


def _turning(found: TrainingDocument) -> Table:
    table = _table("what would change it", "memory", "training time", "fits")
    for knob in found.knobs:
        sign = "+" if knob.memory_delta_bytes >= 0 else "−"
        memory = f"{sign}{size(abs(knob.memory_delta_bytes))}"
        table.add_row(knob.change, memory, f"× {digits(knob.time_ratio)}", "yes" if knob.fits else "no")
    return table


def _lists(found: TrainingDocument) -> Iterator[tuple[str, list[str]]]:
    if found.layouts and found.layouts[0].fits:
        first = found.layouts[0]
        yield (
            "Bound, risk, error",
            [
                f"bound: {found.bound}; {whole(found.layouts_compared)} layouts compared",
                f"MFU {share(first.mfu)}: {found.mfu_convention}; {share(first.mfu_full_attention)} with every pair "
                f"counted, HFU {share(first.hfu)} with what is computed again",
                *(f"risk: {risk}" for risk in found.risks),
                f"error: {found.accuracy}",
            ],
        )
        yield "Power and money", list(_power(found))
    if found.generation:
        made = found.generation
        yield (
            "Two phases in one step",
            [
                f"writing {whole(made.answers)} answers: {duration(made.seconds_s.value)} "
                f"({made.replicas} × {made.engine}, TP {made.tp}, {made.seconds_s.tier})",
                f"training on them: {duration(found.layouts[0].step_s)}",
            ],
        )
    if found.largest:
        yield (
            f"Largest that fits {whole(found.devices)} × {found.device_name} at this length",
            [
                f"{ {'full': _frugal(found), 'lora': 'LoRA', 'qlora': 'QLoRA'}[method] }: {name}"
                for method, name in found.largest.items()
            ],
        )
    if found.notes:
        yield "Assumed", list(found.notes)


def _frugal(found: TrainingDocument) -> str:
    """How every weight is trained in the least memory."""
    return "full, 8-bit steps inside the backward pass" if found.devices == 1 else "full, everything in 16 bits"


def _power(found: TrainingDocument) -> Iterator[str]:
    if found.power_w is not None and found.energy_kwh is not None and found.heat_btu_per_h is not None:
        racks = f", {whole(found.racks)} racks at 40 kW" if found.racks else ""
        yield (
            f"{power(found.power_w.value)} at the wall: {digits(found.energy_kwh)} kWh in all, "
            f"{whole(found.heat_btu_per_h)} BTU/h of heat, circuits of {found.circuit_volts:g} V "
            f"{found.circuit_amperes:g} A: {found.circuits}{racks}"
        )
    if found.rent_usd_per_h is not None:
        yield f"rent {money(found.rent_usd_per_h.low)}–{money(found.rent_usd_per_h.high)}/h on demand"
    if found.purchase_usd is not None:
        yield f"to buy {money(found.purchase_usd.low)}–{money(found.purchase_usd.high)}, hosts included"
    if found.cost_usd_run is not None:
        least = "a year" if found.goal == "train" else "a month"
        way = "rent" if found.tenure == "rent" else f"energy and at least {least} of a machine's three years"
        yield f"the run costs {money(found.cost_usd_run)} ({way})"
    else:
        yield "no dated price is known: no cost"
    if found.goodput is not None:
        yield (
            f"goodput {share(found.goodput.share)}: an interruption every "
            f"{duration(3600 * found.goodput.hours_between_interruptions)}, a checkpoint every "
            f"{duration(found.goodput.checkpoint_interval_s)}"
        )
    if found.tokens_per_s is not None:
        yield f"data: {rate(4.0 * found.tokens_per_s.value, 'B/s')} of tokens, which any disk delivers beside the step"


@dataclass(frozen=True, slots=True)
class ClassicTrainingDocument:
    """A run of an encoder, vision or diffusion model, anchored on measured runs."""

    schema_version: int
    command: str
    model: str
    family: str
    device: str
    device_name: str
    devices: int
    precision: str
    batch_samples: float
    samples: float
    epochs: float
    feasible: bool
    samples_per_s: Estimate
    run_s: Estimate
    epoch_s: Estimate
    power_w: Estimate | None
    energy_kwh: float | None
    heat_btu_per_h: float | None
    rent_usd_per_h: Estimate | None
    purchase_usd: Estimate | None
    cost_usd_run: float | None
    tenure: str
    bound: str
    evidence: str
    risks: tuple[str, ...]
    accuracy: str
    tier: str


def classic_document(found: ClassicTraining) -> ClassicTrainingDocument:
    """The published form of a classic run."""

    def around(range_: Range) -> Estimate:
        value, low, high = (float(x) for x in (range_.value, range_.low, range_.high))
        return Estimate(value, low, high, found.tier, ("calibration.training-classic",))  # type: ignore[arg-type]

    draw: Draw | None = found.draw
    run = found.duration
    return ClassicTrainingDocument(
        SCHEMA_VERSION, "train", found.model, found.family, found.device.id, found.device.name, found.count,
        found.precision, found.batch, found.samples, found.epochs, True, around(found.rate), around(run),
        around(run * (1.0 / found.epochs)), around(Range(draw.wall, draw.low, draw.high)) if draw else None,
        draw.wall / 1000 * float(run.value) / 3600 if draw else None, float(heat(draw.wall)) if draw else None,
        _money(found.cost.rent_low, found.cost.rent_high, found.cost),
        _money(found.cost.buy_low, found.cost.buy_high, found.cost), found.cost.month, found.cost.tenure,
        found.bound, found.evidence, found.risks, found.error, found.tier,
    )  # fmt: skip


def show_classic(found: ClassicTrainingDocument, console: Console | None = None) -> None:
    """Print a classic run."""
    out = console or Console(highlight=False)
    out.print(Text(f"Training {found.model} on {whole(found.devices)} × {found.device_name}", style="bold"))
    out.print(Text(
        f"{whole(found.samples)} samples × {digits(found.epochs)} epochs, {whole(found.batch_samples)} per step, "
        f"{found.precision}"
    ))  # fmt: skip
    out.print()
    table = _table("", "value", "80 % interval", "evidence")
    for name, estimate, form in (("whole run", found.run_s, duration), ("one epoch", found.epoch_s, duration),
                                 ("samples per second", found.samples_per_s, digits),
                                 ("at the wall", found.power_w, power)):  # fmt: skip
        if estimate is not None:
            table.add_row(name, form(estimate.value), f"{form(estimate.low)} – {form(estimate.high)}", estimate.tier)
    out.print(table)
    out.print()
    lines = [f"bound: {found.bound}", f"memory: {found.evidence}", *(f"risk: {risk}" for risk in found.risks),
             f"error: {found.accuracy}"]  # fmt: skip
    if found.energy_kwh is not None and found.heat_btu_per_h is not None:
        lines.append(f"{digits(found.energy_kwh)} kWh, {whole(found.heat_btu_per_h)} BTU/h of heat")
    if found.cost_usd_run is not None:
        way = "rent" if found.tenure == "rent" else "energy and its share of the purchase"
        lines.append(f"the run costs {money(found.cost_usd_run)} ({way})")
    for line in lines:
        out.print(Text(f"  · {line}"))

"""A job of a model that does not answer token by token, as a document and for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ridgewise.advise.jobs import JobAnswer
from ridgewise.report.document import SCHEMA_VERSION, Estimate
from ridgewise.serving import passes
from ridgewise.serving.outcome import Range
from ridgewise.units import count, digits, duration, size, whole

#: One of each unit.
UNITS = {
    "texts": "text",
    "pairs": "pair",
    "pictures": "picture",
    "clips": "clip",
    "seconds of sound": "second of sound",
}


@dataclass(frozen=True, slots=True)
class OperatorDocument:
    """One operator of a pass against both roofs; the longer counts."""

    operator: str
    flop: float
    bytes: float
    compute_s: float
    memory_s: float
    bound: str


@dataclass(frozen=True, slots=True)
class StageDocument:
    """One kind of pass: how often it runs, seconds of one and of all, FLOP of all, what takes most of its time, and
    the operators of one pass with what it costs beside them."""

    stage: str
    passes: float
    pass_s: float
    total_s: float
    flop: float
    bound: str
    operators: tuple[OperatorDocument, ...]
    overhead_s: float


@dataclass(frozen=True, slots=True)
class JobDocument:
    """What one deployment does with one job."""

    schema_version: int
    command: str
    model: str
    kind: str
    device: str
    devices: int
    engine: str
    backend: str
    format: str
    asked: str
    unit: str
    units: float
    job_s: Estimate
    units_per_s: Estimate
    tokens_per_s: Estimate | None
    real_time_factor: Estimate | None
    power_w: Estimate | None
    energy_j_per_unit: Estimate | None
    stages: tuple[StageDocument, ...]
    flop: float
    mfu: float | None
    bound: str
    weights_bytes: float
    activations_bytes: float
    memory_left_bytes: float
    fits: bool
    tier: str
    notes: tuple[str, ...]


def document(found: JobAnswer) -> JobDocument:
    """The published form of a job."""
    setup, tier = found.setup, passes.tier(found.setup)
    peak = (f"peak_{setup.peak[1]}",) if setup.peak else ()
    known = tuple(f"{setup.device.id}.{name}" for name in (*peak, "bandwidth") if name in setup.device.figures)
    basis = (*known, f"calibration.{setup.block.name}")

    def around(range_: Range, *more: str) -> Estimate:
        value, low, high = (float(x) for x in (range_.value, range_.low, range_.high))
        return Estimate(value, low, high, tier, (*more, *basis))  # type: ignore[arg-type]

    stages = tuple(_stage(stage) for stage in found.job.stages)
    draw, joules, watts = found.draw, found.joules, f"{setup.device.id}.board_power"
    speech = found.kind == "speech"
    return JobDocument(
        schema_version=SCHEMA_VERSION,
        command="estimate",
        model=setup.arch.name,
        kind=found.kind,
        device=setup.device.id,
        devices=setup.count,
        engine=setup.engine.id,
        backend=setup.backend.id,
        format=setup.plan.format.id,
        asked=found.asked,
        unit=found.unit,
        units=float(found.job.units),
        job_s=around(found.seconds),
        units_per_s=around(found.rate),
        tokens_per_s=around(found.rate * found.tokens) if found.tokens and found.kind != "pictures" else None,
        real_time_factor=around(found.rate.inverse) if speech else None,
        power_w=around(Range(draw.wall, draw.low, draw.high), watts) if draw else None,
        energy_j_per_unit=around(joules, watts) if joules else None,
        stages=stages,
        flop=float(found.job.flops),
        mfu=found.peak_share,
        bound=max(stages, key=lambda stage: stage.total_s).bound,
        weights_bytes=found.weights,
        activations_bytes=float(found.job.alive),
        memory_left_bytes=found.left,
        fits=found.fits,
        tier=tier,
        notes=found.notes,
    )


def _stage(stage: passes.Stage) -> StageDocument:
    operators = tuple(
        OperatorDocument(term.operator, float(term.work.flops), float(term.work.bytes), float(term.compute_seconds),
                         float(term.memory_seconds), term.bound)
        for term in stage.terms if float(term.seconds)
    )  # fmt: skip
    each, total = float(stage.each), float(stage.seconds)
    return StageDocument(
        stage.name, float(stage.times), each, total, float(stage.flops), stage.bound, operators, float(stage.fixed)
    )


def show(found: JobDocument) -> None:
    """Print the numbers with their intervals, then the passes behind them."""
    console = Console(highlight=False)
    times = f"{found.devices} × " if found.devices > 1 else ""
    console.print(Text(f"{found.model} on {times}{found.device}", style="bold"))
    console.print(Text(f"{found.engine} ({found.backend}), {found.format} weights; {found.asked}"))
    console.print()
    console.print(_numbers(found))
    console.print()
    console.print(_passes(found))
    console.print()
    share = f"MFU {found.mfu:.0%}, " if found.mfu is not None else ""
    left = f"left {size(found.memory_left_bytes)}" if found.fits else f"MISSING {size(-found.memory_left_bytes)}"
    console.print(Text(f"{found.bound} decides; {share}{count(found.flop)} FLOP in all"))
    held = f"{size(found.weights_bytes)} of weights and {size(found.activations_bytes)} of activations (assumed)"
    console.print(Text(f"memory: {held} per device, {left}"))
    console.print()
    for note in found.notes:
        console.print(Text(f"  · {note}"))


def _numbers(found: JobDocument) -> Table:
    table = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 1))
    for title, side in (("", "left"), ("value", "right"), ("80 % interval", "right"), ("evidence", "left")):
        table.add_column(title, justify=side, no_wrap=True)  # type: ignore[arg-type]
    for name, estimate, form in _lines(found):
        table.add_row(name, form(estimate.value), f"{form(estimate.low)} – {form(estimate.high)}", estimate.tier)
    return table


def _lines(found: JobDocument) -> Iterator[tuple[str, Estimate, Callable[[float], str]]]:
    yield ("the whole job" if found.units != 1 else f"one {UNITS[found.unit]}"), found.job_s, duration
    if found.real_time_factor is not None:
        yield "compute per second of sound", found.real_time_factor, duration
    yield f"{found.unit} per second", found.units_per_s, digits
    if found.tokens_per_s is not None:
        yield "tokens per second", found.tokens_per_s, digits
    if found.power_w:
        yield "at the wall, W", found.power_w, digits
    if found.energy_j_per_unit:
        yield f"energy per {UNITS[found.unit]}, J", found.energy_j_per_unit, digits


def _passes(found: JobDocument) -> Table:
    table = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 1))
    for title, side in (("passes", "left"), ("times", "right"), ("each", "right"), ("in all", "right"),
                        ("FLOP", "right"), ("bound", "left")):  # fmt: skip
        table.add_column(title, justify=side, no_wrap=True)  # type: ignore[arg-type]
    for stage in found.stages:
        table.add_row(stage.stage, whole(stage.passes), duration(stage.pass_s), duration(stage.total_s),
                      count(stage.flop), stage.bound)  # fmt: skip
    return table

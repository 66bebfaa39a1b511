"""One model on several machines, as a document and for people: each phase beside the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ridgewise.advise.estimating import Estimation
from ridgewise.advise.explaining import Mark
from ridgewise.advise.learnt import Trained, trained
from ridgewise.advise.phases import TRAINED, Aspect, aspects, sentence
from ridgewise.report.charts.canvas import stacked
from ridgewise.report.charts.roofline import HEIGHT, WIDTH, roofline
from ridgewise.report.document import SCHEMA_VERSION, Estimate
from ridgewise.report.estimate import EstimateDocument, document
from ridgewise.units import count, digits, duration, size, whole
from ridgewise.units.shown import Shown


@dataclass(frozen=True, slots=True)
class TrainingDocument:
    """Training the model in 16 bits on equal devices; ``hold_devices`` hold its states between them."""

    hold_devices: int
    tokens_per_s: float
    mfu: float
    arithmetic_intensity_flop_per_byte: float
    reached_flop_per_s: float


@dataclass(frozen=True, slots=True)
class MachineDocument:
    """One machine: what it does for the load, what it does in training (or why not), and the sentence between."""

    estimate: EstimateDocument
    training: TrainingDocument | None
    training_refused: str
    sentence: str


@dataclass(frozen=True, slots=True)
class ComparisonDocument(Shown):
    """The comparison; ``aspects`` where the phases were asked for."""

    schema_version: int
    command: str
    model: str
    aspects: tuple[Aspect, ...]
    machines: tuple[MachineDocument, ...]


def comparison(found: Sequence[Estimation], phases: bool) -> ComparisonDocument:
    """The published form."""
    arch, load = found[0].setup.arch, found[0].load
    told = tuple(aspects(arch, float(load.prompt), float(load.output))) if phases else ()
    return ComparisonDocument(SCHEMA_VERSION, "compare", arch.name, told, tuple(map(_machine, found)))


def _machine(found: Estimation) -> MachineDocument:
    learnt = trained(found.setup.arch, found.setup.device)
    told, refused = (None, learnt) if isinstance(learnt, str) else (_trained(learnt), "")
    return MachineDocument(document(found), told, refused, sentence(found, learnt))


def _trained(found: Trained) -> TrainingDocument:
    return TrainingDocument(found.devices, found.rate, found.mfu, found.intensity, found.reached)


def _table(titles: Sequence[str]) -> Table:
    drawn = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 1))
    for place, title in enumerate(titles):
        drawn.add_column(title, justify="left", overflow="fold", ratio=None if place == 0 else 1)
    return drawn


def show(found: ComparisonDocument) -> None:
    """Print it: the aspects, then machine by machine, the worse ends of intervals under each value."""
    console = Console(highlight=False)
    console.print(Text(found.model, style="bold"))
    if found.aspects:
        table = _table(("", "building it (training)", "using it (inference)"))
        for aspect in found.aspects:
            table.add_row(aspect.name, aspect.training, aspect.inference)
        console.print()
        console.print(table)
    table = _table(("", *(_name(machine.estimate) for machine in found.machines)))
    for title, cell in (*USING, *(BUILDING if found.aspects else ())):
        table.add_row(title, *(cell(machine) for machine in found.machines))
    console.print()
    console.print(table)
    console.print()
    for machine in found.machines:
        console.print(Text(f"  · {machine.sentence}"))


def _name(found: EstimateDocument) -> str:
    return f"{found.devices} × {found.device}" if found.devices > 1 else found.device


def _of(form: Callable[[float], str], estimate: Estimate | None) -> str:
    if estimate is None:
        return "unknown"
    return f"{form(estimate.value)} ({form(estimate.low)}–{form(estimate.high)}) {estimate.tier[0]}"


def _memory(machine: MachineDocument) -> str:
    found = machine.estimate
    left = f"{size(found.memory_left_bytes)} left" if found.fits else f"{size(-found.memory_left_bytes)} MISSING"
    return f"{size(found.memory_bytes)} each, {left}"


def _bound(machine: MachineDocument) -> str:
    found = machine.estimate
    return f"prefill {found.prefill.bound}, decode {found.decode.bound}"


def _training(form: Callable[[TrainingDocument], str]) -> Callable[[MachineDocument], str]:
    return lambda machine: form(machine.training) if machine.training else "does not train"


USING: tuple[tuple[str, Callable[[MachineDocument], str]], ...] = (
    ("engine, weights", lambda m: f"{m.estimate.engine}, {m.estimate.format}"),
    ("memory", _memory),
    ("TTFT", lambda m: _of(duration, m.estimate.ttft_s)),
    ("tokens/s for each user", lambda m: _of(digits, m.estimate.user_tokens_per_s)),
    ("tokens/s of the system", lambda m: _of(digits, m.estimate.output_tokens_per_s)),
    ("W at the wall", lambda m: _of(digits, m.estimate.power_w)),
    ("J per token", lambda m: _of(digits, m.estimate.energy_j_per_token)),
    ("bound by", _bound),
)
BUILDING: tuple[tuple[str, Callable[[MachineDocument], str]], ...] = (
    ("training: devices that hold it", _training(lambda t: whole(t.hold_devices))),
    ("tokens/s of each", _training(lambda t: digits(t.tokens_per_s))),
    ("MFU", _training(lambda t: f"{t.mfu:.0%}")),
    (f"{count(TRAINED)} tokens on those", _training(lambda t: duration(TRAINED / t.tokens_per_s / t.hold_devices))),
)


def rooflines(found: ComparisonDocument) -> list[tuple[str, str]]:
    """Each device whose peak is known, with the phases on its roofline."""
    plots = []
    for machine in found.machines:
        told = machine.estimate
        ridge = told.ridge_point_flop_per_byte
        if ridge is None or told.prefill.mfu is None or told.decode.mfu is None or told.peak_flop_per_s is None:
            continue
        peak = told.peak_flop_per_s
        marks = [
            Mark("prefill", told.prefill.arithmetic_intensity_flop_per_byte, told.prefill.mfu * peak),
            Mark("decode", told.decode.arithmetic_intensity_flop_per_byte, told.decode.mfu * peak),
        ]
        if machine.training:
            learnt = machine.training
            marks.append(Mark("training", learnt.arithmetic_intensity_flop_per_byte, learnt.reached_flop_per_s))
        drawn = roofline(f"{found.model} on {told.device}", marks, peak, told.peak_precision, peak / ridge)
        plots.append((told.device, drawn))
    return plots


def svg(found: ComparisonDocument) -> str:
    """The rooflines in one picture, one under the other; empty where no peak is known."""
    return stacked([drawn for _, drawn in rooflines(found)], WIDTH, HEIGHT)

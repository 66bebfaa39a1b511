"""An estimate of one deployment as a document and for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ridgewise.advise.estimating import Estimation, Phase
from ridgewise.economics.cost import worst
from ridgewise.report.document import SCHEMA_VERSION, Estimate, Layout
from ridgewise.serving import Setup
from ridgewise.serving.outcome import Range
from ridgewise.units import count, digits, duration, size, whole
from ridgewise.units.shown import Shown


@dataclass(frozen=True, slots=True)
class PhaseDocument:
    """A phase against the roofline: MFU over the peak, MBU over the bandwidth, and what bounds it."""

    arithmetic_intensity_flop_per_byte: float
    mfu: float | None
    mbu: float
    bound: str


@dataclass(frozen=True, slots=True)
class ReadingDocument:
    """Seconds to read a document of so many tokens."""

    tokens: float
    seconds_s: Estimate


@dataclass(frozen=True, slots=True)
class EstimateDocument(Shown):
    """What one deployment does with one load."""

    schema_version: int
    command: str
    model: str
    device: str
    devices: int
    prefill_device: str | None
    engine: str
    backend: str
    format: str
    layout: Layout
    prompt_tokens: float
    output_tokens: float
    concurrency_requests: float
    cached_share: float
    together: bool
    ttft_s: Estimate
    tpot_s: Estimate
    e2e_s: Estimate
    user_tokens_per_s: Estimate
    output_tokens_per_s: Estimate
    requests_per_s: Estimate
    running_requests: float
    batch_limit_requests: int
    documents: tuple[ReadingDocument, ...]
    prefill: PhaseDocument
    decode: PhaseDocument
    ridge_point_flop_per_byte: float | None
    peak_flop_per_s: float | None
    peak_precision: str
    board_power_w: float | None
    power_w: Estimate | None
    energy_j_per_token: Estimate | None
    memory_bytes: float
    memory_parts_bytes: dict[str, float]
    memory_left_bytes: float
    ram_bytes: float
    fits: bool
    fixes: tuple[str, ...]
    tier: str
    notes: tuple[str, ...]


def document(found: Estimation) -> EstimateDocument:
    """The published form of an estimate."""
    setup, load, outcome = found.setup, found.load, found.outcome
    reading = found.reader or setup
    slow, fast = _basis(setup, "bandwidth", "link_bandwidth"), _basis(reading, *_peak(reading), "bandwidth")

    def around(range_: Range, basis: tuple[str, ...], tier: str = setup.tier) -> Estimate:
        tier = tier if found.fits else "assumed"  # what cannot run was never measured
        value, low, high = (float(x) for x in (range_.value, range_.low, range_.high))
        return Estimate(value, low, high, tier, basis)  # type: ignore[arg-type]

    both = tuple(dict.fromkeys(fast + slow))
    peak, bandwidth, joules = reading.peak, reading.device.bandwidth, found.joules
    return EstimateDocument(
        schema_version=SCHEMA_VERSION,
        command="estimate",
        model=setup.arch.name,
        device=setup.device.id,
        devices=setup.count,
        prefill_device=found.reader.device.id if found.reader else None,
        engine=setup.engine.id,
        backend=setup.backend.id,
        format=setup.plan.format.id,
        layout=Layout(int(setup.plan.tp), int(setup.plan.pp), setup.replicas),
        prompt_tokens=float(load.prompt),
        output_tokens=float(load.output),
        concurrency_requests=float(load.concurrency),
        cached_share=float(load.cached),
        together=load.together,
        ttft_s=around(outcome.ttft, fast, reading.prompt_tier),
        tpot_s=around(outcome.tpot, slow),
        e2e_s=around(outcome.e2e, both, worst(setup.tier, reading.prompt_tier)),
        user_tokens_per_s=around(outcome.tpot.inverse, slow),
        output_tokens_per_s=around(outcome.output, both),
        requests_per_s=around(outcome.requests, both),
        running_requests=float(outcome.running),
        batch_limit_requests=found.batch_limit,
        documents=tuple(
            ReadingDocument(n, around(seconds, fast, reading.prompt_tier)) for n, seconds in found.documents
        ),
        prefill=_phase(found.prefill),
        decode=_phase(found.decode),
        ridge_point_flop_per_byte=peak[0] / bandwidth if peak and bandwidth else None,
        peak_flop_per_s=peak[0] if peak else None,
        peak_precision=peak[1] if peak else "",
        board_power_w=found.draw.board if found.draw else None,
        power_w=around(Range(found.draw.wall, found.draw.low, found.draw.high), _basis(setup, "board_power"))
        if found.draw
        else None,
        energy_j_per_token=around(joules, (*_basis(setup, "board_power"), *slow)) if joules else None,
        memory_bytes=float(found.memory.total),
        memory_parts_bytes={part: float(amount) for part, amount in found.memory.parts.items()},
        memory_left_bytes=float(found.memory.left),
        ram_bytes=found.ram,
        fits=found.fits,
        fixes=found.fixes,
        tier=setup.tier if found.fits else "assumed",
        notes=found.notes,
    )


def _phase(phase: Phase) -> PhaseDocument:
    return PhaseDocument(phase.intensity, phase.peak_share, phase.bandwidth_share, phase.bound)


def _peak(setup: Setup) -> tuple[str, ...]:
    return (f"peak_{setup.peak[1]}",) if setup.peak else ()


def _basis(setup: Setup, *figures: str) -> tuple[str, ...]:
    known = tuple(f"{setup.device.id}.{name}" for name in dict.fromkeys(figures) if name in setup.device.figures)
    return (*known, f"calibration.{setup.block.name}")


def show(found: EstimateDocument) -> None:
    """Print the numbers with their intervals, then what bounds them."""
    console = Console(highlight=False)
    times = f"{found.devices} × " if found.devices > 1 else ""
    read = f", prompts read on {found.prefill_device}" if found.prefill_device else ""
    console.print(Text(f"{found.model} on {times}{found.device}{read}", style="bold"))
    console.print(Text(f"{found.engine} ({found.backend}), {found.format} weights; {_asked(found)}"))
    if not found.fits:
        missing = size(-found.memory_left_bytes)
        console.print(
            Text(f"IT DOES NOT FIT: {missing} too little per device. Times are those of one with more.", "bold")
        )
        for fix in found.fixes:
            console.print(Text(f"  · would do: {fix}"))
    table = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 1))
    for title, side in (("", "left"), ("value", "right"), ("80 % interval", "right"), ("evidence", "left")):
        table.add_column(title, justify=side, no_wrap=True)  # type: ignore[arg-type]
    for name, estimate, form in _lines(found):
        table.add_row(name, form(estimate.value), f"{form(estimate.low)} – {form(estimate.high)}", estimate.tier)
    console.print()
    console.print(table)
    console.print()
    for line in _sentences(found):
        console.print(Text(line))
    if found.notes:
        console.print()
        for note in found.notes:
            console.print(Text(f"  · {note}"))


def _asked(found: EstimateDocument) -> str:
    cached = f" ({digits(100 * found.cached_share)} % of it cached)" if found.cached_share else ""
    how = "started together" if found.together else "in flight"
    many = "one user" if found.concurrency_requests == 1 else f"{whole(found.concurrency_requests)} requests {how}"
    return f"{whole(found.prompt_tokens)} tokens in{cached}, {whole(found.output_tokens)} out, {many}"


def _lines(found: EstimateDocument) -> Iterator[tuple[str, Estimate, Callable[[float], str]]]:
    yield "first token (TTFT)", found.ttft_s, duration
    yield "each further token (TPOT)", found.tpot_s, duration
    yield "one user, tokens/s", found.user_tokens_per_s, digits
    yield "whole answer", found.e2e_s, duration
    if found.concurrency_requests > 1:
        yield "system, output tokens/s", found.output_tokens_per_s, digits
        yield "system, requests/s", found.requests_per_s, digits
    for entry in found.documents:
        yield f"reading {count(entry.tokens)} tokens", entry.seconds_s, duration
    if found.power_w:
        yield "at the wall, W", found.power_w, digits
    if found.energy_j_per_token:
        yield "energy per token, J", found.energy_j_per_token, digits


def _sentences(found: EstimateDocument) -> Iterator[str]:
    ridge = found.ridge_point_flop_per_byte
    where = f"; the ridge point is {digits(ridge)}" if ridge else ""
    for name, phase in (("prefill", found.prefill), ("decode", found.decode)):
        share = f"MFU {phase.mfu:.0%}, " if phase.mfu is not None else ""
        yield (
            f"{name}: {phase.bound} decides; {digits(phase.arithmetic_intensity_flop_per_byte)} FLOP/B{where}; "
            f"{share}MBU {phase.mbu:.0%}"
        )
    waits = found.concurrency_requests / found.layout.replicas - found.running_requests
    more = f"; {whole(waits)} more wait for a place" if waits >= 1 else ""
    held = size(found.memory_bytes)
    beside = f" and {size(found.ram_bytes)} in RAM" if found.ram_bytes else ""
    yield (
        f"memory: {held} per device{beside} with {whole(max(found.running_requests, 1))} at once, "
        f"{'left ' + size(found.memory_left_bytes) if found.fits else 'MISSING ' + size(-found.memory_left_bytes)}; "
        f"room for {whole(found.batch_limit_requests)} sequences of this length{more}"
    )

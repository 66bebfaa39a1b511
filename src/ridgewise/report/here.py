"""What this machine holds, reaches and was measured at, for people and as documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ridgewise.here.machine import Here
from ridgewise.here.match import Detected
from ridgewise.report.lines import aligned
from ridgewise.units import digits, duration, power, size


@dataclass(frozen=True, slots=True)
class Runs:
    """A model that fits here: tokens per second of one user with the 80 % interval, and seconds to the first."""

    model: str
    format: str
    device: str
    decode_tokens_per_s: float
    low: float
    high: float
    ttft_s: float
    memory_left_bytes: float
    tier: str


@dataclass(frozen=True, slots=True)
class DoctorDocument:
    """What is here, what of it the catalogue knows, and what runs well."""

    schema_version: int
    command: str
    machine: Here
    devices: tuple[Detected, ...]
    runs: tuple[Runs, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure of ``probe``: the median of so many rounds and how far apart the middle half of them lay.

    busy   share of the processors' time that went to us while it was measured; low: others were at work
    """

    name: str
    unit: str
    value: float
    spread: float
    rounds: int
    busy: float
    kept: bool


@dataclass(frozen=True, slots=True)
class ProbeDocument:
    """What was measured, the sheet made of it, and where both are kept."""

    schema_version: int
    command: str
    measured: tuple[Measured, ...]
    device: str
    sheet: str
    rows: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """One measurement beside what was predicted before it, and what the measurements make of it afterwards."""

    what: str
    unit: str
    measured: float
    predicted: float | None
    low: float | None
    high: float | None
    tier: str
    afterwards: float | None = None
    spread: float | None = None

    @property
    def off(self) -> float | None:
        """Predicted over measured, less one."""
        return None if self.predicted is None else self.predicted / self.measured - 1.0


@dataclass(frozen=True, slots=True)
class BenchDocument:
    """A run: its conditions, every figure beside its prediction, what went wrong, and what else it now predicts.

    rows      measurements kept, of which ``rows_moving`` move predictions: others were at work during the rest
    partial   why the run ended early; "": it did not
    power_w   mean draw of the devices while it ran; None: nothing here tells it
    """

    schema_version: int
    command: str
    engine: str
    model: str
    device: str
    compared: tuple[Compared, ...]
    rows: int
    rows_moving: int
    partial: str
    errors: tuple[str, ...]
    power_w: float | None
    peak_memory_bytes: float | None
    others: tuple[Runs, ...]
    notes: tuple[str, ...]


def print_doctor(document: DoctorDocument) -> None:
    """One screen."""
    for line in doctor_lines(document):
        print(line)


def doctor_lines(document: DoctorDocument) -> Iterator[str]:
    """What is here, then what runs well."""
    here = document.machine
    cpu, ram = here.cpu, here.ram
    cores = f"{cpu.cores} cores" + (f", {cpu.threads} threads" if cpu.threads != cpu.cores else "")
    sockets = f"{cpu.sockets} sockets, " if cpu.sockets > 1 else ""
    isa = ", ".join(cpu.isa) or "no vector instructions known"
    told = ", ".join(filter(None, (sockets + cores if cpu.cores else "", cpu.architecture)))
    yield f"processor  {cpu.name or 'unknown'}: {'; '.join(filter(None, (told, isa)))}"
    caches = [f"{name} {size(held)}" for name, held in (("L2", cpu.l2), ("L3", cpu.l3)) if held]
    nodes = [f"{len(cpu.numa)} memory nodes"] if len(cpu.numa) > 1 else []
    if caches or nodes:
        yield f"           {', '.join([*caches, *nodes])}"
    modules = [
        ram.kind,
        f"{ram.channels} channels" if ram.channels else "",
        f"{ram.rate / 1e6:.0f} MT/s" if ram.rate else "",
    ]
    told = ", ".join(filter(None, modules))
    yield f"memory     {size(ram.total)}, {size(ram.free)} free" + (f"; {told}" if told else "")
    for gpu in here.gpus:
        memory = f"{size(gpu.total)}, {size(gpu.free or 0.0)} free" if gpu.total else "memory unknown"
        more = [gpu.driver, gpu.pcie, f"{gpu.cores} cores" if gpu.cores else "", gpu.note]
        yield f"graphics   {gpu.name or gpu.pci}: {memory}; {', '.join(filter(None, more))}"
        if gpu.limit:
            yield f"           {gpu.limit}"
        watts = [f"{power(gpu.power)} now" if gpu.power is not None else "",
                 f"limit {power(gpu.power_limit)}" if gpu.power_limit else "",
                 f"{gpu.temperature:.0f} °C" if gpu.temperature is not None else ""]  # fmt: skip
        if any(watts):
            yield f"           {', '.join(filter(None, watts))}"
    for npu in here.npus:
        yield f"neural     {npu.name or npu.pci}: {npu.driver or 'no driver'}"
    kinds: dict[str, int] = {}
    for link in here.links:
        kind = f"{link.kind} × {link.lanes}" if link.lanes else link.kind
        kinds[kind] = kinds.get(kind, 0) + 1
    if kinds:
        yield "links      " + ", ".join(f"{kind} ({n} pair{'s' * (n > 1)})" for kind, n in kinds.items())
    limits = [f"{digits(here.limits.cpus)} processors" if here.limits.cpus else "",
              f"{size(here.limits.memory)} of memory" if here.limits.memory else ""]  # fmt: skip
    if here.limits.around or any(limits):
        left = ", ".join(filter(None, limits)) or "no limit set"
        yield f"around     {here.limits.around or 'a control group'}: {left}"
    if here.sensors:
        yield "sensors    " + ", ".join(
            f"{s.name} {digits(s.value)} {s.unit.replace('degC', '°C')}" for s in here.sensors[:6]
        )
    yield from (f"silent     {line}" for line in here.silent)
    yield ""
    for one in document.devices:
        count = f"{one.count} × " if one.count > 1 else ""
        if one.device:
            yield f"recognised      {count}{one.label} is {one.device} in the catalogue"
        else:
            yield f"not recognised  {count}{one.label}: {one.reason}"
    yield ""
    if not document.runs:
        yield "What runs here cannot be said yet: ridgewise probe measures this machine and gives it a sheet."
        return
    yield f"What runs well here, on {document.runs[0].device} with llama.cpp, for one user:"
    yield from aligned(
        ("model", "format", "tokens/s", "80 % interval", "first token", "memory left", "evidence"),
        (
            (run.model, run.format, digits(run.decode_tokens_per_s), f"{digits(run.low)}–{digits(run.high)}",
             duration(run.ttft_s), size(run.memory_left_bytes), run.tier)
            for run in document.runs
        ),
    )  # fmt: skip


def print_probe(document: ProbeDocument) -> None:
    """Every figure with its spread, then what became of it."""
    for line in aligned(
        ("measured", "median", "spread", "rounds", "ours"),
        (
            (one.name, f"{digits(one.value / 1e9)} G{one.unit}", f"{100 * one.spread:.0f} %", str(one.rounds),
             f"{100 * one.busy:.0f} %" + ("" if one.kept else "  disturbed"))
            for one in document.measured
        ),
    ):  # fmt: skip
        print(line)
    print()
    for note in document.notes:
        print(f"· {note}")
    print(f"{document.device} is in your catalogue: {document.sheet}")


def print_bench(document: BenchDocument) -> None:
    """Predicted before, measured, predicted afterwards."""
    print(f"{document.model} on {document.device}, {document.engine}")
    if document.partial:
        print(f"partial: {document.partial}")
    for error in document.errors:
        print(f"! {error}")
    print()
    rows = []
    for one in document.compared:
        predicted = digits(one.predicted) if one.predicted is not None else "–"
        span = f"{digits(one.low)}–{digits(one.high)}" if one.low is not None and one.high is not None else ""
        off = f"{100 * one.off:+.0f} %" if one.off is not None else ""
        after = digits(one.afterwards) if one.afterwards is not None else ""
        rows.append((one.what, one.unit, predicted, span, digits(one.measured), off, after))
    headers = ("", "", "predicted", "80 % interval", "measured", "off", "predicted now")
    for line in aligned(headers, rows):
        print(line)
    print()
    if document.power_w is not None:
        print(f"drew {power(document.power_w)} meanwhile")
    if document.peak_memory_bytes is not None:
        print(f"peak memory {size(document.peak_memory_bytes)}")
    for note in document.notes:
        print(f"· {note}")
    if document.rows:
        moving = f"{document.rows_moving} of them move" if document.rows_moving else "none of them moves"
        rest = "; the others, during which others were at work, stand beside" * (document.rows_moving < document.rows)
        print(f"{document.rows} measurements kept: {moving} every prediction for {document.device}{rest}")
    if document.others:
        print(f"\nOther models on {document.device} now, llama.cpp, one user:")
        for line in aligned(
            ("model", "format", "tokens/s", "80 % interval"),
            ((r.model, r.format, digits(r.decode_tokens_per_s), f"{digits(r.low)}–{digits(r.high)}")
             for r in document.others),
        ):  # fmt: skip
            print(line)

"""Every term behind a speed of one model on one device."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ridgewise.advise.deploy import Deployment
from ridgewise.advise.learnt import trained
from ridgewise.facts import Figure
from ridgewise.hardware import Device
from ridgewise.models import Architecture
from ridgewise.serving import Setup
from ridgewise.serving.estimate import (
    above,
    bands,
    fixed_seconds,
    floor_seconds,
    footprint,
    prompt_parts,
    prompt_seconds,
    step_terms,
    step_time,
)
from ridgewise.serving.local import Part
from ridgewise.timing.coefficients import Band
from ridgewise.units import Num, count, size
from ridgewise.units.shown import Shown
from ridgewise.work import decode
from ridgewise.work.forward import ROUTING


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """One operator of a step: demand, both roofs, and which one bounds it."""

    operator: str
    work_flop: float
    weight_bytes: float
    cache_bytes: float
    activation_bytes: float
    intensity_flop_per_byte: float
    compute_s: float | None
    memory_s: float
    operator_s: float
    bound: str


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase: its operators, what no roofline shows, and the sum."""

    phase: str
    operators: tuple[OperatorRow, ...]
    overhead_s: float
    step_s: float | None
    intensity_flop_per_byte: float
    low_s: float | None
    high_s: float | None
    tier: str
    coefficients: dict[str, float]


@dataclass(frozen=True, slots=True)
class Factor:
    """What the group of a case multiplies a coefficient by, how sure that is, and on how many measurements."""

    coefficient: str
    level: str
    group: str
    factor: float
    doubt: float
    measurements: int


@dataclass(frozen=True, slots=True)
class Input:
    """A figure that entered, with where it comes from."""

    key: str
    value: float
    unit: str
    kind: str
    sources: tuple[str, ...]
    as_of: str
    note: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A phase on the roofline of one device: FLOP per byte it moves, and the FLOP/s it reaches."""

    phase: str
    intensity_flop_per_byte: float
    reached_flop_per_s: float


@dataclass(frozen=True, slots=True)
class Explanation(Shown):
    """Everything behind the speed of one deployment; ``roofline`` has its phases and training the model, where the
    device trains."""

    schema_version: int
    command: str
    model: str
    device: str
    devices: int
    engine: str
    backend: str
    format: str
    prompt_tokens: float
    output_tokens: float
    batch: float
    phases: tuple[Phase, ...]
    ridge_point_flop_per_byte: float | None
    peak_flop_per_s: float | None
    peak_precision: str
    roofline: tuple[Mark, ...]
    inputs: tuple[Input, ...]
    coefficient_block: str
    coefficient_rows: int
    coefficient_devices: int
    coefficient_sources: dict[str, int]
    factors: tuple[Factor, ...]
    tier: str
    formulas: tuple[str, ...]
    assumptions: tuple[str, ...]


FORMULAS = (
    "step = Σ over operators of max(FLOPs / (peak · share), weights/(bw · weight_read) + cache/(bw · cache_read) "
    "+ activations/bw) + layers · layer_overhead + expert layers · expert_overhead + step_overhead + all-reduces",
    "share of the peak = compute · rows / (rows + half_rows), or few_rows of the vector peak if that is more; "
    "rows = tokens each weight matrix multiplies",
    "TTFT = the steps of the prompt + request_overhead; TPOT = step(one token per sequence at the mean context)",
    f"experts read = E · (1 − (1 − k/E)^(tokens^{ROUTING:g})); "
    "attention FLOPs = 2 · heads · (d_qk + d_v) per query–key pair",
)


def explanation(setup: Deployment, prompt: float, output: float, batch: float) -> Explanation:
    """Every operator, formula, input and coefficient of one estimate; nothing is computed twice."""
    context = prompt + output / 2
    first, rest, _ = bands(setup, batch)
    largest, steady = min(prompt, setup.run.ubatch), decode(context, batch)
    reading, read = prompt_parts(setup, prompt), float(prompt_seconds(setup, prompt))
    first = above(first, read, float(floor_seconds(setup, reading)))
    rest = above(rest, float(step_time(setup, steady)), float(floor_seconds(setup, (Part(steady),))))
    peak = setup.peak
    figures = {"bandwidth", "link_bandwidth"} | ({f"peak_{peak[1]}"} if peak else set())
    entered = [setup.device.figures[name] for name in sorted(figures) if name in setup.device.figures]
    phases = (
        _phase("prefill", setup, reading, read, largest, first),
        _phase("decode", setup, (Part(steady),), step_time(setup, steady), batch, rest),
    )
    return Explanation(
        schema_version=1,
        command="explain",
        model=setup.arch.name,
        device=setup.device.id,
        devices=setup.count,
        engine=setup.engine.id,
        backend=setup.backend.id,
        format=setup.plan.format.id,
        prompt_tokens=prompt,
        output_tokens=output,
        batch=batch,
        phases=phases,
        ridge_point_flop_per_byte=peak[0] / setup.device.bandwidth if peak and setup.device.bandwidth else None,
        peak_flop_per_s=peak[0] if peak else None,
        peak_precision=peak[1] if peak else "",
        roofline=(*map(_mark, phases), *_training_mark(setup)),
        inputs=tuple(_input(setup.device, figure) for figure in entered),
        coefficient_block=setup.block.name,
        coefficient_rows=setup.block.rows,
        coefficient_devices=len({pair.partition("|")[0] for pair in setup.block.seen.get("device", ())}),
        coefficient_sources=dict(setup.block.sources),
        factors=_factors(setup, (largest, batch)),
        tier=setup.tier,
        formulas=FORMULAS,
        assumptions=(
            *_unfit(setup, batch, prompt + output),
            *_beyond(setup.arch, prompt + output),
            *setup.arch.assumptions,
        ),
    )


def _mark(phase: Phase) -> Mark:
    work = sum(row.work_flop for row in phase.operators)
    return Mark(phase.phase, phase.intensity_flop_per_byte, work / (phase.step_s or math.inf))


def _training_mark(setup: Setup) -> Iterator[Mark]:
    """Training the same model in 16 bits on one device of a run."""
    found = trained(setup.arch, setup.device)
    if not isinstance(found, str):
        yield Mark("training", found.intensity, found.reached)


def _unfit(setup: Setup, batch: float, context: float) -> tuple[str, ...]:
    """A warning that this deployment cannot hold what is timed."""
    left = float(footprint(setup, batch, context).left)
    return () if left >= 0 else (f"it does not fit: {size(-left)} too little per device (ridgewise fit)",)


def _beyond(arch: Architecture, tokens: float) -> tuple[str, ...]:
    """A warning that no such sequence can be."""
    if not arch.max_context or tokens <= arch.max_context:
        return ()
    return (f"{count(tokens)} tokens are more than the {count(arch.max_context)} this model was made for",)


def _input(device: Device, figure: Figure) -> Input:
    return Input(figure.key, figure.number, figure.unit, figure.kind, figure.sources, figure.as_of, figure.note)


def _factors(setup: Setup, tokens: tuple[float, ...]) -> tuple[Factor, ...]:
    """Every factor of a group behind the coefficients, once."""
    found = {
        (entry["coefficient"], entry["level"], entry["group"]): Factor(**entry)
        for size_ in tokens
        for entry in setup.evidence(size_)
    }
    return tuple(found[key] for key in sorted(found))


def _phase(name: str, setup: Setup, parts: tuple[Part, ...], seconds: Num, tokens: float, band: Band) -> Phase:
    """A phase of several engine steps, operators summed over them."""
    rows: dict[str, OperatorRow] = {}
    overhead = 0.0
    for part in parts:
        times = float(part.times)
        overhead += times * float(fixed_seconds(setup, part.step))
        for term in step_terms(setup, part.step, tokens):
            work, compute, memory = term.work, float(term.compute_seconds), float(term.memory_seconds)
            known = rows.get(term.operator)
            row = OperatorRow(
                term.operator, times * float(work.flops), times * float(work.weights), times * float(work.cache),
                times * float(work.activations), float(work.intensity), times * compute, times * memory,
                times * max(compute, memory), "compute" if compute > memory else "memory",
            )  # fmt: skip
            rows[term.operator] = row if known is None else _joined(known, row)
    moved = sum(row.weight_bytes + row.cache_bytes + row.activation_bytes for row in rows.values())
    total = float(seconds)
    return Phase(
        name,
        tuple(rows.values()),
        overhead,
        total,
        sum(row.work_flop for row in rows.values()) / moved,
        total * band.low,
        total * band.high,
        setup.prompt_tier if name == "prefill" else setup.tier,
        {f"{key}_s" if key.endswith("overhead") else key: value for key, value in setup.coefficients(tokens).items()},
    )


def _joined(one: OperatorRow, other: OperatorRow) -> OperatorRow:
    """The same operator in another step."""
    work, weights = one.work_flop + other.work_flop, one.weight_bytes + other.weight_bytes
    cache, moved = one.cache_bytes + other.cache_bytes, one.activation_bytes + other.activation_bytes
    compute, memory = (one.compute_s or 0.0) + (other.compute_s or 0.0), one.memory_s + other.memory_s
    return OperatorRow(
        one.operator, work, weights, cache, moved, work / max(weights + cache + moved, 1.0), compute, memory,
        one.operator_s + other.operator_s, "compute" if compute > memory else "memory",
    )  # fmt: skip

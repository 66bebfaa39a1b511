"""One model on one device, in full: the memory waterfall, and every term behind a speed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ridgewise.advise.inference import LADDERS, SERVICE_ENGINES, SINGLE_ENGINES, largest_context
from ridgewise.engines import Engine, load_engines
from ridgewise.errors import RequestError
from ridgewise.facts import Figure
from ridgewise.hardware import Device
from ridgewise.hardware.machine import Machine
from ridgewise.memory.engines import policy
from ridgewise.memory.offload import fitting, place
from ridgewise.models import Architecture
from ridgewise.models.formats import Format, load_formats, native_format
from ridgewise.serving import Setup, largest_batch
from ridgewise.serving.estimate import decode_seconds, fixed_seconds, footprint, step_terms
from ridgewise.units import count, digits, size
from ridgewise.work import Plan, Step, decode, prefill

Deployment = Setup


def deploy(
    arch: Architecture,
    device: Device,
    engine: Engine | None,
    fmt: Format | None,
    kv_bits: float,
    tp: int,
    memory: float | None,
    free: float | None,
) -> Deployment:
    """One deployment with the blanks filled: the usual engine of the device, the usual format of both."""
    chosen = engine or _usual_engine(device, fmt)
    backend = chosen.backend(device)
    if backend is None:
        able = tuple(e.id for e in load_engines().values() if e.backend(device))
        raise RequestError(f"{chosen.name} does not run on {device.name}", "--engine", able)
    format_ = fmt or _usual_format(arch, chosen, backend.formats)
    if format_.family not in chosen.families:
        usable = tuple(f.id for f in load_formats().values() if f.family in chosen.families)
        raise RequestError(f"{chosen.name} does not read {format_.name}", "--quant", usable[:6])
    offered = free if free is not None else Machine(device, tp, memory).usable
    if free is not None and device.memory is not None and free > 1.02 * max(device.memory, memory or 0.0):
        raise RequestError(
            f"{size(free)} free on a device of {size(max(device.memory, memory or 0.0))}",
            "--free",
            (size(device.memory),),
        )
    if offered is None:
        raise RequestError(f"the memory of {device.name} is not in the catalogue", "--memory", ("--memory 64GiB",))
    tensor = chosen.split == "tensor"
    wrong = [group.mixer.heads for group in arch.kinds if tensor and group.mixer.heads % tp]
    if wrong:
        able = tuple(f"--tp {n}" for n in (1, 2, 4, 8, 16) if all(g.mixer.heads % n == 0 for g in arch.kinds))
        raise RequestError(f"{wrong[0]} attention heads do not divide by {tp}", "--tp", able)
    plan = Plan(format_, float(tp) if tensor else 1.0, 1.0 if tensor else float(tp), kv_bits)
    return Setup(arch, device, chosen, backend, plan, offered)


def _usual_engine(device: Device, fmt: Format | None) -> Engine:
    engines = load_engines()
    order = SERVICE_ENGINES if device.kind == "gpu-datacenter" else SINGLE_ENGINES
    for name in (*order, *engines):
        if engines[name].backend(device) and (fmt is None or fmt.family in engines[name].families):
            return engines[name]
    what = f" with {fmt.name}" if fmt else ""
    raise RequestError(f"no engine of the catalogue runs on {device.name}{what}", "hardware")


def _usual_format(arch: Architecture, engine: Engine, allowed: tuple[str, ...]) -> Format:
    formats = load_formats()
    native = native_format(arch)
    if native.id == "mxfp4" and "gguf" in engine.families:
        return formats["gguf-mxfp4"]
    if native.family in engine.families and (not allowed or native.id in allowed):
        return native
    names = [name for family in engine.families for name in LADDERS[family] if not allowed or name in allowed]
    return formats[(names or list(allowed))[0]]


@dataclass(frozen=True, slots=True)
class FitAnswer:
    """The waterfall of one device and the ways to make it fit."""

    schema_version: int
    command: str
    model: str
    device: str
    devices: int
    engine: str
    format: str
    policy: str
    context_tokens: float
    sequences: float
    memory_total_bytes: float
    reserved_bytes: float
    parts_bytes: dict[str, float]
    ram_bytes: float
    left_bytes: float
    fits: bool
    context_limit_tokens: float
    batch_limit_requests: float
    kv_bytes_per_token: float
    fixes: tuple[str, ...]
    assumptions: tuple[str, ...]


def fit_answer(
    setup: Deployment, sequences: float, context: float, ngl: int | None = None, cpu_moe: bool = False
) -> FitAnswer:
    """Total − reserved − weights − KV cache − buffers − engine = left, per device; ``ngl`` and ``cpu_moe`` leave
    parts in RAM as llama.cpp does."""
    foot, ram = footprint(setup, sequences, context), 0.0
    if ngl is not None or cpu_moe:
        if setup.engine.split != "layer" or setup.count > 1:
            raise RequestError("parts in RAM are for llama.cpp on one card", "--ngl", ("--engine llama.cpp",))
        wanted = setup.arch.layers + 1 if ngl is None else ngl
        rules = policy(setup.engine.memory)
        split = place(setup.arch, setup.plan, wanted, sequences, context, rules, setup.usable, cpu_moe)
        foot, ram = split.card, float(split.ram)
    one, two = (float(footprint(setup, 1.0, n).parts["KV cache"]) for n in (65536.0, 131072.0))
    left = float(foot.left)
    return FitAnswer(
        schema_version=1,
        command="fit",
        model=setup.arch.name,
        device=setup.device.id,
        devices=setup.count,
        engine=setup.engine.id,
        format=setup.plan.format.id,
        policy=policy(setup.engine.memory).about,
        context_tokens=context,
        sequences=sequences,
        memory_total_bytes=setup.usable,
        reserved_bytes=setup.usable - float(foot.usable),
        parts_bytes={part: float(amount) for part, amount in foot.parts.items()},
        ram_bytes=ram,
        left_bytes=left,
        fits=left >= 0,
        context_limit_tokens=math.floor(largest_context(setup, sequences)),
        batch_limit_requests=largest_batch(setup, context),
        kv_bytes_per_token=(two - one) / 65536.0,
        fixes=() if left >= 0 else tuple(_fit_fixes(setup, sequences, context)),
        assumptions=setup.arch.assumptions,
    )


def _fit_fixes(setup: Deployment, sequences: float, context: float) -> Iterator[str]:
    """The smallest single changes that make it fit, each checked."""

    def holds(changed: Setup, tokens: float = context, n: float = sequences) -> bool:
        return float(footprint(changed, n, tokens).left) >= 0

    limit = math.floor(largest_context(setup, sequences))
    if limit >= 256:
        yield f"a context of {count(limit)} tokens (--context {limit})"
    batch = largest_batch(setup, context)
    if sequences > batch >= 1:
        yield f"{digits(batch)} sequences at once (--concurrency {batch:.0f})"
    cached = replace(setup, plan=replace(setup.plan, kv_bits=8.0))
    if setup.plan.kv_bits > 8 and holds(cached):
        yield "an 8-bit KV cache (--kv-bits 8)"
    smaller = sorted(
        (f for f in load_formats().values() if f.family in setup.engine.families), key=lambda f: -f.default
    )
    for fmt in smaller:
        changed = replace(setup, plan=replace(setup.plan, format=fmt))
        allowed = not setup.backend.formats or fmt.id in setup.backend.formats
        if fmt.default < setup.plan.format.default and allowed and holds(changed):
            yield f"{fmt.name} weights (--quant {fmt.id})"
            break
    for n in (2, 4, 8, 16):
        tensor = setup.engine.split == "tensor"
        wider = replace(setup.plan, tp=float(n)) if tensor else replace(setup.plan, pp=float(n))
        if n > setup.count and n <= setup.backend.max_devices and holds(replace(setup, plan=wider)):
            yield f"{n} devices (--tp {n})"
            break
    yield from _splits(setup, sequences, context)


def _splits(setup: Deployment, sequences: float, context: float) -> Iterator[str]:
    """Parts left in RAM, at the speed of the RAM for them."""
    if setup.engine.split != "layer" or setup.count > 1 or not setup.device.kind.startswith("gpu"):
        return
    rules = policy(setup.engine.memory)
    for experts in (True, False) if setup.arch.moe else (False,):
        split = fitting(setup.arch, setup.plan, sequences, context, rules, setup.usable, experts)
        if split is not None and float(split.ram) > 0:
            what = "the experts" if experts and split.layers == split.of else f"{split.of - split.layers} layers"
            flags = f"--ngl {split.ngl}{' --cpu-moe' if experts else ''}"
            yield f"{what} in RAM ({size(float(split.ram))}), at the speed of the RAM for them ({flags})"


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
class Explanation:
    """Everything behind the speed of one deployment."""

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
    inputs: tuple[Input, ...]
    coefficients: dict[str, float]
    coefficient_key: str
    coefficient_kind: str
    coefficient_rows: int
    coefficient_devices: tuple[str, ...]
    coefficient_sources: tuple[str, ...]
    coefficient_note: str
    tier: str
    formulas: tuple[str, ...]
    assumptions: tuple[str, ...]


FORMULAS = (
    "step = Σ over operators of max(FLOPs / (peak · share), weights/(bw · weight_read) + cache/(bw · cache_read) "
    "+ activations/bw) + layers · layer_overhead + expert layers · expert_overhead + step_overhead + all-reduces",
    "share of the peak = compute · rows / (rows + half_rows); rows = tokens each weight matrix multiplies",
    "TTFT = step(prompt) + request_overhead; TPOT = step(one token per sequence at the mean context)",
    "experts read = E · (1 − (1 − k/E)^tokens); attention FLOPs = 2 · heads · (d_qk + d_v) per query–key pair",
)


def explanation(setup: Deployment, prompt: float, output: float, batch: float) -> Explanation:
    """Every operator, formula, input and coefficient of one estimate; nothing is computed twice."""
    from dataclasses import asdict

    fit = setup.fitted
    context = prompt + output / 2
    peak = setup.peak
    figures = {"bandwidth", "link_bandwidth"} | ({f"peak_{peak[1]}"} if peak else set())
    entered = [setup.device.figures[name] for name in sorted(figures) if name in setup.device.figures]
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
        phases=(
            _phase("prefill", setup, prefill(prompt), setup.spreads[1]),
            _phase("decode", setup, decode(context, batch), setup.spreads[0]),
        ),
        ridge_point_flop_per_byte=peak[0] / setup.device.bandwidth if peak and setup.device.bandwidth else None,
        peak_flop_per_s=peak[0] if peak else None,
        peak_precision=peak[1] if peak else "",
        inputs=tuple(_input(setup.device, figure) for figure in entered),
        coefficients={
            f"{name}_s" if name.endswith("overhead") else name: value for name, value in asdict(fit.efficiency).items()
        },
        coefficient_key=fit.key,
        coefficient_kind=fit.kind,
        coefficient_rows=fit.rows,
        coefficient_devices=fit.devices,
        coefficient_sources=fit.sources,
        coefficient_note=fit.note,
        tier=setup.tier,
        formulas=FORMULAS,
        assumptions=(*_unfit(setup, batch, prompt + output), *setup.arch.assumptions),
    )


def _unfit(setup: Setup, batch: float, context: float) -> tuple[str, ...]:
    """A warning that this deployment cannot hold what is timed."""
    left = float(footprint(setup, batch, context).left)
    return () if left >= 0 else (f"it does not fit: {size(-left)} too little per device (ridgewise fit)",)


def _input(device: Device, figure: Figure) -> Input:
    return Input(figure.key, figure.number, figure.unit, figure.kind, figure.sources, figure.as_of, figure.note)


def _phase(name: str, setup: Setup, step: Step, spread: float) -> Phase:
    rows = []
    for term in step_terms(setup, step):
        compute = float(term.compute_seconds)
        memory = float(term.memory_seconds)
        known = math.isfinite(compute)
        rows.append(
            OperatorRow(
                term.operator,
                float(term.work.flops),
                float(term.work.weights),
                float(term.work.cache),
                float(term.work.activations),
                float(term.work.intensity),
                compute if known else None,
                memory,
                max(compute, memory) if known else memory,
                "compute" if known and compute > memory else "memory",
            )
        )
    overhead = float(fixed_seconds(setup, step))
    whole = float(decode_seconds(setup, step.slices[0].cached, step.slices[0].sequences)) if name == "decode" else None
    total = whole if whole is not None else sum(row.operator_s for row in rows) + overhead
    if name == "prefill" and any(row.compute_s is None and row.work_flop for row in rows):
        total = None  # type: ignore[assignment]
    moved = sum(row.weight_bytes + row.cache_bytes + row.activation_bytes for row in rows)
    return Phase(
        name,
        tuple(rows),
        overhead,
        total,
        sum(row.work_flop for row in rows) / moved,
        total / spread if total else None,
        total * spread if total else None,
    )

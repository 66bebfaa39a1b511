"""One model on one device, in full: the memory waterfall, and every term behind a speed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from ridgewise.advise.inference import LADDERS, SERVICE_ENGINES, SINGLE_ENGINES
from ridgewise.advise.learnt import trained
from ridgewise.advise.limits import check_context, check_decoder, check_tensor_parallel, divides
from ridgewise.engines import Engine, load_engines
from ridgewise.errors import RequestError
from ridgewise.facts import Figure
from ridgewise.hardware import Device
from ridgewise.hardware.machine import Machine
from ridgewise.memory import Footprint
from ridgewise.memory.engines import policy
from ridgewise.memory.offload import fitting, place
from ridgewise.models import Architecture
from ridgewise.models.formats import Format, load_formats, native_format
from ridgewise.serving import Setup
from ridgewise.serving.estimate import (
    above,
    bands,
    fixed_seconds,
    floor_seconds,
    footprint,
    most_sequences,
    prompt_parts,
    prompt_seconds,
    step_terms,
    step_time,
)
from ridgewise.serving.local import Part
from ridgewise.timing.coefficients import Band, Block
from ridgewise.units import Num, count, digits, parse, size
from ridgewise.units.shown import Shown
from ridgewise.work import Plan, decode
from ridgewise.work.forward import ROUTING

Deployment = Setup


def deploy(
    arch: Architecture,
    device: Device,
    engine: Engine | None,
    fmt: Format | None,
    kv_cache: float | str,
    tp: int,
    memory: float | None,
    free: float | None,
    pp: int = 1,
    ep: int | None = None,
    blocks: Mapping[str, Block] | None = None,
    sequences: float = 0.0,
    share: float = 0.0,
) -> Deployment:
    """One deployment with the blanks filled: the usual engine of the device, the usual format of both.

    ``kv_cache``: bits per cached value, or the engine's names of its types; ``ep``: devices that share the experts;
    ``sequences``, ``share``: what the engine is told instead of its defaults (most at once, share of the device).
    """
    check_decoder(arch)
    chosen = engine or _usual_engine(device, fmt)
    backend = chosen.backend(device, asked=engine is not None)
    if backend is None:
        able = tuple(e.id for e in load_engines().values() if e.backend(device, asked=True))
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
    bits = cache_bits(arch, chosen, kv_cache) if isinstance(kv_cache, str) else kv_cache
    plan = replace(_layout(arch, chosen, format_, bits, tp, pp, ep), sequences=sequences, share=share)
    return Setup(arch, device, chosen, backend, plan, offered, blocks=blocks)


def _layout(arch: Architecture, engine: Engine, fmt: Format, kv_bits: float, tp: int, pp: int, ep: int | None) -> Plan:
    """The plan behind ``--tp``, ``--pp`` and ``--ep``; RequestError where it cannot be."""
    tensor = engine.split == "tensor"
    stages = pp if tensor else tp * pp
    if stages > 1 and engine.split == "none":
        raise RequestError(f"{engine.name} runs on one device", "--tp" if tp > 1 else "--pp", ("--tp 1 --pp 1",))
    if stages > arch.layers:
        raise RequestError(f"{arch.layers} layers make no {stages} stages", "--pp", (f"--pp {arch.layers}",))
    if tensor:
        check_tensor_parallel(arch, tp)
    if ep is None or ep == 1:
        return Plan(fmt, float(tp) if tensor else 1.0, float(stages), kv_bits)
    if not tensor:
        raise RequestError(f"{engine.name} does not share out experts", "--ep", ("vllm", "sglang", "tensorrt-llm"))
    _check_experts(arch, tp, ep)
    return Plan(fmt, float(ep), float(stages), kv_bits, float(ep // tp))


def _check_experts(arch: Architecture, tp: int, ep: int) -> None:
    experts = {group.feed.experts for group in arch.kinds if group.feed.experts}
    if not experts:
        raise RequestError(f"{arch.name} has no experts", "--ep", (f"--tp {ep}",))
    able = [n for n in range(tp, 1025, tp) if all(count % n == 0 for count in experts)]
    if ep not in able:
        near = sorted(able, key=lambda n: (abs(n - ep), n))[:4]
        raise RequestError(
            f"{ep} devices: they must be a multiple of --tp and divide the {max(experts)} experts",
            "--ep",
            tuple(f"--ep {n}" for n in near),
        )


#: Spellings of a width, whatever the engine calls the type.
WIDTHS = {"fp16": 16.0, "bf16": 16.0, "f16": 16.0, "auto": 16.0, "fp8": 8.0, "int8": 8.0}


def cache_bits(arch: Architecture, engine: Engine, text: str) -> float:
    """Bits per cached value of a type as the engine names it, of a width it has a type for, or, where keys and values
    may differ, of two of them: ``q8_0/f16``."""
    rules = policy(engine.memory)
    keys, slash, values = text.partition("/")
    if slash and not rules.apart:
        raise RequestError(f"{engine.name} caches keys and values in one type", "--kv-bits", tuple(rules.caches)[:6])
    one = _type_bits(engine, rules.caches, keys)
    if not slash:
        return one
    other = _type_bits(engine, rules.caches, values)
    total = {"k": 0.0, "v": 0.0}
    for group in arch.kinds:
        mixer = group.mixer
        if mixer.kv_values:
            separate = 0 if mixer.kind == "mla" else mixer.kv_heads * mixer.v_dim
            total["k"] += group.count * (mixer.kv_values - separate)
            total["v"] += group.count * separate
    both = total["k"] + total["v"]
    return (one * total["k"] + other * total["v"]) / both if both else one


def _type_bits(engine: Engine, types: Mapping[str, float], text: str) -> float:
    word = text.strip().casefold()
    if word in types:
        return float(types[word])
    try:
        width = WIDTHS[word] if word in WIDTHS else float(parse(word, "1", "--kv-bits"))
    except RequestError:
        width = -1.0
    exact = [bits for bits in types.values() if bits == width]
    near = exact or [bits for bits in types.values() if width == math.floor(bits)]
    if not near:
        raise RequestError(f"{engine.name} has no cache type {text!r}", "--kv-bits", tuple(types)[:6])
    return float(min(near))


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
    names = [name for family in engine.families for name in LADDERS.get(family, ()) if not allowed or name in allowed]
    return formats[(names or list(allowed))[0]]


@dataclass(frozen=True, slots=True)
class Total:
    """What is held per device, with how far it may be off and how well its weakest part is supported."""

    value: float
    low: float
    high: float
    tier: str


@dataclass(frozen=True, slots=True)
class FitAnswer(Shown):
    """The waterfall of the fullest device and the ways to make it fit.

    memory_basis          how the usable memory is known
    assumed_parts         parts whose constants have no source
    batch_limit_requests  sequences that memory holds; ``engine_limit_requests`` run at once by default
    """

    schema_version: int
    command: str
    model: str
    device: str
    devices: int
    tp: int
    pp: int
    ep: int
    engine: str
    format: str
    kv_bits: float
    policy: str
    context_tokens: float
    sequences: float
    memory_total_bytes: float
    memory_basis: str
    reserved_bytes: float
    parts_bytes: dict[str, float]
    assumed_parts: tuple[str, ...]
    total_bytes: Total
    ram_bytes: float
    left_bytes: float
    fits: bool
    context_limit_tokens: float
    batch_limit_requests: float
    engine_limit_requests: float
    kv_bytes_per_token: float
    fixes: tuple[str, ...]
    assumptions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Split:
    """What llama.cpp leaves in RAM: ``ngl`` layers on the card (None: all), experts in RAM."""

    ngl: int | None = None
    experts: bool = False

    @property
    def any(self) -> bool:
        return self.ngl is not None or self.experts


#: Contexts and sequences beyond these are not looked for.
MOST_CONTEXT, MOST_SEQUENCES = 131072, 2**20


def split_of(setup: Deployment) -> Split:
    """The split that a deployment with parts in RAM has."""
    if setup.host is None:
        return Split()
    return Split(round((1.0 - setup.lowered) * setup.arch.layers) + 1, setup.experts)


def placed(setup: Deployment, split: Split, sequences: float, context: float) -> tuple[Footprint, float]:
    """The footprint of the fullest device and what lies in RAM. Groups that attend apart hold whole sequences."""
    if not split.any:
        groups = float(setup.plan.attn_dp)
        return footprint(setup, groups * math.ceil(sequences / groups), context), 0.0
    wanted = setup.arch.layers + 1 if split.ngl is None else split.ngl
    rules = policy(setup.engine.memory)
    found = place(setup.arch, setup.plan, wanted, sequences, context, rules, setup.usable, split.experts)
    return found.card, float(found.ram)


def _holds(setup: Deployment, split: Split, sequences: float, context: float) -> bool:
    return float(placed(setup, split, sequences, context)[0].left) >= 0


def _most(holds: Callable[[int], bool], most: int) -> int:
    """The largest whole number up to ``most`` that holds; 0 when none does."""
    low, high = 0, 1
    while high < most and holds(high):
        low, high = high, 2 * high
    high = min(high, most)
    if holds(high):
        return high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def context_limit(setup: Deployment, split: Split, sequences: float) -> int:
    """Longest context that so many sequences may have, up to the model's own limit [tokens]."""
    return _most(lambda n: _holds(setup, split, sequences, n), int(setup.arch.max_context or MOST_CONTEXT))


def batch_limit(setup: Deployment, split: Split, context: float) -> int:
    """Sequences of that context that memory holds."""
    return _most(lambda n: _holds(setup, split, n, context), MOST_SEQUENCES)


def fit_answer(
    setup: Deployment,
    sequences: float,
    context: float,
    ngl: int | None = None,
    cpu_moe: bool = False,
    basis: str = "",
) -> FitAnswer:
    """Total − reserved − weights − KV cache − buffers − engine = left, per device; ``ngl`` and ``cpu_moe`` leave
    parts in RAM as llama.cpp does."""
    check_context(setup.arch, context)
    split, rules, plan = Split(ngl, cpu_moe), policy(setup.engine.memory), setup.plan
    if split.any and (not setup.engine.offloads or setup.count > 1):
        flag = "--ngl" if ngl is not None else "--cpu-moe"
        raise RequestError("parts in RAM are for llama.cpp on one card", flag, ("--engine llama.cpp",))
    if cpu_moe and not setup.arch.moe:
        raise RequestError(f"{setup.arch.name} has no experts to leave in RAM", "--cpu-moe", ("--ngl N",))
    foot, ram = placed(setup, split, sequences, context)
    one, two = (float(placed(setup, split, 1.0, n)[0].parts["KV cache"]) for n in (65536.0, 131072.0))
    left, total, doubt = float(foot.left), float(foot.total), float(foot.doubt)
    guessed = tuple(part for part in rules.guessed if float(foot.parts[part]) > 0)
    return FitAnswer(
        schema_version=1,
        command="fit",
        model=setup.arch.name,
        device=setup.device.id,
        devices=setup.count,
        tp=int(plan.attn_tp),
        pp=int(plan.pp),
        ep=int(plan.tp) if plan.attn_dp > 1 else 1,
        engine=setup.engine.id,
        format=plan.format.id,
        kv_bits=float(plan.kv_bits),
        policy=rules.about,
        context_tokens=context,
        sequences=sequences,
        memory_total_bytes=setup.usable,
        memory_basis=basis,
        reserved_bytes=setup.usable - float(foot.usable),
        parts_bytes={part: float(amount) for part, amount in foot.parts.items()},
        assumed_parts=guessed,
        total_bytes=Total(total, total - doubt, total + doubt, "assumed" if guessed else "transferred"),
        ram_bytes=ram,
        left_bytes=left,
        fits=left >= 0,
        context_limit_tokens=context_limit(setup, split, sequences),
        batch_limit_requests=batch_limit(setup, split, context),
        engine_limit_requests=most_sequences(setup),
        kv_bytes_per_token=(two - one) / 65536.0,
        fixes=() if left >= 0 else tuple(fit_fixes(setup, split, sequences, context)),
        assumptions=setup.arch.assumptions,
    )


def memory_basis(device: Device, memory: float | None, free: float | None) -> str:
    """How the usable memory of a device is known."""
    if free is not None:
        return "given"
    figure = Machine(device, 1, memory).usable_figure
    if figure is None:
        return ""
    return f"assumed: {figure.note}" if figure.kind == "assumed" else "reported by the driver"


#: Numbers of sequences an engine may be told to run, and the share of the device that vLLM's recipes go up to.
SEQUENCES, SHARE = (512.0, 256.0, 128.0, 64.0, 16.0, 4.0), 0.95


def fit_fixes(setup: Deployment, split: Split, sequences: float, context: float) -> Iterator[str]:
    """The smallest single changes that make it fit, each checked."""

    def holds(changed: Setup) -> bool:
        return _holds(changed, split, sequences, context)

    limit = context_limit(setup, split, sequences)
    if 256 <= limit < context:
        yield f"a context of {count(limit)} tokens (--context {limit})"
    batch = batch_limit(setup, split, context)
    if sequences > batch >= 1:
        many = "sequence" if batch == 1 else "sequences at once"
        yield f"{digits(batch)} {many} (--concurrency {batch:.0f})"
    for name, bits in sorted(policy(setup.engine.memory).caches.items(), key=lambda entry: -entry[1]):
        if bits < setup.plan.kv_bits and holds(replace(setup, plan=replace(setup.plan, kv_bits=bits))):
            yield f"a KV cache of {digits(bits)} bits per value (--kv-bits {name})"
            break
    for fewer in SEQUENCES:
        told = replace(setup, plan=replace(setup.plan, sequences=fewer))
        if sequences <= fewer < most_sequences(setup) and holds(told):
            yield f"an engine told to run at most {digits(fewer)} sequences at once (--max-sequences {digits(fewer)})"
            break
    if holds(replace(setup, plan=replace(setup.plan, share=SHARE))) and not float(setup.plan.share):
        yield f"an engine told to take {digits(100 * SHARE)} % of the device (--utilization {SHARE})"
    smaller = sorted(
        (f for f in load_formats().values() if f.family in setup.engine.families), key=lambda f: -f.default
    )
    for fmt in smaller:
        changed = replace(setup, plan=replace(setup.plan, format=fmt))
        allowed = not setup.backend.formats or fmt.id in setup.backend.formats
        if fmt.default < setup.plan.format.default and allowed and holds(changed):
            yield f"{fmt.name} weights (--quant {fmt.id})"
            break
    if split.any:
        fewer = _most(lambda n: _holds(setup, replace(split, ngl=n), sequences, context), setup.arch.layers + 1)
        wanted = setup.arch.layers + 1 if split.ngl is None else split.ngl
        if fewer < wanted and _holds(setup, replace(split, ngl=fewer), sequences, context):
            yield f"{fewer} layers on the card (--ngl {fewer})"
        return
    yield from _wider(setup, split, sequences, context)
    yield from _splits(setup, sequences, context)


def _wider(setup: Deployment, split: Split, sequences: float, context: float) -> Iterator[str]:
    """The least devices that do."""
    tensor = setup.engine.split == "tensor"
    if setup.engine.split == "none" or setup.plan.attn_dp > 1:
        return
    stages = int(setup.plan.pp) if tensor else 1
    for n in (2, 4, 8, 16):
        able = divides(setup.arch, n) if tensor else n <= setup.arch.layers
        wider = replace(setup.plan, tp=float(n)) if tensor else replace(setup.plan, pp=float(n))
        more = n * stages > setup.count and n <= setup.backend.max_devices
        if able and more and _holds(replace(setup, plan=wider), split, sequences, context):
            yield f"{n * stages} devices (--tp {n})"
            break


def _splits(setup: Deployment, sequences: float, context: float) -> Iterator[str]:
    """Parts left in RAM, at the speed of the RAM for them."""
    if not setup.engine.offloads or setup.count > 1 or not setup.device.kind.startswith("gpu"):
        return
    rules = policy(setup.engine.memory)
    for experts in (True, False) if setup.arch.moe else (False,):
        found = fitting(setup.arch, setup.plan, sequences, context, rules, setup.usable, experts)
        if found is not None and float(found.ram) > 0:
            below = found.of - found.layers
            what = f"{below} layer{'s' * (below != 1)}" if below or not experts else "the experts"
            flags = f"--ngl {found.ngl}{' --cpu-moe' if experts else ''}"
            yield f"{what} in RAM ({size(float(found.ram))}), at the speed of the RAM for them ({flags})"


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

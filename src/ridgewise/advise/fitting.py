"""What fits one device: the memory waterfall, the limits of contexts and batches, and ways out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ridgewise.advise.deploy import Deployment
from ridgewise.advise.limits import check_context, divides
from ridgewise.errors import RequestError
from ridgewise.hardware import Device
from ridgewise.hardware.machine import Machine
from ridgewise.memory import Footprint
from ridgewise.memory.engines import policy
from ridgewise.memory.offload import fitting, place
from ridgewise.models.formats import load_formats
from ridgewise.serving import Setup
from ridgewise.serving.estimate import (
    footprint,
    most_sequences,
)
from ridgewise.units import count, digits, size
from ridgewise.units.shown import Shown


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

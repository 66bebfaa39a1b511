"""TTFT, TPOT and throughput of one deployment.

A single user waits for the prefill and then for one step per token. A service in the steady state runs
``c`` requests at once; each step also carries its share of other requests' prompts (chunked prefill),
so with ``o`` tokens per answer every step holds ``(c−1)/o`` of another's prompt (arrival theorem):

    TPOT = t_decode(c) + (c−1)/o · t_prompt
    TTFT = overhead + step in progress + t_prompt · (1 + ρ/(2(1−ρ)))       (M/D/1, Pollaczek–Khinchine)
    c    = sessions · R / (R + think),   R = TTFT + o · TPOT               (interactive response-time law)

Bursts and open arrivals need the queue itself: these are means of the steady state.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated

import numpy as np

from ridgewise.engines import Backend, Engine
from ridgewise.hardware.device import Device
from ridgewise.memory import Footprint, inference
from ridgewise.memory.engines import policy
from ridgewise.models.architecture import Architecture
from ridgewise.models.formats import stored
from ridgewise.timing import Efficiency, Fitted, Rates, Term, load_calibration, step_seconds, terms
from ridgewise.timing.roofline import LINK_LATENCY, UNNAMED_LINK, allreduce_seconds, overhead_seconds
from ridgewise.units import Count, Num, Seconds, Tokens
from ridgewise.work import Plan, Step, decode, forward, prefill
from ridgewise.workloads import Service, SingleUser

#: Spread assumed where no measurement backs a class of devices.
UNMEASURED = 2.0
#: Matrix rate over vector rate where the sheet gives only the former: 8 on Ampere, 15 on Hopper.
MATRIX_TO_VECTOR = 12.0
#: Factor on the spread when no model of this class (dense, mixture of experts) was among the measurements.
OTHER_CLASS = 1.4
#: Least spread of coefficients that rest on fewer than so many measurements, or on one device.
FEW, THIN = 30, 1.35
#: Factor on the decode spread of a batch under engines whose evidence is mostly single sequences.
BATCHED = 1.4
#: Factor on the spread when coefficients fitted on one device alone are carried to another.
LONE_DEVICE = 1.4


@dataclass(frozen=True, slots=True)
class Setup:
    """One model on one machine under one engine: ``replicas`` groups of ``tp·pp`` devices."""

    arch: Architecture
    device: Device
    engine: Engine
    backend: Backend
    plan: Plan
    usable: float
    replicas: int = 1
    fitted: Fitted = field(init=False)
    tier: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "plan", replace(self.plan, format=stored(self.arch, self.plan.format)))
        fitted = _fitted(self.engine.id, self.backend.id, self.device)
        object.__setattr__(self, "fitted", fitted)
        object.__setattr__(self, "tier", _tier(fitted, self.device, self.arch))

    @property
    def spreads(self) -> tuple[float, float]:
        """Spreads of decode and prefill: wider where the evidence is thin, another device's or another class's."""
        fit = self.fitted
        factor = 1.0
        if self.tier == "transferred" and len(fit.devices) == 1:
            factor *= LONE_DEVICE
        if _class(self.arch) not in fit.classes:
            factor *= OTHER_CLASS
        least = UNMEASURED if self.tier == "assumed" else THIN if fit.rows < FEW or len(fit.devices) < 2 else 1.0
        return max(fit.decode_spread * factor, least), max(fit.prefill_spread * factor, least)

    @property
    def count(self) -> int:
        return int(self.plan.tp * self.plan.pp) * self.replicas

    @property
    def peak(self) -> tuple[float, str] | None:
        """Peak rate in the precision the products really run in."""
        return self.device.peak(self.fitted.peak or self.plan.format.compute)

    @property
    def rates(self) -> Rates:
        """What one device offers; an unknown peak counts as the bandwidth times an old ridge point."""
        bandwidth = self.device.bandwidth or np.nan
        peak = self.peak[0] if self.peak else np.nan
        link = self.device.number("link_bandwidth") or UNNAMED_LINK
        if "all-to-all" in self.device.link:  # a mesh: a group of tp uses its own links alone
            mesh = (self.device.number("max_per_node") or 8) - 1
            link = link * max(min(float(self.plan.tp) - 1, mesh), 1.0) / mesh
        latency = LINK_LATENCY["fast" if link > 100e9 else "pcie"]
        vector = self.device.number("peak_fp32") or peak / MATRIX_TO_VECTOR
        return Rates(peak, bandwidth, min(vector, peak), link, latency)


@dataclass(frozen=True, slots=True)
class Speed:
    """What users feel and the system yields; None where the catalogue lacks the peak it takes.

    ttft, tpot    mean seconds to the first token and per further token
    each          tokens per second one user sees while reading
    total         output tokens per second of the whole system
    concurrency   requests in flight, all replicas together
    peak          precision of the peak that prefill was held against
    lone          the coefficients rest on one device alone
    bound         what limits decode: "memory", "compute" or "overhead"
    prefill_bound what limits prefill
    intensity     FLOP per byte of one decode step
    """

    ttft: Annotated[float, "s"] | None
    tpot: Annotated[float, "s"]
    total: Annotated[float, "tokens/s"]
    concurrency: Annotated[float, "1"]
    bound: str
    prefill_bound: str
    intensity: Annotated[float, "FLOP/B"]
    decode_spread: Annotated[float, "ratio"]
    prefill_spread: Annotated[float, "ratio"]
    tier: str
    key: str
    lone: bool
    peak: str

    @property
    def each(self) -> float:
        return 1.0 / self.tpot


def _fitted(engine: str, backend: str, device: Device) -> Fitted:
    table = load_calibration()
    for key in (f"{engine}/{backend}/{device.kind}", f"{engine}/{backend}", f"prior/{device.kind}"):
        if key in table:
            return table[key]
    return Fitted("prior", Efficiency(), UNMEASURED, UNMEASURED, kind="assumed")


def _class(arch: Architecture) -> str:
    """The class of a model as evidence counts it."""
    return "moe" if arch.moe else "dense"


def _tier(fitted: Fitted, device: Device, arch: Architecture) -> str:
    """How well this prediction is supported, worst first: interpolated only where this device ran this class
    of models under this engine."""
    bandwidth = device.figures.get("bandwidth")
    if bandwidth is None or bandwidth.kind == "assumed":
        return "assumed"
    if fitted.kind == "assumed" or not fitted.rows:
        return "datasheet"
    known = device.id in fitted.devices and _class(arch) in fitted.classes
    return "interpolated" if known else "transferred"


def step_terms(setup: Setup, step: Step) -> list[Term]:
    """Every operator of a step against both roofs."""
    return terms(forward(setup.arch, step, setup.plan), setup.rates, setup.fitted.efficiency)


def fixed_seconds(setup: Setup, step: Step) -> Seconds:
    """Overhead and collectives of a step."""
    arch, eff = setup.arch, setup.fitted.efficiency
    expert_layers = sum(g.count for g in arch.kinds if g.feed.experts)
    message = step.tokens * arch.hidden * 2.0
    collectives = 2 * arch.layers * allreduce_seconds(message, setup.plan.tp, setup.rates, eff)
    return overhead_seconds(arch.layers, expert_layers, eff, step.sequences) + collectives


def step_time(setup: Setup, step: Step) -> Seconds:
    """Seconds of one step: operators, overhead, collectives."""
    arch = setup.arch
    experts = sum(g.count for g in arch.kinds if g.feed.experts)
    work, message = forward(arch, step, setup.plan), step.tokens * arch.hidden * 2.0
    eff = setup.fitted.efficiency
    return step_seconds(work, setup.rates, eff, arch.layers, experts, message, setup.plan.tp, step.sequences)


def footprint(setup: Setup, sequences: Count, context: Tokens) -> Footprint:
    """Memory per device while ``sequences`` sequences per replica hold ``context`` tokens each."""
    rules = policy(setup.engine.memory)
    discrete = setup.device.kind.startswith("gpu")
    return inference(setup.arch, setup.plan, sequences, context, rules, setup.usable, discrete)


def largest_batch(setup: Setup, context: Tokens) -> float:
    """Sequences of ``context`` tokens one replica runs at once: what memory holds, and no more than the engine's
    own limit."""
    return min(memory_batch(setup, context), float(setup.engine.max_sequences))


def memory_batch(setup: Setup, context: Tokens) -> float:
    """Sequences of ``context`` tokens that memory holds: what is left over bytes per sequence; inf where a sequence
    takes none."""
    empty, one = footprint(setup, 0.0, context), footprint(setup, 1.0, context)
    each, left = float(one.total - empty.total), float(empty.left)
    if each <= 0:
        return np.inf if left >= 0 else 0.0
    most = max(left // each, 0.0)
    if most <= 1 or float(footprint(setup, most, context).left) >= 0:
        return most
    low = 1.0  # another stage of the pipeline becomes the fullest one
    while most - low > 1:
        middle = (low + most) // 2
        low, most = (middle, most) if float(footprint(setup, middle, context).left) >= 0 else (low, middle)
    return low


def _bound(setup: Setup, step: Step) -> tuple[str, float]:
    parts = step_terms(setup, step)
    compute = sum(float(np.nan_to_num(t.compute_seconds)) for t in parts if t.bound == "compute")
    memory = sum(float(t.memory_seconds) for t in parts if t.bound == "memory")
    fixed = float(fixed_seconds(setup, step))
    bound = max((compute, "compute"), (memory, "memory"), (fixed, "overhead"))[1]
    flops = sum(float(t.work.flops) for t in parts)
    moved = sum(float(t.work.bytes) for t in parts)
    return bound, flops / moved


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _speed(
    setup: Setup, ttft: float, tpot: float, total: float, concurrency: float, load: Step, prompt: float
) -> Speed:
    bound, intensity = _bound(setup, load)
    decode_spread, prefill_spread = setup.spreads
    if concurrency > 1 and setup.engine.split == "layer":
        decode_spread *= BATCHED
    prefill_bound, _ = _bound(setup, prefill(prompt))
    return Speed(
        _finite(ttft), tpot, total, concurrency, bound, prefill_bound, intensity,
        decode_spread, prefill_spread, setup.tier, setup.fitted.key, len(setup.fitted.devices) == 1,
        setup.peak[1] if setup.peak else "",
    )  # fmt: skip


def decode_seconds(setup: Setup, context: Tokens, sequences: Count = 1.0) -> Seconds:
    """One decode step. Where the catalogue knows no peak the memory roof alone counts: decoding sits under it."""
    step = decode(context, sequences)
    seconds: Num = 0.0
    for term in step_terms(setup, step):
        seconds = seconds + np.fmax(term.compute_seconds, term.memory_seconds)
    return seconds + fixed_seconds(setup, step)


def single(setup: Setup, work: SingleUser) -> Speed:
    """One user: the prompt is read, then one step per token at the mean context of the answer."""
    context = work.prompt + work.output / 2
    ttft = float(step_time(setup, prefill(work.prompt)) + setup.fitted.efficiency.request_overhead)
    tpot = float(decode_seconds(setup, context))
    return _speed(setup, ttft, tpot, 1 / tpot, 1.0, decode(context), work.prompt)


def steady_state(setup: Setup, work: Service, batch: Num) -> tuple[Num, Num]:
    """Mean TTFT and TPOT of one replica with ``batch`` requests in flight."""
    context = work.prompt + work.output / 2
    bare = decode_seconds(setup, context, batch)
    alone = step_time(setup, prefill(work.prompt))
    share = (batch - 1.0) / work.output  # prompts of the others: a request does not wait for its own
    joint = step_time(setup, prefill(work.prompt) + decode(context, batch))
    extra = np.nan_to_num(np.minimum(np.maximum(joint - bare, 0.0), alone))  # unknown peak: the memory roof alone
    tpot = bare + share * extra
    busy = np.minimum(share * extra / tpot, 0.98)
    ttft = (
        setup.fitted.efficiency.request_overhead
        + np.where(batch > 1, 0.5 * bare, 0.0)
        + alone * (1 + busy / (2 * (1 - busy)))
    )
    return ttft, tpot


def service(setup: Setup, work: Service) -> Speed:
    """Many users over all replicas: the closed loop of sessions, answers and thinking."""
    grid = np.unique(np.round(np.geomspace(1, 4096, 64)))
    ttft, tpot = steady_state(setup, work, grid)
    if work.concurrency is not None:
        batch = max(work.concurrency / setup.replicas, 1.0)
    else:
        sessions = max(work.users * work.active_share / setup.replicas, 1.0)
        answer = np.where(np.isfinite(ttft), ttft, 0.0) + work.output * tpot
        carried = grid * (answer + work.think) / answer
        batch = float(np.clip(np.interp(sessions, carried, grid), min(1.0, sessions), grid[-1]))
    first, rest = (float(np.interp(batch, grid, column)) for column in (ttft, tpot))
    context = work.prompt + work.output / 2
    answered = np.nan_to_num(first) + work.output * rest
    total = batch * setup.replicas * work.output / answered
    return _speed(setup, first, rest, total, batch * setup.replicas, decode(context, batch), work.prompt)

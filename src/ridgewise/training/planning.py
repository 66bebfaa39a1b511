"""Layouts of a training run timed and weighed side by side, and the best of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np

from ridgewise.hardware.device import Device
from ridgewise.hardware.sheets import device as find_device
from ridgewise.memory.training import (
    OPTIMISERS,
    Bulk,
    MemoryCoefficients,
    Method,
    Optimiser,
    Recompute,
    bulk,
    divided,
)
from ridgewise.models.architecture import Architecture
from ridgewise.timing.coefficients import Block
from ridgewise.training import step as physics
from ridgewise.training.estimate import (
    CHOSEN,
    CHUNKED,
    CHUNKED_LOSS,
    EFFECTIVE,
    NARROW,
    PASSES,
    PRECISIONS,
    PROGRAMS,
    TIGHTER,
    Pace,
    TrainingEstimate,
    demand_of,
    efficiency_for,
    flops_per_token,
    memory_coefficients,
    memory_of,
    pace,
    time_of,
    usual_kind,
)
from ridgewise.training.layouts import OFFLOADS, RECOMPUTED, SCHEDULES, Space, choose, layouts, offloaded
from ridgewise.training.step import Demand, Supply
from ridgewise.units import Num, Tokens

#: Bandwidth to the host's memory per device where no sheet says it [B/s]: PCIe 4.0 with 16 lanes.
HOST_LINK = 31.5e9
#: The processors around cards on a desk and in a server, assumed: what updates weights whose states wait in RAM.
HOSTS, DESKS = ("amd-ryzen-9950x", "amd-epyc-9654"), ("gpu-consumer", "gpu-workstation")
Bound = Literal["compute", "memory traffic", "launches", "links", "pipeline", "host"]
#: What the parts of a step are bound by.
BOUNDS: Mapping[str, Bound] = {
    "products": "compute", "head": "compute", "attention": "compute", "traffic": "memory traffic",
    "launches": "launches", "unpacking": "memory traffic", "tensor": "links", "context": "links", "experts": "links",
    "bubble": "pipeline", "data": "links", "update": "memory traffic", "scaling": "links", "host": "host",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Job:
    """What is trained, on what, how; prepared once for all layouts.

    length      tokens of a sequence; ``sequences`` per optimiser step over all devices
    usable      memory of one device [B]
    passes      forward passes' worth of FLOPs per trained token
    extra       further forward passes over the trained tokens (a reference model's, old probabilities)
    reference   bytes of frozen weights beside the trained ones
    hot         routed tokens of the fullest expert group over the mean
    """

    arch: Architecture
    device: Device
    method: Method
    precision: str
    optimiser: str
    length: Annotated[float, "tokens"]
    sequences: Annotated[float, "1"]
    rank: Annotated[float, "1"]
    usable: Annotated[float, "B"]
    need: Demand
    size: Bulk
    rates: Supply
    peak: Annotated[float, "FLOP/s"]
    domain: int
    held: MemoryCoefficients
    known: Pace
    key: str
    program: str
    kind: str
    extra: Annotated[float, "1"] = 0.0
    reference: Annotated[float, "B"] = 0.0
    hot: Annotated[float, "ratio"] = 1.0

    def owned(self, grid: Mapping[str, Num]) -> Num:
        """Parameters that one device of a layout trains."""
        return self.need.trained / (grid["tp"] * grid["pp"] * grid["shards"])

    @property
    def host_link(self) -> Annotated[float, "B/s"]:
        """Bandwidth of one device to the host's memory."""
        return self.device.number("host_bandwidth") or HOST_LINK

    def host_memory(self, count: int) -> Annotated[float, "B/s"]:
        """Bandwidth of the host's memory for each of so many devices."""
        whole = find_device(HOSTS[0 if self.device.kind in DESKS else 1]).bandwidth
        assert whole is not None, "the processors above say theirs"
        return whole / min(count, int(self.device.number("max_per_node") or physics.NODE))

    @property
    def how(self) -> Optimiser:
        return OPTIMISERS[self.optimiser]

    @property
    def passes(self) -> float:
        return PASSES[self.method]

    @property
    def flops(self) -> Annotated[float, "FLOP"]:
        """Model FLOPs per trained token, attention halved for causality, nothing computed twice."""
        return float(flops_per_token(self.arch, self.length, "full")) * self.passes / 3.0


def job(
    arch: Architecture, device: Device, method: Method, length: float, sequences: float, usable: float, *,
    precision: str = "bf16", optimiser: str = "adamw", rank: float = 16.0, blocks: Mapping[str, Block] | None = None,
    extra: float = 0.0, reference: float = 0.0, program: str = "", chunked: bool | None = None,
    kind: str = "", hot: float = 1.0,
) -> Job:  # fmt: skip
    """A job ready to be laid out; the caller has asked :func:`ridgewise.training.unsupported` before."""
    dtype, _ = PRECISIONS[precision]
    rates, peak, found = physics.supply(device, dtype), device.peak(dtype), efficiency_for(device)
    assert rates is not None and peak is not None and found is not None, "unsupported devices are refused before"
    program = program or PROGRAMS[method]
    held = memory_coefficients(method, blocks, "" if program == PROGRAMS["full"] else program)
    if program in CHUNKED_LOSS if chunked is None else chunked:
        held = replace(held, logits=held.logits * CHUNKED)
    if dtype in ("fp8", "fp4"):
        held = replace(held, kept=held.kept * NARROW)
    wide = bulk(arch, method, rank, optimiser=OPTIMISERS[optimiser])
    kind = kind or usual_kind(method)
    known = pace(arch, device, found[1], method, blocks, precision, program, kind)
    return Job(
        arch, device, method, precision, optimiser, length, max(sequences, 1.0), rank, usable,
        demand_of(arch, length, method, rank), wide, rates, peak[0], physics.fast_domain(device), held, known,
        found[0], program, kind, extra, reference, hot,
    )  # fmt: skip


def grid_of(work: Job, count: int, space: Space | None = None) -> dict[str, np.ndarray]:
    """Every possible layout of ``count`` devices."""
    grid = layouts(work.arch, work.device, count, work.length, work.sequences, space or Space())
    if not work.how.fused:
        return grid
    once = grid["shards"] * grid["micro"] >= work.sequences
    return {name: column[once] for name, column in grid.items()}


@dataclass(frozen=True, slots=True)
class Layouts:
    """Layouts side by side: their columns, seconds of a step, bytes of a device by part."""

    work: Job
    count: int
    grid: Mapping[str, np.ndarray]
    step: physics.StepTime
    memory: Mapping[str, np.ndarray]
    total: np.ndarray

    @property
    def fits(self) -> np.ndarray:
        return self.total <= self.work.usable

    @property
    def seconds(self) -> np.ndarray:
        return np.asarray(self.step.total)

    def __len__(self) -> int:
        return len(self.total)


def evaluate(work: Job, count: int, grid: Mapping[str, np.ndarray]) -> Layouts:
    """Time and memory of every layout of ``grid``."""
    batch, grid = grid["shards"] * grid["micro"], {**grid, "hot": np.full(len(grid["micro"]), work.hot)}
    sequences = batch * np.ceil(work.sequences / batch)  # what does not divide leaves devices idle in the last one
    step = time_of(
        work.need, work.arch.layers, work.rates, work.domain, work.known.coefficients, work.method, work.length,
        sequences, grid,
    )  # fmt: skip
    step = _hosted(work, count, _beside(work, step, grid), grid, sequences / batch)
    parts = memory_of(work.size, work.length, work.held, grid)
    if work.reference:
        copies = np.where(grid["stage"] >= 3, grid["shards"] * grid["cp"], 1.0) * grid["tp"] * grid["pp"]
        parts["reference weights"] = work.reference / copies
    if work.method == "qlora":
        parts = _packed(work, parts, grid)
    whole = {name: np.broadcast_to(np.asarray(part, float), batch.shape) for name, part in parts.items()}
    return Layouts(work, count, grid, step, whole, np.asarray(sum(whole.values()), dtype=float))


def _packed(work: Job, parts: dict[str, Num], grid: Mapping[str, np.ndarray]) -> dict[str, Num]:
    """The same with weights no smaller than their bits: what a fit found less belongs to the allocator's share."""
    shards, held, routed = grid["shards"] * grid["cp"], grid["tp"] * grid["pp"], work.size.share_experts
    copies = np.where(grid["stage"] >= 3, shards, 1.0)
    bits = work.size.frozen * divided(1.0 - routed, routed, copies, np.minimum(grid["ep"], shards)) / held
    lacking = np.maximum(bits - parts["weights"], 0.0)
    return {**parts, "weights": parts["weights"] + lacking, "overhead": parts["overhead"] - lacking}


def _beside(work: Job, step: physics.StepTime, grid: Mapping[str, np.ndarray]) -> physics.StepTime:
    """The same with what an optimiser other than AdamW moves, states that come from the host, and the forward passes
    of other models over the same tokens."""
    usual = OPTIMISERS["adamw"]
    share = (work.how.weight + work.how.gradient + work.how.state + work.how.host) / (
        usual.weight + usual.gradient + usual.state
    )
    paged = 2.0 * work.how.host * work.owned(grid) / work.host_link
    update = step.update * share
    more = {name: getattr(step, name) * work.extra / work.passes for name in ("products", "head", "attention",
            "traffic", "launches", "tensor", "context", "experts", "bubble")}  # fmt: skip
    added = update - step.update + paged + sum(more.values(), 0.0 * np.asarray(step.total))
    parts = {name: getattr(step, name) + part for name, part in more.items()}
    return replace(step, total=step.total + added, update=update, host=step.host + paged, **parts)


def _hosted(
    work: Job, count: int, step: physics.StepTime, grid: Mapping[str, np.ndarray], steps: np.ndarray
) -> physics.StepTime:
    """The same with what waits in the host's memory. Gradients go there in every micro-step and the processor's new
    weights come back once (ZeRO-Offload, arXiv 2101.06840, as remembered); activations go and come back in every
    micro-step; what the link takes longer than the computation shows."""
    states, kept = offloaded(grid["offload"], 0), offloaded(grid["offload"], 1)
    if not np.any(states) and not np.any(kept):
        return step
    assert work.device.bandwidth is not None, "a device that trains has one"
    own = work.owned(grid)
    here = memory_of(work.size, work.length, work.held, {**grid, "offload": 0.0 * kept})["activations"]
    crossing = steps * (states * own * work.how.gradient + 2.0 * kept * here / grid["pp"]) / work.host_link
    shown = np.maximum(crossing - step.compute, 0.0) + states * own * work.how.weight / work.host_link
    there = step.update * (1.0 + states * (work.device.bandwidth / work.host_memory(count) - 1.0))
    total = step.total + shown + there - step.update
    return replace(step, total=total, update=there, host=step.host + shown)


@dataclass(frozen=True, slots=True)
class Plan:
    """One layout with its numbers.

    seconds     of an optimiser step; ``parts`` of it by name add up
    memory      bytes of the fullest device by part
    least       bytes of the tightest layout of as many devices
    mfu         model FLOPs (attention halved for causality, nothing twice) over the peak of the precision
    full_mfu    the same with every pair of tokens counted, as Megatron-LM counts
    hfu         with what is computed again
    tried       layouts compared
    hosted      bytes per device that wait in the host's memory
    """

    work: Job
    count: int
    stage: int
    recompute: Recompute
    tp: int
    pp: int
    chunks: int
    cp: int
    ep: int
    dp: int
    micro: int
    micro_steps: int
    seconds: Annotated[float, "s"]
    parts: Mapping[str, float]
    memory: Mapping[str, float]
    least: Annotated[float, "B"]
    tokens_per_second: Annotated[float, "tokens/s"]
    mfu: Annotated[float, "ratio"]
    full_mfu: Annotated[float, "ratio"]
    hfu: Annotated[float, "ratio"]
    tried: int
    schedule: str = "1f1b"
    offload: str = "none"
    hosted: Annotated[float, "B"] = 0.0

    @property
    def memory_total(self) -> float:
        return sum(self.memory.values())

    @property
    def fits(self) -> bool:
        return self.memory_total <= self.work.usable

    @property
    def bound(self) -> Bound:
        """What takes most of the step."""
        taken: dict[Bound, float] = {}
        for name, seconds in self.parts.items():
            taken[BOUNDS[name]] = taken.get(BOUNDS[name], 0.0) + seconds
        return max(taken, key=lambda kind: taken[kind])

    def estimate(self, tokens: float) -> TrainingEstimate:
        """The run of so many tokens, as other commands know it; failures count at the slow end."""
        known, run = self.work.known, float(tokens) / self.tokens_per_second
        slow = EFFECTIVE if self.count > int(self.work.device.number("max_per_node") or physics.NODE) else 1.0
        return TrainingEstimate(
            run, run / known.high, run / known.low / CHOSEN / slow, self.tokens_per_second, self.mfu, self.fits,
            self.memory, self.work.usable - self.memory_total, self.least, self.count, self.tp, self.pp, self.dp,
            self.micro, self.recompute, 3 if self.stage == 3 else 1, self.bound, self.work.key, known.tier,
        )  # fmt: skip


def plan_at(found: Layouts, row: int) -> Plan:
    """One row of the columns."""
    work, one = found.work, {name: float(column[row]) for name, column in found.grid.items()}
    seconds = float(found.seconds[row])
    rate = float(work.sequences * work.length) / seconds
    peak = found.count * work.peak
    attended = float(work.need.attention) * work.passes
    again = (work.passes + one["repeated"]) / work.passes
    steps = int(np.ceil(float(work.sequences) / (one["shards"] * one["micro"])))
    return Plan(
        work, found.count, int(one["stage"]), next(n for n, v in RECOMPUTED.items() if v == one["repeated"]),
        int(one["tp"]), int(one["pp"]), int(one["chunks"]), int(one["cp"]), int(one["ep"]), int(one["shards"]),
        int(one["micro"]), steps, seconds,
        {name: float(np.broadcast_to(part, found.seconds.shape)[row]) for name, part in found.step.parts.items()},
        {name: float(part[row]) for name, part in found.memory.items()}, float(found.total.min()), rate,
        float(work.flops * rate / peak), float((work.flops + attended) * rate / peak),
        float(work.flops * again * rate / peak), len(found), list(SCHEDULES)[int(one["schedule"])],
        list(OFFLOADS)[int(one["offload"])], _waiting(work, one),
    )  # fmt: skip


def _waiting(work: Job, one: Mapping[str, float]) -> float:
    """Bytes per device that wait in the host's memory: pages of the optimiser, and what is offloaded."""
    away = memory_of(work.size, work.length, work.held, one)
    here = memory_of(work.size, work.length, work.held, {**one, "offload": 0.0})
    moved = sum(here[name] - away[name] for name in ("gradients", "optimiser", "activations"))
    return float(work.how.host * work.owned(one) + moved)


def best(found: Layouts, most: int = 1) -> tuple[Plan, ...]:
    """The fastest layouts that fit, different in more than their micro-batch or what is computed again, first the one
    that is as good as fastest and leaves room; where none fits, the tightest one; none where there is no layout."""
    if not len(found):
        return ()
    if not found.fits.any():
        return (plan_at(found, int(np.argmin(found.total))),)
    order = np.flatnonzero(found.fits)
    order = order[np.lexsort((found.total[order], found.seconds[order]))]
    first = choose(found.seconds, found.total, found.work.usable)
    return tuple(plan_at(found, row) for row in _different(found, first, order, most))


def _different(found: Layouts, first: int, order: np.ndarray, most: int) -> Iterator[int]:
    seen: set[tuple[float, ...]] = set()
    for row in (first, *order.tolist()):
        key = tuple(float(found.grid[name][row]) for name in ("tp", "pp", "cp", "ep", "stage"))
        if key not in seen:
            seen.add(key)
            yield row
            if len(seen) == most:
                return


def search(work: Job, count: int, space: Space | None = None, most: int = 1) -> tuple[Plan, ...]:
    """The best layouts of so many devices."""
    return best(evaluate(work, count, grid_of(work, count, space)), most)


def programs(method: Method, pretraining: bool) -> tuple[str, ...]:
    """Programs to try in turn: the usual one and, where weights are adapted, those that hold less."""
    return (PROGRAMS[method],) if pretraining else TIGHTER[method]


def usual(space: Space, method: Method, pretraining: bool) -> Space:
    """The degrees left to try: programs for fine-tuning share out the data alone unless told otherwise, those for
    adapters no matrices either."""
    if not pretraining:
        space = replace(space, pp=space.pp or (1,), cp=space.cp or (1,))
    return space if method == "full" else replace(space, tp=space.tp or (1,), ep=space.ep or (1,))


def fitting(jobs: Sequence[Job], count: int, space: Space, most: int = 1) -> tuple[Plan, ...]:
    """The best layouts of the first job that fits, the same run by one program after the other; where none fits,
    those of the first that can be laid out at all."""
    found: tuple[Plan, ...] = ()
    for work in jobs:
        tried = search(work, count, space, most)
        if tried and tried[0].fits:
            return tried
        found = found or tried
    return found


def floor_seconds(arch: Architecture, device: Device, count: int, tokens: Tokens, length: Tokens,
                  method: Method) -> Num | None:  # fmt: skip
    """Seconds that no software can beat: FLOPs at the datasheet's full peak; None where no peak is known."""
    peak = device.peak("bf16")
    return None if peak is None else tokens * flops_per_token(arch, length, method) / (count * peak[0])

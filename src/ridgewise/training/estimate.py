"""Step time and layout of a training run.

Work: the backward pass costs twice the forward (weights and inputs); frozen weights need no weight
gradient, so LoRA costs once (``4N`` per token in all); full recomputation repeats the forward.
Time: :mod:`ridgewise.training.step`, with the coefficients of the calibrated block "training" where it is shipped,
else their priors; classes of device that no measurement covers are slowed by ``catalog/calibration/training.toml``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Annotated, Any

import numpy as np

from ridgewise.facts.catalog import catalog_path, frozen, read_toml
from ridgewise.hardware.device import Device
from ridgewise.memory import Footprint
from ridgewise.memory.training import NAMES as MEMORY_NAMES
from ridgewise.memory.training import MemoryCoefficients, Method, Recompute, Stage, adapter_parameters
from ridgewise.memory.training import training as training_memory
from ridgewise.models.architecture import Architecture
from ridgewise.models.formats import weight_format
from ridgewise.timing.coefficients import Block, load_blocks
from ridgewise.training import step as physics
from ridgewise.training.step import Layout, StepTime, Supply, TrainingCoefficients
from ridgewise.units import Count, Flop, Num, Tokens
from ridgewise.work import Plan, forward
from ridgewise.work import training as training_step

#: Passes over the forward FLOPs in one training step, without recomputation.
PASSES: Mapping[Method, float] = {"full": 3.0, "lora": 2.0, "qlora": 2.0}
RECOMPUTES: tuple[Recompute, ...] = ("none", "full")
#: Extra forward passes that recomputation costs.
RECOMPUTED: Mapping[Recompute, float] = {"none": 0.0, "full": 1.0}
STAGES: tuple[Stage, ...] = (1, 3)


#: Programs whose measurements stand for a run of each method.
PROGRAMS: Mapping[Method, str] = {"full": "megatron-lm", "lora": "torchtune", "qlora": "hf-trainer"}
#: Share of the peak to which measured classes come: what ``TrainingEfficiency.compute`` is held against.
MEASURED_SHARE = 0.5
#: Share of a run over several nodes that failures, restarts and evaluations may leave (Llama 3, arXiv 2407.21783,
#: kept above 0.9; earlier public logs less): the slow end of the interval counts it.
EFFECTIVE = 0.85
BLOCK = "training"


@dataclass(frozen=True, slots=True)
class TrainingEfficiency:
    """What public training runs get out of a device class (``catalog/calibration/training.toml``).

    compute      share of the peak reached by large dense models inside one node
    spread       ratio of the 80 % interval on sources and devices left out
    methods      what can be done there at all: full, lora, qlora
    """

    compute: Annotated[float, "ratio"]
    spread: Annotated[float, "ratio"]
    methods: tuple[str, ...] = ("full", "lora", "qlora")
    rows: int = 0
    devices: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class TrainingEstimate:
    """The fastest layout found that fits, or the nearest one that does not; ``memory_least`` [B per device] is
    what the tightest layout needs."""

    seconds: Annotated[float, "s"]
    low: Annotated[float, "s"]
    high: Annotated[float, "s"]
    tokens_per_second: Annotated[float, "tokens/s"]
    mfu: Annotated[float, "ratio"]
    fits: bool
    memory: Mapping[str, Annotated[float, "B"]]
    memory_left: Annotated[float, "B"]
    memory_least: Annotated[float, "B"]
    count: int
    tp: int
    pp: int
    shards: int
    micro_batch: int
    recompute: Recompute
    stage: Stage
    bound: str
    key: str
    tier: str


@cache
def load_training_calibration() -> Mapping[str, TrainingEfficiency]:
    """Training coefficients by class: device kind, optionally with vendor."""
    sheet: dict[str, dict[str, Any]] = read_toml(catalog_path("calibration", "training.toml"))
    return {key: TrainingEfficiency(**frozen(entry)) for key, entry in sheet.items()}


def efficiency_for(device: Device) -> tuple[str, TrainingEfficiency] | None:
    """The most specific class measured: vendor, kind and architecture; vendor and kind; kind."""
    table = load_training_calibration()
    maker = f"{device.vendor}/{device.kind}"
    for key in (f"{maker}/{device.architecture}", maker, device.kind):
        if key in table:
            return key, table[key]
    return None


def unsupported(device: Device, method: Method) -> str | None:
    """Why nothing is said about training on a device; None where something is."""
    found = efficiency_for(device)
    if device.purpose == "inference":
        return "it is built for inference and does not train"
    if found is None:
        return f"no training software is known for this class ({device.vendor} {device.kind})"
    if method not in found[1].methods:
        return f"its class does {' and '.join(found[1].methods)}, not {method} training"
    if device.peak("bf16") is None or not device.bandwidth:
        return "the catalogue knows no 16-bit peak or no bandwidth for it"
    return None


def flops_per_token(arch: Architecture, length: Tokens, method: Method = "full") -> Flop:
    """Model FLOPs per trained token, attention halved for causality, head included, recomputation not."""
    step = training_step(length)
    work = forward(arch, step, Plan(weight_format("bf16")))
    return PASSES[method] * sum(part.flops for part in work.values()) / step.tokens


def _grid(count: int, per_node: int, sequences: float) -> dict[str, np.ndarray]:
    """Every layout of ``count`` devices as columns: tp inside a node, pp, FSDP over the rest, micro-batch."""
    rows = [
        (tp, pp, count // (tp * pp), micro)
        for tp in (1, 2, 4, 8)
        if tp <= min(per_node, count) and count % tp == 0
        for pp in (1, 2, 4, 8, 16)
        if count % (tp * pp) == 0
        for micro in (1, 2, 4, 8, 16)
        if micro == 1 or micro * (count // (tp * pp)) <= sequences
    ]
    columns = np.array(rows, dtype=float).T
    return dict(zip(("tp", "pp", "shards", "micro"), columns, strict=True))


@dataclass(frozen=True, slots=True)
class Pace:
    """Coefficients of a run and how well measurements support them.

    low, high   ratios of measured over predicted speed between which 80 % fell
    """

    coefficients: TrainingCoefficients
    low: Annotated[float, "ratio"]
    high: Annotated[float, "ratio"]
    tier: str


def pace(
    arch: Architecture,
    device: Device,
    eff: TrainingEfficiency,
    method: Method,
    blocks: Mapping[str, Block] | None = None,
) -> Pace:
    """The coefficients of training ``arch`` on a device; no source of measurements enters its keys."""
    program = PROGRAMS[method]
    names = physics.keys(device, program, "16 bit", method, moe=arch.moe)
    slower = 1.0 if eff.rows else max(MEASURED_SHARE / eff.compute, 1.0)
    block = (blocks if blocks is not None else load_blocks()).get(BLOCK)
    if block is None:
        coefficients = TrainingCoefficients(pace=slower)
        return Pace(coefficients, 1.0 / eff.spread, eff.spread, _tier(device, eff))
    found = physics.coefficients(block.at(names))
    seen = block.seen.get("device", frozenset())
    support = "none"
    if program in block.seen.get("stack", frozenset()):
        support = "device" if f"{device.id}|{program}" in seen else "stack"
    kind = "pretrain" if method == "full" else method
    band = block.band("tokens_s_per_gpu", f"{'moe' if arch.moe else 'dense'} {kind}", support)
    known = any(pair.startswith(f"{device.id}|") for pair in seen)
    wider = 1.0 if known else max(slower, 1.0)
    coefficients = replace(found, pace=found.pace * wider)
    tier = "interpolated" if known else "transferred" if eff.rows else "datasheet"
    peak = device.figures.get("peak_bf16") or device.figures.get("peak_fp16")
    return Pace(
        coefficients, band.low / wider, band.high * wider, "assumed" if peak is None or peak.kind == "assumed" else tier
    )


def step_seconds(
    arch: Architecture,
    rates: Supply,
    domain: int,
    coefficients: TrainingCoefficients,
    method: Method,
    recompute: Recompute,
    length: Tokens,
    sequences: Count,
    grid: Mapping[str, Num],
    stage: Stage = 3,
    rank: float = 16.0,
) -> StepTime:
    """Seconds of one optimiser step of every layout in ``grid``: tp, pp, shards, micro."""
    tp, pp, shards, micro = grid["tp"], grid["pp"], grid["shards"], grid["micro"]
    one = 1.0 + 0.0 * np.asarray(tp)
    trained = None if method == "full" else adapter_parameters(arch, rank)
    even = np.where((np.asarray(pp) > 1) & (arch.layers % np.asarray(pp) == 0), 0.0, 1.0)
    plain = one if physics.lineage(PROGRAMS[method]) == "eager" else 0.0 * one
    layout = Layout(
        tp * pp * shards, domain * one, tp, pp, one, one, shards, one, micro,
        np.maximum(sequences / (shards * micro), 1.0), length, float(stage) * one, PASSES[method] * one,
        RECOMPUTED[recompute] * one, one, one if method == "qlora" else 0.0 * one, even, plain,
    )  # fmt: skip
    return physics.step_time(physics.demand(arch, length, trained), layout, rates, coefficients)


def search(
    arch: Architecture,
    device: Device,
    count: int,
    usable: float,
    method: Method,
    tokens: float,
    length: float,
    sequences: float,
    rank: float = 16.0,
    blocks: Mapping[str, Block] | None = None,
) -> TrainingEstimate | None:
    """The fastest layout of ``count`` devices that fits; None when the catalogue knows no bf16 peak or
    no measured class for the device. ``sequences`` is the global batch; ``blocks`` are coefficients to use
    instead of the shipped ones."""
    found = efficiency_for(device)
    if found is None or unsupported(device, method):
        return None
    key, eff = found
    rates = physics.supply(device)
    assert rates is not None, "candidates without a peak are dropped before"
    known = pace(arch, device, eff, method, blocks)
    domain = physics.fast_domain(device)
    sequences = max(sequences, 1.0)
    per_node = int(device.number("max_per_node") or 8)
    grid = _grid(count, per_node, sequences)

    def timed(layouts: Mapping[str, Num], recompute: Recompute, stage: Stage) -> StepTime:
        return step_seconds(
            arch, rates, domain, known.coefficients, method, recompute, length, sequences, layouts, stage, rank
        )

    tried = []
    for stage, recompute in product(STAGES, RECOMPUTES):
        tp, pp, shards, micro = (grid[name] for name in ("tp", "pp", "shards", "micro"))
        foot = training_memory(
            arch,
            method,
            length,
            micro,
            usable,
            shards,
            tp,
            pp,
            recompute,
            rank,
            stage,
            memory_coefficients(method, blocks),
        )
        each = np.asarray(timed(grid, recompute, stage).total)
        tried.append((stage, recompute, foot, each, np.broadcast_to(foot.total, tp.shape)))
    stage, recompute, foot, row = _choose(tried, usable)
    least = min(float(total.min()) for *_, total in tried)
    fits_any = least <= usable
    one = {name: float(column[row]) for name, column in grid.items()}
    step = timed(one, recompute, stage)
    seconds, compute, communication = float(step.total), float(step.compute), float(step.messages)
    batch_tokens = max(sequences, one["shards"] * one["micro"]) * length
    run = tokens / batch_tokens * seconds
    rate = batch_tokens / seconds
    peak = device.peak("bf16")
    assert peak is not None
    mfu = flops_per_token(arch, length, "full") * PASSES[method] / 3.0 * rate / (count * peak[0])
    return TrainingEstimate(
        seconds=run,
        low=run / known.high,
        high=run / known.low / (EFFECTIVE if count > per_node else 1.0),
        tokens_per_second=rate,
        mfu=float(mfu),
        fits=fits_any,
        memory={part: float(np.broadcast_to(v, grid["tp"].shape)[row]) for part, v in foot.parts.items()},
        memory_left=float(np.broadcast_to(foot.left, grid["tp"].shape)[row]),
        memory_least=least,
        count=count,
        tp=int(one["tp"]),
        pp=int(one["pp"]),
        shards=int(one["shards"]),
        micro_batch=int(one["micro"]),
        recompute=recompute,
        stage=stage,
        bound="compute" if compute >= communication else "links",
        key=key,
        tier=known.tier,
    )


def memory_coefficients(method: Method, blocks: Mapping[str, Block] | None = None) -> MemoryCoefficients:
    """What programs hold beside the arithmetic: of the calibrated block "training-memory", else the priors."""
    block = (blocks if blocks is not None else load_blocks()).get(f"{BLOCK}-memory")
    if block is None:
        return MemoryCoefficients()
    program = "" if method == "full" else PROGRAMS[method]
    names = {"framework": program, "format": "nf4" if method == "qlora" else ""}
    return MemoryCoefficients(**{name: value for name, value in block.at(names).items() if name in MEMORY_NAMES})


Tried = tuple[Stage, Recompute, Footprint, np.ndarray, np.ndarray]


def _choose(tried: Sequence[Tried], usable: float) -> tuple[Stage, Recompute, Footprint, int]:
    """Of the layouts that fit the one with least memory within 5 % of the fastest; else the tightest one."""
    fitting = [float(s[m <= usable].min()) for *_, s, m in tried if (m <= usable).any()]
    limit = 1.05 * min(fitting) if fitting else np.inf

    def cost(entry: Tried) -> np.ndarray:
        *_, seconds, memory = entry
        return np.where((memory <= usable) & (seconds <= limit), memory, np.inf) if fitting else memory

    best = min(tried, key=lambda entry: float(cost(entry).min()))
    return best[0], best[1], best[2], int(np.argmin(cost(best)))


def _tier(device: Device, eff: TrainingEfficiency) -> str:
    """How well a run on this device is supported by measurements."""
    peak = device.figures.get("peak_bf16") or device.figures.get("peak_fp16")
    if peak is None or peak.kind == "assumed":
        return "assumed"
    if not eff.rows:
        return "datasheet"
    return "interpolated" if device.id in eff.devices else "transferred"

"""Step time and layout of a training run.

Work: the backward pass costs twice the forward (weights and inputs); frozen weights need no weight
gradient, so LoRA costs once (``4N`` per token in all); full recomputation repeats the forward.
Time: :mod:`ridgewise.training.step`, with the coefficients of the calibrated block "training" where it is shipped,
else their priors; classes of device that no measurement covers are slowed by ``catalog/calibration/training.toml``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any

import numpy as np

from ridgewise.facts.catalog import catalog_path, frozen, read_toml
from ridgewise.hardware.device import Device
from ridgewise.memory.training import NAMES as MEMORY_NAMES
from ridgewise.memory.training import (
    Bulk,
    MemoryCoefficients,
    Method,
    Recompute,
    Sharding,
    Stage,
    adapter_parameters,
    parts,
)
from ridgewise.models.architecture import Architecture
from ridgewise.models.formats import weight_format
from ridgewise.timing.coefficients import Block, load_blocks
from ridgewise.training import step as physics
from ridgewise.training.layouts import RECOMPUTED, offloaded, scheduled
from ridgewise.training.step import Demand, Layout, StepTime, Supply, TrainingCoefficients
from ridgewise.units import Count, Flop, Num, Tokens
from ridgewise.work import Plan, forward
from ridgewise.work import training as training_step

#: Passes over the forward FLOPs in one training step, without recomputation.
PASSES: Mapping[Method, float] = {"full": 3.0, "lora": 2.0, "qlora": 2.0}
#: What a layout consists of.
COLUMNS = ("stage", "repeated", "tp", "pp", "shards", "micro")
#: Where a layout may say more, and what it is where it does not: ``schedule`` and ``offload`` by their place.
FURTHER: Mapping[str, float] = {
    "chunks": 1.0, "cp": 1.0, "ep": 1.0, "fullest": 1.0, "hot": 1.0, "schedule": 0.0, "offload": 0.0
}  # fmt: skip
#: Precision of the products → the dtype whose peak counts, and the group of measurements it belongs to.
PRECISIONS: Mapping[str, tuple[str, str]] = {
    "bf16": ("bf16", "16 bit"), "fp16": ("fp16", "16 bit"), "tf32": ("tf32", "tf32"), "fp32": ("fp32", "fp32"),
    "fp8": ("fp8", "fp8"), "mxfp8": ("fp8", "mxfp8"), "nvfp4": ("fp4", "nvfp4"),
}  # fmt: skip
#: Share of the kept activations' bytes where linear layers keep their inputs in 8 bits or fewer.
NARROW = 0.7


#: Programs whose measurements stand for a run of each method.
PROGRAMS: Mapping[Method, str] = {"full": "megatron-lm", "lora": "torchtune", "qlora": "hf-trainer"}
#: The same, then those that hold less: torchtune computes the loss in chunks and unpacks one matrix at a time.
TIGHTER: Mapping[Method, tuple[str, ...]] = {
    "full": ("megatron-lm", "torchtune"), "lora": ("torchtune",), "qlora": ("hf-trainer", "torchtune")
}  # fmt: skip
#: Share of the logits alive at once where the loss is computed in chunks: eight, as torchtune does.
CHUNKED = 0.125
#: Programs that do unless told otherwise.
CHUNKED_LOSS = ("torchtune",)
#: Share of the peak to which measured classes come: what ``TrainingEfficiency.compute`` is held against.
MEASURED_SHARE = 0.5
#: Share of a run over several nodes that failures, restarts and evaluations may leave (Llama 3, arXiv 2407.21783,
#: kept above 0.9; earlier public logs less): the slow end of the interval counts it.
EFFECTIVE = 0.85
#: Share of the foreseen speed that the layout chosen may keep: the best of many by estimates that scatter by 5 to 10 %
#: is likelier flattered than not. The slow end counts it.
CHOSEN = 0.92
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


@dataclass(frozen=True, slots=True)
class Pace:
    """Coefficients of a run and how well measurements support them.

    low, high   ratios of measured over predicted speed between which 80 % fell
    """

    coefficients: TrainingCoefficients
    low: Annotated[float, "ratio"]
    high: Annotated[float, "ratio"]
    tier: str


def usual_kind(method: Method) -> str:
    """The kind of run that a method is measured as where nothing else is said."""
    return "pretrain" if method == "full" else method


def pace(
    arch: Architecture,
    device: Device,
    eff: TrainingEfficiency,
    method: Method,
    blocks: Mapping[str, Block] | None = None,
    precision: str = "bf16",
    program: str = "",
    kind: str = "",
) -> Pace:
    """The coefficients of training ``arch`` on a device; no source of measurements enters its keys. ``kind`` of run
    whose errors give the interval: that of the method unless given."""
    program, (dtype, group) = program or PROGRAMS[method], PRECISIONS[precision]
    names = physics.keys(device, program, group, method, moe=arch.moe)
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
    kind = kind or usual_kind(method)
    band = block.band("tokens_s_per_gpu", f"{'moe' if arch.moe else 'dense'} {kind}", support)
    known = any(pair.startswith(f"{device.id}|") for pair in seen)
    wider = 1.0 if known else max(slower, 1.0)
    coefficients = replace(found, pace=found.pace * wider)
    tier = "interpolated" if known else "transferred" if eff.rows else "datasheet"
    peak = device.figures.get(f"peak_{dtype}") or device.figures.get("peak_fp16")
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
    laid = {"stage": float(stage), "repeated": RECOMPUTED[recompute], **grid}
    need = demand_of(arch, length, method, rank)
    return time_of(need, arch.layers, rates, domain, coefficients, method, length, sequences, laid)


def demand_of(arch: Architecture, length: Tokens, method: Method, rank: Count) -> Demand:
    """What a method asks of a model."""
    return physics.demand(arch, length, None if method == "full" else adapter_parameters(arch, rank))


def time_of(
    need: Demand, layers: int, rates: Supply, domain: int, coefficients: TrainingCoefficients, method: Method,
    length: Tokens, sequences: Count, grid: Mapping[str, Num],
) -> StepTime:  # fmt: skip
    """Seconds of one optimiser step of every layout in ``grid``: :data:`COLUMNS` and :data:`FURTHER`."""
    stage, repeated, tp, pp, shards, micro = (grid[name] for name in COLUMNS)
    one = 1.0 + 0.0 * np.asarray(tp)
    chunks, cp, ep, _, hot, schedule, _ = (grid.get(name, usual * one) for name, usual in FURTHER.items())
    even = np.where((np.asarray(pp) > 1) & (layers % np.asarray(pp) == 0), 0.0, 1.0)
    plain = one if physics.lineage(PROGRAMS[method]) == "eager" else 0.0 * one
    layout = Layout(
        tp * pp * cp * shards, domain * one, tp, pp, chunks, cp, shards, ep, micro,
        np.maximum(sequences / (shards * micro), 1.0), length, stage * one, PASSES[method] * one,
        repeated * one, one, one if method == "qlora" else 0.0 * one, even, plain, scheduled(schedule, "waits"),
        scheduled(schedule, "shown"), hot * one,
    )  # fmt: skip
    return physics.step_time(need, layout, rates, coefficients)


def memory_of(need: Bulk, length: Tokens, held: MemoryCoefficients, grid: Mapping[str, Num]) -> dict[str, Num]:
    """Bytes of one device by part of every layout in ``grid``."""
    chunks, cp, ep, fullest, hot, schedule, offload = (grid.get(name, usual) for name, usual in FURTHER.items())
    plan = Sharding(
        grid["shards"] * cp, grid["stage"], grid["tp"], grid["pp"], chunks, cp, ep, grid["micro"], length,
        grid["repeated"], 1.0, 1.0, fullest, scheduled(schedule, "copies"), scheduled(schedule, "further"), hot,
        offloaded(offload, 0), offloaded(offload, 1),
    )  # fmt: skip
    return parts(need, plan, held)


def memory_coefficients(
    method: Method, blocks: Mapping[str, Block] | None = None, program: str | None = None
) -> MemoryCoefficients:
    """What programs hold beside the arithmetic: of the calibrated block "training-memory", else the priors."""
    block = (blocks if blocks is not None else load_blocks()).get(f"{BLOCK}-memory")
    if block is None:
        return MemoryCoefficients()
    program = ("" if method == "full" else PROGRAMS[method]) if program is None else program
    names = {"framework": program, "format": "nf4" if method == "qlora" else ""}
    return MemoryCoefficients(**{name: value for name, value in block.at(names).items() if name in MEMORY_NAMES})


def _tier(device: Device, eff: TrainingEfficiency) -> str:
    """How well a run on this device is supported by measurements."""
    peak = device.figures.get("peak_bf16") or device.figures.get("peak_fp16")
    if peak is None or peak.kind == "assumed":
        return "assumed"
    if not eff.rows:
        return "datasheet"
    return "interpolated" if device.id in eff.devices else "transferred"

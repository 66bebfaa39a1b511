"""Step time and layout of a training run.

Work: the backward pass costs twice the forward (weights and inputs); frozen weights need no weight
gradient, so LoRA costs once (``4N`` per token in all); full recomputation repeats the forward.
Time: products at the share of the peak rate that public runs reach (``catalog/calibration/training.toml``),
tensor-parallel all-reduces on the node's links, sharded states gathered over the network behind the
compute, and the pipeline's idle share ``(p−1)/m`` (GPipe, arXiv 1811.06965).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Annotated, Any

import numpy as np

from ridgewise.facts.catalog import catalog_path, frozen, read_toml
from ridgewise.hardware.device import Device
from ridgewise.memory import Footprint
from ridgewise.memory.training import Method, Recompute, Stage, states
from ridgewise.memory.training import training as training_memory
from ridgewise.models.architecture import Architecture
from ridgewise.models.formats import weight_format
from ridgewise.timing.roofline import UNNAMED_LINK
from ridgewise.units import Count, Flop, Num, Seconds, Tokens
from ridgewise.work import Plan, forward
from ridgewise.work import training as training_step

#: Passes over the forward FLOPs in one training step, without recomputation.
PASSES: Mapping[Method, float] = {"full": 3.0, "lora": 2.0, "qlora": 2.0}
RECOMPUTES: tuple[Recompute, ...] = ("none", "full")
#: Extra forward passes that recomputation costs.
RECOMPUTED: Mapping[Recompute, float] = {"none": 0.0, "full": 1.0}
STAGES: tuple[Stage, ...] = (1, 3)


#: Share of a node's link that tensor-parallel all-reduces reach.
LINK_SHARE = 0.75
#: Cards in slots share the network cards of an ordinary server: about 100 Gbit/s each [B/s].
SLOT_NETWORK = 12.5e9
#: QLoRA unpacks its weights once per pass: measured 2.5 times the time at 256 tokens, 1.05 at 8,192.
QLORA_UNPACK = 384.0


@dataclass(frozen=True, slots=True)
class TrainingEfficiency:
    """What public training runs get out of a device class (``catalog/calibration/training.toml``).

    compute      share of the peak reached by large dense models inside one node
    half_hidden  hidden size at which a model reaches half of that share
    moe          factor on ``compute`` for mixture-of-experts models
    scaling      share lost per doubling of nodes
    micro_step   least seconds of one micro-step (launches, optimiser, data loading)
    network      bytes per second and device between nodes
    spread       ratio of the 80 % interval on sources and devices left out
    methods      what can be done there at all: full, lora, qlora
    """

    compute: Annotated[float, "ratio"]
    half_hidden: Annotated[float, "1"]
    moe: Annotated[float, "ratio"]
    scaling: Annotated[float, "ratio"]
    micro_step: Annotated[float, "s"]
    network: Annotated[float, "B/s"]
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


def step_seconds(
    arch: Architecture,
    device: Device,
    eff: TrainingEfficiency,
    method: Method,
    recompute: Recompute,
    length: Tokens,
    sequences: Count,
    grid: Mapping[str, Num],
    per_node: int,
    stage: Stage = 3,
    rank: float = 16.0,
) -> tuple[Seconds, Num, Num]:
    """Seconds of one optimiser step, with the compute and communication parts of it.

    ZeRO-3 gathers the weights for every forward and backward pass of a micro-step, ZeRO-1 once per step after
    the update; both reduce the gradients once. 80 % of the compute hides them.
    """
    peak = device.peak("bf16")
    assert peak is not None, "candidates without a peak are dropped before"
    tp, pp, shards, micro = grid["tp"], grid["pp"], grid["shards"], grid["micro"]
    count = tp * pp * shards
    micro_steps = np.maximum(sequences / (shards * micro), 1.0)
    forward_flops = flops_per_token(arch, length, "full") / 3.0
    passes = PASSES[method] + RECOMPUTED[recompute]
    share: Num = eff.compute * arch.hidden / (arch.hidden + eff.half_hidden) * (eff.moe if arch.moe else 1.0)
    nodes = np.maximum(count / per_node, 1.0)
    share = share * (1.0 - eff.scaling) ** np.log2(nodes)
    tokens = micro * length
    unpacking: Num = 1.0 + QLORA_UNPACK / tokens if method == "qlora" else 1.0
    compute = unpacking * np.maximum(tokens * forward_flops * passes / (peak[0] * share * tp * pp), eff.micro_step)
    link = device.number("link_bandwidth") or UNNAMED_LINK
    messages = 4.0 * arch.layers / pp * 2 * (tp - 1) / tp * tokens * arch.hidden * 2.0
    tensor = messages / (LINK_SHARE * link)
    outside = min(eff.network, SLOT_NETWORK) if device.slotted else eff.network
    reach = np.where(count > per_node, outside, link)
    whole = states(arch, method, rank)
    held = tp * pp / ((shards - 1) / shards + 1e-12)
    passes_over_weights = 2.0 * micro_steps if stage == 3 else np.where(method == "full", 1.0, 0.0)
    gather = (passes_over_weights * whole["weights"] + whole["gradients"]) / held / reach
    per_micro = compute + tensor
    bubble = 1.0 + (pp - 1) / np.maximum(micro_steps, 1.0) * (pp > 1)
    exposed = np.maximum(gather - 0.8 * per_micro * micro_steps, 0.05 * gather)
    return micro_steps * per_micro * bubble + exposed, micro_steps * compute, micro_steps * tensor + exposed


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
) -> TrainingEstimate | None:
    """The fastest layout of ``count`` devices that fits; None when the catalogue knows no bf16 peak or
    no measured class for the device. ``sequences`` is the global batch."""
    found = efficiency_for(device)
    if found is None or unsupported(device, method):
        return None
    key, eff = found
    per_node = int(device.number("max_per_node") or 8)
    sequences = max(sequences, 1.0)
    grid = _grid(count, per_node, sequences)
    tried = []
    for stage, recompute in product(STAGES, RECOMPUTES):
        tp, pp, shards, micro = (grid[name] for name in ("tp", "pp", "shards", "micro"))
        foot = training_memory(arch, method, length, micro, usable, shards, tp, pp, recompute, rank, stage)
        seconds, _, _ = step_seconds(
            arch, device, eff, method, recompute, length, sequences, grid, per_node, stage, rank
        )
        tried.append((stage, recompute, foot, np.asarray(seconds), np.broadcast_to(foot.total, tp.shape)))
    stage, recompute, foot, row = _choose(tried, usable)
    least = min(float(total.min()) for *_, total in tried)
    fits_any = least <= usable
    one = {name: float(column[row]) for name, column in grid.items()}
    seconds, compute, communication = (
        float(x)
        for x in step_seconds(arch, device, eff, method, recompute, length, sequences, one, per_node, stage, rank)
    )
    batch_tokens = max(sequences, one["shards"] * one["micro"]) * length
    run = tokens / batch_tokens * seconds
    rate = batch_tokens / seconds
    peak = device.peak("bf16")
    assert peak is not None
    mfu = flops_per_token(arch, length, "full") * PASSES[method] / 3.0 * rate / (count * peak[0])
    return TrainingEstimate(
        seconds=run,
        low=run / eff.spread,
        high=run * eff.spread,
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
        tier=_tier(device, eff),
    )


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

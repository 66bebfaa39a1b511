"""Seconds of one optimiser step, operator by operator, for one layout or for columns of them.

Matrix products run at a share of the peak that falls for narrow matrices and few tokens; attention runs in 16
bits whatever the precision; norms, activations and the loss move bytes; launches set a floor under every layer.
Tensor, sequence, expert and data parallelism move messages over the node's links or the network, a part of them
behind the computation; a token is sent once to every device and node that holds one of its experts, and a group
with several members in a node uses all their network cards (Megatron-LM, arXiv 2104.04473; sequence parallelism,
arXiv 2205.05198; ZeRO, arXiv 1910.02054). A pipeline of p stages with v chunks each idles (p − 1)/(v·m) of m
micro-steps, less where weight gradients fill the gaps (:data:`ridgewise.training.layouts.SCHEDULES`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated

import numpy as np

from ridgewise.hardware.device import Device
from ridgewise.models.architecture import Architecture
from ridgewise.models.formats import weight_format
from ridgewise.timing.reach import reachable
from ridgewise.timing.roofline import UNNAMED_LINK
from ridgewise.units import Bytes, BytesPerSecond, Count, Flop, FlopPerSecond, Num, Seconds, Tokens
from ridgewise.work import Plan, forward
from ridgewise.work import training as training_step

#: Devices that share a fast fabric where the sheet does not say: one node.
NODE = 8
#: Chips of one TPU slice.
SLICE = 256
#: Cards in slots share the network cards of an ordinary server: about 100 Gbit/s each [B/s].
SLOT_NETWORK = 12.5e9
#: Network between nodes per device [B/s] by architecture: 200 Gbit/s beside an A100, 400 beside an H100.
NETWORKS: Mapping[str, float] = {"Volta": 12.5e9, "Ampere": 25e9, "TPU": 25e9, "Gaudi2": 37.5e9}
NETWORK = 50e9
#: How the reachable share of a peak changes with the watts allowed (fitted on measured products).
THROTTLING = 0.15
#: The reachable peak is itself known to so much: no share of it comes above.
CEILING = 1.1
#: Training programs that run a model's plain code.
EAGER = ("hf", "hugging", "transformers", "swift", "peft", "trl", "axolotl", "factory", "colossal")
#: Sharpness with which the longer of computing and launching takes over.
SHARP = 4.0


@dataclass(frozen=True, slots=True)
class Demand:
    """What a model asks for: FLOPs of one token's forward pass, and its size. Each may be a column.

    linear, experts, head   matrix products of the dense path, of the active routed experts, of the output head
    attention     scores and values, halved for causality; recurrences with them
    layers, expert_layers   how many, and how many of them route
    hidden        width of the residual stream; ``expert_width`` that of one expert
    heads         query heads; ``kv_width`` values of keys and values per token and layer
    vocab         logits per token
    active        routed experts per token, of ``experts_each`` in a layer
    parameters    all; ``expert_parameters`` those of routed experts; ``trained`` those with gradients
    """

    linear: Flop
    experts: Flop
    head: Flop
    attention: Flop
    layers: Count
    expert_layers: Count
    hidden: Count
    expert_width: Count
    heads: Count
    kv_width: Count
    vocab: Count
    active: Count
    experts_each: Count
    parameters: Count
    expert_parameters: Count
    trained: Count


@dataclass(frozen=True, slots=True)
class Layout:
    """How a step is laid out. Each may be a column.

    devices, domain   how many, and how many of them share the fast links
    tp, pp, chunks, cp, dp, ep   degrees; ``chunks`` of layers per pipeline stage
    micro, micro_steps   sequences per replica and micro-step, and micro-steps per optimiser step
    stage         what data-parallel devices share out: 0 nothing, 1 optimiser, 2 and gradients, 3 and weights
    passes        forward passes' worth of products: 3, or 2 with frozen weights
    repeated      forward passes repeated by recomputation: 0 to 1
    fused         attention in one kernel (1) or with its scores in memory (0)
    packed        weights stored in few bits and unpacked in every pass (1)
    even          stages given fewer layers where they hold the embedding or the head (1)
    eager         nothing fused or compiled: a plain training loop (1)
    waits         of the idle share of one forward and one backward in turn, what the pipeline's schedule leaves
    shown         of the expert messages, what the schedule leaves to show beside the computation
    hot           routed tokens of the fullest expert group over the mean: all wait for it
    """

    devices: Count
    domain: Count
    tp: Count
    pp: Count
    chunks: Count
    cp: Count
    dp: Count
    ep: Count
    micro: Count
    micro_steps: Count
    length: Tokens
    stage: Count
    passes: Count
    repeated: Count
    fused: Count
    packed: Count
    even: Count
    eager: Count
    waits: Annotated[Num, "ratio"] = 1.0
    shown: Annotated[Num, "ratio"] = 1.0
    hot: Annotated[Num, "ratio"] = 1.0


@dataclass(frozen=True, slots=True)
class Supply:
    """What a device offers: reachable peak of the linear layers' precision and of 16 bits, memory, links, network."""

    peak: FlopPerSecond
    peak_wide: FlopPerSecond
    bandwidth: BytesPerSecond
    link: BytesPerSecond
    network: BytesPerSecond


@dataclass(frozen=True, slots=True)
class TrainingCoefficients:
    """What real training software gets out of real devices. Each may be a column; the defaults are priors.

    compute        share of the reachable peak that large products reach
    half_width     hidden size at which a model reaches half of that share
    half_rows      tokens per micro-step at which a product reaches half of it
    attention      share of the 16-bit peak that fused attention reaches
    scores         bytes moved per attention score where attention is not fused
    eager          times the traffic and the launches of programs that compile nothing
    traffic        bytes that norms, activations and residuals move per token, layer and hidden unit
    logits         bytes that the loss moves per logit: values, wider copies, softmax, gradients
    routing        bytes moved per routed copy of a token, layer and hidden unit: permuting, gathering, combining
    expert_compute  share of ``compute`` that grouped products of experts reach
    layer_floor    least seconds of a layer's three passes: launches
    expert_floor   further seconds of a layer that routes: permutation, synchronisation
    micro_floor    seconds of a micro-step outside its layers: loss, loader, host
    optimiser      bytes the update moves per parameter held
    link_share     share of links and network that collectives reach
    tensor_exposed, context_exposed, expert_exposed, data_exposed   share of messages that nothing hides
    imbalance      of the output head's time on the last stage, what the other stages wait for
    bubble         of the pipeline's idle share, what is felt
    scaling        time lost per doubling of nodes
    unpack         bytes moved per packed weight and pass
    pace           time over what all this adds up to
    """

    compute: Annotated[Num, "ratio"] = 0.85
    half_width: Annotated[Num, "1"] = 300.0
    half_rows: Annotated[Num, "tokens"] = 300.0
    attention: Annotated[Num, "ratio"] = 0.45
    scores: Annotated[Num, "B"] = 16.0
    traffic: Annotated[Num, "B"] = 350.0
    eager: Annotated[Num, "ratio"] = 2.0
    logits: Annotated[Num, "B"] = 20.0
    routing: Annotated[Num, "B"] = 80.0
    expert_compute: Annotated[Num, "ratio"] = 0.4
    layer_floor: Annotated[Num, "s"] = 1.0e-3
    expert_floor: Annotated[Num, "s"] = 3.0e-3
    micro_floor: Annotated[Num, "s"] = 10e-3
    optimiser: Annotated[Num, "B"] = 30.0
    link_share: Annotated[Num, "ratio"] = 0.7
    tensor_exposed: Annotated[Num, "ratio"] = 0.7
    context_exposed: Annotated[Num, "ratio"] = 0.3
    expert_exposed: Annotated[Num, "ratio"] = 0.6
    data_exposed: Annotated[Num, "ratio"] = 0.15
    imbalance: Annotated[Num, "ratio"] = 0.7
    bubble: Annotated[Num, "ratio"] = 1.0
    scaling: Annotated[Num, "ratio"] = 0.01
    unpack: Annotated[Num, "B"] = 8.0
    pace: Annotated[Num, "ratio"] = 1.0


NAMES = tuple(field.name for field in fields(TrainingCoefficients))


@dataclass(frozen=True, slots=True)
class StepTime:
    """Seconds of an optimiser step and the parts of it, which add up to ``total``.

    products, head, attention   matrix products of the layers, of the output head, scores and values
    traffic       norms, activations, residuals, loss: what moves bytes
    launches      what the least time of layers and micro-steps adds to all that; ``unpacking`` packed weights
    tensor, context, experts, data   messages that nothing hides
    bubble        stages that wait for each other
    update        the optimiser; ``host`` what crosses the host's link and nothing hides
    scaling       what more nodes lose: stragglers, jitter
    """

    total: Seconds
    products: Seconds
    head: Seconds
    attention: Seconds
    traffic: Seconds
    launches: Seconds
    unpacking: Seconds
    tensor: Seconds
    context: Seconds
    experts: Seconds
    bubble: Seconds
    data: Seconds
    update: Seconds
    scaling: Seconds
    host: Seconds

    @property
    def parts(self) -> dict[str, Seconds]:
        """Every part by name."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "total"}

    @property
    def compute(self) -> Seconds:
        """Seconds in which the device computes, what is lost between nodes aside."""
        return self.products + self.head + self.attention + self.traffic + self.launches + self.unpacking

    @property
    def messages(self) -> Seconds:
        """Seconds in which it waits for others' data."""
        return self.tensor + self.context + self.experts + self.data


def demand(arch: Architecture, length: Tokens, trained: Count | None = None) -> Demand:
    """What a model asks for at sequences of ``length``; ``trained`` parameters: all of them unless given."""
    step = training_step(length)
    work = forward(arch, step, Plan(weight_format("bf16")))
    flops = {name: part.flops / step.tokens for name, part in work.items()}
    kinds = (*arch.kinds, *arch.encoder)
    routed = [group for group in kinds if group.feed.experts]
    attending = [group for group in kinds if group.mixer.heads]
    layers = sum(group.count for group in kinds)
    width = np.mean([sum(g.feed.expert.values()) / max(len(g.feed.expert), 1) / arch.hidden for g in routed] or [0.0])
    experts = sum(g.count * g.feed.experts * g.feed.expert_parameters for g in kinds)
    return Demand(
        flops.get("projections", 0.0) + flops.get("feed-forward", 0.0),
        flops.get("experts", 0.0),
        flops.get("head", 0.0),
        flops.get("attention (training)", 0.0) + flops.get("recurrence", 0.0),
        float(layers),
        float(sum(group.count for group in routed)),
        float(arch.hidden),
        float(width) or float(arch.hidden),
        float(max((g.mixer.heads for g in attending), default=0)),
        float(max((g.mixer.kv_heads * (g.mixer.qk_dim + g.mixer.v_dim) for g in attending), default=0)),
        float(arch.vocab if arch.head or arch.tied else 0),
        float(max((g.feed.active for g in routed), default=1)),
        float(max((g.feed.experts for g in routed), default=1)),
        float(arch.parameters_total),
        float(experts),
        float(arch.parameters_total) if trained is None else trained,
    )


def supply(device: Device, precision: str = "bf16") -> Supply | None:
    """What a device offers to training in a precision; None where the catalogue lacks a peak or its bandwidth."""
    peak, wide = device.peak(precision), device.peak("tf32" if precision in ("tf32", "fp32") else "bf16")
    if precision == "fp32":
        wide = peak
    if peak is None or wide is None or not device.bandwidth:
        return None
    watts = device.number("board_power")

    def reached(rate: float) -> float:
        return rate * float(reachable(rate, watts, device.vendor, THROTTLING))

    link = device.number("link_bandwidth") or UNNAMED_LINK
    network = NETWORKS.get(device.architecture, NETWORK)
    if device.kind in ("gpu-consumer", "gpu-workstation", "unified") or device.slotted:
        network = min(network, SLOT_NETWORK)
    return Supply(reached(peak[0]), reached(wide[0]), device.bandwidth, link, min(network, link))


def fast_domain(device: Device) -> int:
    """Devices that share the fast links: a rack, a slice, or one node."""
    rack = re.search(r"(\d+)-GPU domain", device.link)
    if rack:
        return int(rack.group(1))
    return SLICE if device.kind == "tpu" else int(device.number("max_per_node") or NODE)


def keys(
    device: Device, framework: str = "", precision: str = "bf16", method: str = "full", *, moe: bool = False,
    release: str = "",
) -> dict[str, str]:  # fmt: skip
    """Level → group of a training run, by which coefficients deviate."""
    kind = "qlora" if method == "qlora" else "lora" if method == "lora" else "full"
    return {
        "vendor": device.vendor,
        "class": device.kind,
        "architecture": device.architecture,
        "device": device.id,
        "lineage": lineage(framework),
        "framework": framework,
        "release": f"{framework} {release}" if release else "",
        "precision": precision,
        "chip precision": f"{device.architecture} {precision}",
        "method": kind,
        "routing": "moe" if moe else "dense",
    }


def lineage(framework: str) -> str:
    """The family a training program descends from."""
    name = framework.casefold()
    if any(word in name for word in ("megatron", "nemo", "primus", "mlperf")):
        return "megatron"
    if any(word in name for word in ("maxtext", "jax", "levanter", "t5x", "palm")):
        return "jax"
    if any(word in name for word in EAGER):
        return "eager"
    if any(word in name for word in ("neuron", "mlx")):
        return name
    return "torch"


def saturation(amount: Num, half: Num) -> Num:
    """A share that grows with ``amount`` and is one half at ``half``."""
    return amount / (amount + half)


def distinct(places: Count, draws: Count) -> Count:
    """Expected number of different places among ``draws`` of them: a token goes to a device or node once."""
    return places * (1.0 - (1.0 - 1.0 / places) ** draws)


def step_time(need: Demand, plan: Layout, rates: Supply, c: TrainingCoefficients) -> StepTime:
    """Seconds of one optimiser step."""
    tokens = plan.micro * plan.length / plan.cp
    held = plan.tp * plan.pp
    again = plan.passes + plan.repeated
    width = saturation(need.hidden / np.sqrt(plan.tp), c.half_width)
    most = c.compute / (1.0 + (c.compute / CEILING) ** (2.0 * SHARP)) ** (0.5 / SHARP)
    share = most * width * saturation(tokens, c.half_rows)
    routed_rows = tokens * plan.ep * need.active / np.maximum(need.experts_each, 1.0)
    routed_share = most * c.expert_compute * saturation(routed_rows, c.half_rows)
    routed_share = routed_share * saturation(np.minimum(need.expert_width, need.hidden), c.half_width)
    products = need.linear / (rates.peak * share) + plan.hot * need.experts / (rates.peak * routed_share)
    ends = np.where(plan.even > 0, 1.0, 1.0 + c.imbalance * (plan.pp - 1.0))
    products = products * again
    head = need.head * ends / (rates.peak_wide * share) * plan.passes
    scores = need.attention * (3.5 + plan.repeated) / (rates.peak_wide * c.attention) * (2.0 - plan.fused)
    plain = 1.0 + (c.eager - 1.0) * plan.eager
    moved = plain * c.traffic * need.hidden * need.layers * again / 3.0
    moved = moved + c.scores * need.heads * plan.length * need.layers * (1.0 - plan.fused) * again / 3.0
    moved = moved + plan.hot * c.routing * need.active * need.hidden * need.expert_layers * again / 3.0
    moved = moved + c.logits * need.vocab * ends
    each = tokens / held
    computing = each * (products + head + scores + moved / rates.bandwidth)
    launching = (need.layers * c.layer_floor + need.expert_layers * c.expert_floor) / plan.pp * again / 3.0
    launching = plain * launching + c.micro_floor
    busy = (computing**SHARP + launching**SHARP) ** (1.0 / SHARP)
    waiting = computing * np.expm1(np.log1p((launching / computing) ** SHARP) / SHARP)
    unpacked = plan.packed * need.parameters / held * (2.0 + plan.repeated) * c.unpack / rates.bandwidth
    busy = busy + unpacked

    inside = np.minimum(plan.domain, plan.tp) / plan.tp
    messages = 2.0 * (2.0 + plan.repeated) * need.layers / plan.pp * 2.0 * (plan.tp - 1.0) / plan.tp
    tensor = messages * tokens * need.hidden * 2.0 * c.tensor_exposed * _reach(inside, rates, c)
    ring = (3.0 + plan.repeated) * need.layers / plan.pp * (plan.cp - 1.0) * tokens * need.kv_width * 2.0 / plan.tp
    inside = np.minimum(plan.domain, plan.tp * plan.cp) / (plan.tp * plan.cp)
    context = ring * c.context_exposed * _reach(inside, rates, c)
    local = np.minimum(plan.domain, plan.ep)
    groups = plan.ep / local
    copies = distinct(plan.ep, need.active) * (plan.ep - 1.0) / plan.ep
    far = distinct(groups, need.active) * (groups - 1.0) / groups
    routed = 2.0 * (2.0 + plan.repeated) * need.expert_layers / plan.pp * tokens / plan.tp * need.hidden * 2.0
    routed = (
        plan.hot * plan.shown * routed * c.expert_exposed * (copies / rates.link + far / rates.network) / c.link_share
    )
    per_micro = busy + tensor + context + routed
    idle = c.bubble * plan.waits * (plan.pp - 1.0) / (plan.chunks * np.maximum(plan.micro_steps, 1.0))

    spread = (need.parameters - need.expert_parameters * (1.0 - 1.0 / plan.ep)) / held * (plan.dp - 1.0) / plan.dp
    reduced = need.trained / need.parameters
    gathers = np.where(plan.stage >= 3, 2.0 * plan.micro_steps, reduced)
    members = np.maximum(plan.domain / (plan.tp * plan.cp), 1.0)
    network = np.where(plan.devices > plan.domain, np.minimum(rates.network * members, rates.link), rates.link)
    data = spread * 2.0 * (gathers + reduced) / (network * c.link_share)
    hidden = plan.micro_steps * busy
    exposed = data * c.data_exposed + np.maximum(data * (1.0 - c.data_exposed) - hidden, 0.0)
    copies = np.where(plan.stage >= 1, plan.dp, 1.0)
    update = need.trained / (held * copies) * c.optimiser / rates.bandwidth
    nodes = np.maximum(plan.devices / NODE, 1.0)
    growth = (1.0 + c.scaling) ** np.log2(nodes)
    total = (plan.micro_steps * per_micro * (1.0 + idle) + exposed + update) * (c.pace * growth)
    steps = plan.micro_steps * c.pace
    return StepTime(
        total,
        steps * each * products, steps * each * head, steps * each * scores, steps * each * moved / rates.bandwidth,
        steps * waiting, steps * unpacked, steps * tensor, steps * context, steps * routed, steps * per_micro * idle,
        c.pace * exposed, c.pace * update, total * (1.0 - 1.0 / growth), 0.0 * total,
    )  # fmt: skip


def _reach(inside: Num, rates: Supply, c: TrainingCoefficients) -> Num:
    """Seconds per byte of a message of which a share stays on the fast links."""
    return (inside / rates.link + (1.0 - inside) / rates.network) / c.link_share


def coefficients(found: Mapping[str, Num]) -> TrainingCoefficients:
    """Those of a block; what it does not fit keeps its prior."""
    return TrainingCoefficients(**{name: found[name] for name in NAMES if name in found})


def columns(needs: list[Demand]) -> Demand:
    """Many demands as one of columns."""
    return Demand(*(np.array([float(getattr(n, f.name)) for n in needs]) for f in fields(Demand)))


def side_by_side(plans: list[Layout]) -> Layout:
    """Many layouts as one of columns."""
    return Layout(*(np.array([float(getattr(p, f.name)) for p in plans]) for f in fields(Layout)))


def offers(rates: list[Supply]) -> Supply:
    """Many supplies as one of columns."""
    return Supply(*(np.array([float(getattr(r, f.name)) for r in rates]) for f in fields(Supply)))


__all__ = [
    "Bytes", "Demand", "Layout", "StepTime", "Supply", "TrainingCoefficients", "coefficients", "columns", "demand",
    "fast_domain", "keys", "lineage", "offers", "side_by_side", "step_time", "supply",
]  # fmt: skip

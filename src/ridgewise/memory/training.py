"""Bytes per device of training a model: states, gradients, activations, logits, overhead.

Sources: ZeRO (Rajbhandari 2020, arXiv 1910.02054) for the states; Korthikanti 2022 (arXiv 2205.05198)
for activations per layer: ``34·s·b·h`` without attention scores (flash attention), ``2·s·b·h`` kept per
layer under full recomputation; LoRA (arXiv 2106.09685); QLoRA (arXiv 2305.14314).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Annotated, Literal

import numpy as np

from ridgewise.memory.footprint import Footprint
from ridgewise.models.architecture import Architecture
from ridgewise.models.formats import model_bytes, weight_format
from ridgewise.units import Bytes, Count, Num, Tokens

Method = Literal["full", "lora", "qlora"]
Recompute = Literal["none", "selective", "full"]
#: How states are shared out over data-parallel devices: ZeRO-1 the optimiser alone, ZeRO-3 (FSDP) everything.
Stage = Literal[1, 3]

#: Bytes per trainable parameter of weight, gradient and optimiser by recipe: 16-bit copies with an FP32 master
#: and two Adam moments; Megatron's FP32 gradients; DeepSpeed's FP32 copy of the gradients beside the moments;
#: everything in 16 bits; 8-bit moments.
RECIPES: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {
        "mixed": (2.0, 2.0, 12.0),
        "megatron": (2.0, 4.0, 12.0),
        "deepspeed": (2.0, 2.0, 16.0),
        "pure": (2.0, 2.0, 4.0),
        "pure 8-bit": (2.0, 2.0, 2.0),
    }
)


@dataclass(frozen=True, slots=True)
class Optimiser:
    """What one optimiser keeps per trained parameter [B]: 16-bit or wider weight, gradient, state.

    tables   state of the embedding and the output head where they are treated apart; None: as the rest
    host     state that waits in the host's memory instead; it crosses the host's link twice a step
    fused    weights change inside the backward pass, which keeps no gradient and accumulates none
    """

    weight: float
    gradient: float
    state: float
    tables: float | None = None
    host: float = 0.0
    fused: bool = False
    note: str = ""


#: Optimisers by name. AdamW: FP32 master and two moments (ZeRO, arXiv 1910.02054); 8-bit moments with a scale per 256
#: values (arXiv 2110.02861), which may be paged to the host (QLoRA, arXiv 2305.14314) and stepped inside the backward
#: pass (torchtune's recipe for one device); Adafactor keeps a row and a column per matrix (arXiv 1804.04235); Muon one
#: momentum, with AdamW for the tables (arXiv 2502.16982).
OPTIMISERS: Mapping[str, Optimiser] = MappingProxyType(
    {
        "adamw": Optimiser(*RECIPES["mixed"], note="16-bit weights, FP32 master and moments"),
        "adamw-fp32": Optimiser(4.0, 4.0, 8.0, note="everything in FP32"),
        "adamw-bf16": Optimiser(*RECIPES["pure"], note="weights and moments in 16 bits, no master"),
        "adamw-8bit": Optimiser(2.0, 2.0, 2.0 + 2 * 4.0 / 256, note="8-bit moments, no master"),
        "adamw-8bit-paged": Optimiser(2.0, 2.0, 0.0, host=2.0 + 2 * 4.0 / 256, note="8-bit moments in the host's RAM"),
        "adamw-8bit-fused": Optimiser(
            2.0,
            0.0,
            0.0,
            host=2.0 + 2 * 4.0 / 256,
            fused=True,
            note="8-bit moments in the host's RAM, weights updated inside the backward pass, one micro-step",
        ),
        "adafactor": Optimiser(2.0, 2.0, 4.0, note="FP32 master, factored second moment"),
        "muon": Optimiser(2.0, 2.0, 8.0, 12.0, note="FP32 master and momentum; AdamW for embedding and head"),
        "sgd": Optimiser(2.0, 2.0, 8.0, note="FP32 master and momentum"),
    }
)


#: The same by part, for the recipe most programs follow.
STATE_BYTES = dict(zip(("weights", "gradients", "optimiser"), RECIPES["mixed"], strict=True))
#: Bytes a routed copy of a token keeps per hidden unit: 16-bit input and output of its expert.
ROUTED_BYTES = 4.0


@dataclass(frozen=True, slots=True)
class MemoryCoefficients:
    """What training programs hold beside what arithmetic says. Each may be a column; the defaults are priors.

    state       bytes really held per byte of weights, gradients and optimiser: flat buffers, padding
    packed      the same for packed weights: scales, unpacked copies, wider tables
    kept        bytes kept per token, layer and hidden unit without recomputation (Korthikanti: 34)
    boundary    the same with full recomputation: the inputs of the layers
    scores      bytes per attention score where attention is not fused (Korthikanti: 5)
    logits      bytes per logit: values, wider copies, gradients
    slack       share lost to the allocator's rounding and fragmentation
    context     bytes outside the allocator: driver context, communication buffers
    """

    state: Annotated[Num, "ratio"] = 1.0
    packed: Annotated[Num, "ratio"] = 1.0
    kept: Annotated[Num, "B"] = 34.0
    boundary: Annotated[Num, "B"] = 2.0
    scores: Annotated[Num, "B"] = 5.0
    logits: Annotated[Num, "B"] = 8.0
    slack: Annotated[Num, "ratio"] = 0.12
    context: Annotated[Num, "B"] = 1.5 * 2.0**30


NAMES = tuple(field.name for field in fields(MemoryCoefficients))


@dataclass(frozen=True, slots=True)
class Bulk:
    """What of a model decides memory. Each may be a column.

    frozen      bytes of weights that are not trained, of which ``packed`` in few bits
    trained     parameters with gradients and optimiser; ``trained_experts`` those of routed experts among them
    share_experts   share of the frozen bytes that routed experts hold
    weight, gradient, optimiser   bytes per trained parameter
    largest     parameters of the largest layer
    layers, hidden, heads, vocab  sizes
    expansion   how much wider than the textbook block the active block is
    copies      routed copies of a token per layer, each of which keeps its input and its output
    """

    frozen: Bytes
    packed: Bytes
    trained: Count
    trained_experts: Count
    share_experts: Annotated[Num, "ratio"]
    weight: Bytes
    gradient: Bytes
    optimiser: Bytes
    largest: Count
    layers: Count
    hidden: Count
    heads: Count
    vocab: Count
    expansion: Annotated[Num, "ratio"]
    copies: Count


@dataclass(frozen=True, slots=True)
class Sharding:
    """How a run is laid out, as far as memory cares. Each may be a column.

    shards      data-parallel devices that share states; ``stage`` what they share: 0 nothing, 1 the optimiser,
                2 gradients too, 3 weights too
    tp, pp, chunks, cp, ep   degrees; ``chunks`` of layers per pipeline stage
    micro, length    sequences per device and micro-step, tokens of each
    repeated    share of the activations that recomputation drops: 0 to 1
    fused       attention in one kernel (1) or with its scores in memory (0)
    sequence    tensor-parallel devices share out the norms' activations too (1) or each keep them (0)
    fullest     states of the fullest pipeline stage over the mean stage's: the one with the embedding or a layer more
    copies      of a stage's weights, and ``further`` micro-batches in flight beyond one per stage: schedules
    hot         routed tokens of the fullest expert group over the mean
    states_out  optimiser and gradients wait in the host's memory (1), but for a layer's gradients on their way
    kept_out    activations do (1), but for two layers' on their way
    """

    shards: Count
    stage: Count
    tp: Count
    pp: Count
    chunks: Count
    cp: Count
    ep: Count
    micro: Count
    length: Tokens
    repeated: Annotated[Num, "ratio"]
    fused: Count
    sequence: Count
    fullest: Annotated[Num, "ratio"] = 1.0
    copies: Count = 1.0
    further: Count = 0.0
    hot: Annotated[Num, "ratio"] = 1.0
    states_out: Count = 0.0
    kept_out: Count = 0.0


def adapter_parameters(arch: Architecture, rank: Count) -> Num:
    """Parameters of rank-``r`` adapters on every linear layer of the dense path: a matrix ``m×n`` gets
    ``r·(m+n)``, which for matrices of ``h·w`` elements with one side ``h`` is ``r·(h + elements/h)``."""
    total: Num = 0.0
    for group in arch.kinds:
        matrices = [*group.mixer.weights.values(), *group.feed.weights.values()]
        total = total + group.count * sum(rank * (arch.hidden + n / arch.hidden) for n in matrices)
    return total


def states(arch: Architecture, method: Method, rank: Count = 16.0) -> dict[str, Num]:
    """Bytes of weights, gradients and optimiser over all devices."""
    elements = float(arch.parameters_total)
    if method == "full":
        return {part: elements * width for part, width in STATE_BYTES.items()}
    trained = adapter_parameters(arch, rank)
    base = elements * 2.0 if method == "lora" else qlora_weight_bytes(arch)
    return {
        "weights": base + trained * 2.0,
        "gradients": trained * 2.0,
        "optimiser": trained * 12.0,
    }


def qlora_weight_bytes(arch: Architecture) -> float:
    """Linear layers in NF4 with double quantisation; embedding, head and norms at 16 bits (catalog/formats.toml)."""
    return model_bytes(arch, weight_format("nf4"))


def bulk(
    arch: Architecture, method: Method, rank: Count = 16.0, recipe: str = "mixed", packing: str = "nf4",
    unfrozen: Count = 0.0, wide: bool = False, optimiser: Optimiser | None = None,
) -> Bulk:  # fmt: skip
    """What of a model decides memory; ``unfrozen`` parameters are trained beside the adapters; ``wide``: the tables
    beside packed weights are kept in FP32, as PEFT prepares models; ``optimiser`` instead of a ``recipe``."""
    weight, gradient, state = RECIPES[recipe]
    elements = float(arch.parameters_total)
    if optimiser is not None:
        apart = (arch.embedding + arch.head) / elements if method == "full" and optimiser.tables is not None else 0.0
        weight, gradient = optimiser.weight, optimiser.gradient
        state = optimiser.state * (1.0 - apart) + (optimiser.tables or 0.0) * apart
    experts = float(sum(g.count * g.feed.experts * g.feed.expert_parameters for g in arch.kinds))
    full = method == "full"
    base = 0.0 if full else elements * 2.0 if method == "lora" else model_bytes(arch, weight_format(packing))
    tables = 2.0 * (arch.embedding + arch.head)
    if wide and method == "qlora":
        base += tables
    return Bulk(
        base,
        max(base - tables * (2.0 if wide else 1.0), 0.0) if method == "qlora" else 0.0,
        elements if full else adapter_parameters(arch, rank) + unfrozen,
        experts if full else 0.0,
        experts / elements,
        weight,
        gradient,
        state,
        float(max(group.parameters for group in arch.kinds)),
        float(arch.layers),
        float(arch.hidden),
        float(max(group.mixer.heads for group in arch.kinds)),
        float(arch.vocab),
        _expansion(arch),
        sum(group.count * group.feed.active for group in arch.kinds) / max(arch.layers, 1),
    )


def divided(rest: Num, experts: Num, copies: Count, ep: Count) -> Num:
    """What one of ``copies`` devices holds of a stage's states outside and in experts, which they share out: ``ep``
    devices that hold different experts are no copies of each other."""
    return rest / copies + experts / np.maximum(copies, ep)


def parts(need: Bulk, plan: Sharding, c: MemoryCoefficients) -> dict[str, Bytes]:
    """Bytes of one device by part.

    Tensor and pipeline parallelism divide every state, expert parallelism those of experts. Of the activations of
    a layer 24 bytes in 34 divide by ``tp``, with sequence parallelism all; the first of ``pp`` stages keeps ``pp``
    micro-batches of 1/pp of the layers in flight, so depth cancels, and a little more with several chunks. What is
    offloaded (ZeRO-Offload, arXiv 2101.06840) leaves what is on its way: gradients of a layer, activations of two.
    """
    held = plan.tp * plan.pp / plan.fullest
    rest, experts = need.trained - need.trained_experts, need.trained_experts
    frozen = need.frozen + (c.packed - 1.0) * need.packed
    ep = np.minimum(plan.ep, plan.shards)  # wider groups take in tensor-parallel devices, which divide experts already

    all3, all2, all1 = (np.where(plan.stage >= least, plan.shards, 1.0) for least in (3.0, 2.0, 1.0))
    own3, own2, own1 = (divided(rest, experts, copies, ep) for copies in (all3, all2, all1))
    base = frozen * divided(1.0 - need.share_experts, need.share_experts, all3, ep)
    found: dict[str, Num] = {
        "weights": plan.copies * (base + own3 * need.weight * c.state) / held,
        "gradients": own2 * need.gradient * c.state / held,
        "optimiser": own1 * need.optimiser * c.state / held * (1.0 - plan.states_out),
    }
    passing = np.minimum(found["gradients"], need.largest * need.gradient / plan.tp)
    found["gradients"] = found["gradients"] * (1.0 - plan.states_out) + passing * plan.states_out
    gathered = 2.0 * 2.0 * need.largest / plan.tp
    found["gathered layer"] = np.where((plan.stage >= 3) & (plan.tp * plan.pp * plan.shards > 1), gathered, 0.0)
    tokens = plan.micro * plan.length / plan.cp
    scores = c.scores * need.heads * plan.length * (1.0 - plan.fused)
    shared = plan.sequence / plan.tp + 1.0 - plan.sequence
    whole = c.kept * need.hidden * need.expansion * (24.0 / plan.tp + 10.0 * shared) / 34.0 + scores / plan.tp
    whole = whole + plan.hot * need.copies * ROUTED_BYTES * need.hidden / plan.tp
    inputs = c.boundary * need.hidden * shared
    in_flight = need.layers * (1.0 + np.where(plan.chunks > 1, (plan.pp - 1.0) / (plan.pp * plan.chunks), 0.0))
    in_flight = in_flight + need.layers * plan.further / plan.pp
    in_flight = in_flight * (1.0 - plan.kept_out) + np.minimum(in_flight, 2.0) * plan.kept_out
    layers = in_flight * (whole * (1.0 - plan.repeated) + inputs * plan.repeated) + whole * plan.repeated
    found["activations"] = layers * tokens
    found["logits"] = tokens * need.vocab * c.logits / plan.tp
    subtotal = sum(found.values(), 0.0)
    found["overhead"] = c.context + c.slack * subtotal
    return found


def training(
    arch: Architecture,
    method: Method,
    length: Tokens,
    micro_batch: Count,
    usable: Bytes,
    shards: Count = 1.0,
    tp: Count = 1.0,
    pp: Count = 1.0,
    recompute: Recompute = "none",
    rank: Count = 16.0,
    stage: Stage = 3,
    coefficients: MemoryCoefficients | None = None,
) -> Footprint:
    """The footprint of one device: ``shards`` data-parallel devices divide the optimiser (``stage`` 1) or
    everything (3, where one layer is gathered whole at a time)."""
    repeated = 1.0 if recompute == "full" else 0.0
    plan = Sharding(shards, float(stage), tp, pp, 1.0, 1.0, 1.0, micro_batch, length, repeated, 1.0, 1.0)
    return Footprint(parts(bulk(arch, method, rank), plan, coefficients or MemoryCoefficients()), usable)


def _expansion(arch: Architecture) -> float:
    """How much wider than the textbook block (4h feed-forward) the model's active block is, counting
    20 of the 34 bytes per hidden unit for the feed-forward."""
    widths = []
    for group in arch.kinds:
        feed = group.feed
        active = sum(feed.weights.values()) + feed.active * sum(feed.expert.values())
        widths.append((group.count, active / (8.0 * arch.hidden**2)))
    layers = sum(count for count, _ in widths)
    mean = sum(count * width for count, width in widths) / max(layers, 1)
    return (14.0 + 20.0 * mean) / 34.0

"""Bytes per device of training a model: states, gradients, activations, logits, overhead.

Sources: ZeRO (Rajbhandari 2020, arXiv 1910.02054) for the states; Korthikanti 2022 (arXiv 2205.05198)
for activations per layer: ``34·s·b·h`` without attention scores (flash attention), ``2·s·b·h`` kept per
layer under full recomputation; LoRA (arXiv 2106.09685); QLoRA (arXiv 2305.14314).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from ridgewise.memory.footprint import Footprint
from ridgewise.models.architecture import Architecture
from ridgewise.models.formats import model_bytes, weight_format
from ridgewise.units import Bytes, Count, Num, Tokens

Method = Literal["full", "lora", "qlora"]
Recompute = Literal["none", "full"]
#: How states are shared out over data-parallel devices: ZeRO-1 the optimiser alone, ZeRO-3 (FSDP) everything.
Stage = Literal[1, 3]

#: Bytes per trainable parameter: bf16 weight 2, bf16 gradient 2, FP32 master copy and two Adam moments 12.
STATE_BYTES = {"weights": 2.0, "gradients": 2.0, "optimiser": 12.0}
#: Bytes kept per token, layer and hidden unit.
ACTIVATION_BYTES = {"none": 34.0, "full": 2.0}
#: Driver context, communication buffers and allocator slack: public runs peak about this share above
#: the sum of the parts.
SLACK = 0.12
CONTEXT = 1.5 * 2.0**30


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
) -> Footprint:
    """The footprint of one device.

    Tensor and pipeline parallelism divide every state; ``shards`` data-parallel devices divide the optimiser
    (``stage`` 1) or everything (3, where one layer is gathered whole at a time). Activations divide by ``tp``
    (with sequence parallelism); a pipeline of ``pp`` stages keeps ``pp`` micro-batches of 1/pp of the layers in
    flight, so depth cancels.
    """
    whole = states(arch, method, rank)
    held = tp * pp
    kept = {"weights": held, "gradients": held, "optimiser": held * shards}
    parts: dict[str, Num] = {
        part: amount / (held * shards if stage == 3 else kept[part]) for part, amount in whole.items()
    }
    largest = max(group.parameters for group in arch.kinds)
    gathered = 2 * 2.0 * largest / tp if stage == 3 else 0.0
    parts["gathered layer"] = np.where(np.asarray(held * shards) > 1, gathered, 0.0)
    tokens = micro_batch * length
    per_layer = ACTIVATION_BYTES[recompute] * tokens * arch.hidden
    working = ACTIVATION_BYTES["none"] * tokens * arch.hidden if recompute == "full" else 0.0
    width = _expansion(arch)
    parts["activations"] = (arch.layers * per_layer + working) * width / tp
    parts["logits"] = tokens * arch.vocab * 8.0 / tp
    subtotal = sum(parts.values(), 0.0)
    parts["overhead"] = CONTEXT + SLACK * subtotal
    return Footprint(parts, usable)


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

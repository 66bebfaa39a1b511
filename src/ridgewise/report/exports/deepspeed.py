"""DeepSpeed: its JSON."""

from __future__ import annotations

import json
from typing import Any

from ridgewise.errors import RequestError
from ridgewise.report.exports.common import only_known
from ridgewise.report.training import LayoutDocument, TrainingDocument


def _again(one: LayoutDocument) -> bool:
    """Whether what is kept are checkpoints, which DeepSpeed can put into the host's memory."""
    return one.recompute == "full"


def write(found: TrainingDocument) -> str:
    """Batches, ZeRO stage, precision. The three batch sizes multiply: micro-batch × steps × replicas."""
    one = found.layouts[0]
    only_known(found, "DeepSpeed", (), ("none", "optimizer", *(("activations", "both") if _again(one) else ())))
    if one.cp > 1:
        raise RequestError("DeepSpeed's settings split no sequence", "--export", ("--cp 1", "megatron"))
    made: dict[str, Any] = {
        "train_batch_size": one.micro_batch_sequences * one.micro_steps * one.dp,
        "train_micro_batch_size_per_gpu": one.micro_batch_sequences,
        "gradient_accumulation_steps": one.micro_steps,
        "fp16" if one.precision == "fp16" else "bf16": {"enabled": True},
        "zero_optimization": {"stage": one.zero_stage, "overlap_comm": True, "contiguous_gradients": True},
    }
    if one.offload in ("optimizer", "both"):
        made["zero_optimization"]["offload_optimizer"] = {"device": "cpu", "pin_memory": True}
    if one.tp > 1:
        made["tensor_parallel"] = {"autotp_size": one.tp}
    if one.recompute != "none":
        away = one.offload in ("activations", "both")
        made["activation_checkpointing"] = {"partition_activations": one.tp > 1, "cpu_checkpointing": away}
    return json.dumps(made, indent=2) + "\n"

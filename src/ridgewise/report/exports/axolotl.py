"""Axolotl: its YAML."""

from __future__ import annotations

from ridgewise.report.exports.common import eight_bit, only_known, steps
from ridgewise.report.training import TrainingDocument


def write(found: TrainingDocument) -> str:
    """Model, adapter, batches, precision; the data set stays the user's to name."""
    one = found.layouts[0]
    only_known(found, "Axolotl", (), ("none", "activations"))
    lines = [f"base_model: {found.model}", f"sequence_len: {found.length_tokens:.0f}", "sample_packing: true",
             f"micro_batch_size: {one.micro_batch_sequences}", f"gradient_accumulation_steps: {one.micro_steps}",
             f"max_steps: {steps(found)}", f"optimizer: {eight_bit(found)}", f"{one.precision}: true",
             "flash_attention: true",
             f"gradient_checkpointing: {'false' if one.recompute == 'none' else 'true'}"]  # fmt: skip
    if one.offload == "activations":
        lines.append("activation_offloading: true")
    if found.method != "full":
        lines += [f"adapter: {found.method}", f"lora_r: {found.rank:.0f}", "lora_target_linear: true"]
    if found.method == "qlora":
        lines.append("load_in_4bit: true")
    if found.goal == "dpo":
        lines.append("rl: dpo")
    if found.goal == "grpo":
        lines.append("rl: grpo")
    if one.tp > 1:
        lines.append(f"tensor_parallel_size: {one.tp}")
    if one.cp > 1:
        lines.append(f"context_parallel_size: {one.cp}")
    if one.zero_stage == 3:
        lines += ["fsdp_version: 2", "fsdp_config:", "  reshard_after_forward: true", f"dp_shard_size: {one.dp}"]
    elif one.zero_stage:
        lines.append(f"deepspeed: deepspeed_configs/zero{one.zero_stage}.json")
    return "\n".join(lines) + "\n"

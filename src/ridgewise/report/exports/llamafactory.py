"""LLaMA-Factory: its YAML."""

from __future__ import annotations

from ridgewise.errors import RequestError
from ridgewise.report.exports.common import eight_bit, only_known, steps
from ridgewise.report.training import TrainingDocument


def write(found: TrainingDocument) -> str:
    """Model, stage, adapter, batches; RequestError where the plan needs degrees that it does not have."""
    one = found.layouts[0]
    if one.tp * one.pp * one.cp > 1:
        raise RequestError("LLaMA-Factory shares out data only", "--export", ("megatron", "torchtitan"))
    only_known(found, "LLaMA-Factory", offloads=("none", "optimizer"))
    stage = {"train": "pt", "dpo": "dpo", "grpo": ""}.get(found.goal, "sft")
    if not stage:
        raise RequestError("LLaMA-Factory has no GRPO", "--export", ("axolotl",))
    lines = [f"model_name_or_path: {found.model}", f"stage: {stage}", "do_train: true",
             f"finetuning_type: {'full' if found.method == 'full' else 'lora'}",
             f"cutoff_len: {found.length_tokens:.0f}", "packing: true",
             f"per_device_train_batch_size: {one.micro_batch_sequences}",
             f"gradient_accumulation_steps: {one.micro_steps}", f"max_steps: {steps(found)}",
             f"optim: {eight_bit(found)}", f"{one.precision}: true", "flash_attn: fa2",
             f"disable_gradient_checkpointing: {'true' if one.recompute == 'none' else 'false'}"]  # fmt: skip
    if found.method != "full":
        lines += [f"lora_rank: {found.rank:.0f}", "lora_target: all"]
    if found.method == "qlora":
        lines += ["quantization_bit: 4", "quantization_method: bnb"]
    if one.zero_stage or one.offload == "optimizer":
        away = "_offload" if one.offload == "optimizer" else ""
        lines.append(f"deepspeed: examples/deepspeed/ds_z{max(one.zero_stage, 2)}{away}_config.json")
    return "\n".join(lines) + "\n"

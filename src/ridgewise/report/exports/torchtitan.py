"""torchtitan: the job file (TOML) and, in its first lines, the torchrun command that starts it."""

from __future__ import annotations

from ridgewise.report.exports.common import WIDE, only_full, only_known, per_node, steps
from ridgewise.report.training import TrainingDocument

#: What torchtitan calls each extent of recomputation.
AGAIN = {"none": "none", "selective": "selective", "full": "full"}

#: What torchtitan calls the schedules of a pipeline, the first with one chunk of layers per stage and with several.
SCHEDULES = {"1f1b": ("1F1B", "Interleaved1F1B"), "zero-bubble": ("ZBVZeroBubble",), "dualpipe": ("DualPipeV",)}

#: What it calls the conversions of linear layers to fewer bits.
CONVERTERS = {"fp8": "float8", "mxfp8": "mx"}


def write(found: TrainingDocument) -> str:
    """Names of settings as of torchtitan 0.2."""
    only_full(found, "torchtitan")
    one = found.layouts[0]
    only_known(found, "torchtitan", tuple(SCHEDULES), ("none", "optimizer") if one.zero_stage == 3 else ("none",),
               (*WIDE, *CONVERTERS), ("adamw",))  # fmt: skip
    nodes, each = per_node(found)
    local = one.micro_batch_sequences * (one.micro_steps if one.pp > 1 else 1)
    replicate = one.dp if one.zero_stage < 3 else 1
    lines = [
        f"# torchrun --nnodes {nodes} --nproc-per-node {each} -m torchtitan.train --job.config_file FILE",
        f"# {found.model}: {one.tokens_per_s:.0f} tokens/s expected on {found.devices} x {found.device_name}",
        *(["[model]", f'converters = ["{CONVERTERS[one.precision]}"]', ""] if one.precision in CONVERTERS else []),
        "[training]",
        f"local_batch_size = {local}",
        f"global_batch_size = {found.batch_sequences:.0f}",
        f"seq_len = {found.length_tokens:.0f}",
        f"steps = {steps(found)}",
        *(["enable_cpu_offload = true"] if one.offload == "optimizer" else []),
        "",
        "[parallelism]",
        f"data_parallel_replicate_degree = {replicate}",
        f"data_parallel_shard_degree = {one.dp // replicate}",
        f"tensor_parallel_degree = {one.tp}",
        f"pipeline_parallel_degree = {one.pp}",
        f"context_parallel_degree = {one.cp}",
        f"expert_parallel_degree = {one.ep}",
    ]
    if one.pp > 1:
        schedule = SCHEDULES[one.schedule][-1 if one.vpp > 1 else 0]
        lines += [
            f'pipeline_parallel_schedule = "{schedule}"',
            f"pipeline_parallel_microbatch_size = {one.micro_batch_sequences}",
        ]
    lines += ["", "[activation_checkpoint]", f'mode = "{AGAIN[one.recompute]}"', ""]
    return "\n".join(lines)

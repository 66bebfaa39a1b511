"""torchtitan: the job file (TOML) and, in its first lines, the torchrun command that starts it."""

from __future__ import annotations

from ridgewise.report.exports.common import only_full, per_node, steps
from ridgewise.report.training import TrainingDocument

#: What torchtitan calls each extent of recomputation.
AGAIN = {"none": "none", "selective": "selective", "full": "full"}


def write(found: TrainingDocument) -> str:
    """Names of settings as of torchtitan 0.2."""
    only_full(found, "torchtitan")
    one = found.layouts[0]
    nodes, each = per_node(found)
    local = one.micro_batch_sequences * (one.micro_steps if one.pp > 1 else 1)
    replicate = one.dp if one.zero_stage < 3 else 1
    lines = [
        f"# torchrun --nnodes {nodes} --nproc-per-node {each} -m torchtitan.train --job.config_file FILE",
        f"# {found.model}: {one.tokens_per_s:.0f} tokens/s expected on {found.devices} x {found.device_name}",
        "[training]",
        f"local_batch_size = {local}",
        f"global_batch_size = {found.batch_sequences:.0f}",
        f"seq_len = {found.length_tokens:.0f}",
        f"steps = {steps(found)}",
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
        schedule = "Interleaved1F1B" if one.vpp > 1 else "1F1B"
        lines += [
            f'pipeline_parallel_schedule = "{schedule}"',
            f"pipeline_parallel_microbatch_size = {one.micro_batch_sequences}",
        ]
    lines += ["", "[activation_checkpoint]", f'mode = "{AGAIN[one.recompute]}"', ""]
    return "\n".join(lines)

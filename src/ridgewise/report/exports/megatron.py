"""Megatron-LM: arguments of ``pretrain_gpt.py``; sizes of the model come from its own configuration."""

from __future__ import annotations

from ridgewise.report.exports.common import WIDE, only_full, only_known, per_node, steps
from ridgewise.report.training import TrainingDocument

#: What Megatron-LM calls the optimisers that it has.
OPTIMISERS = {"adamw": "adam", "sgd": "sgd", "muon": "muon"}


def write(found: TrainingDocument) -> str:
    """A shell command, an argument a line."""
    only_full(found, "Megatron-LM")
    only_known(
        found, "Megatron-LM", offloads=("none", "optimizer"), precisions=(*WIDE, "fp8", "mxfp8", "nvfp4"),
        optimisers=tuple(OPTIMISERS),
    )  # fmt: skip
    one = found.layouts[0]
    nodes, each = per_node(found)
    lines = [
        f"torchrun --nnodes {nodes} --nproc-per-node {each} pretrain_gpt.py",
        f"--tensor-model-parallel-size {one.tp}",
        f"--pipeline-model-parallel-size {one.pp}",
        f"--context-parallel-size {one.cp}",
        f"--micro-batch-size {one.micro_batch_sequences}",
        f"--global-batch-size {found.batch_sequences:.0f}",
        f"--seq-length {found.length_tokens:.0f}",
        f"--train-iters {steps(found)}",
        f"--optimizer {OPTIMISERS[found.optimiser]}",
        "--use-flash-attn",
        "--fp16" if one.precision == "fp16" else "--bf16",
    ]
    if one.tp > 1:
        lines.append("--sequence-parallel")
    if one.vpp > 1:
        lines.append(f"--num-virtual-stages-per-pipeline-rank {one.vpp}")
    if one.ep > 1:
        lines.append(f"--expert-model-parallel-size {one.ep}")
    if one.zero_stage == 3:
        lines.append("--use-torch-fsdp2")
    elif one.zero_stage:
        lines += ["--use-distributed-optimizer", "--overlap-grad-reduce", "--overlap-param-gather"]
    if one.offload == "optimizer":
        lines.append("--optimizer-cpu-offload")
    if one.recompute == "full":
        lines += ["--recompute-granularity full", "--recompute-method uniform", "--recompute-num-layers 1"]
    elif one.recompute == "selective":
        lines.append("--recompute-granularity selective")
    if one.precision in ("fp8", "mxfp8"):
        lines += ["--fp8-format hybrid", f"--fp8-recipe {'mxfp8' if one.precision == 'mxfp8' else 'tensorwise'}"]
    if one.precision == "nvfp4":
        lines += ["--fp4-format e2m1", "--fp4-recipe nvfp4"]
    return " \\\n  ".join(lines) + "\n"

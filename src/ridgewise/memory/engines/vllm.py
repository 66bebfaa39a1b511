"""vLLM, and engines with the same paged allocator (SGLang, TensorRT-LLM) until their own files exist.

Sources: vLLM documentation "Conserving Memory" and "Hybrid KV Cache Manager"; start-up memory
breakdowns of vLLM 0.11 on H100 published with llm-d-planner (activation peak 2.1–7.4 GiB whatever the
context, 0.13 GiB of other allocations on one GPU and 0.55 GiB on two).
"""

from __future__ import annotations

import numpy as np

from ridgewise.memory.engines.policy import MemoryPolicy
from ridgewise.models.architecture import Architecture, Mixer
from ridgewise.units import Bytes, Tokens
from ridgewise.work.plan import Plan

#: Tokens per cache block.
BLOCK = 16
#: ``--gpu-memory-utilization``: the share of the device vLLM takes.
UTILIZATION = 0.9
GIB = 2.0**30


def held(mixer: Mixer, context: Tokens) -> Tokens:
    """Whole blocks of 16 tokens; windowed layers are charged their full length (unified pages)."""
    return np.ceil(np.asarray(context) / BLOCK) * BLOCK


def buffers(arch: Architecture, plan: Plan) -> Bytes:
    """Activation peak of the profiling run: measured 4.8 GiB (dense) and 7.4 GiB (MoE) on large cards;
    small models cannot need more than their widest layer over 8,192 tokens in FP32 several times over."""
    measured = (7.4 if arch.moe else 4.8) * GIB
    widest = 8192 * 4.0 * (6 * arch.hidden + arch.vocab / 16)
    return np.minimum(measured, widest) + 0.0 * plan.tp


def context(plan: Plan) -> Bytes:
    """CUDA context and communication buffers: 0.13 GiB alone, 0.55 GiB in a tensor-parallel group,
    and half a GiB for CUDA graphs."""
    return np.where(np.asarray(plan.tp) > 1, 0.55, 0.13) * GIB + 0.5 * GIB


VLLM = MemoryPolicy(
    "vllm",
    held,
    buffers,
    context,
    usable=lambda offered: UTILIZATION * offered,
    about="90 % of the device, paged cache in 16-token blocks, windowed layers charged full length",
)

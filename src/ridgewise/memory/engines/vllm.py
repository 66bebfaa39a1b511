"""vLLM: 90 % of the device, a paged cache, and the sampler's peak.

Sources: vLLM documentation "Conserving Memory" and "Hybrid KV Cache Manager"; ``vllm/engine/arg_utils.py``
(default ``max_num_seqs`` by device memory); start-up memory breakdowns of vLLM 0.11 on H100 published with
llm-d-planner: the activation peak is that of sampling, 9.6–9.9 FP32 copies of the logits of 1,024 sequences
for Llama-3.1-8B, Llama-3.3-70B (TP 2: not divided) and gpt-oss-20b; 0.13 GiB of other allocations on one
GPU, 0.55 GiB on two.
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
#: From this much memory on the default ``max_num_seqs`` is 1,024 instead of 256.
LARGE_DEVICE = 70 * GIB
#: FP32 copies of the logits alive at the peak of sampling (sort, cumulative sum, mask).
SAMPLER_COPIES = 9.7


def held(mixer: Mixer, context: Tokens) -> Tokens:
    """Whole blocks of 16 tokens; windowed layers are charged their full length (unified pages)."""
    length: Tokens = np.ceil(np.asarray(context) / BLOCK) * BLOCK
    return length


def buffers(arch: Architecture, plan: Plan, offered: Bytes) -> Bytes:
    """Peak of the profiling run: the sampler's copies of the logits of ``max_num_seqs`` sequences."""
    sequences = np.where(np.asarray(offered) >= LARGE_DEVICE, 1024.0, 256.0)
    return SAMPLER_COPIES * sequences * arch.vocab * 4.0 + 0.0 * plan.tp


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

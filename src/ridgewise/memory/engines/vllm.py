"""vLLM 0.11 and later: 90 % of the device, a paged cache, and the peak of its profiling run.

Sources: vLLM 0.11.0 ``vllm/v1/kv_cache_interface.py`` (``SlidingWindowSpec``), ``vllm/v1/core/kv_cache_utils.py``
(groups of layers), ``vllm/engine/arg_utils.py`` (sequences and tokens of a step by device),
``vllm/v1/worker/gpu_worker.py`` (the pool is the share less weights, peak and other allocations; CUDA graphs are
captured beside it), ``quantization/mxfp4.py`` (Marlin's padding); start-up memory breakdowns of vLLM 0.11 on H100
published with llm-d-planner: the peak is that of sampling, 9.6–9.9 FP32 copies of the logits of 1,024 sequences for
Llama-3.1-8B, Llama-3.3-70B (TP 2: not divided) and gpt-oss-20b; 0.13 GiB of other allocations on one GPU, 0.55 GiB on
two. The one multimodal model among them peaks at 2.12 GiB, less than half of what sampling 1,024 sequences takes: fewer
were sampled; 256, which leave the forward pass as the peak, are assumed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ridgewise.memory.engines.policy import MemoryPolicy
from ridgewise.models.architecture import Architecture, LayerGroup, Mixer
from ridgewise.units import Bytes, Tokens
from ridgewise.work.plan import Plan

#: Tokens per cache block.
BLOCK = 16
#: ``--gpu-memory-utilization``: the share of the device vLLM takes.
UTILIZATION = 0.9
GIB = 2.0**30
#: From this much memory on a step has up to 1,024 sequences and 8,192 tokens, instead of 256 and 2,048.
LARGE_DEVICE = 70 * GIB
#: FP32 copies of the logits alive at the peak of sampling (sort, cumulative sum, mask).
SAMPLER_COPIES = 9.7
#: Multiples to which Marlin pads the hidden size and the inner width of experts in MXFP4.
MARLIN_HIDDEN, MARLIN_INNER = 256, 128


def step_tokens(offered: Bytes, large: Bytes = LARGE_DEVICE) -> Tokens:
    """Most tokens of one step (``max_num_batched_tokens`` of the server)."""
    return np.where(np.asarray(offered) >= large, 8192.0, 2048.0)


def held(mixer: Mixer, context: Tokens, offered: Bytes, large: Bytes = LARGE_DEVICE) -> Tokens:
    """Whole blocks of 16 tokens. A sliding window keeps ``window − 1`` tokens, those of one step, and one block more
    because it seldom begins with a block (hybrid KV cache manager). Chunked attention is charged full length: the
    manager is switched off for it."""
    length: Tokens = np.asarray(context)
    if mixer.window is None or mixer.kind != "sliding":
        return np.ceil(length / BLOCK) * BLOCK
    kept: Tokens = np.minimum(mixer.window - 1 + step_tokens(offered, large), length)
    return (np.ceil(kept / BLOCK) + 1) * BLOCK


def unified(mixer: Mixer, context: Tokens, offered: Bytes) -> Tokens:
    """Whole blocks of 16 tokens; windowed layers are charged their full length."""
    length: Tokens = np.ceil(np.asarray(context) / BLOCK) * BLOCK
    return length


def sampling(arch: Architecture, sequences: Tokens) -> Bytes:
    """The sampler's copies of the logits of so many sequences, which no device shares with another."""
    return SAMPLER_COPIES * sequences * arch.vocab * 4.0


def forward_pass(arch: Architecture, plan: Plan, tokens: Tokens) -> Bytes:
    """The widest feed-forward of a step in 16 bits: what goes into its activation function and what comes out of it,
    between the hidden state and the residual."""
    feeds = [group.feed for group in arch.kinds]
    always = [sum(n for role, n in feed.weights.items() if role != "router") for feed in feeds]
    routed = [feed.active * sum(feed.expert.values()) for feed in feeds]
    inner = max(map(sum, zip(always, routed, strict=True))) / arch.hidden
    return tokens * 2.0 * (inner / plan.tp + 2 * arch.hidden)


def buffers(arch: Architecture, plan: Plan, offered: Bytes, large: Bytes = LARGE_DEVICE) -> Bytes:
    """Peak of the profiling run: sampling ``max_num_seqs`` sequences, or the forward pass of one step; the outputs of
    a vision or audio encoder for one step beside it."""
    tokens = step_tokens(offered, large)
    seeing = any(part in arch.extra for part in ("vision", "audio"))
    most = np.where((np.asarray(offered) >= large) & (not seeing), 1024.0, 256.0)
    most = np.where(np.asarray(plan.sequences) > 0, np.minimum(plan.sequences, most), most)
    encoded = tokens * arch.hidden * 2.0 * seeing
    peak: Bytes = np.maximum(sampling(arch, most), forward_pass(arch, plan, tokens) + encoded)
    return peak


def context(plan: Plan) -> Bytes:
    """CUDA context and communication buffers: 0.13 GiB alone, 0.55 GiB in a tensor-parallel group."""
    return np.where(np.asarray(plan.tp) > 1, 0.55, 0.13) * GIB


def padding(arch: Architecture, group: LayerGroup, plan: Plan) -> Bytes:
    """What padding adds to the experts of a layer in MXFP4: hidden size to 256, inner width of a device to 128."""
    if plan.format.id != "mxfp4" or not group.feed.experts:
        return 0.0 * plan.tp
    elements = sum(group.feed.expert.values())
    inner = max(group.feed.expert.values()) / arch.hidden / plan.tp
    wide = np.ceil(arch.hidden / MARLIN_HIDDEN) * MARLIN_HIDDEN * np.ceil(inner / MARLIN_INNER) * MARLIN_INNER
    more = wide / (arch.hidden * inner) - 1.0
    stored = group.feed.experts * elements * plan.format.bits("up", expert=True) / 8
    added: Bytes = stored * more / plan.tp
    return added


VLLM = MemoryPolicy(
    "vllm",
    held,
    buffers,
    context,
    usable=lambda offered, plan, others: np.where(np.asarray(plan.share) > 0, plan.share, UTILIZATION) * offered,
    about="vLLM 0.11: 90 % of the device, paged cache in 16-token blocks, a sliding window holds its length and one "
    "step of tokens (hybrid KV cache manager), CUDA graphs beside the 90 %",
    padding=padding,
    grouped=True,
    caches={"auto": 16.0, "bf16": 16.0, "fp16": 16.0, "fp8": 8.0},
)

#: vLLM on Ampere: an A100 takes the steps of small devices, whatever its memory.
VLLM_AMPERE = replace(
    VLLM,
    id="vllm-ampere",
    held=lambda mixer, context, offered: held(mixer, context, offered, np.inf),
    buffers=lambda arch, plan, offered: buffers(arch, plan, offered, np.inf),
)

#: vLLM where the hybrid manager is off: releases before it, KV connectors, ``--disable-hybrid-kv-cache-manager``.
VLLM_UNIFIED = replace(
    VLLM,
    id="vllm-unified",
    held=unified,
    grouped=False,
    about="vLLM without hybrid KV cache manager: 90 % of the device, 16-token blocks, windowed layers charged full "
    "length",
)

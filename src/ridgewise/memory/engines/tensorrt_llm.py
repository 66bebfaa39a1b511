"""TensorRT-LLM: the cache takes a share of what weights and activations leave free.

Source: TensorRT-LLM documentation, "Memory Usage of TensorRT-LLM" (``free_gpu_memory_fraction`` 0.9, blocks
of 32 tokens; activations sized for ``max_num_tokens`` 8,192; windowed layers keep their window).
"""

from __future__ import annotations

import numpy as np

from ridgewise.memory.engines.policy import MemoryPolicy
from ridgewise.models.architecture import Architecture, Mixer
from ridgewise.units import Bytes, Tokens
from ridgewise.work.plan import Plan

BLOCK = 32
#: The cache takes 90 % of what is free (``free_gpu_memory_fraction``): with weights in half of the device that
#: leaves a twentieth of it unused.
USED = 0.95
#: Tokens of one engine step (``max_num_tokens``).
STEP_TOKENS = 8192


def held(mixer: Mixer, context: Tokens) -> Tokens:
    """Whole blocks of 32 tokens, windows capped."""
    length = context if mixer.window is None else np.minimum(context, mixer.window)
    blocks: Tokens = np.ceil(np.asarray(length) / BLOCK) * BLOCK
    return blocks


def buffers(arch: Architecture, plan: Plan, offered: Bytes) -> Bytes:
    """Activations of one step: the widest layer's inputs and outputs for 8,192 tokens in 16 bits."""
    widest = max(sum(g.feed.weights.values()) + g.feed.active * sum(g.feed.expert.values()) for g in arch.kinds)
    return STEP_TOKENS * 2.0 * (6 * arch.hidden + widest / arch.hidden / plan.tp)


TENSORRT_LLM = MemoryPolicy(
    "tensorrt-llm",
    held,
    buffers,
    context=lambda plan: np.where(np.asarray(plan.tp) > 1, 1.5, 1.0) * 2.0**30,
    usable=lambda offered: USED * offered,
    about="the cache takes 90 % of what weights and activations leave, blocks of 32 tokens, windows capped",
)

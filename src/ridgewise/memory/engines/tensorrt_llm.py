"""TensorRT-LLM: the cache takes a share of what weights and activations leave free.

Source: TensorRT-LLM documentation, "Memory Usage of TensorRT-LLM" (``free_gpu_memory_fraction`` 0.9, blocks
of 32 tokens; activations sized for ``max_num_tokens`` 8,192; windowed layers keep their window). How much the driver
and the communication buffers hold is assumed.
"""

from __future__ import annotations

import numpy as np

from ridgewise.memory.engines.policy import MemoryPolicy
from ridgewise.models.architecture import Architecture, Mixer
from ridgewise.units import Bytes, Tokens
from ridgewise.work.plan import Plan

BLOCK = 32
#: The share of what is free that the cache takes (``free_gpu_memory_fraction``).
SHARE = 0.9
#: Tokens of one engine step (``max_num_tokens``).
STEP_TOKENS = 8192
GIB = 2.0**30


def held(mixer: Mixer, context: Tokens, offered: Bytes) -> Tokens:
    """Whole blocks of 32 tokens, windows capped."""
    length = context if mixer.window is None else np.minimum(context, mixer.window)
    blocks: Tokens = np.ceil(np.asarray(length) / BLOCK) * BLOCK
    return blocks


def buffers(arch: Architecture, plan: Plan, offered: Bytes) -> Bytes:
    """Activations of one step: the widest layer's inputs and outputs for 8,192 tokens in 16 bits."""
    widest = max(sum(g.feed.weights.values()) + g.feed.active * sum(g.feed.expert.values()) for g in arch.kinds)
    return STEP_TOKENS * 2.0 * (6 * arch.hidden + widest / arch.hidden / plan.tp)


def usable(offered: Bytes, plan: Plan, others: Bytes) -> Bytes:
    """Everything but the tenth of what the other parts leave free."""
    return offered - (1.0 - SHARE) * np.maximum(offered - others, 0.0)


TENSORRT_LLM = MemoryPolicy(
    "tensorrt-llm",
    held,
    buffers,
    context=lambda plan: np.where(np.asarray(plan.tp) > 1, 1.5, 1.0) * GIB,
    usable=usable,
    caches={"auto": 16.0, "fp8": 8.0, "int8": 8.0},
    about="the cache takes 90 % of what weights and activations leave, blocks of 32 tokens, windows capped",
    guessed=("engine",),
)

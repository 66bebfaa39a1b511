"""OpenVINO GenAI: blocks of the paged cache in the memory that the processor and its graphics share.

Source: openvino.genai ``src/cpp/src/continuous_batching`` (blocks of 32 tokens on processors, 16 on GPUs; the larger is
taken) and ``scheduler_config.hpp`` (256 tokens of a step). Eight-bit caches have a scale and a zero point per token and
head. What the compiled model and its workspaces hold beside the weights is assumed.
"""

from __future__ import annotations

import numpy as np

from ridgewise.memory.engines.policy import MemoryPolicy
from ridgewise.memory.engines.vllm import forward_pass
from ridgewise.models.architecture import Architecture, Mixer
from ridgewise.units import Bytes, Tokens
from ridgewise.work.plan import Plan

BLOCK = 32
#: Tokens of one step (``max_num_batched_tokens``).
STEP_TOKENS = 256.0
#: The compiled model and its workspaces, assumed [B].
CONTEXT = 0.5 * 2**30


def held(mixer: Mixer, context: Tokens, offered: Bytes) -> Tokens:
    """Whole blocks of 32 tokens in every layer."""
    blocks: Tokens = np.ceil(np.asarray(context) / BLOCK) * BLOCK
    return blocks


def buffers(arch: Architecture, plan: Plan, offered: Bytes) -> Bytes:
    """The widest feed-forward of a step, and the logits of one token in FP32."""
    return forward_pass(arch, plan, STEP_TOKENS) + arch.vocab * 4.0


OPENVINO = MemoryPolicy(
    "openvino",
    held,
    buffers,
    context=lambda plan: CONTEXT + 0.0 * plan.tp,
    usable=lambda offered, plan, others: offered,
    caches={"f16": 16.0, "bf16": 16.0, "u8": 8.5, "u4": 4.5},
    guessed=("buffers", "engine"),
    about="cache in blocks of 32 tokens, windowed layers charged full length",
)

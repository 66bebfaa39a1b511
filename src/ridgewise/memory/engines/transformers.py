"""Hugging Face Transformers: no paging, a cache grown by concatenation, eager buffers.

Source: transformers ``src/transformers/cache_utils.py`` (DynamicCache grows by the tokens given, sliding layers
keep their window) and ``modeling_*`` (logits of the whole prompt in FP32 for the first step). The driver context
and how many activations live at once are assumed.
"""

from __future__ import annotations

import numpy as np

from ridgewise.memory.engines.policy import MemoryPolicy
from ridgewise.models.architecture import Architecture, Mixer
from ridgewise.units import Bytes, Tokens
from ridgewise.work.plan import Plan

#: Prompt tokens whose activations are alive at once; Transformers does not chunk prompts.
PROMPT = 2048
#: Activations of hidden size alive at the widest point of a layer, assumed.
ALIVE = 12
#: Driver context and workspaces, assumed [B].
CONTEXT = 0.6 * 2**30


def held(mixer: Mixer, context: Tokens, offered: Bytes) -> Tokens:
    """Exactly the tokens of the context; a sliding window keeps its own length."""
    return context if mixer.window is None else np.minimum(context, mixer.window)


def buffers(arch: Architecture, plan: Plan, offered: Bytes) -> Bytes:
    """A prompt of 2,048 tokens through the widest layer in 16 bits, and its last logits in FP32."""
    return (PROMPT * arch.hidden * 2.0 * ALIVE + arch.vocab * 4.0) / plan.tp


TRANSFORMERS = MemoryPolicy(
    "transformers",
    held,
    buffers,
    context=lambda plan: CONTEXT + 0.0 * plan.tp,
    usable=lambda offered, plan, others: offered,
    guessed=("buffers", "engine"),
    about="cache of exactly the tokens held, sliding windows capped, prompts not chunked",
)

"""Text Generation Inference: after a trial prefill the cache takes 90 % of what is left.

Source: text-generation-inference ``server/text_generation_server/models/flash_causal_lm.py`` (``warmup``: a prefill of
``max_batch_prefill_tokens``, then ``TGI_WIGGLE_ROOM`` of the free memory in blocks) and ``globals.py`` (0.90; blocks of
one token with FlashInfer). Every layer is charged its full length. What driver and communication hold is assumed.
"""

from __future__ import annotations

import numpy as np

from ridgewise.memory.engines.policy import MemoryPolicy
from ridgewise.memory.engines.vllm import forward_pass
from ridgewise.models.architecture import Architecture, Mixer
from ridgewise.units import Bytes, Tokens
from ridgewise.work.plan import Plan

#: The share of what is free after the trial prefill (``TGI_WIGGLE_ROOM``).
SHARE = 0.9
#: Tokens of the trial prefill (``max_batch_prefill_tokens``).
PREFILL = 4096.0
GIB = 2.0**30


def held(mixer: Mixer, context: Tokens, offered: Bytes) -> Tokens:
    """Blocks of one token in every layer."""
    return context


def buffers(arch: Architecture, plan: Plan, offered: Bytes) -> Bytes:
    """What the trial prefill leaves allocated: its widest feed-forward, and the logits of one token in FP32."""
    return forward_pass(arch, plan, PREFILL) + arch.vocab * 4.0


TGI = MemoryPolicy(
    "tgi",
    held,
    buffers,
    context=lambda plan: np.where(np.asarray(plan.tp) > 1, 1.0, 0.5) * GIB,
    usable=lambda offered, plan, others: offered - (1.0 - SHARE) * np.maximum(offered - others, 0.0),
    caches={"auto": 16.0, "fp8_e4m3fn": 8.0, "fp8_e5m2": 8.0},
    guessed=("engine",),
    about="the cache takes 90 % of what weights and a trial prefill leave, blocks of one token, windowed layers "
    "charged full length",
)

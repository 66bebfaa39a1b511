"""LMDeploy (TurboMind): the cache takes 80 % of what the weights leave free.

Source: LMDeploy 0.18 ``lmdeploy/messages.py`` (``cache_max_entry_count`` 0.8 of the free memory,
``cache_block_seq_len`` 64, ``quant_policy`` 8 and 4: a 16-bit scale and offset per token and head of 128 values).
Activations live in the other fifth. Every layer is charged its full length. What driver and communication hold is
assumed.
"""

from __future__ import annotations

import numpy as np

from ridgewise.memory.engines.policy import MemoryPolicy
from ridgewise.models.architecture import Architecture, Mixer
from ridgewise.units import Bytes, Tokens
from ridgewise.work.plan import Plan

BLOCK = 64
#: The share of what is free that the cache takes (``cache_max_entry_count``).
SHARE = 0.8
GIB = 2.0**30


def held(mixer: Mixer, context: Tokens, offered: Bytes) -> Tokens:
    """Whole blocks of 64 tokens in every layer."""
    blocks: Tokens = np.ceil(np.asarray(context) / BLOCK) * BLOCK
    return blocks


def buffers(arch: Architecture, plan: Plan, offered: Bytes) -> Bytes:
    """Activations live in what the cache leaves: nothing is taken from it."""
    return 0.0 * plan.tp


LMDEPLOY = MemoryPolicy(
    "lmdeploy",
    held,
    buffers,
    context=lambda plan: np.where(np.asarray(plan.tp) > 1, 1.0, 0.5) * GIB,
    usable=lambda offered, plan, others: offered - (1.0 - SHARE) * np.maximum(offered - others, 0.0),
    caches={"16": 16.0, "8": 8.25, "4": 4.25},
    guessed=("engine",),
    about="the cache takes 80 % of what the weights leave, blocks of 64 tokens, windowed layers charged full length",
)

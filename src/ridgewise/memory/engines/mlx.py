"""MLX (mlx-lm): rotating caches for windows, growth in 256-token steps.

Source: ml-explore/mlx-lm ``mlx_lm/models/cache.py`` (KVCache.step = 256, RotatingKVCache; a quantised cache has
groups of 64 with a 16-bit scale and bias). What Metal and Python hold, and how many activations live at once, is
assumed.
"""

from __future__ import annotations

import numpy as np

from ridgewise.memory.engines.policy import MemoryPolicy
from ridgewise.models.architecture import Architecture, Mixer
from ridgewise.units import Bytes, Tokens
from ridgewise.work.plan import Plan

STEP = 256
#: mlx-lm reads prompts in chunks of this many tokens (``prefill_step_size``).
PREFILL = 2048
#: Activations of hidden size alive at the widest point of a layer, assumed.
ALIVE = 12
#: What Metal and Python hold beside the model, assumed [B].
CONTEXT = 0.3 * 2**30
#: ``--kv-bits``, with the scale and bias of a group of 64.
CACHES = {"16": 16.0, "8": 8.5, "6": 6.5, "5": 5.5, "4": 4.5, "3": 3.5, "2": 2.5}


def held(mixer: Mixer, context: Tokens, offered: Bytes) -> Tokens:
    """Grown in steps of 256; a sliding window rotates inside its own length."""
    grown = np.ceil(np.asarray(context) / STEP) * STEP
    return grown if mixer.window is None else np.minimum(grown, mixer.window)


def buffers(arch: Architecture, plan: Plan, offered: Bytes) -> Bytes:
    """One prompt chunk of activations through a layer, and the logits of one token."""
    return PREFILL * arch.hidden * 2.0 * ALIVE + arch.vocab * 4.0 + 0.0 * plan.tp


MLX = MemoryPolicy(
    "mlx",
    held,
    buffers,
    context=lambda plan: CONTEXT + 0.0 * plan.tp,
    usable=lambda offered, plan, others: offered,
    caches=CACHES,
    guessed=("buffers", "engine"),
    about="rotating windows, cache grown in 256-token steps",
)

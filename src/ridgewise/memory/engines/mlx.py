"""MLX (mlx-lm): rotating caches for windows, growth in 256-token steps.

Source: ml-explore/mlx-lm ``mlx_lm/models/cache.py`` (KVCache.step = 256, RotatingKVCache).
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


def held(mixer: Mixer, context: Tokens) -> Tokens:
    """Grown in steps of 256; a sliding window rotates inside its own length."""
    grown = np.ceil(np.asarray(context) / STEP) * STEP
    return grown if mixer.window is None else np.minimum(grown, mixer.window)


def buffers(arch: Architecture, plan: Plan, offered: Bytes) -> Bytes:
    """One prompt chunk of activations through a layer, and the logits of one token."""
    return PREFILL * arch.hidden * 2.0 * 12 + arch.vocab * 4.0 + 0.0 * plan.tp


MLX = MemoryPolicy(
    "mlx",
    held,
    buffers,
    context=lambda plan: 0.3 * 2**30 + 0.0 * plan.tp,
    usable=lambda offered: offered,
    about="rotating windows, cache grown in 256-token steps",
)

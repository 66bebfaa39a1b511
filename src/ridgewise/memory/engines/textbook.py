"""The rules of arithmetic alone: windows capped at their length, 5 % for everything else."""

from __future__ import annotations

import numpy as np

from ridgewise.memory.engines.policy import MemoryPolicy
from ridgewise.models.architecture import Architecture, Mixer
from ridgewise.units import Bytes, Tokens
from ridgewise.work.plan import Plan


def held(mixer: Mixer, context: Tokens, offered: Bytes) -> Tokens:
    """A windowed layer keeps its window, any other the whole context."""
    return context if mixer.window is None else np.minimum(context, mixer.window)


def buffers(arch: Architecture, plan: Plan, offered: Bytes) -> Bytes:
    """One batch of 2,048 tokens through the widest layer, and its logits for 16 sequences."""
    widest = max(arch.hidden, arch.vocab / 128)
    return 2048 * widest * 8.0 / plan.tp


TEXTBOOK = MemoryPolicy(
    "textbook",
    held,
    buffers,
    context=lambda plan: 0.5 * 2**30 + 0.0 * plan.tp,
    usable=lambda offered, plan, others: 0.95 * offered,
    guessed=("buffers", "engine"),
    about="arithmetic with 5 % kept free",
)

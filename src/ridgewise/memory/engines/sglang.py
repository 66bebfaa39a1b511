"""SGLang: a static pool for weights and cache, activations outside it.

Source: SGLang documentation, "Hyperparameter tuning" and ``python/sglang/srt/server_args.py``
(``mem_fraction_static`` near 0.88 on one device; pages of one token).
"""

from __future__ import annotations

from ridgewise.memory.engines.policy import MemoryPolicy
from ridgewise.models.architecture import Architecture, Mixer
from ridgewise.units import Bytes, Tokens
from ridgewise.work.plan import Plan

#: ``--mem-fraction-static``: the share that weights and cache may take; the rest is for activations and graphs.
STATIC = 0.88


def held(mixer: Mixer, context: Tokens) -> Tokens:
    """Every token of every layer: windowed layers share the pool of the others."""
    return context


def buffers(arch: Architecture, plan: Plan, offered: Bytes) -> Bytes:
    """Activations live outside the static share: nothing is taken from it."""
    return 0.0 * plan.tp


SGLANG = MemoryPolicy(
    "sglang",
    held,
    buffers,
    context=lambda plan: 0.0 * plan.tp,
    usable=lambda offered: STATIC * offered,
    about="88 % of the device for weights and cache, pages of one token, windowed layers charged full length",
)

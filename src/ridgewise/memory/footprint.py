"""Bytes per device of serving a model, part by part.

Weights and caches are arithmetic. What an engine adds to them is its policy (``memory/engines/``):
architecture × engine gives the right figure, neither alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ridgewise.memory.engines import MemoryPolicy
from ridgewise.models.architecture import Architecture
from ridgewise.models.formats import embedding_bytes, expert_bytes, feed_bytes, mixer_bytes
from ridgewise.units import Bytes, Count, Num, Tokens
from ridgewise.work.forward import kv_shards
from ridgewise.work.plan import Plan

#: Parts that follow from the model's shape alone.
EXACT = ("weights", "KV cache")


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes per device by part, against what the device lets a process use."""

    parts: Mapping[str, Bytes]
    usable: Bytes

    @property
    def total(self) -> Bytes:
        return sum(self.parts.values(), 0.0)

    @property
    def doubt(self) -> Bytes:
        """How far the total may be off: 1 % of what is arithmetic, a third of what is the engine's."""
        exact = sum((amount for part, amount in self.parts.items() if part in EXACT), 0.0)
        return 0.01 * exact + (self.total - exact) / 3

    @property
    def left(self) -> Bytes:
        """Bytes left; negative: bytes missing."""
        return self.usable - self.total

    @property
    def fits(self) -> bool | np.ndarray:
        return self.left >= 0


def weight_bytes(arch: Architecture, plan: Plan) -> Bytes:
    """Weight bytes per device: layers, experts and head divide by ``tp·pp``; norms are replicated over
    ``tp`` (they are under 0.1 %, so they are divided too); a device of a pipeline holds its share of layers.
    """
    fmt = plan.format
    body = sum(
        g.count * (plan.attn_dp * mixer_bytes(g, fmt) + feed_bytes(g, fmt) + g.feed.experts * expert_bytes(g, fmt))
        for g in (*arch.kinds, *arch.encoder)
    )
    tables = embedding_bytes(arch, fmt) + arch.head * fmt.head / 8
    apart = sum(n for part, n in arch.extra.items() if part != "mtp") * fmt.embedding / 8
    return (body + tables + apart + arch.small * fmt.small / 8) / (plan.tp * plan.pp)


def cache_bytes(arch: Architecture, plan: Plan, sequences: Count, context: Tokens, policy: MemoryPolicy) -> Bytes:
    """KV cache and recurrent state per device for ``sequences`` sequences of ``context`` tokens each.

    Per layer ``tokens held · values per token · bits / 8``; how many tokens a windowed layer holds is
    the engine's rule (:meth:`MemoryPolicy.held`).
    """
    total: Num = 0.0
    for group in arch.kinds:
        mixer = group.mixer
        held = policy.held(mixer, context)
        values = held * mixer.kv_values * plan.kv_bits / 8 / plan.attn_dp / kv_shards(mixer, plan.attn_tp)
        state = mixer.state * mixer.state_bits / 8 / plan.tp
        total = total + group.count * sequences * (values + state)
    return total / plan.pp


def inference(
    arch: Architecture,
    plan: Plan,
    sequences: Count,
    context: Tokens,
    policy: MemoryPolicy,
    usable: Bytes,
    discrete: bool = False,
) -> Footprint:
    """The footprint of one device while ``sequences`` sequences of ``context`` tokens are held.

    ``discrete``: the device has memory of its own beside the host's, where some engines leave the input table.
    """
    weights = weight_bytes(arch, plan)
    if discrete and policy.embedding_on_host and not arch.tied:
        weights = weights - embedding_bytes(arch, plan.format) / (plan.tp * plan.pp)
    return Footprint(
        {
            "weights": weights,
            "KV cache": cache_bytes(arch, plan, sequences, context, policy),
            "buffers": policy.buffers(arch, plan, usable),
            "engine": policy.context(plan),
        },
        policy.usable(usable),
    )

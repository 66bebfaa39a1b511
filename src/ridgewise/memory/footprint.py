"""Bytes per device of serving a model, part by part.

Weights and caches are arithmetic. What an engine adds to them is its policy (``memory/engines/``):
architecture × engine gives the right figure, neither alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ridgewise.memory.engines import MemoryPolicy
from ridgewise.memory.engines.textbook import TEXTBOOK
from ridgewise.models.architecture import Architecture, LayerGroup, Mixer
from ridgewise.models.formats import embedding_bytes, expert_bytes, feed_bytes, head_bytes, mixer_bytes, stored
from ridgewise.units import Bytes, Count, Num, Tokens
from ridgewise.work.forward import kv_shards
from ridgewise.work.plan import Plan

#: Parts that follow from the model's shape alone.
EXACT = ("weights", "KV cache", "draft", "adapters")
#: A device whose size bounds nothing.
LARGE = 2.0**40


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


def weight_bytes(arch: Architecture, plan: Plan, policy: MemoryPolicy = TEXTBOOK) -> Bytes:
    """Weight bytes of the device that holds most: layers, experts and head divide by ``tp`` (norms, under 0.1 %, too);
    the stages of a pipeline hold whole layers, the first of them the input table and the last the head."""
    return fullest(arch, plan, 0.0, 1.0, policy, LARGE)[0]


def cache_bytes(
    arch: Architecture,
    plan: Plan,
    sequences: Count,
    context: Tokens,
    policy: MemoryPolicy,
    offered: Bytes = LARGE,
) -> Bytes:
    """KV cache and recurrent state of the device that holds most, for ``sequences`` sequences of ``context`` tokens
    each.

    Per layer ``tokens held · values per token · bits / 8``; how many tokens a windowed layer holds is
    the engine's rule (:class:`MemoryPolicy`, ``held``).
    """
    return fullest(arch, plan, sequences, context, policy, offered)[1]


def layer_cache(
    arch: Architecture, group: LayerGroup, plan: Plan, context: Tokens, policy: MemoryPolicy, offered: Bytes
) -> Bytes:
    """Cache and state of one sequence in one layer, per device."""
    mixer = group.mixer
    values = policy.held(mixer, context, offered) * mixer.kv_values * plan.kv_bits / 8
    values = values * (filled_up(arch, mixer) if policy.grouped else 1.0)
    state = mixer.state * mixer.state_bits / 8
    return values / plan.attn_dp / kv_shards(mixer, plan.attn_tp) + state / plan.tp


def filled_up(arch: Architecture, mixer: Mixer) -> float:
    """Layers paged over layers present: layers of one kind of cache form groups as large as the rarest kind, and the
    last group is filled up (52 windowed beside 10 full layers: 6 groups of 10). 1 where only one kind is cached or
    attention is chunked, for which the layers are paged alike."""
    counts: dict[int | None, int] = {}
    for group in arch.kinds:
        if group.mixer.kv_values:
            counts[group.mixer.window] = counts.get(group.mixer.window, 0) + group.count
    if not mixer.kv_values or any(group.mixer.kind == "chunked" for group in arch.kinds):
        return 1.0
    size, layers = min(counts.values()), counts[mixer.window]
    return math.ceil(layers / size) * size / layers


def layer_weights(arch: Architecture, group: LayerGroup, plan: Plan, policy: MemoryPolicy) -> Bytes:
    """Weights of one layer, per device."""
    fmt = plan.format
    experts = group.feed.experts * expert_bytes(group, fmt)
    stored = plan.attn_dp * mixer_bytes(group, fmt) + feed_bytes(group, fmt) + experts
    return stored / plan.tp + policy.padding(arch, group, plan)


def fullest(
    arch: Architecture,
    plan: Plan,
    sequences: Count,
    context: Tokens,
    policy: MemoryPolicy,
    offered: Bytes,
    table_on_host: bool = False,
) -> tuple[Bytes, Bytes]:
    """Weights and cache of the device that holds most of both."""
    plan = replace(plan, format=stored(arch, plan.format))
    fmt = plan.format
    modules = sum(n for part, n in arch.extra.items() if part != "mtp") * fmt.embedding / 8
    encoder = sum((g.count * layer_weights(arch, g, plan, policy) for g in arch.encoder), 0.0)
    table = 0.0 if table_on_host and not arch.tied else embedding_bytes(arch, fmt)
    first, last = modules + table, arch.head * fmt.head / 8 + arch.small * fmt.small / 8
    alone = arch.kinds if np.all(np.asarray(plan.pp) == 1) else arch.groups
    each = [
        (
            group.count,
            layer_weights(arch, group, plan, policy),
            sequences * layer_cache(arch, group, plan, context, policy, offered),
        )
        for group in alone
    ]
    again = head_bytes(arch, fmt) if arch.tied else 0.0  # a tied table serves as the head of another stage too

    def split(stages: int) -> tuple[Bytes, Bytes]:
        best: tuple[Bytes, Bytes] | None = None
        start = 0
        for stage, layers in enumerate(policy.stages(arch.layers, stages) if stages > 1 else (arch.layers,)):
            weights, cached = _between(each, start, start + layers)
            weights = weights + (first / plan.tp + encoder if stage == 0 else 0.0)
            weights = weights + ((last + again * (stages > 1)) / plan.tp if stage == stages - 1 else 0.0)
            best = (weights, cached) if best is None else _fuller(best, (weights, cached))
            start += layers
        assert best is not None, "a plan has a stage"
        return best

    counts = np.unique(np.asarray(plan.pp))
    found = split(int(counts[0]))
    for stages in counts[1:]:
        other, here = split(int(stages)), np.asarray(plan.pp) == stages
        found = np.where(here, other[0], found[0]), np.where(here, other[1], found[1])
    return found


def _between(each: list[tuple[int, Bytes, Bytes]], start: int, stop: int) -> tuple[Bytes, Bytes]:
    """Weights and cache of the layers from ``start`` to ``stop``."""
    weights: Num = 0.0
    cached: Num = 0.0
    place = 0
    for count, one, held in each:
        here = max(min(place + count, stop) - max(place, start), 0)
        if here:
            weights, cached = weights + here * one, cached + here * held
        place += count
    return weights, cached


def _fuller(one: tuple[Bytes, Bytes], other: tuple[Bytes, Bytes]) -> tuple[Bytes, Bytes]:
    more = np.asarray(other[0] + other[1]) > one[0] + one[1]
    return np.where(more, other[0], one[0]), np.where(more, other[1], one[1])


def inference(
    arch: Architecture,
    plan: Plan,
    sequences: Count,
    context: Tokens,
    policy: MemoryPolicy,
    usable: Bytes,
    discrete: bool = False,
) -> Footprint:
    """The footprint of the fullest device while ``sequences`` sequences of ``context`` tokens are held.

    ``discrete``: the device has memory of its own beside the host's, where some engines leave the input table.
    """
    on_host = discrete and policy.embedding_on_host
    weights, cached = fullest(arch, plan, sequences, context, policy, usable, on_host)
    buffers, engine = policy.buffers(arch, plan, usable), policy.context(plan)
    return Footprint(
        {"weights": weights, "KV cache": cached, "buffers": buffers, "engine": engine},
        policy.usable(usable, plan, weights + buffers + engine),
    )

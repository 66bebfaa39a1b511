"""What stays on the card and what goes to RAM when a model is split between them.

llama.cpp's ``-ngl N`` (``src/llama-model.cpp``, ``i_gpu_start = n_layer + 1 − N``): the output layer counts
first, then layers from the last backwards; the cache of a layer lives where its weights do; the input table
stays in RAM. ``--cpu-moe`` leaves only the routed experts in RAM.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ridgewise.memory.engines import MemoryPolicy
from ridgewise.memory.footprint import Footprint, layer_cache
from ridgewise.models.architecture import Architecture, LayerGroup
from ridgewise.models.formats import embedding_bytes, expert_bytes, head_bytes, layer_bytes, stored
from ridgewise.units import Bytes, Count, Tokens
from ridgewise.work.plan import Plan


@dataclass(frozen=True, slots=True)
class Placement:
    """A split of one model over one card and RAM.

    layers    layers on the card, of ``of``; the output layer is on the card when ``output``
    card      footprint of the card
    ram       bytes of weights and cache in RAM
    """

    layers: int
    of: int
    output: bool
    experts_in_ram: bool
    card: Footprint
    ram: Bytes

    @property
    def ngl(self) -> int:
        """The value of ``-ngl`` that asks for this."""
        return self.layers + int(self.output)


def _last(groups: tuple[LayerGroup, ...], count: int) -> list[tuple[LayerGroup, int]]:
    """The last ``count`` layers as (group, layers of it)."""
    taken = []
    for group in reversed(groups):
        here = min(group.count, count)
        if here:
            taken.append((group, here))
        count -= here
    return taken


def place(
    arch: Architecture,
    plan: Plan,
    ngl: int,
    sequences: Count,
    context: Tokens,
    policy: MemoryPolicy,
    usable: Bytes,
    experts_in_ram: bool = False,
) -> Placement:
    """The split that ``-ngl`` asks for (clipped to all layers and the output layer)."""
    ngl = max(0, min(ngl, arch.layers + 1))
    plan = replace(plan, format=stored(arch, plan.format))
    layers, fmt = max(ngl - 1, 0), plan.format
    output = head_bytes(arch, fmt) if ngl else 0.0
    weights, cache, host_weights = output, 0.0, 0.0
    for group, here in _last(arch.groups, layers):
        experts = group.feed.experts * expert_bytes(group, fmt) if experts_in_ram else 0.0
        weights += here * (layer_bytes(group, fmt) - experts)
        host_weights += here * experts
        cache += here * float(sequences * layer_cache(arch, group, plan, context, policy, usable))
    everything = sum(g.count * layer_bytes(g, fmt) for g in arch.groups)
    on_card = sum(here * layer_bytes(group, fmt) for group, here in _last(arch.groups, layers))
    whole_cache = sum(
        g.count * float(sequences * layer_cache(arch, g, plan, context, policy, usable)) for g in arch.groups
    )
    table = 0.0 if arch.tied else embedding_bytes(arch, fmt)
    ram = everything - on_card + host_weights + table + (0.0 if ngl else head_bytes(arch, fmt)) + whole_cache - cache
    buffers, engine = policy.buffers(arch, plan, usable), policy.context(plan)
    card = Footprint(
        {"weights": weights, "KV cache": cache, "buffers": buffers, "engine": engine},
        policy.usable(usable, plan, weights + buffers + engine),
    )
    return Placement(layers, arch.layers, ngl > 0, experts_in_ram, card, ram)


def fitting(
    arch: Architecture,
    plan: Plan,
    sequences: Count,
    context: Tokens,
    policy: MemoryPolicy,
    usable: Bytes,
    experts_in_ram: bool = False,
) -> Placement | None:
    """The largest split that fits the card; None when not even the output layer does."""
    low, high = 0, arch.layers + 1
    while low < high:
        middle = (low + high + 1) // 2
        card = place(arch, plan, middle, sequences, context, policy, usable, experts_in_ram).card
        low, high = (middle, high) if float(card.left) >= 0 else (low, middle - 1)
    return place(arch, plan, low, sequences, context, policy, usable, experts_in_ram) if low else None

"""The questions every engine answers about memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ridgewise.models.architecture import Architecture, LayerGroup, Mixer
from ridgewise.units import Bytes, Tokens
from ridgewise.work.plan import Plan


def even_stages(layers: int, stages: int) -> tuple[int, ...]:
    """Layers of every pipeline stage, spread evenly; what remains goes to the stages before the last, which holds
    the output head (vLLM ``distributed/utils.py``, ``get_pp_indices``)."""
    each, rest = divmod(layers, stages)
    return tuple(each + (stages - 1 - rest <= stage < stages - 1) for stage in range(stages))


def nothing(arch: Architecture, group: LayerGroup, plan: Plan) -> Bytes:
    """Weights are held as they are stored."""
    return 0.0


@dataclass(frozen=True, slots=True)
class MemoryPolicy:
    """An engine's memory rules.

    held      tokens a layer keeps for a sequence of that length, on a device that offers so much memory
    buffers   activation and compute buffers per device [B], given what the device offers
    context   driver context and communication buffers per device [B]
    usable    bytes the engine takes of what the device offers, given the layout and the parts beside the cache
    padding   bytes one layer of weights takes beyond what is stored, per device
    stages    layers of every stage of a pipeline or layer split
    grouped   layers are paged in groups as large as the rarest kind of cache, the last one filled up
    caches    names of the cache types it knows, and the bits per value of each
    apart     keys and values may have different types
    embedding_on_host   the input table stays in the host's memory beside a discrete device
    guessed   parts whose constants have no source
    """

    id: str
    held: Callable[[Mixer, Tokens, Bytes], Tokens]
    buffers: Callable[[Architecture, Plan, Bytes], Bytes]
    context: Callable[[Plan], Bytes]
    usable: Callable[[Bytes, Plan, Bytes], Bytes]
    about: str = ""
    padding: Callable[[Architecture, LayerGroup, Plan], Bytes] = nothing
    stages: Callable[[int, int], tuple[int, ...]] = even_stages
    grouped: bool = False
    caches: Mapping[str, float] = field(default_factory=lambda: {"16": 16.0, "8": 8.0})
    apart: bool = False
    embedding_on_host: bool = False
    guessed: tuple[str, ...] = ()

"""The questions every engine answers about memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ridgewise.models.architecture import Architecture, Mixer
from ridgewise.units import Bytes, Tokens
from ridgewise.work.plan import Plan


@dataclass(frozen=True, slots=True)
class MemoryPolicy:
    """An engine's memory rules.

    held      tokens a layer keeps for a sequence of that length
    buffers   activation and compute buffers per device [B], given what the device offers
    context   driver context, graphs and communication buffers per device [B]
    usable    bytes the engine takes of what the device offers
    embedding_on_host   the input table stays in the host's memory beside a discrete device
    """

    id: str
    held: Callable[[Mixer, Tokens], Tokens]
    buffers: Callable[[Architecture, Plan, Bytes], Bytes]
    context: Callable[[Plan], Bytes]
    usable: Callable[[Bytes], Bytes]
    about: str = ""
    embedding_on_host: bool = False

"""What a serving engine does when it is not told otherwise: sequences at once, tokens per step, cache, layout.

One rule for every command, over what the engine's sheet says of itself (``catalog/engines``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ridgewise.engines import kin
from ridgewise.hardware.device import Device
from ridgewise.memory import inference, weight_bytes
from ridgewise.memory.engines import MemoryPolicy, policy
from ridgewise.models.architecture import Architecture
from ridgewise.models.formats import Format
from ridgewise.units import Count, Tokens
from ridgewise.work.plan import Plan

#: Share of the memory below which what is left for the cache is too little to run, and what is then taken.
SPARE, TAKEN = 0.03, 0.95


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one engine step.

    sequences   most sequences running at once
    tokens      most tokens one step computes (chunked prefill)
    reserved    share of an answer's tokens that an arriving request must find free: 1 where the whole answer is
                reserved, less where sequences grow and are put back when memory runs out
    """

    sequences: float
    tokens: Annotated[float, "tokens"]
    reserved: Annotated[float, "ratio"]


#: An engine whose sheet says nothing.
UNKNOWN = Limits(256.0, 8192.0, 1.0)


def limits(engine: str, device: Device, year: int | None = None) -> Limits:
    """The limits an engine sets itself on a device. ``year`` is that of its release; None: now."""
    sheet = kin(engine)
    for limit in sheet.limits if sheet else ():
        if limit.applies(device, year):
            return Limits(float(limit.sequences), float(limit.tokens), limit.reserved)
    return UNKNOWN


def memory_policy(engine: str, year: int | None = None, architecture: str = "") -> MemoryPolicy:
    """The memory rules of an engine's release, where need be its own for an architecture of devices; the textbook's
    where it has none."""
    sheet = kin(engine)
    return policy(sheet.policy(year) if sheet else "textbook", architecture)


def cache_bits(engine: str, device: Device, fmt: Format, arch: Architecture) -> float:
    """Bits per cached value where nothing is said. Checkpoints made by ModelOpt (NVFP4, FP8 of dense models),
    TensorRT-LLM with weights below 16 bits and latent attention with such weights on devices that know FP4 cache
    FP8; everything else caches 16 bits."""
    if fmt.id not in ("fp8", "nvfp4"):
        return 16.0
    latent = any(group.mixer.kind == "mla" for group in arch.kinds)
    sheet = kin(engine)
    own = sheet is not None and sheet.eight_bit_cache
    eight = fmt.id == "nvfp4" or own or not arch.moe or (latent and device.number("peak_fp4"))
    return 8.0 if eight else 16.0


def capacity(
    arch: Architecture, plan: Plan, context: Tokens, rules: MemoryPolicy, usable: float, discrete: bool
) -> Count:
    """Sequences of ``context`` tokens whose cache one replica holds: what is left over bytes per sequence.

    A model that is said to run does: where the engine's rule leaves next to nothing, it was told to take more, and
    keeps something for its cache even where the weights alone seem too large (they were stored otherwise).
    """
    empty = inference(arch, plan, 0.0, context, rules, usable, discrete)
    one = inference(arch, plan, 1.0, context, rules, usable, discrete)
    each = np.maximum(one.total - empty.total, 1.0)
    told = np.maximum(TAKEN * usable - empty.parts["weights"], SPARE * usable)
    left = np.maximum(empty.left, np.where(empty.left < SPARE * usable, told, 0.0))
    return np.maximum(left / each, 1.0)


def smallest_group(arch: Architecture, fmt: Format, devices: int, usable: float) -> int:
    """Devices per replica where the layout was left to the submitter: the smallest power of two in which the
    weights take at most three quarters of the memory."""
    group = 1
    while group < devices and float(weight_bytes(arch, Plan(fmt, tp=float(group)))) > 0.75 * usable:
        group *= 2
    return min(group, devices)

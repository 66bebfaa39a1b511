"""SGLang: a static pool for weights and cache, activations outside it.

Source: SGLang 0.5.4 ``python/sglang/srt/server_args.py``. ``mem_fraction_static`` leaves room for activations (1.5 MiB
per token of a prompt chunk), CUDA graphs (2 MiB per sequence of the largest one), 0.5 GiB and an eighth of a GiB per
device of a group; at least 10 GiB on devices of 60 GiB and more. Pages of one token. The separate pool of windowed
layers (since 0.5, ``swa_full_tokens_ratio`` 0.8) is switched off there for Gemma 2 and 3, gpt-oss, OLMo 2 and Llama 4:
windowed layers are charged their full length.
"""

from __future__ import annotations

import numpy as np

from ridgewise.memory.engines.policy import MemoryPolicy
from ridgewise.models.architecture import Architecture, Mixer
from ridgewise.units import Bytes, Num, Tokens
from ridgewise.work.plan import Plan

MIB = 2.0**20
#: Devices below so many GiB → tokens of a prompt chunk, sequences of the largest CUDA graph for groups of fewer than
#: four devices, and of four and more.
SIZES = (
    (20.0, 2048.0, 8.0, 8.0),
    (35.0, 2048.0, 16.0, 80.0),
    (60.0, 4096.0, 32.0, 160.0),
    (160.0, 8192.0, 256.0, 512.0),
    (np.inf, 16384.0, 512.0, 512.0),
)
#: MiB left free: always, per token of a chunk, per sequence of a graph, per device, and at least on large devices.
CONSTANT, PER_TOKEN, PER_SEQUENCE, PER_DEVICE, LEAST = 512.0, 1.5, 2.0, 128.0, 10240.0
LARGE_GIB = 60.0


def held(mixer: Mixer, context: Tokens, offered: Bytes) -> Tokens:
    """Every token of every layer: windowed layers share the pool of the others."""
    return context


def buffers(arch: Architecture, plan: Plan, offered: Bytes) -> Bytes:
    """Activations live outside the static share: nothing is taken from it."""
    return 0.0 * plan.tp


def left_free(offered: Bytes, plan: Plan) -> Bytes:
    """What the default of ``mem_fraction_static`` leaves for activations and graphs."""
    size = np.asarray(offered) / 2.0**30
    below = [size < limit for limit, *_ in SIZES]

    def by_size(column: int) -> Num:
        found: Num = np.select(below, [row[column] for row in SIZES])
        return found

    graphs = np.where(np.asarray(plan.tp) < 4, by_size(2), by_size(3))
    mebibytes = CONSTANT + PER_TOKEN * by_size(1) + PER_SEQUENCE * graphs + PER_DEVICE * plan.tp * plan.pp
    return MIB * np.where(size > LARGE_GIB, np.maximum(mebibytes, LEAST), mebibytes)


SGLANG = MemoryPolicy(
    "sglang",
    held,
    buffers,
    context=lambda plan: 0.0 * plan.tp,
    usable=lambda offered, plan, others: np.maximum(offered - left_free(offered, plan), 0.0),
    caches={"auto": 16.0, "bf16": 16.0, "fp8_e4m3": 8.0, "fp8_e5m2": 8.0},
    about="SGLang 0.5: all but what it leaves for activations and graphs, pages of one token, windowed layers charged "
    "full length",
)

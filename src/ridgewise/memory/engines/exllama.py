"""ExLlamaV2 and V3: a cache laid out for the whole context when loading, in pages of 256 tokens.

Sources: exllamav3 1.6 ``constants.py`` (``PAGE_SIZE`` 256) and ``generator/generator.py`` (``max_chunk_size`` 2,048);
exllamav2 0.3 ``cache.py`` (a quantised cache has a 16-bit scale per 32 values). What driver and kernels hold is
assumed.
"""

from __future__ import annotations

import numpy as np

from ridgewise.memory.engines.policy import MemoryPolicy
from ridgewise.memory.engines.vllm import forward_pass
from ridgewise.models.architecture import Architecture, Mixer
from ridgewise.units import Bytes, Tokens
from ridgewise.work.plan import Plan

PAGE = 256
#: Prompt tokens that pass the weights together (``max_chunk_size``).
CHUNK = 2048.0
#: Driver context, CUDA libraries and scratch space of the kernels, assumed [B].
CONTEXT = 0.6 * 2**30


def held(mixer: Mixer, context: Tokens, offered: Bytes) -> Tokens:
    """Whole pages of 256 tokens in every layer."""
    pages: Tokens = np.ceil(np.asarray(context) / PAGE) * PAGE
    return pages


def buffers(arch: Architecture, plan: Plan, offered: Bytes) -> Bytes:
    """The widest feed-forward of a chunk of the prompt, and the logits of one token in FP32."""
    return forward_pass(arch, plan, CHUNK) + arch.vocab * 4.0


EXLLAMA = MemoryPolicy(
    "exllama",
    held,
    buffers,
    context=lambda plan: CONTEXT + 0.0 * plan.tp,
    usable=lambda offered, plan, others: offered,
    caches={"16": 16.0, "8": 8.5, "7": 7.5, "6": 6.5, "5": 5.5, "4": 4.5, "3": 3.5, "2": 2.5},
    guessed=("engine",),
    about="the cache of the whole context in pages of 256 tokens, windowed layers charged full length",
)

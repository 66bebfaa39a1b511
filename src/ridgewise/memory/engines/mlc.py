"""MLC LLM: 85 % of the device, a paged cache, prompts in chunks.

Source: mlc-llm ``python/mlc_llm/serve/config.py`` (``gpu_memory_utilization`` 0.85, pages of 16 tokens,
``prefill_chunk_size`` 2,048 as compiled). The share holds weights, activations and cache.
"""

from __future__ import annotations

import numpy as np

from ridgewise.memory.engines.policy import MemoryPolicy
from ridgewise.memory.engines.vllm import forward_pass
from ridgewise.models.architecture import Architecture, Mixer
from ridgewise.units import Bytes, Tokens
from ridgewise.work.plan import Plan

PAGE = 16
#: The share of the device it takes (``gpu_memory_utilization``).
UTILIZATION = 0.85
#: Prompt tokens that pass the weights together (``prefill_chunk_size``).
CHUNK = 2048.0


def held(mixer: Mixer, context: Tokens, offered: Bytes) -> Tokens:
    """Whole pages of 16 tokens in every layer."""
    pages: Tokens = np.ceil(np.asarray(context) / PAGE) * PAGE
    return pages


def buffers(arch: Architecture, plan: Plan, offered: Bytes) -> Bytes:
    """The widest feed-forward of a chunk of the prompt, and the logits of one token in FP32."""
    return forward_pass(arch, plan, CHUNK) + arch.vocab * 4.0


MLC = MemoryPolicy(
    "mlc",
    held,
    buffers,
    context=lambda plan: 0.0 * plan.tp,
    usable=lambda offered, plan, others: UTILIZATION * offered,
    about="85 % of the device, cache in pages of 16 tokens, windowed layers charged full length",
)

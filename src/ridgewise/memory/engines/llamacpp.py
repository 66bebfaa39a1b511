"""llama.cpp, and Ollama and LM Studio which embed it.

Sources: llama.cpp ``src/llama-kv-cache-iswa.cpp`` (windowed layers), ``src/llama-context.cpp`` (compute
buffers), load logs of public benchmark runs.
"""

from __future__ import annotations

import numpy as np

from ridgewise.memory.engines.policy import MemoryPolicy
from ridgewise.models.architecture import Architecture, Mixer
from ridgewise.units import Bytes, Tokens
from ridgewise.work.plan import Plan

#: Tokens per compute batch (``--ubatch-size``), the default since 2023.
UBATCH = 512
#: Cache lengths are padded to this many tokens.
PAD = 256


def held(mixer: Mixer, context: Tokens) -> Tokens:
    """Whole contexts padded to 256; a sliding window keeps ``window + ubatch`` (ISWA)."""
    padded: Tokens = np.ceil(np.asarray(context) / PAD) * PAD
    if mixer.window is None or mixer.kind == "chunked":
        return padded
    kept: Tokens = np.minimum(padded, np.ceil((mixer.window + UBATCH) / PAD) * PAD)
    return kept


def buffers(arch: Architecture, plan: Plan, offered: Bytes) -> Bytes:
    """With flash attention ``ubatch·(vocab + hidden)·4`` bytes: logits and embeddings of one batch."""
    return UBATCH * (arch.vocab + arch.hidden) * 4.0 + 0.0 * plan.tp


LLAMA_CPP = MemoryPolicy(
    "llama.cpp",
    held,
    buffers,
    context=lambda plan: 0.45 * 2**30 + 0.0 * plan.tp,
    usable=lambda offered: offered,
    embedding_on_host=True,
    about="windows capped (ISWA), cache padded to 256 tokens, compute buffer of one 512-token batch",
)

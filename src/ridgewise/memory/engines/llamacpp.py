"""llama.cpp, and Ollama and LM Studio which embed it.

Sources: llama.cpp ``src/llama-kv-cache-iswa.cpp`` (windowed layers), ``src/llama-context.cpp`` (compute
buffers), ``src/llama-model.cpp`` (layers of a split), ``common/arg.cpp`` (cache types), load logs of public
benchmark runs. The driver context is assumed.
"""

from __future__ import annotations

import numpy as np

from ridgewise.memory.engines.policy import MemoryPolicy
from ridgewise.models.architecture import Architecture, Mixer
from ridgewise.units import Bytes, Num, Tokens
from ridgewise.work.plan import Plan

#: Tokens per compute batch (``--ubatch-size``), the default since 2023.
UBATCH = 512
#: Copies of the inputs that a layer split keeps in flight (``GGML_SCHED_MAX_COPIES``).
PIPELINED = 4
#: Cache lengths are padded to this many tokens.
PAD = 256
#: Driver context of one device, assumed: no log states it [B].
CONTEXT = 0.45 * 2**30
#: ``--cache-type-k`` and ``--cache-type-v``: bits per value, the scales of a block included.
CACHES = {
    "f32": 32.0, "f16": 16.0, "bf16": 16.0, "q8_0": 8.5, "q5_1": 6.0, "q5_0": 5.5, "q4_1": 5.0, "q4_0": 4.5,
    "iq4_nl": 4.5,
}  # fmt: skip


def held(mixer: Mixer, context: Tokens, offered: Bytes) -> Tokens:
    """Whole contexts padded to 256; a sliding window keeps ``window + ubatch`` (ISWA)."""
    padded: Tokens = np.ceil(np.asarray(context) / PAD) * PAD
    if mixer.window is None or mixer.kind == "chunked":
        return padded
    kept: Tokens = np.minimum(padded, np.ceil((mixer.window + UBATCH) / PAD) * PAD)
    return kept


def compute_buffer(
    arch: Architecture, context: Tokens, ubatch: Tokens = UBATCH, devices: Num = 1.0, flash: bool = True
) -> Bytes:
    """Compute buffer of one device: the larger of the logits and hidden states of a batch and, without flash
    attention, its scores ``heads·context·ubatch``, the mask and the hidden states around them. A layer split
    over several devices pipelines four copies of the inputs.
    """
    logits = ubatch * (arch.vocab + arch.hidden) * 4.0
    if flash:
        return logits
    heads = max(group.mixer.heads for group in arch.kinds)
    split = np.asarray(devices) > 1
    scores = ubatch * 4.0 * (heads * context + np.where(split, PIPELINED, 1) * context)
    kept: Bytes = np.maximum(logits, scores + np.where(split, 8, 4) * ubatch * arch.hidden * 4.0)
    return kept


def first_buffer(arch: Architecture, tokens: Tokens) -> Bytes:
    """Compute buffer of builds before micro-batches (2023): FP32 logits and hidden states of a batch, or its two
    feed-forward and two hidden activations, whichever is more, beside about 1,600 values per token for the rest.
    One buffer, however many devices hold layers.
    """
    feed = max(sum(group.feed.weights.values()) / arch.hidden / 3 for group in arch.kinds)
    widest = np.maximum(2 * feed + 2 * arch.hidden + tokens, arch.vocab + arch.hidden)
    kept: Bytes = tokens * 4.0 * (widest + 1633.0)
    return kept


def buffers(arch: Architecture, plan: Plan, offered: Bytes) -> Bytes:
    """The compute buffer with flash attention, which is on by default."""
    return compute_buffer(arch, 0.0, UBATCH, plan.pp) + 0.0 * plan.tp


def stages(layers: int, devices: int) -> tuple[int, ...]:
    """Whole layers of every device of an equal split: the output counts as one more layer, which the last holds."""
    places = [layer * devices // (layers + 1) for layer in range(layers)]
    return tuple(places.count(place) for place in range(devices))


LLAMA_CPP = MemoryPolicy(
    "llama.cpp",
    held,
    buffers,
    context=lambda plan: CONTEXT + 0.0 * plan.tp,
    usable=lambda offered, plan, others: offered,
    stages=stages,
    caches=CACHES,
    apart=True,
    embedding_on_host=True,
    guessed=("engine",),
    about="windows capped (ISWA), cache padded to 256 tokens, compute buffer of one 512-token batch",
)

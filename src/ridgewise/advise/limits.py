"""The longest contexts: what a model was made for, whatever the machine, and what a deployment holds; and the most
users it carries."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ridgewise.errors import RequestError
from ridgewise.models import Architecture
from ridgewise.serving import Setup
from ridgewise.serving.estimate import footprint
from ridgewise.units import down, whole


def check_context(arch: Architecture, tokens: float, flag: str = "--context", what: str = "a context") -> None:
    """Refuse a context longer than the model's own limit; nothing where the limit is not known.

    The limit is ``max_position_embeddings`` as published: a model stretched further says so there, in the
    ``config.json`` to plan with.
    """
    if arch.max_context and tokens > arch.max_context:
        raise RequestError(
            f"{what} of {whole(tokens)} tokens: {arch.name} was made for {whole(arch.max_context)} at most",
            flag,
            (f"{flag} {arch.max_context}",) if flag == "--context" else (),
        )


def check_decoder(arch: Architecture) -> None:
    """Refuse what is no decoder-only language model: its requests are no prompts and its memory no KV cache."""
    if not arch.causal or arch.encoder:
        raise RequestError(
            f"{arch.name} (family {arch.family}) is no decoder-only language model; "
            "`ridgewise estimate` says how fast it is", "model",
        )  # fmt: skip


def divides(arch: Architecture, tp: int) -> bool:
    """Can ``tp`` devices share every attention layer? Each takes whole heads, and whole KV heads or a copy of one
    (vLLM ``models/llama.py``; SGLang and TensorRT-LLM alike). A latent (MLA) is copied."""
    for group in arch.kinds:
        mixer = group.mixer
        copied = mixer.kind == "mla" or not mixer.kv_heads
        if mixer.heads % tp or not (copied or mixer.kv_heads % tp == 0 or tp % mixer.kv_heads == 0):
            return False
    return True


def check_tensor_parallel(arch: Architecture, tp: int, flag: str = "--tp") -> None:
    """Refuse a degree of tensor parallelism that the heads do not divide by, with the nearest ones that they do."""
    if not divides(arch, tp):
        able = sorted((n for n in range(1, 129) if divides(arch, n)), key=lambda n: (abs(n - tp), n))
        heads = ", ".join(sorted({f"{g.mixer.heads} and {g.mixer.kv_heads}" for g in arch.kinds if g.mixer.heads}))
        raise RequestError(
            f"{heads} attention and KV heads do not divide by {tp}", flag, tuple(f"{flag} {n}" for n in able[:4])
        )


def largest_context(setup: Setup, sequences: float) -> float:
    """Longest context that fits with this many sequences, up to the model's own limit [tokens]."""
    limit = float(setup.arch.max_context or 131072)
    grid = np.geomspace(256, max(limit, 512), 48)
    left = np.asarray(footprint(setup, sequences, grid).left)
    if left[0] < 0:
        return 0.0
    if left[-1] >= 0:
        return limit
    while True:  # caches grow in steps, so the last whole token is searched, not interpolated
        place = int(np.argmax(left < 0))
        low, high = math.floor(grid[place - 1]), math.ceil(grid[place])
        if high - low <= 1:
            return float(low)
        grid = np.unique(np.floor(np.linspace(low, high, 64)))
        left = np.asarray(footprint(setup, sequences, grid).left)


def most_users(able: Callable[[float], bool], low: float, high: float) -> float:
    """The most users, in two digits, with whom it is able: ``low`` are taken to be few enough, ``high`` too many."""
    while high / low > 1.1:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if able(middle) else (low, middle)
    return down(low)

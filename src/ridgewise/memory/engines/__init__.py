"""How each engine uses memory: one file per engine, each a :class:`MemoryPolicy`."""

from __future__ import annotations

from ridgewise.errors import RequestError, nearest
from ridgewise.memory.engines.llamacpp import LLAMA_CPP
from ridgewise.memory.engines.mlx import MLX
from ridgewise.memory.engines.policy import MemoryPolicy
from ridgewise.memory.engines.sglang import SGLANG
from ridgewise.memory.engines.tensorrt_llm import TENSORRT_LLM
from ridgewise.memory.engines.textbook import TEXTBOOK
from ridgewise.memory.engines.transformers import TRANSFORMERS
from ridgewise.memory.engines.vllm import VLLM, VLLM_AMPERE, VLLM_UNIFIED

POLICIES: dict[str, MemoryPolicy] = {
    p.id: p for p in (LLAMA_CPP, MLX, SGLANG, TENSORRT_LLM, TRANSFORMERS, VLLM, VLLM_AMPERE, VLLM_UNIFIED, TEXTBOOK)
}


def policy(name: str, architecture: str = "") -> MemoryPolicy:
    """The memory policy an engine sheet names, where need be its own for an architecture of devices."""
    own = f"{name}-{architecture}".casefold()
    if own in POLICIES:
        return POLICIES[own]
    if name not in POLICIES:
        raise RequestError(f"unknown memory policy {name!r}", "engine sheet", nearest(name, POLICIES))
    return POLICIES[name]


__all__ = ["POLICIES", "MemoryPolicy", "policy"]

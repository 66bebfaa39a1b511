"""How each engine uses memory: one file per engine, each a :class:`MemoryPolicy`."""

from __future__ import annotations

from ridgewise.errors import RequestError, nearest
from ridgewise.memory.engines.exllama import EXLLAMA
from ridgewise.memory.engines.llamacpp import LLAMA_CPP
from ridgewise.memory.engines.lmdeploy import LMDEPLOY
from ridgewise.memory.engines.mlc import MLC
from ridgewise.memory.engines.mlx import MLX
from ridgewise.memory.engines.openvino import OPENVINO
from ridgewise.memory.engines.policy import MemoryPolicy
from ridgewise.memory.engines.sglang import SGLANG
from ridgewise.memory.engines.tensorrt_llm import TENSORRT_LLM
from ridgewise.memory.engines.textbook import TEXTBOOK
from ridgewise.memory.engines.tgi import TGI
from ridgewise.memory.engines.transformers import TRANSFORMERS
from ridgewise.memory.engines.vllm import VLLM, VLLM_AMPERE, VLLM_UNIFIED

_ALL = (
    EXLLAMA, LLAMA_CPP, LMDEPLOY, MLC, MLX, OPENVINO, SGLANG, TENSORRT_LLM, TEXTBOOK, TGI, TRANSFORMERS, VLLM,
    VLLM_AMPERE, VLLM_UNIFIED,
)  # fmt: skip
POLICIES: dict[str, MemoryPolicy] = {p.id: p for p in _ALL}


def policy(name: str, architecture: str = "") -> MemoryPolicy:
    """The memory policy an engine sheet names, where need be its own for an architecture of devices."""
    own = f"{name}-{architecture}".casefold()
    if own in POLICIES:
        return POLICIES[own]
    if name not in POLICIES:
        raise RequestError(f"unknown memory policy {name!r}", "engine sheet", nearest(name, POLICIES))
    return POLICIES[name]


__all__ = ["POLICIES", "MemoryPolicy", "policy"]

"""The kinds of measurement that can be predicted, one file each."""

from __future__ import annotations

from ridgewise.validation.domain import Domain
from ridgewise.validation.domains.memory import LOCAL_MEMORY, VLLM_MEMORY

DOMAINS: dict[str, Domain] = {
    "local-memory": LOCAL_MEMORY,
    "vllm-memory": VLLM_MEMORY,
}

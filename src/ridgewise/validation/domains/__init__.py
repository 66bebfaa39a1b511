"""The kinds of measurement that can be predicted, one file each."""

from __future__ import annotations

from ridgewise.errors import RequestError
from ridgewise.validation.domain import Domain
from ridgewise.validation.domains.energy import ENERGY
from ridgewise.validation.domains.local import LOCAL
from ridgewise.validation.domains.matmul import MATMUL
from ridgewise.validation.domains.memory import LOCAL_MEMORY, VLLM_MEMORY
from ridgewise.validation.domains.queued import SERVING
from ridgewise.validation.domains.training import TRAINING
from ridgewise.validation.domains.training_memory import TRAINING_MEMORY

DOMAINS: dict[str, Domain] = {
    "local": LOCAL,
    "local-memory": LOCAL_MEMORY,
    "vllm-memory": VLLM_MEMORY,
    "serving": SERVING,
    "energy": ENERGY,
    "training": TRAINING,
    "training-memory": TRAINING_MEMORY,
    "matmul": MATMUL,
}


def domain_of(kind: str) -> Domain:
    """The domain that predicts a kind of table."""
    for domain in DOMAINS.values():
        if kind in domain.kinds:
            return domain
    raise RequestError(f"{kind} tables are read but not predicted yet", "validate")

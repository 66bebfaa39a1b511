"""The four workloads. Inference uses a model; training builds one: the dividing line is the phase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class SingleUser:
    """One person, one request at a time.

    prompt, output   tokens of a typical request
    context          longest conversation the memory must hold [tokens]
    slo_ttft, slo_tpot   limits on time to first token and time per output token [s]; None: none
    hours_per_day    hours in which the machine is on; ``busy`` is the share of them spent generating
    """

    prompt: Annotated[float, "tokens"] = 1024.0
    output: Annotated[float, "tokens"] = 512.0
    context: Annotated[float, "tokens"] = 8192.0
    slo_ttft: Annotated[float, "s"] | None = None
    slo_tpot: Annotated[float, "s"] | None = None
    hours_per_day: Annotated[float, "h"] = 8.0
    busy: Annotated[float, "ratio"] = 0.1

    @property
    def goal(self) -> str:
        return "infer"


@dataclass(frozen=True, slots=True)
class Service:
    """A service for many people.

    users         people with access
    active_share  share of them in a conversation at the busiest time
    think         seconds between an answer and the same person's next question
    concurrency   requests in flight; None: derived from the three above and the answer time
    slo_ttft, slo_tpot   limits on time to first token and time per output token [s]; None: none
    """

    users: Annotated[float, "1"]
    prompt: Annotated[float, "tokens"] = 1024.0
    output: Annotated[float, "tokens"] = 512.0
    context: Annotated[float, "tokens"] = 8192.0
    active_share: Annotated[float, "ratio"] = 0.25
    think: Annotated[float, "s"] = 30.0
    concurrency: Annotated[float, "1"] | None = None
    slo_ttft: Annotated[float, "s"] | None = None
    slo_tpot: Annotated[float, "s"] | None = None
    hours_per_day: Annotated[float, "h"] = 24.0
    busy: Annotated[float, "ratio"] = 0.3

    @property
    def goal(self) -> str:
        return "infer"


@dataclass(frozen=True, slots=True)
class Pretraining:
    """Building a model from its random start (or continuing): every weight updated, every token once.

    tokens    training tokens in all
    length    sequence length
    batch     tokens per optimiser step
    deadline  seconds within which the run should end; None: no limit
    """

    tokens: Annotated[float, "tokens"]
    length: Annotated[float, "tokens"] = 4096.0
    batch: Annotated[float, "tokens"] = 4e6
    deadline: Annotated[float, "s"] | None = 30 * 86400.0

    @property
    def goal(self) -> str:
        return "train"


@dataclass(frozen=True, slots=True)
class FineTuning:
    """Adapting a model: ``full`` updates every weight, ``lora`` and ``qlora`` small adapters only.

    tokens   tokens of the data set times epochs
    rank     adapter rank
    batch    sequences per optimiser step
    """

    method: Literal["full", "lora", "qlora"]
    tokens: Annotated[float, "tokens"] = 20e6
    length: Annotated[float, "tokens"] = 2048.0
    batch: Annotated[float, "1"] = 16.0
    rank: Annotated[float, "1"] = 16.0
    deadline: Annotated[float, "s"] | None = 7 * 86400.0

    @property
    def goal(self) -> str:
        return {"full": "finetune", "lora": "lora", "qlora": "qlora"}[self.method]


Workload: TypeAlias = SingleUser | Service | Pretraining | FineTuning

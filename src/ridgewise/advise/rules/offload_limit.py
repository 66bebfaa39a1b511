"""Parts in system memory counted on where somebody waits or many ask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Finding, Measure
from ridgewise.advise.inference import READING_SPEED
from ridgewise.advise.offload import Offload, offload
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import digits, size
from ridgewise.workloads import Service, SingleUser


def check(case: Case) -> Iterator[Finding]:
    """What llama.cpp reaches with a part in RAM, for one user, against the limit."""
    work, option = case.question.workload, case.option
    if not case.device.kind.startswith("gpu") or case.count > 1 or not case.short or option is None:
        return
    if not isinstance(work, Service) and not (isinstance(work, SingleUser) and work.slo_tpot is not None):
        return
    limit = 1 / work.slo_tpot if work.slo_tpot is not None else READING_SPEED
    split = _split(case)
    if split is None or split.tokens_per_second >= limit:
        return
    yield Finding(
        "error",
        f"with {size(float(split.placement.ram))} in system memory (llama.cpp {split.flags}) one user alone gets "
        f"{digits(split.tokens_per_second, 2)} tokens/s, the limit is {digits(limit)}",
        Measure("tokens/s for one user", split.tokens_per_second, limit, "tokens/s"),
        "offloading makes a model run, not a service",
        cures.memory(case),
    )


def _split(case: Case) -> Offload | None:
    """The fastest split for one user, under llama.cpp."""
    work = case.question.workload
    assert isinstance(work, SingleUser | Service)
    alone = SingleUser(work.prompt, work.output, work.context)
    fmt = case.question.format
    gguf = fmt if fmt is not None and fmt.family == "gguf" else None
    asked = replace(case.question, workload=alone, engine="llama.cpp", format=gguf)
    one = case.on(1, workload=alone, engine="llama.cpp", format=gguf)
    return offload(asked, one) if one is not None else None


RULE = Rule(
    "offload-limit", "error", "flops", "System memory cannot keep the limit",
    "If a part lies in system memory, is it still fast enough?", check,
)  # fmt: skip

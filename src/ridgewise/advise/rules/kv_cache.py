"""The weights fit, and the cache of the context and of the users beside them does not."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Finding, Measure
from ridgewise.advise.rules._shortage import cause, each
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import digits, size, whole
from ridgewise.workloads import Service, SingleUser


def check(case: Case) -> Iterator[Finding]:
    """Weights, cache, buffers and engine together against usable memory."""
    option, work = case.option, case.question.workload
    if cause(case) != "cache" or option is None or not isinstance(work, SingleUser | Service):
        return
    sequences = f"{digits(option.sequences, 2)} conversations" if option.sequences > 1 else "one conversation"
    yield Finding(
        "error",
        f"{size(option.memory['weights'])} of weights fit {option.name}, but the cache of {sequences} of up to "
        f"{whole(work.context)} tokens takes {size(option.memory['KV cache'])} more{each(option)}: "
        f"{size(-option.left)} too little",
        Measure("memory per device", option.memory_total, option.usable, "B"),
        "long conversations are cut, or the engine stops when they grow",
        cures.memory(case),
    )


RULE = Rule(
    "kv-cache", "error", "flops", "The context does not fit beside the weights",
    "Does memory hold the KV cache of the longest context, for everybody at once?", check,
)  # fmt: skip

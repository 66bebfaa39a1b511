"""Contexts longer than the model was made for."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import digits, whole
from ridgewise.workloads import Service, SingleUser


def check(case: Case) -> Iterator[Finding]:
    """The longest context asked for against the model's own limit."""
    work, arch = case.question.workload, case.question.arch
    if not isinstance(work, SingleUser | Service) or not arch.max_context or work.context <= arch.max_context:
        return
    yield Finding(
        "error",
        f"contexts of {whole(work.context)} tokens: {arch.name} was made for {whole(arch.max_context)} "
        f"({digits(work.context / arch.max_context, 2)} times as many)",
        Measure("context", work.context, float(arch.max_context), "tokens"),
        "beyond it a model forgets, repeats itself or fails; memory for it is wasted",
        Cure(f"plan with {whole(arch.max_context)} (--context {arch.max_context}), or a model made for more",
             {"context": f"{arch.max_context}"}),
    )  # fmt: skip


RULE = Rule(
    "context-limit", "error", "flops", "A context the model was not made for",
    "Was the model trained for contexts of this length?", check,
)  # fmt: skip

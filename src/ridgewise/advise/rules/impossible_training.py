"""Memory that does not hold what training needs."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import size
from ridgewise.workloads import FineTuning


def check(case: Case) -> Iterator[Finding]:
    """Weights, gradients, optimiser and activations of the tightest layout against memory."""
    option = case.option
    if not case.trains or option is None or option.run is None or option.run.fits:
        return
    run, work = option.run, case.question.workload
    tuned = isinstance(work, FineTuning) and work.method != "full"
    holds = "frozen weights, adapters and activations" if tuned else "weights, gradients and optimiser"
    yield Finding(
        "error",
        f"{option.name} cannot train this model: the states alone miss {size(-run.memory_left)} per device: {holds} "
        f"take {size(option.memory_total)} in the best layout, {size(option.usable)} are usable",
        Measure("memory per device", option.memory_total, option.usable, "B"),
        "it runs out of memory at the first step",
        cures.memory(case) or Cure("rent training GPUs for the run, or adapt the model with LoRA or QLoRA instead"),
    )


RULE = Rule(
    "impossible-training", "error", "training", "Too little memory to train",
    "Do weights, gradients and optimiser fit?", check,
)  # fmt: skip

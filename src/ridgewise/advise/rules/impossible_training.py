"""Mistake 2: inference-class hardware expected to train large models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ridgewise.advise import learning
from ridgewise.advise.finding import Finding
from ridgewise.advise.learning import NEVER
from ridgewise.advise.option import Option
from ridgewise.advise.question import Question
from ridgewise.units import duration, size
from ridgewise.workloads import FineTuning, Pretraining


def check(question: Question, options: Sequence[Option]) -> Iterator[Finding]:
    """A named candidate cannot train this model at all: memory, or a run beyond any horizon."""
    if not isinstance(question.workload, Pretraining | FineTuning) or not question.named:
        return
    known = {option.device.id for option in options}
    for device in question.hardware:
        if device.id not in known:
            yield _finding(device.name, learning.unable(question, device), options)
    for option in options:
        run = option.run
        if run is None or (run.fits and run.seconds <= NEVER):
            continue
        why = (
            f"the states alone miss {size(-run.memory_left)} per device"
            if not run.fits
            else f"the run would take {duration(run.seconds)}"
        )
        yield _finding(option.name, why, options)


def _finding(name: str, why: str, options: Sequence[Option]) -> Finding:
    return Finding(
        "impossible-training",
        "warning" if any(option.feasible for option in options) else "error",
        f"{name} cannot train this model: {why}",
        "rent training GPUs for the run, or adapt the model with LoRA or QLoRA instead",
    )

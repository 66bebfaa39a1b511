"""Hardware that runs models and does not train them."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures, learning
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding
from ridgewise.advise.rules.rule import Rule


def check(case: Case) -> Iterator[Finding]:
    """A device of a class on which this kind of training is not done."""
    if not case.trains or case.option is not None:
        return
    yield Finding(
        "error",
        f"{case.name} cannot train this model: {learning.unable(case.question, case.device)}",
        cost="money for hardware that cannot start the run",
        cure=cures.first(cures.other_hardware(case), cures.does)
        or Cure("rent training GPUs for the run, or adapt the model with LoRA or QLoRA instead"),
    )


RULE = Rule(
    "no-training", "error", "training", "It does not train", "Is this kind of training done on this hardware at all?",
    check,
)  # fmt: skip

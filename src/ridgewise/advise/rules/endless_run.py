"""A run that outlives the hardware."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.learning import NEVER
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import duration


def check(case: Case) -> Iterator[Finding]:
    """The whole run against three years."""
    option = case.option
    if option is None or option.run is None or option.run.seconds <= NEVER:
        return
    seconds = option.run.seconds
    yield Finding(
        "error",
        f"{option.name} cannot train this model: the run would take {duration(seconds)}; hardware is replaced after "
        f"{duration(NEVER)}",
        Measure("time of the run", seconds, NEVER, "s"),
        "the model is out of date before it is built",
        cures.first(cures.other_hardware(case), cures.does)
        or Cure("rent training GPUs for the run, or adapt a published model instead"),
    )


RULE = Rule(
    "endless-run", "error", "training", "A run without an end", "Does the run end while the hardware lives?", check
)

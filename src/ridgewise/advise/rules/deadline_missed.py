"""A run that ends after its deadline."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Finding, Measure
from ridgewise.advise.learning import NEVER
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import duration
from ridgewise.workloads import FineTuning, Pretraining


def check(case: Case) -> Iterator[Finding]:
    """The expected end, failures counted, against the deadline."""
    option, work = case.option, case.question.workload
    if not isinstance(work, Pretraining | FineTuning) or work.deadline is None or option is None or option.run is None:
        return
    run = option.run
    if not run.fits or not work.deadline < run.seconds <= NEVER:
        return
    yield Finding(
        "error",
        f"the run takes {duration(run.seconds)} ({duration(run.low)} to {duration(run.high)}), the deadline is "
        f"{duration(work.deadline)}",
        Measure("time of the run", run.seconds, work.deadline, "s"),
        f"{duration(run.seconds - work.deadline)} late",
        cures.first(
            chain(cures.more_devices(case), cures.other_hardware(case), cures.longer(case, run.high)), cures.does
        ),
    )


RULE = Rule(
    "deadline-missed", "error", "training", "Ready after the deadline", "Does the run end before its deadline?", check
)

"""A run that ends before its deadline if nothing goes worse than expected."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.option import Option
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import duration
from ridgewise.workloads import FineTuning, Pretraining


def check(case: Case) -> Iterator[Finding]:
    """The slow end of the interval, failures counted, against the deadline."""
    option, work = case.option, case.question.workload
    if not isinstance(work, Pretraining | FineTuning) or work.deadline is None or option is None or option.run is None:
        return
    run = option.run
    if not run.fits or not run.seconds <= work.deadline < run.high:
        return
    yield Finding(
        "warning",
        f"the run takes {duration(run.seconds)} and may take {duration(run.high)}, the deadline is "
        f"{duration(work.deadline)}: failures, restarts and evaluations have no room",
        Measure("time of the run at the slow end", run.high, work.deadline, "s"),
        f"up to {duration(run.high - work.deadline)} late",
        _cure(case, work.deadline, run.high),
    )


def _cure(case: Case, deadline: float, needed: float) -> Cure | None:
    def sure(option: Option) -> bool:
        work = case.question.workload
        assert isinstance(work, Pretraining | FineTuning)
        return option.feasible and option.run is not None and option.run.high <= max(deadline, needed)

    def safe(option: Option) -> bool:
        return option.feasible and option.run is not None and option.run.high <= deadline

    more = cures.first(cures.more_devices(case), safe)
    return more or cures.first(cures.longer(case, needed), sure)


RULE = Rule(
    "no-margin", "warning", "training", "No room for failures", "Is there time for what goes wrong in a long run?",
    check,
)  # fmt: skip

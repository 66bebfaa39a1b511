"""An idea checked: the hardware somebody means to buy for a workload, held against every rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from ridgewise.advise.case import Case, best
from ridgewise.advise.field import Field
from ridgewise.advise.finding import Finding
from ridgewise.advise.option import Option
from ridgewise.advise.question import Question
from ridgewise.advise.rank import ranked
from ridgewise.advise.rules import judged
from ridgewise.hardware import Device


@dataclass(frozen=True, slots=True)
class Checked:
    """One piece of hardware and what the rules say about it, worst first."""

    case: Case
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """No error."""
        return all(finding.level != "error" for finding in self.findings)


def checked(question: Question, catalogue: Sequence[Device], ignored: Iterable[str] = ()) -> list[Checked]:
    """Every device the question names, one where no number stands with it; ``catalogue``: what else could be bought,
    looked at when a rule asks."""
    available = tuple(device for device in catalogue if device.status == "available")

    @cache
    def rivals() -> tuple[Option, ...]:
        free = replace(question, hardware=(), counts={}, memories={}, engine=None, format=None)
        return tuple(ranked(free, Field().options(free, available)))

    found = []
    for device in question.hardware:
        count = question.counts.get(device.id, 1)
        case = Case(question, device, count, best(question, device, count), rivals)
        found.append(Checked(case, tuple(judged(case, ignored))))
    return found

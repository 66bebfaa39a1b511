"""A rule: one mistake, how it is asked for, and the function that finds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ridgewise.advise.case import Case
from ridgewise.advise.finding import Finding, Level

#: The four mistakes, and what else goes wrong before a purchase: topic → what it is.
TOPICS = {
    "overkill": "more machine than the work can use",
    "training": "hardware that cannot train what it is bought to train",
    "flops": "FLOP/s compared where memory and latency decide",
    "load": "users, promises and hours left out",
    "site": "power, place and purchase",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One mistake.

    id       stable: what ``--ignore`` and plan files name
    level    the most it says: "error" the idea does not work, "warning" it costs, "note" worth knowing
    asks     the question it asks of an idea
    tempts   said also of hardware nobody named, of the shortlist of a plan
    """

    id: str
    level: Level
    topic: str
    title: str
    asks: str
    check: Callable[[Case], Iterator[Finding]]
    tempts: bool = False

    def findings(self, case: Case) -> Iterator[Finding]:
        """What it has to say about a case."""
        for found in self.check(case):
            yield replace(found, rule=self.id, title=self.title, subject=case.name)

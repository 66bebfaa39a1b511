"""What a rule has to say: a mistake caught, the number that shows it, what it would cost, and the way out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")


@dataclass(frozen=True, slots=True)
class Measure:
    """The number that triggers a finding, and what it is held against."""

    what: str
    value: float
    limit: float
    unit: str


@dataclass(frozen=True, slots=True)
class Cure:
    """The smallest change that cures a mistake.

    words    for people
    change   for machines: keys of a plan and their new values; None drops the key
    """

    words: str
    change: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding, said of ``subject``, the hardware.

    text     what is wrong, with the number
    number   the same for machines
    cost     what the mistake would cost, in words; ``saves`` in money [USD], where it can be said
    rule, title   of the rule that found it
    """

    level: Level
    text: str
    number: Measure | None = None
    cost: str = ""
    cure: Cure | None = None
    saves: float | None = None
    rule: str = ""
    title: str = ""
    subject: str = ""

    @property
    def remedy(self) -> str:
        return self.cure.words if self.cure else ""

"""What a rule has to say: a mistake caught, with the number that shows it and the way out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. ``saves`` is the money the mistake would cost [USD], where it can be said."""

    rule: str
    level: Level
    text: str
    remedy: str = ""
    saves: float | None = None

"""Fleets: several models and runs on machines of several kinds, chosen and filled together."""

from ridgewise.advise.fleets.fleet import LIMITS, Column, Fleet, Kind, Period, Task
from ridgewise.advise.fleets.market import offered
from ridgewise.advise.fleets.plan import Plan, plan

__all__ = ["LIMITS", "Column", "Fleet", "Kind", "Period", "Plan", "Task", "offered", "plan"]

"""The mistakes to catch. One file per rule, found by being here: it holds ``RULE``; names that begin with an underscore
hold what several rules share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from ridgewise.advise.case import Case
from ridgewise.advise.finding import LEVELS, Finding, Level
from ridgewise.advise.rules.rule import TOPICS, Rule
from ridgewise.errors import RequestError, nearest


@cache
def load_rules() -> dict[str, Rule]:
    """Every rule by id, in the order of topics, then of weight."""
    modules = (import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__) if found.name[0] != "_")
    rules: list[Rule] = [module.RULE for module in modules if hasattr(module, "RULE")]
    order = list(TOPICS)
    rules.sort(key=lambda rule: (order.index(rule.topic), LEVELS.index(rule.level), rule.id))
    return {rule.id: rule for rule in rules}


def check_ids(ignored: Iterable[str], where: str = "--ignore") -> frozenset[str]:
    """Ids of rules; RequestError with the nearest where one is none."""
    for name in (wanted := tuple(ignored)):
        if name not in load_rules():
            raise RequestError(f"no rule {name!r}", where, nearest(name, load_rules()) or tuple(load_rules())[:4])
    return frozenset(wanted)


def judged(case: Case, ignored: Iterable[str] = ()) -> list[Finding]:
    """Everything the rules say about an idea, worst first."""
    skipped = check_ids(ignored)
    found = [finding for rule in load_rules().values() if rule.id not in skipped for finding in rule.findings(case)]
    return sorted(found, key=lambda finding: LEVELS.index(finding.level))


def judged_together(cases: Sequence[Case], ignored: Iterable[str] = ()) -> list[Finding]:
    """What the rules say about several candidates, of which the first is the recommendation.

    What stops a candidate that need not be bought is a warning. Of those that nobody named only what tempts is said,
    as a note and once. The same said of several stands once.
    """
    skipped = check_ids(ignored)
    found: dict[str, list[Finding]] = {}
    for place, case in enumerate(cases):
        for rule in load_rules().values():
            unasked = bool(place) and not case.wanted
            if rule.id in skipped or (unasked and (not rule.tempts or rule.id in found)):
                continue
            for finding in rule.findings(case):
                level = _lowered(finding.level, cases, place)
                found.setdefault(finding.rule, []).append(replace(finding, level=level))
    merged = [_merged(same) for same in found.values()]
    return sorted(merged, key=lambda finding: LEVELS.index(finding.level))


def _lowered(level: Level, cases: Sequence[Case], place: int) -> Level:
    if place and not cases[place].wanted:
        return "note"
    able = cases[0].option is not None and cases[0].option.feasible
    return "warning" if level == "error" and place and able else level


def _merged(same: Sequence[Finding]) -> Finding:
    """The worst of several findings of one rule, with the names of the others."""
    first = min(same, key=lambda finding: LEVELS.index(finding.level))
    others = list(dict.fromkeys(f.subject for f in same if f.subject != first.subject))
    if not others:
        return first
    names = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
    return replace(first, text=f"{first.text} (likewise {names})")


__all__ = ["TOPICS", "Rule", "check_ids", "judged", "judged_together", "load_rules"]

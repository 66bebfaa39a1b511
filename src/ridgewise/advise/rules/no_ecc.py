"""Cards for games around the clock, for many."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.rank import games_all_day
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import digits, whole
from ridgewise.workloads import Service


def check(case: Case) -> Iterator[Finding]:
    """Consumer cards, several people, all hours of the day."""
    option, work = case.option, case.question.workload
    if not isinstance(work, Service) or not games_all_day(case.question, case.device):
        return
    if option is None or not option.feasible:
        return
    professional = next((o for o in case.rivals if o.feasible and o.device.kind == "gpu-workstation"), None)
    yield Finding(
        "warning",
        f"{case.name} for {whole(work.users)} people, {digits(work.hours_per_day)} hours a day: cards for games come "
        "with error correction off or without it, coolers and warranties are not made for it, and the licence of "
        "GeForce drivers excludes data centres",
        Measure("people who depend on it around the clock", work.users, 1.0, "1"),
        "wrong bits pass unseen, and a dead fan stops everybody",
        Cure(f"take {professional.name}, or switch error correction on and keep a spare card",
             {"hardware": cures.hardware(professional.device, professional.count), **cures.freed(case)}) if professional
        else Cure("switch error correction on where the card has it, and keep a spare card"),
    )  # fmt: skip


RULE = Rule(
    "no-ecc", "warning", "load", "Cards for games around the clock",
    "Are errors of memory corrected where many depend on it all day?", check,
)  # fmt: skip

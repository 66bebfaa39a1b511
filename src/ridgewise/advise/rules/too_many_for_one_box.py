"""More cards than one computer of their kind holds."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.rules.rule import Rule
from ridgewise.hardware.machine import Machine
from ridgewise.units import digits, whole


def check(case: Case) -> Iterator[Finding]:
    """Slotted cards against what a node usually takes; boards of servers come in nodes anyway."""
    held = Machine(case.device).per_node
    if not case.device.slotted or case.device.complete or case.count <= held:
        return
    boxes = Machine(case.device, case.count).nodes
    yield Finding(
        "warning",
        f"a computer holds about {digits(held)} of {case.device.name}: {whole(case.count)} need {whole(boxes)}, with "
        "a network between",
        Measure("cards", float(case.count), float(held), "1"),
        f"{whole(boxes)} hosts, and what is split over them exchanges over the network",
        Cure(f"plan with {digits(held)} (--hardware '{held}x {case.device.id}')",
             {"hardware": f"{held}x {case.device.id}"}),
    )  # fmt: skip


RULE = Rule(
    "too-many-for-one-box", "warning", "site", "More cards than a computer holds", "Do they go into one computer?",
    check,
)  # fmt: skip

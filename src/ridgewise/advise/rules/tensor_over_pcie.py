"""Tensor parallelism over a bus: the last doubling of devices bought hardly anything."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Finding, Measure
from ridgewise.advise.option import Option
from ridgewise.advise.rules.rule import Rule
from ridgewise.serving import Setup
from ridgewise.serving.estimate import prompt_seconds
from ridgewise.units import digits, duration, rate
from ridgewise.workloads import Service, SingleUser

#: Half a doubling: devices that bring less exchange more than they compute.
HALF = math.sqrt(2.0)


def check(case: Case) -> Iterator[Finding]:
    """How much faster a prompt is read with all devices of a group than with half of them, memory aside."""
    option, work = case.option, case.question.workload
    if option is None or option.speed is None or option.tp < 2 or not isinstance(work, SingleUser | Service):
        return
    if not case.device.link.startswith("PCIe") or option.left < 0:
        return
    gained, whole = gain(option.speed.setup, work.prompt), float(prompt_seconds(option.speed.setup, work.prompt))
    if gained >= HALF:
        return
    yield Finding(
        "warning",
        f"{digits(option.tp)} × {case.device.name} exchange every layer at {rate(_link(case), 'B/s')} over "
        f"{case.device.link}: a prompt takes {duration(whole)}, {digits(gained, 2)} times less than with half of them, "
        "where a full link would bring nearly 2",
        Measure("speed from the last doubling", gained, HALF, "times"),
        "half of the cards wait for the bus while prompts are read",
        cures.first(cures.other_hardware(case), lambda other: _joined(other, work)),
    )


def gain(setup: Setup, prompt: float) -> float:
    """Seconds of a prompt with half the devices over seconds with all."""
    half = replace(setup, plan=replace(setup.plan, tp=setup.plan.tp / 2))
    return float(prompt_seconds(half, prompt)) / float(prompt_seconds(setup, prompt))


def _link(case: Case) -> float:
    return case.device.number("link_bandwidth") or 0.0


def _joined(option: Option, work: SingleUser | Service) -> bool:
    """One device, or several joined well enough."""
    setup = option.speed.setup if option.speed else None
    return option.feasible and setup is not None and (option.tp == 1 or gain(setup, work.prompt) >= HALF)


RULE = Rule(
    "tensor-over-pcie", "warning", "flops", "Tensor parallelism over PCIe",
    "Are the devices joined well enough to work as one?", check,
)  # fmt: skip

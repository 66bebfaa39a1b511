"""Promises about percentiles: what one replica carries in a simulation, where means prove nothing."""

from __future__ import annotations

from ridgewise.advise.fleets.fleet import Task
from ridgewise.errors import RequestError
from ridgewise.serving import Setup
from ridgewise.simulation.arrivals import People
from ridgewise.simulation.capacity import Candidate, Shape, bound, most_load
from ridgewise.simulation.lengths import OUTPUT_SPREAD, PROMPT_SPREAD, Lengths
from ridgewise.simulation.system import system
from ridgewise.workloads import Service

#: How many times what is asked a replica's load is looked for.
ENOUGH = 1.2


def _ready(task: Task, setup: Setup) -> tuple[Candidate, Shape, Service]:
    """A replica to be simulated, and the load that people make."""
    work = task.question.workload
    assert isinstance(work, Service)
    people = People(work.users, active_share=work.active_share, think=work.think)
    prompt = Lengths("lognormal", work.prompt, PROMPT_SPREAD)
    shape = Shape(prompt, Lengths("lognormal", work.output, OUTPUT_SPREAD), people)
    return Candidate(setup, system(setup, context=shape.context)), shape, work


def hoped(task: Task, setup: Setup) -> float:
    """Users that no replica of this kind carries more of within the promises; 0 where it holds not one request."""
    try:
        candidate, shape, work = _ready(task, setup)
    except RequestError:  # memory for not even one
        return 0.0
    return bound(candidate, shape, task.promises) / work.active_share


def simulated(task: Task, setup: Setup, hope: float) -> float:
    """Users that a replica carries with every promise kept at the slow end of its interval."""
    candidate, shape, work = _ready(task, setup)
    enough = float(max(round(ENOUGH * work.users * work.active_share), 1))
    found, _ = most_load(candidate, shape, task.promises, 0.8 * hope * work.active_share, enough)
    return found / work.active_share

"""What a simulated run draws at the wall: watts on average, energy in all, energy a token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ridgewise.advise.drawing import serving_draw
from ridgewise.economics.power import host_draw, power_range
from ridgewise.serving import Setup
from ridgewise.simulation import loop
from ridgewise.simulation.fleet import Run
from ridgewise.simulation.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Spent:
    """Energy of a run. ``low`` and ``high`` are the interval, as ratios."""

    watts: Annotated[float, "W"]
    joules: Annotated[float, "J"]
    per_token: Annotated[float, "J"]
    low: Annotated[float, "ratio"]
    high: Annotated[float, "ratio"]


def spent(setup: Setup, run: Run, found: Metrics) -> Spent | None:
    """At work while replicas compute, idle in the rest of the time they are up; None where a draw is not known."""
    replicas = len(run.fleet.systems) + len(run.fleet.answers)
    busy = max(found.busy, 1e-9)
    each, rate = found.running / replicas / busy, found.output / replicas / busy
    prompt, output = float(run.asked.prompt.mean()), float(run.asked.output.mean())
    draw = serving_draw(setup, prompt, output, max(each, 1.0), max(rate, 1e-9), found.hit)
    board = power_range(setup.device)
    if draw is None or board is None:
        return None
    idle = board[0] * setup.count + host_draw(setup.device, setup.count)
    watts = busy * draw.wall + (1.0 - busy) * min(idle, draw.wall)
    joules = watts * found.up
    made = max(float(run.asked.output[run.outcomes.status == loop.SERVED].sum()), 1.0)
    return Spent(watts * replicas, joules, joules / made, draw.low / draw.wall, draw.high / draw.wall)

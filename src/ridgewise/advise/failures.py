"""What interruptions leave of a training run: how often they come, what a checkpoint takes, which share counts."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated

from ridgewise.economics.interruptions import checkpoint_interval, checkpoint_loss, useful_share
from ridgewise.hardware.machine import Machine
from ridgewise.training import TrainingEstimate
from ridgewise.training.planning import Plan

#: Device-hours from one unplanned interruption to the next: 419 of them in 54 days on 16,384 H100 (Llama 3,
#: arXiv 2407.21783, section 3.3.4); no such log of other devices is known, so it stands for all.
BETWEEN = 16384 * 54 * 24 / 419
#: Bytes per second one node writes of a checkpoint, assumed: 2 TB/s for 7,500 servers was the sustained rate of the
#: storage of the same run, shared with the reading of data; local disks write 2 GB/s and more.
STORAGE = 1e9
#: Hours from an interruption to the next step, assumed: notice it, replace the node, load the checkpoint.
RESTART = 0.25


@dataclass(frozen=True, slots=True)
class Goodput:
    """What failures leave of a run.

    between     hours from one interruption to the next, all devices together
    write       hours to write one checkpoint; ``interval`` hours between two (Young 1974)
    useful      share of the time that advances the run
    """

    between: Annotated[float, "h"]
    checkpoint: Annotated[float, "B"]
    write: Annotated[float, "h"]
    interval: Annotated[float, "h"]
    useful: Annotated[float, "ratio"]


def goodput(plan: Plan) -> Goodput:
    """What failures leave of a run on this plan's devices."""
    nodes, how = Machine(plan.work.device, plan.count).nodes, plan.work.how
    written = float(plan.work.need.trained) * (how.weight + how.state + how.host)
    between, write = BETWEEN / plan.count, written / (STORAGE * nodes) / 3600.0
    interval = float(checkpoint_interval(write, between))
    lost = float(checkpoint_loss(interval, write, between, RESTART))
    return Goodput(between, written, write, interval, float(useful_share(1.0 / between, lost)))


def interrupted(run: TrainingEstimate, kept: Goodput) -> TrainingEstimate:
    """The same run with the time that failures take; it never ends where they leave nothing. The slow end of its
    interval counts them already."""
    seconds = run.seconds / kept.useful if kept.useful > 0 else math.inf
    return replace(run, seconds=seconds, high=max(run.high, seconds))


def planned(plan: Plan, tokens: float) -> TrainingEstimate:
    """The run of so many tokens by a plan, failures counted."""
    return interrupted(plan.estimate(tokens), goodput(plan))

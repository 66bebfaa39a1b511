"""Training a model on one of many equal devices, to be set beside using it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ridgewise.hardware import Device
from ridgewise.hardware.machine import Machine
from ridgewise.memory.training import states
from ridgewise.models.architecture import Architecture
from ridgewise.models.formats import load_formats
from ridgewise.training.estimate import PASSES, efficiency_for, pace, step_seconds, unsupported
from ridgewise.training.step import supply
from ridgewise.work import Plan, Work, forward, training

#: Tokens of a sequence and sequences per step.
LENGTH, SEQUENCES = 4096.0, 64.0


@dataclass(frozen=True, slots=True)
class Trained:
    """Training the whole model in 16 bits, as one of many equal devices does its share.

    devices    that hold weights, gradients and optimiser between them (activations come on top)
    rate       tokens per second and device, messages between devices left out
    intensity  FLOP per byte of forward and backward of one sequence
    """

    devices: int
    rate: Annotated[float, "tokens/s"]
    mfu: Annotated[float, "ratio"]
    intensity: Annotated[float, "FLOP/B"]
    reached: Annotated[float, "FLOP/s"]


def trained(arch: Architecture, device: Device) -> Trained | str:
    """What a device does in training a model; a sentence where it does not train."""
    why, found, rates = unsupported(device, "full"), efficiency_for(device), supply(device)
    usable = Machine(device).usable
    if why or found is None or rates is None or not usable:
        return why or "its memory or its peak is not in the catalogue"
    step = training(LENGTH)
    work = sum(forward(arch, step, Plan(load_formats()["bf16"])).values(), Work())
    one = {name: np.ones(1) for name in ("tp", "pp", "shards", "micro")}
    coefficients = pace(arch, device, found[1], "full").coefficients
    time = step_seconds(arch, rates, 1, coefficients, "full", "none", LENGTH, SEQUENCES, one, stage=1)
    seconds = float(np.max(time.total))
    reached = PASSES["full"] * float(work.flops) * SEQUENCES / seconds
    held = sum(float(part) for part in states(arch, "full").values())
    peak = device.peak("bf16")
    assert peak is not None, "a device that trains has one"
    return Trained(
        math.ceil(held / usable), LENGTH * SEQUENCES / seconds, reached / peak[0], float(work.intensity), reached
    )

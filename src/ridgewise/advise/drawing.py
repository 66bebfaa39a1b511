"""What a machine draws while it serves or trains: its effort, and the watts of that."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ridgewise.economics import Draw, wall_power
from ridgewise.hardware import Device
from ridgewise.memory.training import Method
from ridgewise.models.architecture import Architecture
from ridgewise.models.formats import weight_format
from ridgewise.serving import Setup, local
from ridgewise.serving.estimate import prompt_parts
from ridgewise.serving.keys import service_keys, service_regime
from ridgewise.serving.setup import LOAD
from ridgewise.timing import Rates
from ridgewise.timing.coefficients import Block
from ridgewise.timing.power import Effort, asked, sustained
from ridgewise.training import TrainingEstimate
from ridgewise.training.estimate import PASSES, flops_per_token
from ridgewise.training.layouts import RECOMPUTED
from ridgewise.training.step import TrainingCoefficients
from ridgewise.units import Count, Num, Tokens
from ridgewise.work import Plan, Step, decode


def serving_draw(
    setup: Setup, prompt: Tokens, answer: Tokens, running: Count, output: Num, cached: Num = 0.0
) -> Draw | None:
    """Draw while each replica answers ``running`` requests at once and yields ``output`` tokens per second.

    A share ``cached`` of the prompt is not read. Of a model that lies partly in RAM the card's part counts; the
    host's own draw is that of a busy host.
    """
    return drawn(setup, serving_effort(setup, prompt, answer, running, output, cached))


def drawn(setup: Setup, effort: Effort) -> Draw | None:
    """Draw while each device works at an effort per second."""
    keys = service_keys(setup.engine.id, setup.device, setup.arch, setup.plan.format, setup.plan)
    regime = service_regime(setup.device, setup.arch, LOAD) if setup.many else ""
    return wall_power(setup.device, setup.count, effort, setup.rates(1.0), keys, regime, setup.blocks)


def serving_effort(
    setup: Setup, prompt: Tokens, answer: Tokens, running: Count, output: Num, cached: Num = 0.0
) -> Effort:
    """What a device does per second at this load: numbers, or columns for deployments together."""
    at_once = np.maximum(running, 1.0)
    drafted = float(setup.draft.gained) if setup.draft else 1.0
    verified = setup.draft.tokens + 1.0 if setup.draft else 1.0
    steady = decode(prompt + answer / 2, np.maximum(at_once / float(setup.plan.pp), 1.0), verified)
    reading = Effort()
    for part in prompt_parts(setup, prompt * (1.0 - cached), prompt * cached):
        reading = reading + _effort(setup, part.step) * part.times
    each = _effort(setup, steady)
    return sustained(each, reading * drafted, at_once, answer, output / drafted, float(setup.plan.pp))


def _effort(setup: Setup, step: Step) -> Effort:
    """What a step asks of one device."""
    tokens = float(np.max(step.tokens))
    work = setup.work(step, tokens)
    card = work if setup.many else local.placed(setup.run, work)[0]
    return asked(card, setup.rates(tokens))


def training_draw(
    arch: Architecture,
    device: Device,
    run: TrainingEstimate,
    method: Method,
    length: Tokens,
    blocks: Mapping[str, Block] | None = None,
) -> Draw | None:
    """Draw of all devices of a run."""
    peak = device.peak("bf16")
    if peak is None or not device.bandwidth:
        return None
    rate = run.tokens_per_second / run.count
    again = PASSES[method] + RECOMPUTED[run.recompute]
    moved = TrainingCoefficients().traffic * arch.hidden * arch.layers * again / 3.0
    effort = Effort(moved, flops_per_token(arch, length) * again / 3.0) * rate
    fmt = weight_format("nf4" if method == "qlora" else "bf16")
    keys = service_keys("training", device, arch, fmt, Plan(fmt))
    return wall_power(device, run.count, effort, Rates(peak[0], device.bandwidth), keys, "", blocks)

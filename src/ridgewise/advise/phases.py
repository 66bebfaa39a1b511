"""The two phases of one model, aspect by aspect, and what each asks of several machines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ridgewise.advise.estimating import Estimation
from ridgewise.advise.learnt import LENGTH, Trained
from ridgewise.hardware import load_devices
from ridgewise.memory import weight_bytes
from ridgewise.memory.training import states
from ridgewise.models.architecture import Architecture
from ridgewise.models.formats import load_formats
from ridgewise.training import flops_per_token
from ridgewise.training.estimate import PASSES, unsupported
from ridgewise.units import count, digits, duration, power_of_ten, size
from ridgewise.work import Plan, Work, decode, forward, training

#: Tokens of training whose time is shown.
TRAINED = 1e9


@dataclass(frozen=True, slots=True)
class Aspect:
    """One line of the comparison."""

    name: str
    training: str
    inference: str


def aspects(arch: Architecture, prompt: float, output: float) -> Iterator[Aspect]:
    """The dividing line for one model, in its own numbers."""
    bf16 = Plan(load_formats()["bf16"])
    once, train = (float(flops_per_token(arch, n)) for n in (1.0, LENGTH))
    step = sum(forward(arch, decode(prompt + output / 2), bf16).values(), Work())
    many = sum(forward(arch, training(LENGTH), bf16).values(), Work())
    held = states(arch, "full")
    whole = sum(float(part) for part in held.values())
    weights = float(weight_bytes(arch, bf16))
    per_token = arch.kv_values_per_token * 2.0
    yield Aspect("goal", "a model whose weights are better after every step", "answers of a model whose weights stay")
    yield Aspect(
        "work per token",
        f"forward, backward and update: {power_of_ten(train)} FLOP",
        f"forward alone: {power_of_ten(once / PASSES['full'])} FLOP, and the attention to what stands before",
    )
    yield Aspect(
        "FLOP per byte moved",
        f"{digits(float(many.intensity))}: {count(LENGTH)} tokens share each reading of the weights",
        f"{digits(float(step.intensity))} for one user: one token for each reading; more users share it",
    )
    yield Aspect(
        "memory",
        f"{size(whole)}: "
        + ", ".join(f"{name} {size(float(part))}" for name, part in held.items())
        + "; activations on top",
        f"{size(weights)} of weights in 16 bits, a quarter of it in 4; {size(per_token)} of cache per token"
        if per_token
        else f"{size(weights)} of weights in 16 bits; {size(arch.state_bytes_per_sequence)} of state per sequence",
    )
    yield Aspect("what a faster machine buys", "a shorter run, in proportion", "nothing once people read slower")
    yield Aspect("latency", "none: the run takes days", "of every token, all day; steady matters more than fast")
    yield Aspect("hardware", _classes("training"), _classes("inference"))
    yield Aspect(
        "cost", "upfront: devices × days, power and cooling for the run", "long-term: a machine, its power, every month"
    )


def _classes(purpose: str) -> str:
    """Kinds of devices of the catalogue that can do it."""
    kinds = {
        device.kind
        for device in load_devices().values()
        if purpose == "inference" or unsupported(device, "full") is None
    }
    return ", ".join(sorted(kind.replace("gpu-", "") + " GPU" * kind.startswith("gpu-") for kind in kinds))


def sentence(found: Estimation, learning: Trained | str) -> str:
    """What divides the two on one machine."""
    ridge = found.setup.peak
    name = found.setup.device.name
    if ridge is None or not found.setup.device.bandwidth:
        return f"{name}: no peak rate in the catalogue"
    point = ridge[0] / found.setup.device.bandwidth
    side = "below" if found.decode.intensity < point else "above"
    told = f"{name}: decode at {digits(found.decode.intensity)} FLOP/B is {side} its ridge point of {digits(point)}"
    if isinstance(learning, str):
        return f"{told}; it does not train: {learning}"
    days = TRAINED / learning.rate / learning.devices
    return (
        f"{told}, training at {digits(learning.intensity)} above; {learning.devices} of them hold a training run and "
        f"take {duration(days)} for {count(TRAINED)} tokens"
    )

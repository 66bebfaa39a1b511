"""Layers or experts left in RAM: what llama.cpp does when a model does not fit the card.

A token passes what is on the card at the card's speed and the rest at the processor's. Mixtures of experts lose
least, because only the active experts are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ridgewise.advise.option import Option
from ridgewise.advise.question import Question
from ridgewise.engines import load_engines
from ridgewise.hardware.sheets import device
from ridgewise.memory.engines import policy
from ridgewise.memory.offload import Placement, fitting
from ridgewise.serving import Setup, single
from ridgewise.serving.estimate import inverse
from ridgewise.timing.coefficients import Band
from ridgewise.work import Plan
from ridgewise.workloads import SingleUser

#: The processor around a desktop card: two channels of DDR5.
HOST = "amd-ryzen-9950x"


@dataclass(frozen=True, slots=True)
class Offload:
    """A split that fits, and the speed of one user with its 80 % interval."""

    placement: Placement
    tokens_per_second: float
    band: Band

    @property
    def flags(self) -> str:
        """What to tell llama.cpp."""
        return f"-ngl {self.placement.ngl}" + (" --cpu-moe" if self.placement.experts_in_ram else "")


def _placements(question: Question, option: Option, plan: Plan) -> Iterator[Placement]:
    rules, work = policy("llama.cpp"), question.workload
    assert isinstance(work, SingleUser)
    for experts in (False, True) if question.arch.moe else (False,):
        found = fitting(question.arch, plan, 1.0, work.context, rules, option.usable, experts)
        if found is not None:
            yield found


def offload(question: Question, option: Option) -> Offload | None:
    """The fastest split that fits; None where the option is not one card short of memory under llama.cpp."""
    work, arch = question.workload, question.arch
    short = option.left < 0 and option.count == 1 and option.device.kind.startswith("gpu")
    if not isinstance(work, SingleUser) or option.engine != "llama.cpp" or not short or option.speed is None:
        return None
    plan = Plan(question.weights(option.format), 1.0, 1.0, question.kv_bits)
    engine = load_engines()[option.engine]
    backend = engine.backend(option.device)
    assert backend is not None, "the option runs on it"
    card = Setup(arch, option.device, engine, backend, plan, option.usable, blocks=question.blocks)
    splits = []
    for placement in _placements(question, option, plan):
        below = (placement.of - placement.layers) / placement.of
        split = replace(card, host=device(HOST), experts=placement.experts_in_ram, lowered=below)
        speed = single(split, work)
        splits.append(Offload(placement, speed.each, inverse(speed.tpot_band)))
    return max(splits, key=lambda split: split.tokens_per_second, default=None)

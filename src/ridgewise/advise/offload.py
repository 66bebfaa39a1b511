"""Layers or experts left in RAM: what llama.cpp does when a model does not fit the card.

A token passes what is on the card at the card's speed and the rest at the processor's:
``TPOT = (1 − f)·t_gpu + f·t_cpu`` with ``f`` the share of the bytes read per token that lie in RAM. Mixtures
of experts lose least, because only the active experts are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ridgewise.advise.option import Option
from ridgewise.advise.question import Question
from ridgewise.engines import load_engines
from ridgewise.hardware.machine import Machine
from ridgewise.hardware.sheets import device
from ridgewise.memory.engines import policy
from ridgewise.memory.offload import Placement, fitting
from ridgewise.models.architecture import Architecture, LayerGroup
from ridgewise.models.formats import expert_bytes, feed_bytes, mixer_bytes
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


def read_share_in_ram(arch: Architecture, plan: Plan, placement: Placement) -> float:
    """Share of the bytes one token reads that lie in RAM."""

    def read(group: LayerGroup, experts_only: bool) -> float:
        experts = group.feed.active * expert_bytes(group, plan.format)
        always = mixer_bytes(group, plan.format) + feed_bytes(group, plan.format)
        return experts if experts_only else experts + always

    total = sum(g.count * read(g, False) for g in arch.groups)
    skipped, in_ram = placement.of - placement.layers, 0.0
    for group in arch.groups:  # the first layers are those left in RAM
        below = min(group.count, skipped)
        in_ram += below * read(group, False)
        in_ram += (group.count - below) * read(group, True) if placement.experts_in_ram else 0.0
        skipped -= below
    return in_ram / total


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
    engine, host = load_engines()[option.engine], device(HOST)
    backend = engine.backend(host)
    found = list(_placements(question, option, plan))
    if backend is None or not found:
        return None
    usable = Machine(host, 1, 2.0 * max(float(p.ram) for p in found) + 8 * 2.0**30).usable
    assert usable is not None, "the memory was given"
    slow = single(Setup(arch, host, engine, backend, plan, usable, blocks=question.blocks), work)
    fast, other = option.speed.tpot_band, slow.tpot_band
    band = inverse(Band(min(fast.low, other.low), max(fast.high, other.high)))
    splits = []
    for placement in found:
        share = read_share_in_ram(arch, plan, placement)
        splits.append(Offload(placement, 1 / ((1 - share) * option.speed.tpot + share * slow.tpot), band))
    return max(splits, key=lambda split: split.tokens_per_second)

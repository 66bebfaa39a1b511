"""Layers left in RAM: what llama.cpp does when a model does not fit the card.

A token passes through the card's layers at the card's speed and through the others at the processor's:
``TPOT = (1 − f)·t_gpu + f·t_cpu`` with ``f`` the share of the weights in RAM. Mixtures of experts lose
least, because the processor reads only the active experts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ridgewise.advise.option import Option
from ridgewise.advise.question import Question
from ridgewise.engines import load_engines
from ridgewise.hardware.machine import Machine
from ridgewise.hardware.sheets import device
from ridgewise.models.formats import load_formats
from ridgewise.serving import Setup, single
from ridgewise.work import Plan
from ridgewise.workloads import SingleUser

#: The processor around a desktop card: two channels of DDR5.
HOST = "amd-ryzen-9950x"


@dataclass(frozen=True, slots=True)
class Offload:
    """``layers`` of ``of`` layers in RAM, taking ``ram`` bytes; speed of one user with its spread."""

    layers: int
    of: int
    ram: float
    tokens_per_second: float
    spread: float


def offload(question: Question, option: Option) -> Offload | None:
    """The split that fits; None where the option is not a card short of memory under llama.cpp."""
    work, arch = question.workload, question.arch
    cards = ("gpu-consumer", "gpu-workstation", "gpu-datacenter")
    if not isinstance(work, SingleUser) or option.engine != "llama.cpp" or option.device.kind not in cards:
        return None
    weights = option.memory["weights"]
    if option.left >= 0 or -option.left >= weights or option.speed is None:
        return None
    layers = math.ceil(-option.left / weights * arch.layers)
    ram = weights * layers / arch.layers * option.count
    engine = load_engines()[option.engine]
    host = device(HOST)
    backend = engine.backend(host)
    usable = Machine(host, 1, 2.0 * ram + 8 * 2.0**30).usable
    if backend is None or usable is None or layers > arch.layers:
        return None
    plan = Plan(load_formats()[option.format], 1.0, 1.0, question.kv_bits)
    slow = single(Setup(arch, host, engine, backend, plan, usable), work)
    share = layers / arch.layers
    tpot = (1 - share) * option.speed.tpot + share * slow.tpot
    return Offload(layers, arch.layers, ram, 1 / tpot, max(option.speed.decode_spread, slow.decode_spread))

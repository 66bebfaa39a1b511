"""The question the other way round: what a machine that is there already serves well, and what one upgrade buys."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ridgewise.advise import inference
from ridgewise.advise.case import best
from ridgewise.advise.inference import PATIENCE, READING_SPEED
from ridgewise.advise.limits import most_users
from ridgewise.advise.option import Option, named
from ridgewise.advise.question import Question
from ridgewise.advise.rank import COARSE, narrowest
from ridgewise.economics import purchase
from ridgewise.hardware import Device
from ridgewise.memory.training import Method
from ridgewise.models import Architecture
from ridgewise.units import digits, size
from ridgewise.workloads import FineTuning, Service, SingleUser

#: Kinds of hardware that stand beside or take the place of what somebody owns.
DESKTOP = ("gpu-consumer", "gpu-workstation", "unified")
#: How many upgrades are computed besides more of the same.
UPGRADES = 4
#: Ways of fine-tuning, the most thorough first.
METHODS: tuple[Method, ...] = ("full", "lora", "qlora")


@dataclass(frozen=True, slots=True)
class Served:
    """What a machine does with one model.

    option    for one user; None: nothing runs it
    verdict   "well", "slowly", or what is missing
    users     people it carries as a service within patience and reading speed; 0: none
    tunes     the most thorough way of fine-tuning that fits and ends within a week; empty: none
    """

    arch: Architecture
    option: Option | None
    verdict: str
    users: float
    tunes: str

    @property
    def well(self) -> bool:
        return self.verdict == "well"


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A machine in its place: models it serves well that this one does not, and what it costs to buy [USD], of the same
    devices those that are missing."""

    name: str
    price: float | None
    gained: tuple[str, ...]
    faster: float


def served(machine: Question, archs: Sequence[Architecture]) -> Iterator[Served]:
    """Every model on the hardware of ``machine``, a question that names one device and how many of it; its workload
    says the lengths of a request."""
    (device,) = machine.hardware
    count = machine.counts.get(device.id, 1)
    for arch in archs:
        question = replace(machine, arch=arch)
        option = _single(question, device, count)
        verdict = _verdict(question, option)
        able = option is not None and option.left >= 0
        yield Served(
            arch, option, verdict, _users(question, device, count) if able else 0.0, _tunes(question, device, count)
        )


def _single(question: Question, device: Device, count: int) -> Option | None:
    """For one user, with as long a context as the model allows up to the one asked for."""
    work = question.workload
    assert isinstance(work, SingleUser)
    most = float(question.arch.max_context or work.context)
    if work.prompt + work.output > most:
        return None
    fitting = replace(work, context=min(work.context, most))
    return best(replace(question, workload=fitting), device, count)


def _verdict(question: Question, option: Option | None) -> str:
    if option is None or option.speed is None:
        return "no engine runs it"
    if option.left < 0:
        return f"{size(-option.left)} too little"
    speed, fmt = option.speed, question.weights(option.format)
    if narrowest(fmt) < COARSE:
        return f"coarsely, {digits(fmt.default, 2)} bits"
    slow = speed.each < READING_SPEED or (speed.ttft is not None and speed.ttft > PATIENCE)
    return "slowly" if slow else "well"


def _users(question: Question, device: Device, count: int) -> float:
    """People it carries, in two digits."""
    work = question.workload
    assert isinstance(work, SingleUser)
    many = Service(2.0, work.prompt, work.output, min(work.context, float(question.arch.max_context or work.context)))
    asked = replace(question, workload=many)
    option = best(asked, device, count)
    if option is None or not option.feasible:
        return 0.0

    def able(users: float) -> bool:
        (then,) = inference.again(replace(asked, workload=replace(many, users=users)), [option])
        return then.feasible

    return most_users(able, many.users, 4096.0)


def _tunes(question: Question, device: Device, count: int) -> str:
    for method in METHODS:
        work = FineTuning(method)
        if question.arch.max_context and work.length > question.arch.max_context:
            continue
        option = best(replace(question, workload=work, format=None, engine=None), device, count)
        if option is not None and option.feasible:
            return method
    return ""


def upgrades(machine: Question, rows: Sequence[Served], catalogue: Sequence[Device]) -> list[Upgrade]:
    """More of the same, and the cheapest devices with more memory or bandwidth: what each serves well besides, the one
    that gains most for its price first."""
    (device,) = machine.hardware
    count = machine.counts.get(device.id, 1)
    found = [_upgrade(machine, rows, one, n) for one, n in _candidates(machine, device, count, catalogue)]
    worth = [entry for entry in found if entry.gained or entry.faster > 1.0]

    def gain(entry: Upgrade) -> tuple[bool, float]:
        per = (len(entry.gained) + math.log2(max(entry.faster, 1.0))) / (entry.price or math.inf)
        return bool(entry.gained), per

    return sorted(worth, key=gain, reverse=True)


def _candidates(
    machine: Question, device: Device, count: int, catalogue: Sequence[Device]
) -> Iterator[tuple[Device, int]]:
    if not device.complete:
        yield device, 2 * count
    memory, bandwidth = count * (machine.memories.get(device.id) or device.memory or 0.0), device.bandwidth or 0.0
    larger = []
    for other in catalogue:
        bought = purchase(other, 1) if other.kind in DESKTOP and other.status == "available" else None
        if bought is not None and (other.memory or 0.0) > memory and (other.bandwidth or 0.0) >= 0.5 * bandwidth:
            larger.append((bought.middle, other))
    for _, other in sorted(larger, key=lambda pair: pair[0])[:UPGRADES]:
        yield other, 1


def _upgrade(machine: Question, rows: Sequence[Served], device: Device, count: int) -> Upgrade:
    """The models that are not served well here, and how much faster the others are."""
    gained, faster = [], []
    for row in rows:
        question = replace(machine, arch=row.arch, hardware=(device,), counts={device.id: count}, memories={})
        option = _single(question, device, count)
        if not row.well and _verdict(question, option) == "well":
            gained.append(row.arch.name)
        if row.well and row.option and row.option.speed and option and option.speed and option.left >= 0:
            faster.append(math.log2(option.speed.each / row.option.speed.each))
    owned = machine.counts.get(device.id, 1) if device in machine.hardware else 0
    price, there = (_price(machine, device, n) if n else 0.0 for n in (count, owned))
    return Upgrade(
        named(device, count),
        price - there if price is not None and there is not None else None,
        tuple(gained),
        2.0 ** (sum(faster) / len(faster)) if faster else 1.0,
    )


def _price(machine: Question, device: Device, count: int) -> float | None:
    """Middle of what so many cost [USD]; None where nobody asks a price."""
    bought = purchase(device, count, None, machine.prices.get(device.id), machine.host_price)
    return bought.middle if bought else None

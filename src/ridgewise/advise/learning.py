"""Candidates for building a model: training-capable devices, as many as the deadline asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from ridgewise.advise.drawing import training_draw
from ridgewise.advise.failures import planned
from ridgewise.advise.inference import money_and_power
from ridgewise.advise.option import Option, Shortfall, missed
from ridgewise.advise.question import Question
from ridgewise.economics import AMORTISATION_MONTHS, Cost, Draw, cost_of, purchase
from ridgewise.economics.cost import HOURS_PER_MONTH
from ridgewise.hardware import Device
from ridgewise.hardware.machine import Machine
from ridgewise.hardware.offers import Offer, rental_price
from ridgewise.memory.training import Method
from ridgewise.training import TrainingEstimate, unsupported
from ridgewise.training.layouts import Space, rounded
from ridgewise.training.planning import fitting, job, programs, usual
from ridgewise.units import duration, size
from ridgewise.workloads import FineTuning, Pretraining

#: A run longer than this is not a plan [s]: hardware is replaced sooner.
NEVER = 3 * 31557600.0
#: A machine bought for a run is charged for a year of its life at least [s].
LEAST_OWNED = 12 * HOURS_PER_MONTH * 3600
#: For a fine-tuning run, which leaves the machine to other work, a month [s].
LEAST_LENT = HOURS_PER_MONTH * 3600
#: Cards in slots are not built into clusters larger than this.
SLOTTED = 256
#: Share of the memory that a training plan leaves alone: fragmentation grows over a run.
MARGIN = 0.03
COUNTS: dict[str, tuple[int, ...]] = {
    "gpu-datacenter": tuple(2**n for n in range(13)),
    "gpu-workstation": (1, 2, 4),
    "gpu-consumer": (1, 2, 4),
    "unified": (1,),
    "tpu": tuple(2**n for n in range(2, 13)),
    "accelerator": tuple(2**n for n in range(13)),
}


class Runs:
    """The runs of one question on every device, found once and no further than asked, whatever the limits they are
    held against."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[list[TrainingEstimate], Iterator[TrainingEstimate]]] = {}

    def of(self, question: Question, device: Device, configuration: float | None) -> Iterator[TrainingEstimate]:
        """The best layout of every number of devices, fewest first; none where nothing is known about training on
        them."""
        work = question.workload
        assert isinstance(work, Pretraining | FineTuning)
        key = (device, configuration, replace(work, deadline=None), question.counts.get(device.id))
        if key not in self._known:
            self._known[key] = [], _runs(question, device, configuration)
        known, further = self._known[key]
        place = 0
        while True:
            if place == len(known):
                known.extend(islice(further, 1))
            if place == len(known):
                return
            yield known[place]
            place += 1


def _runs(question: Question, device: Device, configuration: float | None) -> Iterator[TrainingEstimate]:
    """The best layout of every number of devices, planned as ``train`` plans one run."""
    work, usable = question.workload, usable_memory(device, configuration)
    assert isinstance(work, Pretraining | FineTuning)
    counts = [n for n in COUNTS.get(device.kind, ()) if not device.slotted or n <= SLOTTED]
    pretraining = isinstance(work, Pretraining)
    method: Method = "full" if isinstance(work, Pretraining) else work.method
    if usable is None or not counts or unsupported(device, method) or (narrow(question, device) and not question.named):
        return
    sequences = rounded(work.batch / work.length) if pretraining else work.batch
    jobs = [
        job(
            question.arch, device, method, work.length, sequences, usable,
            rank=work.rank if isinstance(work, FineTuning) else 16.0, blocks=question.blocks, program=program,
            kind=kind_of(method, pretraining),
        )
        for program in programs(method, pretraining)
    ]  # fmt: skip
    space = usual(Space(), method, pretraining)
    asked = question.counts.get(device.id)
    for count in [asked] if asked else [1] if device.complete else counts:
        for plan in fitting(jobs, count, space):
            yield planned(plan, work.tokens)


def narrow(question: Question, device: Device) -> bool:
    """Would a pretraining run be in FP16, for want of BF16? Its range ends at 65,504, so gradients need scaling and
    runs diverge that BF16 finishes; nobody builds clusters of such cards any more."""
    peak = device.peak("bf16")
    return isinstance(question.workload, Pretraining) and peak is not None and peak[1] != "bf16"


def kind_of(method: Method, pretraining: bool) -> str:
    """The kind of measured runs whose errors give the interval; empty: that of the method."""
    return "full_ft" if method == "full" and not pretraining else ""


def usable_memory(device: Device, configuration: float | None) -> float | None:
    """Memory of one device less the margin [B]; None when unknown."""
    usable = Machine(device, 1, configuration).usable
    return None if usable is None else usable * (1.0 - MARGIN)


def evaluate(question: Question, device: Device, configuration: float | None, run: TrainingEstimate) -> Option:
    """Memory, time, power and cost of one run, and what it falls short of."""
    work, usable, count = question.workload, usable_memory(device, configuration), run.count
    assert isinstance(work, Pretraining | FineTuning) and usable is not None
    method: Method = "full" if isinstance(work, Pretraining) else work.method
    draw = training_draw(question.arch, device, run, method, work.length, question.blocks)
    option = Option(
        device=device,
        count=count,
        engine="training",
        format="nf4" if isinstance(work, FineTuning) and work.method == "qlora" else "bf16",
        tp=run.tp,
        pp=run.pp,
        replicas=run.shards,
        memory=run.memory,
        usable=usable,
        cost=run_cost(
            device,
            count,
            draw,
            run,
            question.electricity,
            configuration,
            question.prices.get(device.id),
            question.host_price,
            isinstance(work, Pretraining),
        ),
        draw=draw,
        configuration=configuration,
        run=run,
    )
    return replace(option, **missed(shortfalls(question, option, work.deadline)))


def unable(question: Question, device: Device) -> str:
    """Why a device is no candidate at all."""
    work = question.workload
    assert isinstance(work, Pretraining | FineTuning)
    reason = unsupported(device, "full" if isinstance(work, Pretraining) else work.method)
    return reason or "its memory is not in the catalogue"


def rent_together(device: Device, count: int) -> Offer | None:
    """The rent of one of so many devices that work together; None where nobody lets them but one by one: such a
    machine comes without the network that joins it to others. The chips of a slice are let one by one, and joined."""
    offer = rental_price(device)
    lone = offer is not None and offer.devices == 1 and device.kind != "tpu"
    return None if lone and count > 1 else offer


def run_cost(
    device: Device,
    count: int,
    draw: Draw | None,
    run: TrainingEstimate,
    tariff: float,
    memory: float | None,
    own: float | None,
    host: float | None,
    pretraining: bool,
) -> Cost:
    """Purchase and rent of the run's machines; ``month`` holds what the whole run costs: its rent, or, where
    nobody rents the device out or the user's own price is lower, its energy and the share of a bought machine's
    life it takes."""
    bought, rented = purchase(device, count, memory, own, host), rent_together(device, count)
    if not run.fits or run.seconds > NEVER:
        return cost_of(bought, rented, count, None, None, "own" if rented is None else "rent")
    hours = run.seconds / 3600
    energy = draw.wall / 1000 * hours * tariff if draw else None
    rent = rented.middle * count * hours if rented else None
    life = AMORTISATION_MONTHS * HOURS_PER_MONTH * 3600
    used = min(max(run.seconds, LEAST_OWNED if pretraining else LEAST_LENT) / life, 1.0)
    share = bought.middle * used + energy if bought and energy is not None else None
    if rent is not None and (own is None or share is None or rent <= share):
        return cost_of(bought, rented, count, rent, energy, "rent")
    return cost_of(bought, rented, count, share, energy, "own")


def shortfalls(question: Question, option: Option, deadline: float | None) -> Iterator[Shortfall]:
    run = option.run
    assert run is not None
    if not run.fits:
        factor = option.memory_total / option.usable
        yield Shortfall(f"memory: {size(-run.memory_left)} too little per device in the best layout", factor)
    if run.seconds > NEVER:
        yield Shortfall(f"time: {duration(run.seconds)} for the run", run.seconds / min(deadline or NEVER, NEVER))
    elif deadline is not None and run.seconds > deadline:
        text = f"time: {duration(run.seconds)}, deadline {duration(deadline)}"
        yield Shortfall(text, run.seconds / deadline)
    yield from money_and_power(question, option)


def candidates(question: Question, devices: tuple[Device, ...], runs: Runs) -> Iterator[Option]:
    """Of every device the smallest number that meets the deadline, or the number that comes nearest."""
    for device in devices:
        for configuration in question.configurations(device)[-1:]:
            options = list(_of_device(question, device, configuration, runs))
            if options:
                yield min(options, key=lambda o: (o.distance, o.count))


def _of_device(question: Question, device: Device, configuration: float | None, runs: Runs) -> Iterator[Option]:
    for run in runs.of(question, device, configuration):
        option = evaluate(question, device, configuration, run)
        yield option
        if option.feasible:
            return

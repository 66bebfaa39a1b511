"""The ways to do each task on each kind of machine: what a replica carries within its limits, alone on its devices or
on a share of one; how long a run takes.

A share is a half, a quarter or an eighth: that many of the memory slices that a multi-instance GPU divides into (NVIDIA
*Multi-Instance GPU User Guide*, profiles 1g, 2g and 3g), or a process held to as much by the engine. It is timed as a
device of that part of the memory, the bandwidth and the peak, which is what it has while its neighbours are busy too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ridgewise.advise.drawing import training_draw
from ridgewise.advise.fleets.fleet import Column, Fleet, Kind, Task, waiting
from ridgewise.advise.fleets.promises import hoped
from ridgewise.advise.inference import Deployments, factors
from ridgewise.advise.learning import Runs
from ridgewise.advise.question import Question
from ridgewise.advise.rank import quality_loss
from ridgewise.advise.table import Row, Table
from ridgewise.economics.cost import SERVER_KINDS
from ridgewise.economics.power import power_range
from ridgewise.hardware import Device
from ridgewise.memory.training import Method
from ridgewise.workloads import FineTuning, Pretraining, Service

#: Shares of a device that small models may have besides all of it.
SHARES = (0.5, 0.25, 0.125)
#: Kinds of device that several engines may share.
SHARED = ("gpu-datacenter", "gpu-workstation", "gpu-consumer")
#: How closely the load of a replica is found, and up to how many times what is asked.
STEP, BEYOND = 1.06, 2.0
#: A run that takes less of a day, or of its time, is tried on no more devices.
WELL = 0.25


def columns(fleet: Fleet) -> list[Column]:
    """Every way to do every task on every kind, the best of each size."""
    return [
        column
        for place, task in enumerate(fleet.tasks)
        for column in (_finest(task, list(_replicas(fleet, place, task))) if task.serves else _runs(fleet, place, task))
    ]


def _finest(task: Task, found: list[Column]) -> list[Column]:
    """Those that keep the weights as published; coarser ones only where no machine of the fleet does. Left out is what
    carries no more than another of its kind that takes no more devices and draws no more."""
    fine = [c for c in found if c.setup and not quality_loss(task.question, c.setup.plan.format)] or found
    return [c for c in fine if not any(_better(other, c) for other in fine)]


def _better(one: Column, other: Column) -> bool:
    """Does one do all that the other does with less?"""
    if one.kind != other.kind or one is other:
        return False
    mine, theirs = ((c.devices, -c.carries, c.watts) for c in (one, other))
    return all(a <= b for a, b in zip(mine, theirs, strict=True)) and mine != theirs


def shared(device: Device, share: float) -> Device:
    """The share of a device: of its memory, bandwidth, peaks and power."""
    parts = ("memory", "memory_usable", "bandwidth", "board_power", "idle_power", "resident_power")
    figures = {
        name: replace(figure, value=figure.number * share) if name in parts or name.startswith("peak_") else figure
        for name, figure in device.figures.items()
    }
    return replace(device, figures=figures)


def _replicas(fleet: Fleet, place: int, task: Task) -> Iterator[Column]:
    """Replicas of a service, by kind and number of devices those that carry most; all are weighed together."""
    whole = tuple(dict.fromkeys(kind.device for kind in fleet.kinds))
    shares = {
        device if share == 1.0 else shared(device, share): (device, share)
        for device in whole for share in ((1.0, *SHARES) if device.kind in SHARED else (1.0,))
    }  # fmt: skip
    table, _ = Deployments().of(task.question, tuple(shares))
    rows = [row for row in table.rows if row.setup.replicas == 1 and _asked_for(fleet, row, *shares[row.setup.device])]
    if not rows:
        return
    carried, watts = carries(task.question, rows, BEYOND * task.amount)
    hopes: dict[int, float] = {}
    found: dict[tuple[str, float | None, float, int], list[int]] = {}
    for i, row in enumerate(rows):
        device, share = shares[row.setup.device]
        found.setdefault((device.id, row.configuration, share, row.setup.count), []).append(i)
    for number, kind in enumerate(fleet.kinds):
        for (device_id, memory, share, size), places in found.items():
            if (device_id, memory) != (kind.device.id, kind.memory) or not _packs(kind, size):
                continue
            best = _best(task.question, rows, carried, places)
            if best is None:
                continue
            setup, idle = rows[best].setup, waiting(kind.device) * size * share
            most = float(carried[best])
            if task.promises:
                most = hopes[best] if best in hopes else hopes.setdefault(best, hoped(task, setup))
            if most > 0:
                yield Column(place, number, size * share, most, max(watts[best] - idle, 0.0), setup)


def _asked_for(fleet: Fleet, row: Row, device: Device, share: float) -> bool:
    """Does a row fit some kind of the fleet, in the memory it has?"""
    size = row.setup.count
    return (share == 1.0 or size == 1) and any(
        kind.device.id == device.id and row.configuration == kind.memory and _packs(kind, size) for kind in fleet.kinds
    )


def _packs(kind: Kind, size: int) -> bool:
    """Sizes that are powers of two and divide the machine fill it without gaps, in whatever mixture."""
    return kind.count % size == 0 and size & (size - 1) == 0


def _best(question: Question, rows: Sequence[Row], carried: np.ndarray, places: Sequence[int]) -> int | None:
    """Of the rows that carry something the one that carries most, weights as published before coarser ones."""
    able = [i for i in places if carried[i] > 0]
    losses = {i: quality_loss(question, rows[i].setup.plan.format) for i in able}
    return min(able, key=lambda i: (losses[i], -carried[i]), default=None)


def carries(question: Question, rows: Sequence[Row], most: float) -> tuple[np.ndarray, np.ndarray]:
    """The largest load up to ``most`` that a replica of each row carries within every limit, at the slow end of its
    interval, and the watts its boards draw at it; 0 where none is little enough. It is looked for where least is known,
    until it is known to a share of :data:`STEP`."""
    tables: dict[float, Table] = {}

    def able(amount: float) -> np.ndarray:
        work = _scaled(question, amount)
        known = next(iter(tables.values()), None)
        table = tables[amount] = Table(replace(work, slo_ttft=None, slo_tpot=None), rows, known)
        asked = replace(question, workload=work, budget=None, max_power=None)
        found = factors(asked, table, range(len(rows)), Deployments())
        kept: np.ndarray = ~np.any([factor > 0 for factor in found.values()], axis=0)
        return kept

    least = min(1.0, most)
    carried = np.where(able(least), least, 0.0)
    too_much = np.where(able(most), 1.0, most)  # of rows that carry all of it nothing is too much
    carried[too_much < most] = most
    while True:
        unsure = np.where((carried > 0) & (carried < most), too_much / np.maximum(carried, least), 1.0)
        place = int(np.argmax(unsure))
        if unsure[place] <= STEP:
            break
        amount = float(np.sqrt(carried[place] * too_much[place]))
        fits = able(amount)
        carried = np.where(fits & (carried > 0), np.maximum(carried, amount), carried)
        too_much = np.where(fits, too_much, np.minimum(too_much, amount))
    return carried, np.array([_watts(tables[load], row) if load else 0.0 for row, load in enumerate(carried.tolist())])


def _watts(table: Table, row: int) -> float:
    """Watts of the boards of one row; their limits where nothing else is known."""
    table.ask((row,))
    draw, setup = table.draw(row), table.rows[row].setup
    known = power_range(setup.device)
    return draw.board if draw else (known[1] if known else 0.0) * setup.count


def _scaled(question: Question, amount: float) -> Service:
    """The service with another load."""
    work = question.workload
    assert isinstance(work, Service)
    return replace(work, users=amount) if work.concurrency is None else replace(work, concurrency=amount)


def _runs(fleet: Fleet, place: int, task: Task) -> Iterator[Column]:
    """Runs by kind and number of devices: those that fill a part of a machine, or several machines."""
    work, runs = task.question.workload, Runs()
    assert isinstance(work, Pretraining | FineTuning)
    method: Method = "full" if isinstance(work, Pretraining) else work.method
    for number, kind in enumerate(fleet.kinds):
        for run in runs.of(task.question, kind.device, kind.memory):
            lone = kind.rented and kind.count == 1 and kind.device.kind != "tpu"  # let one by one, without a network
            joined = kind.device.kind in SERVER_KINDS and not lone
            packs = kind.count % run.count == 0 or (joined and run.count % kind.count == 0)
            if not packs or not run.fits or run.seconds > task.within:
                continue
            if kind.most is not None and kind.machines(run.count) > kind.most + kind.have:
                break
            draw = training_draw(task.question.arch, kind.device, run, method, work.length, task.question.blocks)
            board = draw.board if draw else 0.0
            idle = waiting(kind.device) * run.count
            yield Column(place, number, float(run.count), 1.0, max(board - idle, 0.0), run=run, alone=kind.rented)
            if run.seconds < WELL * min(task.within, 86400.0):  # more devices would only be idle sooner
                break

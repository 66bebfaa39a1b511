"""Kinds of machine worth having in a fleet, where the user names none: what each task by itself would choose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ridgewise.advise.field import Field
from ridgewise.advise.fleets.fleet import Kind, Task
from ridgewise.advise.option import Option, named
from ridgewise.economics.cost import sold
from ridgewise.hardware import Device
from ridgewise.hardware.offers import rental_price

#: Devices taken of each task: the cheapest a month that do it by themselves.
EACH = 4
#: Cards that one computer holds.
CARDS = (1, 2, 4)


def offered(tasks: Sequence[Task], devices: Sequence[Device]) -> tuple[Kind, ...]:
    """Machines to buy and to rent, of the devices that do some task at the least cost."""
    chosen: dict[str, tuple[Device, float | None]] = {}
    for task in tasks:
        options = [option for option in Field().options(task.question, devices) if option.feasible]
        for option in sorted(options, key=_month)[:EACH]:
            chosen.setdefault(option.device.id, (option.device, option.configuration))
    return tuple(kind for device, memory in chosen.values() for kind in _sizes(device, memory))


def _month(option: Option) -> float:
    return float("inf") if option.cost.month is None else option.cost.month


def _sizes(device: Device, memory: float | None) -> Iterator[Kind]:
    unit = sold(device, 1)
    for count in CARDS if unit == 1 and not device.complete and device.kind != "cpu" else (unit,):
        kind = Kind(named(device, count), device, count, configuration=memory)
        if kind.cost is not None:
            yield kind
    if rental_price(device) is not None:
        for count in dict.fromkeys((1, unit)):
            yield Kind(f"{named(device, count)}, rented", device, count, rented=True, configuration=memory)

"""A fleet: what is asked of it, the machines it may consist of, and the limits it keeps.

period     hours of every day in which loads are the same (day, night)
task       one workload of one team: a model that people use, or a run that comes again
kind       one kind of machine, owned or rented
column     one way to do a task on a kind: so many devices (or a share of one), what they carry, what they draw
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated

from ridgewise.advise.question import Question
from ridgewise.economics.cost import AMORTISATION_MONTHS, HOURS_PER_MONTH, TARIFF, purchase
from ridgewise.economics.power import host_draw, host_kind, power_range
from ridgewise.hardware import Device
from ridgewise.hardware.machine import configurations
from ridgewise.hardware.offers import price_rows, rental_price
from ridgewise.serving import Setup
from ridgewise.simulation.metrics import Limit
from ridgewise.training import TrainingEstimate
from ridgewise.workloads import FineTuning, Pretraining, Service

#: Rack units of what stands around boards, where no system of the catalogue says: assumed, a tower lying in a shelf.
RACK_UNITS = {"desktop": 4.0, "workstation": 5.0, "server": 8.0, "cpu-server": 2.0, "complete": 2.0}


@dataclass(frozen=True, slots=True)
class Period:
    """Hours of every day in which the loads are the same."""

    name: str
    hours: Annotated[float, "h"]

    @property
    def month(self) -> Annotated[float, "h"]:
        """Its hours in a month."""
        return self.hours * HOURS_PER_MONTH / 24.0


@dataclass(frozen=True, slots=True)
class Task:
    """One workload.

    loads      share of its busiest load in every period; of a run: 1 where it may run, 0 where not
    promises   limits on percentiles, kept in a simulation; those of the question are kept on average
    every      time from one run to the next [s]; a run ends before the next begins, or by its deadline
    """

    name: str
    question: Question
    loads: tuple[Annotated[float, "ratio"], ...]
    team: str = ""
    promises: tuple[Limit, ...] = ()
    every: Annotated[float, "s"] = 0.0

    @property
    def serves(self) -> bool:
        return isinstance(self.question.workload, Service)

    @property
    def within(self) -> float:
        """Time in which a run ends: its deadline, or until the next begins [s]."""
        work = self.question.workload
        limit = work.deadline if isinstance(work, Pretraining | FineTuning) else None
        return min(self.every, limit or self.every)

    @property
    def runs(self) -> Annotated[float, "1/month"]:
        """Runs of a month."""
        return HOURS_PER_MONTH * 3600.0 / self.every

    @property
    def busy(self) -> float:
        """Mean load of a service over the load of its period."""
        work = self.question.workload
        return work.busy if isinstance(work, Service) else 1.0

    @property
    def amount(self) -> float:
        """Load at the busiest time: users, or requests in flight where those are given."""
        work = self.question.workload
        assert isinstance(work, Service)
        return work.users if work.concurrency is None else work.concurrency

    def load(self, period: int) -> float:
        """Load of a period."""
        return self.amount * self.loads[period]

    @property
    def unit(self) -> str:
        work = self.question.workload
        return "users" if isinstance(work, Service) and work.concurrency is None else "requests in flight"


@dataclass(frozen=True)
class Kind:
    """One kind of machine: ``count`` devices in it.

    have      machines that are there already; ``most``: further ones that may come (None: as many as it takes)
    price     the user's own price of a machine [USD]; ``hourly`` its own rent [USD/h]
    units     the user's own rack units
    """

    name: str
    device: Device
    count: int
    rented: bool = False
    have: int = 0
    most: int | None = None
    configuration: Annotated[float, "B"] | None = None
    price: Annotated[float, "USD"] | None = None
    hourly: Annotated[float, "USD/h"] | None = None
    units: Annotated[float, "1"] | None = None

    @property
    def memory(self) -> Annotated[float, "B"] | None:
        """The memory its devices are taken with: the one named, or the least of those they are sold with; None where
        they come with one."""
        return self.configuration if self.configuration is not None else configurations(self.device)[0]

    def machines(self, devices: float) -> int:
        """Machines that hold so many devices."""
        return math.ceil(devices / self.count)

    @cached_property
    def cost(self) -> float | None:
        """Price of a further machine [USD], the middle of the catalogue's range; None where nobody asks one."""
        if self.price is not None:
            return self.price
        found = purchase(self.device, self.count, self.memory)
        return None if found is None else found.middle

    @cached_property
    def rent(self) -> float | None:
        """Rent of a machine [USD/h], the middle of the catalogue's range; None where nobody lets it."""
        if self.hourly is not None:
            return self.hourly
        found = rental_price(self.device)
        return None if found is None else found.middle * self.count

    @property
    def offered(self) -> bool:
        """Can it be had at all?"""
        return self.have > 0 or (self.rent if self.rented else self.cost) is not None

    @cached_property
    def idle(self) -> float:
        """Watts of the whole machine with models in memory and nothing to do, its computer counted as at work."""
        return self.count * waiting(self.device) + host_draw(self.device, self.count)

    @cached_property
    def rack(self) -> tuple[float, bool]:
        """Rack units of one machine, and whether they are assumed."""
        if self.units is not None:
            return self.units, False
        alike = (row for row in price_rows("systems.csv") if row["device"] == self.device.id)
        known = [float(r["rack_units"]) for r in alike if r["rack_units"] and r["count"] == str(self.count)]
        return (known[0], False) if known else (RACK_UNITS[host_kind(self.device, self.count)], True)


def waiting(device: Device) -> float:
    """Watts of one device that holds a model and waits."""
    known = power_range(device)
    return device.number("resident_power") or (known[0] if known else 0.0)


@dataclass(frozen=True, slots=True)
class Column:
    """One way to do a task on one kind of machine.

    devices   devices of one replica or run, or the share of one that a small model takes
    carries   load of one replica within its limits, in the task's unit; 1 for a run
    watts     what one replica adds to the waiting machine at full load [W]
    setup     the replica; None for a run
    run       the run; ``alone``: on machines rented for it
    """

    task: int
    kind: int
    devices: float
    carries: float
    watts: Annotated[float, "W"]
    setup: Setup | None = None
    run: TrainingEstimate | None = None
    alone: bool = False

    @property
    def hours(self) -> float:
        """Hours of one run, as expected."""
        assert self.run is not None
        return self.run.seconds / 3600.0


#: Limits by name: what a fleet may take in all.
LIMITS: Mapping[str, str] = {
    "budget": "USD to buy", "month": "USD a month in rents and energy", "power": "W at the wall", "rack": "rack units",
}  # fmt: skip


@dataclass(frozen=True)
class Fleet:
    """Everything that is asked.

    limits   by the names of :data:`LIMITS`; what is absent is not limited
    months   over which purchases are spread
    spares   machines of every owned kind in use that may fail without the load being missed
    """

    tasks: tuple[Task, ...]
    kinds: tuple[Kind, ...]
    periods: tuple[Period, ...] = (Period("all day", 24.0),)
    limits: Mapping[str, float] = field(default_factory=dict)
    months: Annotated[float, "months"] = AMORTISATION_MONTHS
    tariff: Annotated[float, "USD/kWh"] = TARIFF
    spares: int = 0

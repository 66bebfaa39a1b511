"""The unit of a number is part of its type: no numeric field of the core without one."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import pytest

from ridgewise import units
from ridgewise.economics import Cost, Draw
from ridgewise.economics.cost import Purchase
from ridgewise.economics.ownership import Case
from ridgewise.hardware.offers import Host
from ridgewise.memory import Footprint
from ridgewise.memory.training import Bulk, MemoryCoefficients, Sharding
from ridgewise.serving import Speed
from ridgewise.timing import Band, Efficiency, Rates, Term
from ridgewise.training.estimate import TrainingEfficiency, TrainingEstimate
from ridgewise.training.step import Demand, Layout, StepTime, Supply, TrainingCoefficients
from ridgewise.units import kinds
from ridgewise.work import Plan, Slice, Step, Work
from ridgewise.workloads import FineTuning, Pretraining, Service, SingleUser

CORE = (
    Work, Slice, Step, Plan, Rates, Term, Footprint, Efficiency, Band, Draw, Cost, Purchase, Case, Speed,
    TrainingEfficiency, TrainingEstimate, Demand, Layout, Supply, TrainingCoefficients, StepTime,
    Bulk, Sharding, MemoryCoefficients,
    SingleUser, Service, Pretraining, FineTuning, Host,
)  # fmt: skip
#: Numbers that count devices, rows of evidence or layouts of one answer: their unit is one.
COUNTED = {"rows", "count", "tp", "pp", "shards", "micro_batch", "boards_max"}
#: Units an alias may carry, as sheets and documents write them.
KNOWN = {"B", "B/s", "1", "USD", "USD/h", "USD/kWh", "FLOP", "FLOP/s", "FLOP/B", "J", "ratio", "s", "tokens",
         "tokens/s", "W", "bits", "h", "months", "1/month", "USD/kW", "USD/token", "g/kWh"}  # fmt: skip


def parts(note: Any) -> Iterator[Any]:
    """The alternatives of a type, unions and containers opened."""
    origin = typing.get_origin(note)
    if origin in (typing.Union, types.UnionType):
        for choice in typing.get_args(note):
            yield from parts(choice)
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        yield from parts(typing.get_args(note)[1])
    else:
        yield note


def unit(note: Any) -> str | None:
    """The unit an annotation carries."""
    if typing.get_origin(note) is Annotated:
        return next((extra for extra in typing.get_args(note)[1:] if isinstance(extra, str)), None)
    return None


def unitless(kind: type) -> list[str]:
    """Numeric fields of a dataclass that carry no unit."""
    notes = typing.get_type_hints(kind, include_extras=True)
    found = []
    for one in dataclasses.fields(kind):
        for note in parts(notes[one.name]):
            number = note in (float, int, Any) or typing.get_origin(note) is Annotated
            if number and unit(note) is None and one.name not in COUNTED:
                found.append(one.name)
    return found


@pytest.mark.parametrize("kind", CORE, ids=lambda kind: kind.__name__)
def test_every_number_of_the_core_carries_its_unit(kind: type) -> None:
    assert unitless(kind) == []


@pytest.mark.parametrize("kind", CORE, ids=lambda kind: kind.__name__)
def test_every_unit_is_one_that_can_be_written(kind: type) -> None:
    for name, note in typing.get_type_hints(kind, include_extras=True).items():
        for part in parts(note):
            if unit(part) is not None:
                assert unit(part) in KNOWN, f"{kind.__name__}.{name}"


def test_every_alias_is_public_and_says_its_unit() -> None:
    aliases = {name: value for name, value in vars(kinds).items() if typing.get_origin(value) is Annotated}
    assert len(aliases) >= 12
    for name, value in aliases.items():
        assert unit(value) in KNOWN, name
        assert getattr(units, name) == value, f"{name} is not exported"


def test_the_demand_for_units_can_be_failed() -> None:
    @dataclasses.dataclass
    class Bare:
        seconds: float = 0.0
        size: units.Bytes = 0.0

    Bare.__annotations__ = {"seconds": float, "size": units.Bytes}
    assert unitless(Bare) == ["seconds"]

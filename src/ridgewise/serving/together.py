"""Many deployments at once: those that differ in device, memory and tensor parallelism alone are timed as one, with a
row for each in every rate and coefficient."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from ridgewise.memory.engines import policy
from ridgewise.serving import local
from ridgewise.serving.limits import limits
from ridgewise.serving.local import Run
from ridgewise.serving.setup import Setup
from ridgewise.timing import Rates
from ridgewise.timing.coefficients import Band

T = TypeVar("T")


@dataclass(frozen=True)
class Together(Setup):
    """Deployments that are :func:`alike`, as one whose numbers are columns of shape (rows, 1).

    What :mod:`ridgewise.serving.estimate` says of a deployment it says of these, row by row.
    """

    members: tuple[Setup, ...] = ()

    @classmethod
    def of(cls, members: Sequence[Setup]) -> Together:
        """Deployments, one a row."""
        first = members[0]
        named = {field.name: getattr(first, field.name) for field in fields(Setup)}
        stages = {float(member.plan.pp) for member in members}
        plan = replace(
            first.plan,
            tp=_column([float(member.plan.tp) for member in members]),
            pp=first.plan.pp if len(stages) == 1 else _column([float(member.plan.pp) for member in members]),
        )
        usable = _column([member.usable for member in members])
        return cls(**{**named, "plan": plan, "usable": usable}, members=tuple(members))

    @cached_property
    def run(self) -> Run:
        return self.members[0].run

    @cached_property
    def _cases(self) -> tuple[list[Setup], np.ndarray]:
        """Members with groups of measurements of their own, and which of them stands for each row."""
        cases: dict[Hashable, int] = {}
        firsts: list[Setup] = []
        rows: list[int] = []
        for member in self.members:
            place = cases.setdefault(tuple(member.keys().values()), len(firsts))
            if place == len(firsts):
                firsts.append(member)
            rows.append(place)
        return firsts, np.array(rows)

    def each(self, of: Callable[[Setup], T]) -> list[T]:
        """What follows from the groups of measurements alone, of every row."""
        firsts, rows = self._cases
        found = [of(member) for member in firsts]
        return [found[place] for place in rows]

    def coefficients(self, tokens: float = 1.0) -> dict[str, Any]:
        way = "" if self.many else local.product(self.run, tokens)
        if way not in self._known:
            firsts, rows = self._cases
            found = [member.coefficients(tokens) for member in firsts]
            self._known[way] = {name: _column([one[name] for one in found])[rows] for name in found[0]}
        return self._known[way]

    def band(self, metric: str, sequences: float = 1.0) -> Band:
        found = [member.band(metric, sequences) for member in self.members]
        low, high = _column([one.low for one in found]), _column([one.high for one in found])
        return Band(low, high, min(one.rows for one in found))

    @cached_property
    def _offered(self) -> dict[str, Rates]:
        return {}

    def rates(self, tokens: float = 1.0) -> Rates:
        way = "" if self.many else local.product(self.run, tokens)
        if way not in self._offered:
            found = [member.rates(tokens) for member in self.members]
            columns = {field.name: _column([getattr(one, field.name) for one in found]) for field in fields(Rates)}
            self._offered[way] = Rates(**columns)
        return self._offered[way]


def _column(values: Sequence[float]) -> np.ndarray:
    return np.array(values, dtype=float)[:, np.newaxis]


def alike(setup: Setup) -> Hashable:
    """What deployments share that are timed as one: all but rates, coefficients, memory and tensor parallelism."""
    plan, device, engine = setup.plan, setup.device, setup.engine
    if setup.host is not None or setup.draft is not None or setup.adapters:
        return id(setup)
    rules = policy(engine.memory, device.architecture).id, device.kind.startswith("gpu")
    common = (engine.id, plan.format.id, float(plan.pp), float(plan.kv_bits), float(plan.attn_dp), *rules,
              limits(engine.id, device), float(plan.sequences))  # fmt: skip
    if setup.many:
        return common
    run = setup.run
    ways = (local.product(run, tokens) for tokens in (1.0, local.FEW_TOKENS + 1.0))
    return (*common, float(plan.tp), run.engine, run.backend, run.unit, run.split, run.ubatch, *ways)

"""What a user's own measurements change: the factors of their devices, nothing else.

The shipped value and doubt of every factor are the prior; only the groups of the levels below are fitted anew, so
that other devices, and the shipped file, stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ridgewise.evidence import Table
from ridgewise.timing.coefficients import PHASES, Block, Coefficient, Deviation
from ridgewise.validation import judge
from ridgewise.validation.domain import Cases, Domain
from ridgewise.validation.domains import domain_of
from ridgewise.validation.pooling import Layout, Spec, fit, layout

#: Levels that tell one device from another; the widest spread among them is how far a user's own may differ.
APART = ("device", "chip", "driven", "silicon", "architecture")
#: How much more freely a user's own factors move than those between published devices: the measurements are of the
#: very machine that is asked about.
FREELY = 2.0


def anchored(blocks: Mapping[str, Block], tables: Sequence[Table]) -> dict[str, Block]:
    """The blocks with the factors of the devices measured in ``tables`` fitted anew."""
    found = dict(blocks)
    for table in tables:
        domain = domain_of(table.kind.name)
        for cases in domain.prepare(table.rows, table.kind.name).cases:
            if cases.block in found:
                found[cases.block] = _anchored(found[cases.block], domain, cases)
    return found


def _anchored(block: Block, domain: Domain, cases: Cases) -> Block:
    target, weight = judge.measured(cases), (judge.weights(cases) > 0).astype(float)
    if not weight.any():
        return block
    count = len(cases.rows)
    keys = [{level: column[i] for level, column in cases.keys.items()} for i in range(count)]
    base = {name: np.array([coefficient.at(key) for key in keys]) for name, coefficient in block.coefficients.items()}
    plan = _layout(block, cases, count)

    def formula(moved: Mapping[str, np.ndarray]) -> np.ndarray:
        return domain.predict(cases, {
            name: np.clip(column * moved.get(name, 1.0), block.coefficients[name].low, block.coefficients[name].high)
            for name, column in base.items()
        })  # fmt: skip

    solved = fit(formula, np.where(weight > 0, target, 0.0), weight, plan)
    coefficients = dict(block.coefficients)
    for (name, level, group), log, doubt in zip(plan.names, solved.unknowns, solved.doubts, strict=True):
        coefficients[name] = _moved(coefficients[name], level, group, float(log), float(doubt), cases)
    seen = {level: set(groups) for level, groups in block.seen.items()}
    used = np.flatnonzero(weight > 0)
    for one in PHASES:  # what of a user's own was not measured rests on what ships
        seen.setdefault(f"{one} own", set())
    told, where = judge.phases(cases), judge.places(cases)
    for i in used:
        own = {"own": where["device"][i]}
        for level, group in [*((level, groups[i]) for level, groups in where.items()), *own.items()]:
            seen.setdefault(level, set()).add(group)
            if f"{told[i]} {level}" in seen:
                seen[f"{told[i]} {level}"].add(group)
    if cases.anchor:
        seen.setdefault("anchor", set()).update(judge.anchors(cases, weight))
    return replace(
        block, coefficients=coefficients, seen={level: frozenset(groups) for level, groups in seen.items()},
        rows=block.rows + len(used),
    )  # fmt: skip


def _layout(block: Block, cases: Cases, count: int) -> Layout:
    """Unknowns for the user's devices in every coefficient that differs between devices."""
    specs = []
    for name, coefficient in block.coefficients.items():
        apart = [coefficient.spreads[level] for level in APART if level in coefficient.spreads]
        if apart:
            specs.append(Spec(name, 1.0, 0.0, {"device": FREELY * max(apart)}))
    return layout(specs, cases.keys, count)


def _moved(coefficient: Coefficient, level: str, group: str, log: float, doubt: float, cases: Cases) -> Coefficient:
    groups = dict(coefficient.levels.get(level, {}))
    known = groups.get(group, Deviation(1.0))
    rows = known.rows + sum(key == group for key in cases.keys[level])
    groups[group] = Deviation(known.factor * float(np.exp(log)), doubt, rows)
    return replace(coefficient, levels={**coefficient.levels, level: groups})

"""Power and energy per token of serving: what the boards draw by how busy memory and matrix units are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ridgewise.economics.power import board_draw, host_draw
from ridgewise.errors import RequestError
from ridgewise.evidence import Row
from ridgewise.evidence.tables import number
from ridgewise.serving.keys import POWER_BLOCK
from ridgewise.validation.columns import Passes
from ridgewise.validation.domain import Cases, Prepared
from ridgewise.validation.domains.serving import MANNERS, STEPS, Situation, Table, felt, per_situation, prepared, roof
from ridgewise.validation.pooling import Spec

METRICS = ("watts", "joules_per_token")
#: Power limit of a board whose limit is said to be lowered without a figure, over its default.
LOWERED = 0.7
#: What a board draws above idle: a share of its range while it serves at all [1], and energy of work, which
#: hardly differs between generations [pJ per byte moved, pJ per 16-bit FLOP].
DRAW: tuple[Spec, ...] = (
    Spec("awake", 0.15, 0.4, {"chip": 0.15, "class": 0.1}, 0.01, 1.0),
    Spec("moving", 180.0, 0.25, {"chip": 0.12, "dtype": 0.1}, 1.0, 1e4),
    Spec("computing", 1.8, 0.3, {"chip": 0.2, "dtype": 0.15}, 0.01, 100.0),
)
PICO = 1e-12


@dataclass(frozen=True, slots=True)
class Power:
    """A table of situations with what their boards and hosts draw.

    idle, limit   W of one board; ``host``: W around all boards, where the meter hangs at the wall
    """

    table: Table
    idle: np.ndarray
    limit: np.ndarray
    host: np.ndarray


def _boards(s: Situation, row: Row) -> tuple[float, float, float]:
    limit = s.device.number("board_power")
    if limit is None:
        raise RequestError(f"the power limit of {s.device.id} is not known", "device_id")
    idle = s.device.number("idle_power") or IDLE_SHARE * limit
    said = row.get("power_limit_w", "")
    try:
        limit = min(number(row, "power_limit_w") or limit, 2 * limit)
    except RequestError:
        limit = LOWERED * limit if said == "maxq" else limit
    wall = row.get("power_scope", "") == "system_wall"
    return idle, max(limit, 1.2 * idle), host_draw(s.device, int(s.devices)) if wall else 0.0


#: Idle draw over the limit where no sheet gives it: 0.10 on H100, 0.14 on B200.
IDLE_SHARE = 0.12


def asked(passes: Passes) -> tuple[np.ndarray, np.ndarray]:
    """Bytes moved and 16-bit FLOPs computed by a step on one device; products in fewer bits count by their rate."""
    moved = sum((np.asarray(part.bytes, dtype=float) for part in passes.work.values()), np.zeros(1))
    computed = sum((np.asarray(part.flops, dtype=float) for part in passes.work.values()), np.zeros(1))
    return moved, computed * np.asarray(passes.rates.scores) / np.asarray(passes.rates.peak)


@dataclass(frozen=True, slots=True)
class Energy:
    """The domain."""

    name: str = POWER_BLOCK
    kinds: tuple[str, ...] = ("energy",)

    def prepare(self, rows: Sequence[Row], kind: str, configs: Path | None = None) -> Prepared:
        """As serving; a device without a power limit cannot be predicted."""
        found = prepared(self.name, rows, configs, METRICS, _boards, ("power_scope",))
        return Prepared(
            tuple(
                Cases(c.block, c.rows, c.place, c.keys, c.regimes,
                      Power(c.data[0], *np.array(c.data[1], dtype=float).T), c.assumed)
                for c in found.cases
            ),
            found.unsupported,
        )  # fmt: skip

    def specs(self, block: str) -> Sequence[Spec]:
        return (*DRAW, *STEPS, *MANNERS)

    def predict(self, cases: Cases, coefficients: Mapping[str, np.ndarray]) -> np.ndarray:
        power: Power = cases.data
        table = power.table
        at = per_situation(table, coefficients)
        found = felt(table, at)
        watts = self._watts(power, at, found)
        values = np.where(table.metric == "watts", watts[table.place], (watts / _rate(found))[table.place])
        return np.asarray(np.log(values), dtype=float)

    def _watts(self, power: Power, at: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]) -> np.ndarray:
        """Boards at the mean of a request's time: a decode step and its share of prompts."""
        table, numbers = power.table, power.table.numbers
        moved, computed = asked(table.steps["decode"])
        also_moved, also_computed = asked(table.steps["packed"])
        prompts = numbers["running"] / numbers["answer"] * numbers["chunks"] / table.steps["packed"].sequences
        work = at["moving"] * (moved + prompts * also_moved) + at["computing"] * (computed + prompts * also_computed)
        reach = power.limit - power.idle
        draw = board_draw(power.idle, power.limit, at["awake"] + PICO * work / found["tpot"] / reach)
        return np.asarray(numbers["devices"] * draw + power.host, dtype=float)

    def roofline(self, cases: Cases) -> np.ndarray:
        """Every board at its limit, every step at its roof."""
        power: Power = cases.data
        table = power.table
        found = felt(table, roof(len(table.numbers["devices"])))
        watts = table.numbers["devices"] * power.limit + power.host
        values = np.where(table.metric == "watts", watts[table.place], (watts / _rate(found))[table.place])
        return np.asarray(np.log(values), dtype=float)


def _rate(found: Mapping[str, np.ndarray]) -> np.ndarray:
    """Output tokens per second of all replicas."""
    return np.asarray(found["output"] * found["replicas"], dtype=float)


ENERGY = Energy()

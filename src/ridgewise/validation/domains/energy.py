"""Power and energy per token of serving: what the boards draw by how busy memory and matrix units are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ridgewise.economics.power import BLOCK, LEAST_RANGE, host_draw, power_range
from ridgewise.errors import RequestError
from ridgewise.evidence import Row
from ridgewise.evidence.tables import number
from ridgewise.timing.power import Effort, asked, board_watts, sustained
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
    found = power_range(s.device)
    if found is None:
        raise RequestError(f"the power limit of {s.device.id} is not known", "device_id")
    idle, limit = found
    said = row.get("power_limit_w", "")
    try:
        limit = min(number(row, "power_limit_w") or limit, 2 * limit)
    except RequestError:
        limit = LOWERED * limit if said == "maxq" else limit
    wall = row.get("power_scope", "") == "system_wall"
    return idle, max(limit, LEAST_RANGE * idle), host_draw(s.device, int(s.devices)) if wall else 0.0


@dataclass(frozen=True, slots=True)
class Energy:
    """The domain."""

    name: str = BLOCK
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
        """Boards at the mean of a request's time: decode steps and their share of prompts."""
        table, n = power.table, power.table.numbers
        steps, packed = table.steps["decode"], table.steps["packed"]
        prompt = asked(packed.work, packed.rates) * (n["chunks"] / n["packed"])
        decode: Effort = asked(steps.work, steps.rates)
        effort = sustained(decode, prompt, n["running"], n["answer"], found["output"], n["pp"])
        draw = board_watts(effort, steps.rates, power.idle, power.limit, at)
        return np.asarray(n["devices"] * draw + power.host, dtype=float)

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

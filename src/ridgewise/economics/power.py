"""Watts at the boards and at the wall: the boards by what they do, the rest from figures with sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

import numpy as np

from ridgewise.facts.catalog import catalog_path, read_toml
from ridgewise.hardware.device import Device
from ridgewise.hardware.machine import Machine
from ridgewise.timing import Rates
from ridgewise.timing.coefficients import Block, load_blocks
from ridgewise.timing.power import Effort, board_watts

#: The calibration block of the boards' draw.
BLOCK = "energy"
#: Idle draw over the limit where no sheet gives it: 0.10 on H100, 0.14 on B200.
IDLE_SHARE = 0.12
#: Least limit over idle draw.
LEAST_RANGE = 1.2


@dataclass(frozen=True, slots=True)
class Draw:
    """Power of a machine at work [W]: all boards together, and the wall with its 80 % interval; numbers or columns.

    support   how well measured watts support it: "cell", "device", "stack" or "none"
    """

    board: Annotated[Any, "W"]
    wall: Annotated[Any, "W"]
    low: Annotated[Any, "W"]
    high: Annotated[Any, "W"]
    support: str = "none"


@cache
def _table() -> Mapping[str, Any]:
    return read_toml(catalog_path("calibration", "power.toml"))


def host_kind(device: Device, count: int) -> str:
    """What stands around the devices: nothing more (a complete machine), a desktop, a workstation, a server."""
    return Machine(device, count).host or "complete"


def power_range(device: Device) -> tuple[float, float] | None:
    """Idle draw and power limit of one board [W]; None where the limit is unknown. Of a complete machine idle is the
    whole and the limit the package's, so that the former may reach the latter."""
    limit = device.number("board_power")
    if limit is None:
        return None
    idle = device.number("idle_power") or IDLE_SHARE * limit
    return idle, max(limit, LEAST_RANGE * idle)


def host_draw(device: Device, count: int) -> float:
    """What stands around ``count`` busy devices draws at the wall [W]; nothing where the limit is unknown."""
    limit = device.number("board_power")
    if limit is None:
        return 0.0
    host = _table()["host"][host_kind(device, count)]
    return float(Machine(device, count).nodes * host["active"] + count * limit * host.get("per_board_watt", 0.0))


def wall_power(
    device: Device,
    count: int,
    effort: Effort,
    rates: Rates,
    keys: Mapping[str, str],
    regime: str = "",
    blocks: Mapping[str, Block] | None = None,
) -> Draw | None:
    """Draw of ``count`` devices at work, host included; None when the board limit is unknown.

    ``effort`` and ``rates`` are those of one device; ``keys`` and ``regime`` say which measurements it belongs to.
    No board draws less than idle or more than its limit, so the interval ends there.
    """
    found = power_range(device)
    if found is None:
        return None
    idle, limit = found
    block = (blocks if blocks is not None else load_blocks()).get(BLOCK) or load_blocks()[BLOCK]
    board = count * np.asarray(board_watts(effort, rates, idle, limit, block.at(keys)), dtype=float)[()]
    support = block.support(keys)
    band = block.band("watts", regime, support)
    low, high = np.maximum(board * band.low, count * idle), np.minimum(board * band.high, count * limit)
    around = host_draw(device, count)
    return Draw(board, board + around, low + around, high + around, support)

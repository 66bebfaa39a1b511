"""Watts at the board and at the wall: measured shares of the power limit, not the limit itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal

from ridgewise.facts.catalog import catalog_path, read_toml
from ridgewise.hardware.device import Device
from ridgewise.hardware.machine import Machine
from ridgewise.units import Num

Activity = Literal["decode", "serve", "train"]


@dataclass(frozen=True, slots=True)
class Draw:
    """Power of a machine at work [W]: all boards together, and the wall with its interval."""

    board: Annotated[float, "W"]
    wall: Annotated[float, "W"]
    low: Annotated[float, "W"]
    high: Annotated[float, "W"]


@cache
def _table() -> Mapping[str, Any]:
    return read_toml(catalog_path("calibration", "power.toml"))


def host_kind(device: Device, count: int) -> str:
    """What stands around the devices: nothing more (a complete machine), a desktop, a workstation, a server."""
    return Machine(device, count).host or "complete"


def wall_power(device: Device, count: int, activity: Activity) -> Draw | None:
    """Draw of ``count`` devices at work, host included; None when the board limit is unknown."""
    limit = device.number("board_power")
    if limit is None:
        return None
    table = _table()
    shares = table[activity]
    kind = host_kind(device, count)
    host = table["host"][kind]
    if kind == "complete":
        wall = count * limit * host["per_package_watt"] + host["active"]
        return Draw(count * limit, wall, 0.8 * wall, 1.15 * wall)
    nodes = Machine(device, count).nodes
    around = nodes * host["active"] + count * limit * host.get("per_board_watt", 0.0)
    board, low, high = (count * limit * shares[key] for key in ("share", "low", "high"))
    return Draw(board, board + around, low + around, high + around)


def board_draw(idle: Annotated[Num, "W"], limit: Annotated[Num, "W"], share: Annotated[Num, "ratio"]) -> Num:
    """Draw of one board [W]: idle, and a share of the range up to its limit. Near the limit the board lowers its
    clock: the share bends towards 1, as ``s/(1 + s⁴)^¼``."""
    return idle + (limit - idle) * share / (1 + share**4) ** 0.25


def host_draw(device: Device, count: int) -> float:
    """What stands around ``count`` busy devices draws at the wall [W]; nothing where the limit is unknown."""
    found = wall_power(device, count, "serve")
    return 0.0 if found is None else found.wall - found.board

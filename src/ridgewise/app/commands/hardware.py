"""`ridgewise hardware`: the options of its commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ridgewise.app.commands._shared import Device, Json

PANEL = "Catalogue"
group = typer.Typer(
    help="Hardware of the catalogue, or your own: list, show, add; what it costs.", no_args_is_help=True
)


@group.command("list")
def hardware_list(
    search: Annotated[str, typer.Argument(help="only names that contain this")] = "",
    kind: Annotated[str | None, typer.Option(help="only this class: gpu-consumer, unified, cpu …")] = None,
    json: Json = False,
) -> int:
    """Devices of the catalogue."""
    from ridgewise.app import cataloguing

    return cataloguing.list_hardware(search, kind, json=json)


@group.command("show")
def hardware_show(name: Device, json: Json = False) -> int:
    """One device: every figure with its unit, kind, source and date, its prices, its ridge point."""
    from ridgewise.app import cataloguing

    return cataloguing.show_hardware(name, json=json)


@group.command("add")
def hardware_add(path: Annotated[Path, typer.Argument(help="sheet (TOML) of the device")]) -> int:
    """Check a device sheet and add it to your catalogue."""
    from ridgewise.app import cataloguing

    return cataloguing.add_hardware(path)


@group.command("prices")
def hardware_prices(
    name: Annotated[str, typer.Argument(help="device name or alias; without: every device")] = "",
    refresh: Annotated[bool, typer.Option("--refresh", help="fetch today's offers into your catalogue")] = False,
    json: Json = False,
) -> int:
    """What devices cost to buy and to rent: every price with its date and source."""
    from ridgewise.app import costing

    return costing.list_prices(name, refresh, json=json)

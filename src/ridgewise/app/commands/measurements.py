"""`ridgewise measurements`: the options of its commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ridgewise.app.commands._shared import Json, StorePath

PANEL = "Evidence"
group = typer.Typer(help="Your own measurements: list, show, dump.", no_args_is_help=True)


@group.command("list")
def measurements_list(
    store: StorePath = None,
    kind: Annotated[str | None, typer.Option(help="only this kind of measurement")] = None,
    device: Annotated[str | None, typer.Option(help="only this device")] = None,
    json: Json = False,
) -> int:
    """What your store holds."""
    from ridgewise.app import measuring

    return measuring.list_measurements(store, kind, device, json=json)


@group.command("show")
def measurements_show(
    row: Annotated[str, typer.Argument(help="id of a row, or its beginning")],
    store: StorePath = None,
    json: Json = False,
) -> int:
    """One row in full."""
    from ridgewise.app import measuring

    return measuring.show_measurement(row, store, json=json)


@group.command("dump")
def measurements_dump(
    store: StorePath = None,
    kind: Annotated[str | None, typer.Option(help="only this kind of measurement")] = None,
    device: Annotated[str | None, typer.Option(help="only this device")] = None,
    out: Annotated[Path | None, typer.Option(help="write the table here instead of to the screen")] = None,
    json: Json = False,
) -> int:
    """Rows of one kind as a table that validate reads."""
    from ridgewise.app import measuring

    return measuring.dump_measurements(store, kind, device, out, json=json)

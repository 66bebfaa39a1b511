"""`ridgewise sweep`: the options of the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ridgewise.app.commands._shared import Json

PANEL = "Other faces"


def sweep(
    grid: Annotated[Path, typer.Argument(help="grid of names and numbers (TOML)")],
    out: Annotated[Path | None, typer.Option(help="folder of the rows; the grid's name beside it")] = None,
    executor: Annotated[str | None, typer.Option(help="serial, processes or ray")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=4096, help="as many as processors")] = None,
    address: Annotated[str, typer.Option(help="of a Ray cluster: auto, ray://head:10001")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say how much it is")] = False,
    json: Json = False,
) -> int:
    """Millions of estimates, or thousands of simulations, into Parquet; stopped, it goes on where it was."""
    from ridgewise.app import sweeping

    return sweeping.run(grid, out, executor, workers, address, dry_run=dry_run, json=json)

"""`ridgewise import`: the options of the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ridgewise.app.commands._shared import Json, StorePath

PANEL = "Evidence"


def import_(
    files: Annotated[list[Path], typer.Argument(help="what tools printed, or tables in one of the schemas")],
    form: Annotated[str | None, typer.Option("--format", help="name of the format, where it is not recognised")] = None,
    device: Annotated[str | None, typer.Option(help="device name or alias")] = None,
    model: Annotated[str | None, typer.Option(help="catalogue name or alias, or path of its configuration")] = None,
    engine: Annotated[str | None, typer.Option(help="inference engine, or training framework")] = None,
    precision: Annotated[str | None, typer.Option(help="weight format: q4_k_m, fp8, bf16 …")] = None,
    columns: Annotated[list[str] | None, typer.Option("--set", help="column=value of the schema (repeat)")] = None,
    source: Annotated[str, typer.Option(help="key that rows carry as their source")] = "user",
    store: StorePath = None,
    json: Json = False,
) -> int:
    """Add measurements to your store: benchmark results, training and start-up logs, power logs."""
    from ridgewise.app import measuring

    flags = {"device": device, "model": model, "engine": engine, "precision": precision}
    return measuring.import_files(files, form, flags, columns or [], source, store, json=json)

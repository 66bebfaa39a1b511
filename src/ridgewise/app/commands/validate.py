"""`ridgewise validate`: the options of the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ridgewise.app.commands._shared import Json

PANEL = "Evidence"


def validate(
    files: Annotated[list[Path] | None, typer.Argument(help="measurements (CSV in one of the schemas)")] = None,
    run: Annotated[Path | None, typer.Option(help="folder of one recorded run: meta.json, requests.csv")] = None,
    configs: Annotated[Path | None, typer.Option(help="folder of further model configurations")] = None,
    rows: Annotated[Path | None, typer.Option(help="write every row with its prediction (CSV)")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="without files: only this kind of measurement")] = None,
    mine: Annotated[bool, typer.Option("--mine", help="your own measurements, as if they were not known")] = False,
    json: Json = False,
) -> int:
    """How wrong are we? Predict measurements and compare; without files, leave out whole sources and devices."""
    from ridgewise.app import judging

    return judging.validate(files or [], run, configs, rows, kind or [], mine=mine, json=json)

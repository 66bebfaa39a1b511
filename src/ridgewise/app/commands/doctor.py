"""`ridgewise doctor`: the options of the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ridgewise.app.commands._shared import Json

PANEL = "This machine"


def doctor(
    record: Annotated[Path | None, typer.Option(help="write down what was looked at, to read it elsewhere")] = None,
    read: Annotated[Path | None, typer.Option("--from", help="read a recording instead of this machine")] = None,
    json: Json = False,
) -> int:
    """What is in this machine, what of it the catalogue knows, and what runs well."""
    from ridgewise.app import here

    return here.doctor(record, read, json=json)

"""`ridgewise probe`: the options of the command."""

from __future__ import annotations

from typing import Annotated

import typer

from ridgewise.app.commands._shared import Json

PANEL = "This machine"


def probe(
    seconds: Annotated[float, typer.Option(min=1, max=600, help="about how long")] = 20.0,
    threads: Annotated[int | None, typer.Option(min=1, max=4096, help="most threads; one per core")] = None,
    json: Json = False,
) -> int:
    """Measure memory bandwidth and matrix products of this machine, and add it to your catalogue."""
    from ridgewise.app import here

    return here.probe(seconds, threads, json=json)

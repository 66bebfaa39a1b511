"""`ridgewise compare`: the options of the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ridgewise.app.commands._shared import Json, Model, flags

PANEL = "Decide"


def compare(
    model: Model,
    hardware: Annotated[list[str] | None, typer.Argument(help="device names; one of each class where none is")] = None,
    phases: Annotated[bool, typer.Option("--phases", help="building against using, aspect by aspect")] = False,
    engine: Annotated[str | None, typer.Option(help="engine, or one of its back ends: llama.cpp/rocm")] = None,
    quant: Annotated[str | None, typer.Option(help="weight format")] = None,
    prompt: Annotated[str, typer.Option(help="prompt tokens")] = "1024",
    output: Annotated[str, typer.Option(help="output tokens")] = "512",
    concurrency: Annotated[str, typer.Option(help="requests in flight")] = "1",
    plot: Annotated[Path | None, typer.Option(help="write the rooflines here (SVG)")] = None,
    json: Json = False,
) -> int:
    """One model on several machines, side by side; with --phases training beside inference."""
    given = flags(locals(), "model", "hardware", "phases", "plot", "json")
    from ridgewise.app import comparing

    return comparing.run(model, hardware or [], given, plot, phases=phases, json=json)

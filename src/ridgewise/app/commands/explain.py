"""`ridgewise explain`: the options of the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ridgewise.app.commands._shared import Device, Json, Model, flags

PANEL = "Look closer"


def explain(
    model: Model,
    hardware: Device,
    engine: Annotated[str | None, typer.Option(help="engine, or one of its back ends: llama.cpp/rocm")] = None,
    quant: Annotated[str | None, typer.Option(help="weight format")] = None,
    prompt: Annotated[str, typer.Option(help="prompt tokens")] = "1024",
    output: Annotated[str, typer.Option(help="output tokens")] = "512",
    batch: Annotated[str, typer.Option(help="sequences decoded together")] = "1",
    tp: Annotated[int, typer.Option(min=1, max=1024, help="devices in tensor parallel or layer split")] = 1,
    pp: Annotated[int, typer.Option(min=1, max=1024, help="pipeline stages")] = 1,
    ep: Annotated[
        int | None, typer.Option(min=1, max=1024, help="devices that share the experts: a multiple of --tp")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="write the roofline plot here (SVG)")] = None,
    why_not: Annotated[list[str] | None, typer.Option(help="what holds other hardware back (repeat)")] = None,
    sensitivity: Annotated[
        bool, typer.Option("--sensitivity", help="what the figures hang on, and what to measure")
    ] = False,
    json: Json = False,
) -> int:
    """Every number of an estimate: operators, formulas, inputs with sources, coefficients with evidence."""
    given = flags(locals(), "model", "hardware", "plot", "why_not", "sensitivity", "json")
    from ridgewise.app import inspecting

    return inspecting.explain(model, hardware, given, plot, why_not or [], sensitivity=sensitivity, json=json)

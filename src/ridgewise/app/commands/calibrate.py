"""`ridgewise calibrate`: the options of the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ridgewise.app.commands._shared import Json

PANEL = "Evidence"


def calibrate(
    out: Annotated[Path | None, typer.Option(help="folder the fitted coefficients are written to")] = None,
    extra: Annotated[Path | None, typer.Option(help="folder of further measurements, fitted with the shipped")] = None,
    check: Annotated[Path | None, typer.Option(help="compare the fit with the files of this folder instead")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="only this kind of measurement")] = None,
    json: Json = False,
) -> int:
    """Fit the coefficients anew from measurements and the catalogue."""
    from ridgewise.app import judging

    return judging.calibrate(extra, out, kind or [], check, json=json)

"""Options that several commands share, and the panels of their help."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

GOAL = "Goal"
LOAD = "Inference load"
TRAIN = "Training"
LIMITS = "Limits and prices"
PROMISE = "Limits"
WHAT = "Candidates"
OUT = "Output"

Model = Annotated[str, typer.Argument(help="catalogue name or alias, or path: config.json, folder, GGUF, safetensors")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON document")]
Markdown = Annotated[bool, typer.Option("--markdown", help="print Markdown")]


def _ending(path: Path | None) -> Path | None:
    """A file of a report ends with one of its forms: said before anything is computed."""
    if path is not None:
        from ridgewise.app.reporting import form_of

        form_of(path)
    return path


Report = Annotated[
    Path | None,
    typer.Option(help="write a memo to sign: FILE.html, .pdf or .md", callback=_ending, rich_help_panel=OUT),
]
StorePath = Annotated[Path | None, typer.Option("--store", help="file of the store, instead of your data folder's")]
Device = Annotated[str, typer.Argument(help="device name or alias")]


def flags(options: Mapping[str, Any], *but: str) -> dict[str, Any]:
    """The options of a command, its ``locals()`` as it begins, by their names; without those ``but``."""
    return {name.rstrip("_"): value for name, value in options.items() if name not in but}

"""Options that several commands share, and the panels of their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
StorePath = Annotated[Path | None, typer.Option("--store", help="file of the store, instead of your data folder's")]
Device = Annotated[str, typer.Argument(help="device name or alias")]

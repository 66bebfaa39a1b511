"""`ridgewise models`: the options of its commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ridgewise.app.commands._shared import Json, Model

PANEL = "Catalogue"
group = typer.Typer(help="Models of the catalogue, or your own: list, show, add.", no_args_is_help=True)


@group.command("list")
def models_list(
    search: Annotated[str, typer.Argument(help="only names that contain this")] = "", json: Json = False
) -> int:
    """Models of the catalogue."""
    from ridgewise.app import cataloguing

    return cataloguing.list_models(search, json=json)


@group.command("show")
def models_show(model: Model, json: Json = False) -> int:
    """One model on one screen: parameters by component, cache per token, layers."""
    from ridgewise.app import cataloguing

    return cataloguing.show_model(model, json=json)


@group.command("add")
def models_add(
    path: Annotated[Path, typer.Argument(help="config.json or folder")],
    name: Annotated[str, typer.Argument(help="name to use, like org/name")],
) -> int:
    """Add your own model to your catalogue."""
    from ridgewise.app import cataloguing

    return cataloguing.add_model(path, name)

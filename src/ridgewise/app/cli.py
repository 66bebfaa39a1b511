"""The command line: finds the commands and hangs them under ``ridgewise``.

Every command imports what it needs when it runs, and only the named one is read, so that answers and help come at once.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from ridgewise.app import commands

#: Headings of the help, in the order of a reader's questions.
PANELS = ("Decide", "Look closer", "Catalogue", "Evidence", "This machine", "Other faces")


def names() -> dict[str, str]:
    """Every command and the module that holds it."""
    files = (path.stem for path in Path(commands.__path__[0]).glob("[!_]*.py"))
    return {stem.rstrip("_"): f"{commands.__name__}.{stem}" for stem in sorted(files)}


def build(only: str | None = None) -> typer.Typer:
    """The command line with every command, or with the one that is named: reading the options of all takes time."""
    found = names()
    if only in found:
        found = {only: found[only]}
    app = typer.Typer(
        name="ridgewise",
        help="What hardware does my AI workload need, and why? Answers in numbers you can check.",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    modules = {name: import_module(path) for name, path in found.items()}
    for name, module in sorted(modules.items(), key=lambda pair: PANELS.index(pair[1].PANEL)):
        if hasattr(module, "group"):
            app.add_typer(module.group, name=name, rich_help_panel=module.PANEL)
        else:
            app.command(name, rich_help_panel=module.PANEL)(getattr(module, module.__name__.rpartition(".")[2]))
    return app


def _version(value: bool) -> None:
    if value:
        from ridgewise import __version__

        typer.echo(f"ridgewise {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """What hardware does my AI workload need, and why?"""

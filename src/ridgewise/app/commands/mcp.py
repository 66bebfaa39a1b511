"""`ridgewise mcp`: the options of the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PANEL = "Other faces"


def mcp(
    host: Annotated[
        str | None, typer.Option(help="serve over HTTP on this address of this machine, at /mcp: 127.0.0.1")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="port of HTTP")] = 8322,
    root: Annotated[Path | None, typer.Option(help="folder whose model files may be named; without: none")] = None,
) -> int:
    """The questions as tools for assistants (Model Context Protocol), over standard input and output, or HTTP."""
    from ridgewise.app.mcp import server

    return server.run(host, port, root)

"""`ridgewise serve`: the options of the command."""

from __future__ import annotations

from typing import Annotated

import typer

PANEL = "Other faces"


def serve(
    host: Annotated[str, typer.Option(help="address to listen on; others than this machine's need a token")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="port to listen on; 0: any that is free")] = 8321,
    token: Annotated[
        str | None,
        typer.Option(envvar="RIDGEWISE_TOKEN", help="what every request must carry: Authorization: Bearer …, ?token=…"),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="questions answered at once")] = 2,
    limit: Annotated[float, typer.Option(min=1, max=600, help="seconds an answer may take")] = 30.0,
    hub: Annotated[bool, typer.Option("--hub", help="let names like hub:ORG/NAME be read from the Hub")] = False,
) -> int:
    """The page and the REST interface, on this machine: http://127.0.0.1:8321. Nothing is fetched from elsewhere."""
    from ridgewise.app import serving

    return serving.run(host, port, token or "", workers, limit, hub)

"""A service and its users, in options: what `simulate` and `capacity` ask alike."""

from __future__ import annotations

from typing import Annotated

import typer

from ridgewise.app.commands._shared import LOAD, PROMISE

Active = Annotated[str | None, typer.Option(help="share of users in a conversation at the peak", rich_help_panel=LOAD)]
Think = Annotated[str | None, typer.Option(help="mean time between answer and next question", rich_help_panel=LOAD)]
Turns = Annotated[str | None, typer.Option(help="questions of a conversation that grows", rich_help_panel=LOAD)]
SystemPrompt = Annotated[
    str | None, typer.Option(help="tokens that every conversation begins with", rich_help_panel=LOAD)
]
Prompt = Annotated[
    str | None, typer.Option(help="tokens: 1024, lognormal:1024,0.95, uniform:10-99", rich_help_panel=LOAD)
]
Output = Annotated[str | None, typer.Option(help="tokens of an answer, likewise", rich_help_panel=LOAD)]
Seed = Annotated[int, typer.Option(min=0, help="of what is drawn", rich_help_panel=LOAD)]
SloTtft = Annotated[str | None, typer.Option(help="limit on time to first token: p95=1s", rich_help_panel=PROMISE)]
SloTpot = Annotated[str | None, typer.Option(help="limit on time per output token: p95=50ms", rich_help_panel=PROMISE)]
SloE2e = Annotated[str | None, typer.Option(help="limit on a whole answer", rich_help_panel=PROMISE)]

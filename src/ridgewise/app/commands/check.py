"""`ridgewise check`: the options of the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ridgewise.app.commands import _question as question
from ridgewise.app.commands._shared import OUT, PROMISE, WHAT, flags

PANEL = "Decide"


def check(
    idea: Annotated[
        str | None, typer.Argument(help="plan file (.toml), or the model: catalogue name, alias or path")
    ] = None,
    hardware: Annotated[
        list[str] | None,
        typer.Option(help="what you mean to buy: '2x RTX 3090', 'M4 Pro 48GB' (repeat)", rich_help_panel=WHAT),
    ] = None,
    goal: question.Goal = None,
    users: question.Users = None,
    prompt: question.Prompt = None,
    output: question.Output = None,
    context: question.Context = None,
    concurrency: question.Concurrency = None,
    active: question.Active = None,
    think: question.Think = None,
    slo_ttft: question.SloTtft = None,
    slo_tpot: question.SloTpot = None,
    hours: question.Hours = None,
    busy: question.Busy = None,
    availability: Annotated[
        str | None, typer.Option(help="share of the time it must answer: 99.9%", rich_help_panel=PROMISE)
    ] = None,
    tokens: question.Tokens = None,
    length: question.Length = None,
    batch: question.Batch = None,
    rank: question.Rank = None,
    deadline: question.Deadline = None,
    budget: question.Budget = None,
    max_power: question.MaxPower = None,
    peak: Annotated[
        str | None, typer.Option(help="FLOP/s per device you reckon with: 1979TFLOP/s", rich_help_panel=WHAT)
    ] = None,
    quant: question.Quant = None,
    engine: question.Engine = None,
    kv_bits: question.KvBits = None,
    price: question.Price = None,
    host_price: question.HostPrice = None,
    ignore: question.Ignore = None,
    rules: Annotated[bool, typer.Option("--rules", help="list the rules", rich_help_panel=OUT)] = False,
    form: Annotated[str, typer.Option("--format", help="text, json, sarif or github", rich_help_panel=OUT)] = "text",
    json: Annotated[bool, typer.Option("--json", help="the same as --format json", rich_help_panel=OUT)] = False,
) -> int:
    """Is what you mean to buy a mistake? Every rule, with the number, its cost and the cure; exit 1 on errors."""
    given = flags(locals(), "idea", "rules", "form", "json")
    from ridgewise.app import checking, planning

    file = Path(idea) if idea is not None and idea.lower().endswith(".toml") else None
    if file is None:
        given["model"] = idea
    return checking.run(planning.named(given), file, "json" if json else form, rules=rules)

"""`ridgewise plan`: the options of the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ridgewise.app.commands import _question as question
from ridgewise.app.commands._shared import GOAL, LIMITS, OUT, WHAT, Json, Markdown, Report, flags

PANEL = "Decide"


def plan(
    model: question.Model = None,
    goal: question.Goal = None,
    priority: question.Priority = None,
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
    tokens: question.Tokens = None,
    length: question.Length = None,
    batch: question.Batch = None,
    rank: question.Rank = None,
    deadline: question.Deadline = None,
    budget: question.Budget = None,
    max_power: question.MaxPower = None,
    tariff: Annotated[str | None, typer.Option(help="electricity price [USD/kWh]", rich_help_panel=LIMITS)] = None,
    country: Annotated[
        str | None, typer.Option(help="electricity of DE, France, US/Texas; adds money", rich_help_panel=LIMITS)
    ] = None,
    horizon: Annotated[
        str | None, typer.Option(help="buy, rent and API compared over: 3y", rich_help_panel=LIMITS)
    ] = None,
    host_price: question.HostPrice = None,
    price: question.Price = None,
    hardware: question.Hardware = None,
    quant: question.Quant = None,
    engine: question.Engine = None,
    kv_bits: question.KvBits = None,
    file: question.File = None,
    availability: Annotated[
        str | None, typer.Option(help="share of the time it must answer: 99.9%", rich_help_panel=LIMITS)
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(
            help="points per doubling: speed, cost, energy, headroom, stability (speed=2)", rich_help_panel=GOAL
        ),
    ] = None,
    ignore: question.Ignore = None,
    also: Annotated[
        str | None, typer.Option(help="training beside use: 'qlora monthly', 'lora 50M weekly'", rich_help_panel=GOAL)
    ] = None,
    have: Annotated[
        str | None, typer.Option(help="the other way round: what '2x RTX 3090' serves well", rich_help_panel=WHAT)
    ] = None,
    why_not: Annotated[
        list[str] | None, typer.Option(help="what holds this device back (repeat)", rich_help_panel=OUT)
    ] = None,
    pareto: Annotated[
        bool, typer.Option("--pareto", help="options that nothing else beats in everything", rich_help_panel=OUT)
    ] = False,
    all_: Annotated[
        bool, typer.Option("--all", help="and the others, each with what beats it", rich_help_panel=OUT)
    ] = False,
    sensitivity: Annotated[
        bool,
        typer.Option("--sensitivity", help="what the answer hangs on, and what to measure", rich_help_panel=OUT),
    ] = False,
    fleet: Annotated[
        Path | None, typer.Option(help="a fleet file instead: many models and machines", rich_help_panel=WHAT)
    ] = None,
    save: Annotated[Path | None, typer.Option(help="write the question as a plan file", rich_help_panel=OUT)] = None,
    top: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="show the first N instead of the best of each kind", rich_help_panel=OUT),
    ] = None,
    report: Report = None,
    json: Json = False,
    markdown: Markdown = False,
) -> int:
    """Recommend hardware for a model and a workload, ranked, with reasons."""
    given = flags(locals(), "fleet", "json", "markdown")
    if fleet is not None:
        from ridgewise.app import fleets

        fleets.alone(given)
        return fleets.run(fleet, json=json, markdown=markdown)
    from ridgewise.app import planning

    own = {name: given.pop(name) for name in ("file", "save", "top", "report")}
    return planning.run(planning.named(given), **own, json=json, markdown=markdown)

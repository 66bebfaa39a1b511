"""`ridgewise cost`: the options of the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ridgewise.app.commands import _question as question
from ridgewise.app.commands._shared import OUT, Json, Report, flags

PANEL = "Decide"
MONEY = "Money"


def cost(
    model: question.Model = None,
    hardware: Annotated[str | None, typer.Argument(help="device name or alias; without: the plan's first")] = None,
    country: Annotated[
        str | None, typer.Option(help="electricity and carbon of: DE, France, US/Texas", rich_help_panel=MONEY)
    ] = None,
    horizon: Annotated[str | None, typer.Option(help="3y, 18months; 3 years", rich_help_panel=MONEY)] = None,
    rate: Annotated[str | None, typer.Option(help="yearly rate of financing: 8%", rich_help_panel=MONEY)] = None,
    growth: Annotated[str | None, typer.Option(help="yearly growth of the load: 30%", rich_help_panel=MONEY)] = None,
    ramp: Annotated[str | None, typer.Option(help="until the load is reached: 6months", rich_help_panel=MONEY)] = None,
    cached: Annotated[
        str | None, typer.Option(help="share of prompt tokens billed as known: 50%", rich_help_panel=MONEY)
    ] = None,
    price: Annotated[
        list[str] | None,
        typer.Option(help="your quote per device: 'H100 SXM=25000', 'H100 SXM=23000 EUR'", rich_help_panel=MONEY),
    ] = None,
    host_price: Annotated[
        str | None, typer.Option(help="price of the computer around boards; 0: owned", rich_help_panel=MONEY)
    ] = None,
    rent: Annotated[
        list[str] | None,
        typer.Option(
            help="your rent per device and hour: 'H100 SXM=2.10', 'reserved-1y:H100 SXM=1.80'", rich_help_panel=MONEY
        ),
    ] = None,
    api: Annotated[
        str | None, typer.Option(help="API price per million tokens: IN/OUT or IN/OUT/CACHED", rich_help_panel=MONEY)
    ] = None,
    api_model: Annotated[
        str | None, typer.Option(help="hosted model to compare with: gpt-5.4-mini", rich_help_panel=MONEY)
    ] = None,
    tariff: Annotated[
        str | None, typer.Option(help="electricity price per kWh: 0.25, '0.18 EUR'", rich_help_panel=MONEY)
    ] = None,
    hosting: Annotated[str | None, typer.Option(help="space, USD per kW and month", rich_help_panel=MONEY)] = None,
    pue: Annotated[
        str | None, typer.Option(help="energy of the building over the machine's", rich_help_panel=MONEY)
    ] = None,
    resale: Annotated[str | None, typer.Option(help="share of its price at the end", rich_help_panel=MONEY)] = None,
    upkeep: Annotated[
        str | None, typer.Option(help="maintenance: share of the price per year", rich_help_panel=MONEY)
    ] = None,
    running: Annotated[
        str | None, typer.Option(help="staff, network, storage per month", rich_help_panel=MONEY)
    ] = None,
    tax: Annotated[str | None, typer.Option(help="tax on purchase, rent and API: 19%", rich_help_panel=MONEY)] = None,
    carbon: Annotated[str | None, typer.Option(help="grid carbon, g CO2e per kWh", rich_help_panel=MONEY)] = None,
    interruptions: Annotated[str | None, typer.Option(help="of a spot machine a day; 1", rich_help_panel=MONEY)] = None,
    restart: Annotated[str | None, typer.Option(help="time each of them loses: 15min", rich_help_panel=MONEY)] = None,
    profile: Annotated[
        str | None, typer.Option(help="loads over the hours on, for --busy: 1,1,6,8,4", rich_help_panel=MONEY)
    ] = None,
    runs: Annotated[str | None, typer.Option(help="training runs a year; 1", rich_help_panel=MONEY)] = None,
    quotes: Annotated[
        Path | None, typer.Option(help="CSV of your prices: kind,name,price,currency,as_of", rich_help_panel=MONEY)
    ] = None,
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
    quant: question.Quant = None,
    engine: question.Engine = None,
    kv_bits: question.KvBits = None,
    file: question.File = None,
    plot: Annotated[Path | None, typer.Option(help="write the picture here (SVG)", rich_help_panel=OUT)] = None,
    report: Report = None,
    json: Json = False,
) -> int:
    """Buy, rent or API? What each costs over years, from which month and load on the answer changes, and why."""
    given = flags(locals(), "file", "plot", "report", "json")
    from ridgewise.app import costing, planning

    return costing.run(planning.named(given), file, plot, report, json=json)

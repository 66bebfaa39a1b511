"""`ridgewise capacity`: the options of the command."""

from __future__ import annotations

from typing import Annotated

import typer

from ridgewise.app.commands import _question as question
from ridgewise.app.commands import _service as service
from ridgewise.app.commands._shared import LIMITS, LOAD, OUT, WHAT, Json, Model, Report, flags

PANEL = "Decide"


def capacity(
    model: Model,
    users: Annotated[str | None, typer.Option(help="people with access", rich_help_panel=LOAD)] = None,
    rate: Annotated[str | None, typer.Option(help="requests per second, instead", rich_help_panel=LOAD)] = None,
    active: service.Active = None,
    think: service.Think = None,
    turns: service.Turns = None,
    system_prompt: service.SystemPrompt = None,
    arrivals: Annotated[str | None, typer.Option(help="poisson, bursty:2, even", rich_help_panel=LOAD)] = None,
    prompt: service.Prompt = None,
    output: service.Output = None,
    seed: service.Seed = 0,
    slo_ttft: service.SloTtft = None,
    slo_tpot: service.SloTpot = None,
    slo_e2e: service.SloE2e = None,
    hardware: question.Hardware = None,
    engine: Annotated[str | None, typer.Option(help="inference engine", rich_help_panel=WHAT)] = None,
    quant: Annotated[str | None, typer.Option(help="weight format", rich_help_panel=WHAT)] = None,
    kv_bits: Annotated[str | None, typer.Option(help="bits per cached value", rich_help_panel=WHAT)] = None,
    tp: Annotated[int | None, typer.Option(min=1, max=64, help="devices of a replica", rich_help_panel=WHAT)] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(help="a policy's name, or a setting: max_num_seqs=64 (repeat)", rich_help_panel=WHAT),
    ] = None,
    busy: Annotated[
        str | None, typer.Option(help="share of the month it works, for energy: 30%", rich_help_panel=LIMITS)
    ] = None,
    tariff: Annotated[
        str | None, typer.Option(help="electricity price [USD/kWh], or '0.18 EUR'", rich_help_panel=LIMITS)
    ] = None,
    country: Annotated[
        str | None, typer.Option(help="electricity of DE, France, US/Texas", rich_help_panel=LIMITS)
    ] = None,
    host_price: question.HostPrice = None,
    price: question.Price = None,
    top: Annotated[int, typer.Option(min=1, max=50, help="systems shown", rich_help_panel=OUT)] = 5,
    report: Report = None,
    json: Json = False,
) -> int:
    """How much hardware does a service need? The cheapest systems that keep your limits, and when they no longer do."""
    given = flags(locals(), "model", "report", "json")
    from ridgewise.app import planning, simulating

    return simulating.capacity(model, planning.named(given), report, json=json)

"""`ridgewise plan`: the options of the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ridgewise.app.commands import _question as question
from ridgewise.app.commands._shared import GOAL, LIMITS, OUT, WHAT, Json, Markdown, Report

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
    host_price: Annotated[
        str | None, typer.Option(help="price of the computer around boards; 0: owned", rich_help_panel=LIMITS)
    ] = None,
    price: Annotated[
        list[str] | None,
        typer.Option(help="your own price per device: 'RTX 4090=1500'; =0: owned", rich_help_panel=LIMITS),
    ] = None,
    hardware: Annotated[
        list[str] | None,
        typer.Option(help="only these devices (repeat, or separate with commas)", rich_help_panel=WHAT),
    ] = None,
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
    ignore: Annotated[
        list[str] | None, typer.Option(help="id of a rule that is to say nothing (repeat)", rich_help_panel=OUT)
    ] = None,
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
    from ridgewise.app import planning

    flags = {
        "model": model, "goal": goal, "priority": priority,
        "users": users, "prompt": prompt, "output": output, "context": context, "concurrency": concurrency,
        "active": active, "think": think, "slo_ttft": slo_ttft, "slo_tpot": slo_tpot,
        "hours": hours, "busy": busy, "host_price": host_price,
        "tokens": tokens, "length": length, "batch": batch, "rank": rank, "deadline": deadline,
        "budget": budget, "max_power": max_power, "tariff": tariff, "country": country, "horizon": horizon,
        "prices": planning.own_prices(price or []),
        "hardware": planning.names(hardware or []), "quant": quant, "engine": engine, "kv_bits": kv_bits,
        "availability": availability, "weights": planning.own_weights(weight or []),
        "ignore": planning.names(ignore or []), "also": also, "have": have,
        "why_not": planning.names(why_not or []), "pareto": pareto, "all": all_, "sensitivity": sensitivity,
    }  # fmt: skip
    if fleet is not None:
        from ridgewise.app import fleets

        fleets.alone({**flags, "file": file, "save": save, "top": top, "report": report})
        return fleets.run(fleet, json=json, markdown=markdown)
    return planning.run(flags, file, save, top, report, json=json, markdown=markdown)

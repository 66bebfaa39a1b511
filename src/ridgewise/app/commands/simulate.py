"""`ridgewise simulate`: the options of the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ridgewise.app.commands import _service as service
from ridgewise.app.commands._shared import LOAD, OUT, Device, Json, Model, flags

PANEL = "Look closer"
SYSTEM = "System"
FLEET = "Fleet"


def simulate(
    model: Model,
    hardware: Device,
    rate: Annotated[str | None, typer.Option(help="requests per second from outside", rich_help_panel=LOAD)] = None,
    users: Annotated[str | None, typer.Option(help="people with access, instead", rich_help_panel=LOAD)] = None,
    trace: Annotated[
        Path | None, typer.Option(help="recorded requests, instead: CSV, JSON lines", rich_help_panel=LOAD)
    ] = None,
    trace_format: Annotated[
        str | None, typer.Option(help="its form, where it is not recognised", rich_help_panel=LOAD)
    ] = None,
    speed: Annotated[str | None, typer.Option(help="so many times its speed", rich_help_panel=LOAD)] = None,
    arrivals: Annotated[
        str | None, typer.Option(help="poisson, bursty:2, diurnal:1.8, even, at_once", rich_help_panel=LOAD)
    ] = None,
    active: service.Active = None,
    think: service.Think = None,
    turns: service.Turns = None,
    system_prompt: service.SystemPrompt = None,
    prompt: service.Prompt = None,
    output: service.Output = None,
    requests: Annotated[str | None, typer.Option(help="how many are simulated", rich_help_panel=LOAD)] = None,
    seed: service.Seed = 0,
    engine: Annotated[str | None, typer.Option(help="inference engine", rich_help_panel=SYSTEM)] = None,
    quant: Annotated[str | None, typer.Option(help="weight format", rich_help_panel=SYSTEM)] = None,
    kv_bits: Annotated[
        str | None,
        typer.Option("--kv-bits", "--kv-dtype", help="bits or type of cached values", rich_help_panel=SYSTEM),
    ] = None,
    tp: Annotated[int, typer.Option(min=1, max=1024, help="tensor parallel", rich_help_panel=SYSTEM)] = 1,
    pp: Annotated[int, typer.Option(min=1, max=1024, help="pipeline stages", rich_help_panel=SYSTEM)] = 1,
    memory: Annotated[
        str | None, typer.Option(help="memory of the machine, where several are sold", rich_help_panel=SYSTEM)
    ] = None,
    free: Annotated[str | None, typer.Option(help="free memory per device: 22GiB", rich_help_panel=SYSTEM)] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(help="a policy's name, or a setting: max_num_seqs=64 (repeat)", rich_help_panel=SYSTEM),
    ] = None,
    draft: Annotated[str | None, typer.Option(help="model that drafts tokens, or mtp", rich_help_panel=SYSTEM)] = None,
    draft_tokens: Annotated[str | None, typer.Option(help="drafted per pass", rich_help_panel=SYSTEM)] = None,
    acceptance: Annotated[str | None, typer.Option(help="probability of a draft", rich_help_panel=SYSTEM)] = None,
    replicas: Annotated[int, typer.Option(min=1, max=1000, help="copies behind a router", rich_help_panel=FLEET)] = 1,
    router: Annotated[
        str | None, typer.Option(help="round-robin, least-outstanding, prefix-affine", rich_help_panel=FLEET)
    ] = None,
    decode_replicas: Annotated[
        int | None, typer.Option(min=1, max=1000, help="a second pool that makes the answers", rich_help_panel=FLEET)
    ] = None,
    link: Annotated[str | None, typer.Option(help="bandwidth between pools; 50 GB/s", rich_help_panel=FLEET)] = None,
    scale_target: Annotated[
        str | None, typer.Option(help="unanswered requests per replica that start one more", rich_help_panel=FLEET)
    ] = None,
    scale_from: Annotated[
        int | None, typer.Option(min=1, help="replicas at first, up to --replicas", rich_help_panel=FLEET)
    ] = None,
    start_delay: Annotated[str | None, typer.Option(help="time to start one; 2min", rich_help_panel=FLEET)] = None,
    fail: Annotated[
        list[str] | None, typer.Option(help="replica@time that fails: 0@10min (repeat)", rich_help_panel=FLEET)
    ] = None,
    repair: Annotated[str | None, typer.Option(help="until it is back; 30min", rich_help_panel=FLEET)] = None,
    slo_ttft: service.SloTtft = None,
    slo_tpot: service.SloTpot = None,
    slo_e2e: service.SloE2e = None,
    table: Annotated[Path | None, typer.Option(help="write a row per request (CSV)", rich_help_panel=OUT)] = None,
    perfetto: Annotated[
        Path | None, typer.Option(help="write a timeline for ui.perfetto.dev (JSON)", rich_help_panel=OUT)
    ] = None,
    json: Json = False,
) -> int:
    """What do users feel? A service request by request: queues, batches, percentiles, limits kept or broken."""
    given = flags(locals(), "model", "hardware", "json")
    from ridgewise.app import simulating

    return simulating.simulate(model, hardware, given, json=json)

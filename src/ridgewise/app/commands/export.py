"""`ridgewise export`: the options of the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ridgewise.app.commands._shared import LOAD, OUT, Json, flags

PANEL = "Other faces"
HOW = "Deployment, where no plan says it"


def export(
    plan: Annotated[str, typer.Argument(help="answer of plan, fit or train (JSON; - reads it), plan file, or a model")],
    hardware: Annotated[str | None, typer.Argument(help="of a model: device name or alias")] = None,
    to: Annotated[
        str,
        typer.Option(
            help="vllm, sglang, tensorrt-llm, llama.cpp, ollama, lmstudio, compose, kubernetes, kserve, skypilot; "
            "of a training: torchtitan, megatron, deepspeed, axolotl, llamafactory",
            rich_help_panel=OUT,
        ),
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="write it here instead of to the screen", rich_help_panel=OUT)
    ] = None,
    option: Annotated[
        int | None, typer.Option(min=1, help="of a plan: the option of this rank; the first", rich_help_panel=OUT)
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="repository, folder or file of the weights", rich_help_panel=OUT)
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="prompt tokens of a request", rich_help_panel=LOAD)] = None,
    output: Annotated[str | None, typer.Option(help="output tokens of a request", rich_help_panel=LOAD)] = None,
    context: Annotated[str | None, typer.Option(help="longest request: 32k", rich_help_panel=LOAD)] = None,
    concurrency: Annotated[str | None, typer.Option(help="requests in flight", rich_help_panel=LOAD)] = None,
    engine: Annotated[str | None, typer.Option(help="inference engine", rich_help_panel=HOW)] = None,
    quant: Annotated[str | None, typer.Option(help="weight format", rich_help_panel=HOW)] = None,
    kv_bits: Annotated[
        str | None,
        typer.Option("--kv-bits", "--kv-dtype", help="bits or type of cached values", rich_help_panel=HOW),
    ] = None,
    tp: Annotated[
        int | None, typer.Option(min=1, max=1024, help="tensor parallel or layer split", rich_help_panel=HOW)
    ] = None,
    pp: Annotated[int | None, typer.Option(min=1, max=1024, help="pipeline stages", rich_help_panel=HOW)] = None,
    ep: Annotated[
        int | None, typer.Option(min=1, max=1024, help="devices that share the experts", rich_help_panel=HOW)
    ] = None,
    replicas: Annotated[
        int | None, typer.Option(min=1, max=1000, help="copies of all that", rich_help_panel=HOW)
    ] = None,
    memory: Annotated[
        str | None, typer.Option(help="memory of the machine, where several are sold", rich_help_panel=HOW)
    ] = None,
    free: Annotated[str | None, typer.Option(help="free memory per device: 22GiB", rich_help_panel=HOW)] = None,
    max_sequences: Annotated[
        str | None, typer.Option(help="sequences at once the engine is told", rich_help_panel=HOW)
    ] = None,
    utilization: Annotated[
        str | None, typer.Option(help="share of the device it is told to take", rich_help_panel=HOW)
    ] = None,
    ngl: Annotated[
        int | None, typer.Option(min=0, max=10000, help="llama.cpp: layers on the card", rich_help_panel=HOW)
    ] = None,
    cpu_moe: Annotated[bool, typer.Option("--cpu-moe", help="llama.cpp: experts in RAM", rich_help_panel=HOW)] = False,
    json: Json = False,
) -> int:
    """Start it: the command, file or settings of a plan for an engine, a cluster or a training program."""
    given = flags(locals(), "plan", "hardware", "to", "out", "json")
    from ridgewise.app import exporting

    return exporting.run(plan, hardware, to, out, given, json=json)

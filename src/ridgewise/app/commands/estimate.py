"""`ridgewise estimate`: the options of the command."""

from __future__ import annotations

from typing import Annotated

import typer

from ridgewise.app.commands._shared import LOAD, Device, Json, Model, Report, flags

PANEL = "Look closer"
HOW = "Deployment"
DRAFT = "Drafts and adapters"
RAM = "Parts in RAM"
APART = "Phases on two machines"
JOBS = "Embeddings, pictures, speech"


def estimate(
    model: Model,
    hardware: Device,
    prompt: Annotated[str, typer.Option(help="prompt tokens of a request", rich_help_panel=LOAD)] = "1024",
    output: Annotated[str, typer.Option(help="output tokens of a request", rich_help_panel=LOAD)] = "512",
    concurrency: Annotated[
        str | None, typer.Option(help="requests in flight; 1: a single user", rich_help_panel=LOAD)
    ] = None,
    batch: Annotated[
        str | None, typer.Option(help="requests that start and end together, instead", rich_help_panel=LOAD)
    ] = None,
    cached: Annotated[
        str | None, typer.Option(help="share of the prompt in the prefix cache: 60%", rich_help_panel=LOAD)
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="engine, or one of its back ends: llama.cpp/rocm", rich_help_panel=HOW)
    ] = None,
    quant: Annotated[str | None, typer.Option(help="weight format", rich_help_panel=HOW)] = None,
    kv_bits: Annotated[
        str | None,
        typer.Option("--kv-bits", "--kv-dtype", help="bits or type of cached values", rich_help_panel=HOW),
    ] = None,
    tp: Annotated[int, typer.Option(min=1, max=1024, help="tensor parallel or layer split", rich_help_panel=HOW)] = 1,
    pp: Annotated[int, typer.Option(min=1, max=1024, help="pipeline stages", rich_help_panel=HOW)] = 1,
    ep: Annotated[
        int | None, typer.Option(min=1, max=1024, help="devices that share the experts", rich_help_panel=HOW)
    ] = None,
    replicas: Annotated[int, typer.Option(min=1, max=100000, help="copies of all that", rich_help_panel=HOW)] = 1,
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
    draft: Annotated[
        str | None,
        typer.Option(help="model that drafts tokens, or mtp: the model's own layer", rich_help_panel=DRAFT),
    ] = None,
    draft_tokens: Annotated[
        str | None, typer.Option(help="drafted tokens per pass; 4, of mtp 1", rich_help_panel=DRAFT)
    ] = None,
    acceptance: Annotated[
        str | None, typer.Option(help="probability that a draft is taken; 70%", rich_help_panel=DRAFT)
    ] = None,
    adapters: Annotated[
        int | None, typer.Option(min=1, max=100000, help="LoRA adapters served beside", rich_help_panel=DRAFT)
    ] = None,
    rank: Annotated[int | None, typer.Option(min=1, max=4096, help="their rank; 16", rich_help_panel=DRAFT)] = None,
    ngl: Annotated[
        int | None,
        typer.Option(min=0, max=10000, help="llama.cpp: layers on the card, output first", rich_help_panel=RAM),
    ] = None,
    cpu_moe: Annotated[bool, typer.Option("--cpu-moe", help="experts in RAM", rich_help_panel=RAM)] = False,
    host: Annotated[
        str | None, typer.Option(help="processor whose RAM it is; as many layers as fit stay", rich_help_panel=RAM)
    ] = None,
    prefill_on: Annotated[str | None, typer.Option(help="device that reads the prompts", rich_help_panel=APART)] = None,
    prefill_tp: Annotated[
        int | None, typer.Option(min=1, max=1024, help="how many of them together", rich_help_panel=APART)
    ] = None,
    prefill_engine: Annotated[str | None, typer.Option(help="its engine", rich_help_panel=APART)] = None,
    link: Annotated[
        str | None, typer.Option(help="bandwidth between the two; 12.5 GB/s", rich_help_panel=APART)
    ] = None,
    length: Annotated[
        str | None, typer.Option(help="tokens of each text to embed; --batch texts", rich_help_panel=JOBS)
    ] = None,
    size: Annotated[str | None, typer.Option(help="pixels of a picture: 1024x1024", rich_help_panel=JOBS)] = None,
    steps: Annotated[int | None, typer.Option(min=1, max=10000, help="denoising steps", rich_help_panel=JOBS)] = None,
    guidance: Annotated[
        bool | None,
        typer.Option("--guidance/--no-guidance", help="two passes a step, with and without text", rich_help_panel=JOBS),
    ] = None,
    frames: Annotated[
        int | None, typer.Option(min=1, max=100000, help="pictures of a clip", rich_help_panel=JOBS)
    ] = None,
    audio: Annotated[str | None, typer.Option(help="sound to write down: 60s, 1h", rich_help_panel=JOBS)] = None,
    beams: Annotated[
        int | None, typer.Option(min=1, max=1000, help="answers tried side by side", rich_help_panel=JOBS)
    ] = None,
    images: Annotated[
        int | None, typer.Option(min=1, max=10000, help="pictures in the prompt, of --size", rich_help_panel=JOBS)
    ] = None,
    report: Report = None,
    json: Json = False,
) -> int:
    """How fast is it? TTFT, TPOT, throughput, watts of one deployment, with intervals."""
    given = flags(locals(), "model", "hardware", "report", "json")
    from ridgewise.app import estimating

    return estimating.run(model, hardware, given, report, json=json)

"""`ridgewise fit`: the options of the command."""

from __future__ import annotations

from typing import Annotated

import typer

from ridgewise.app.commands._shared import Device, Json, Model, flags

PANEL = "Look closer"


def fit(
    model: Model,
    hardware: Device,
    engine: Annotated[str | None, typer.Option(help="engine, or one of its back ends: llama.cpp/rocm")] = None,
    quant: Annotated[str | None, typer.Option(help="weight format")] = None,
    context: Annotated[str | None, typer.Option(help="tokens each sequence holds; 8,192 unless it is less")] = None,
    concurrency: Annotated[str, typer.Option(help="sequences held at once")] = "1",
    kv_bits: Annotated[
        str, typer.Option("--kv-bits", "--kv-dtype", help="bits or type of cached values: 16, fp8, q8_0, q8_0/f16")
    ] = "16",
    tp: Annotated[int, typer.Option(min=1, max=1024, help="devices in tensor parallel or layer split")] = 1,
    pp: Annotated[int, typer.Option(min=1, max=1024, help="pipeline stages")] = 1,
    ep: Annotated[
        int | None, typer.Option(min=1, max=1024, help="devices that share the experts: a multiple of --tp")
    ] = None,
    memory: Annotated[str | None, typer.Option(help="memory of the machine, where several are sold")] = None,
    free: Annotated[str | None, typer.Option(help="free memory per device, instead of the label: 22GiB")] = None,
    ngl: Annotated[
        int | None, typer.Option(min=0, max=10000, help="llama.cpp: layers on the card, output first")
    ] = None,
    cpu_moe: Annotated[bool, typer.Option("--cpu-moe", help="llama.cpp: experts in RAM")] = False,
    max_sequences: Annotated[
        str | None, typer.Option(help="sequences at once the engine is told (vLLM: --max-num-seqs)")
    ] = None,
    utilization: Annotated[
        str | None, typer.Option(help="share of the device it is told to take (vLLM: --gpu-memory-utilization)")
    ] = None,
    json: Json = False,
) -> int:
    """Does it fit? A waterfall of memory per device, and the smallest change that makes it fit."""
    given = flags(locals(), "model", "hardware", "json")
    from ridgewise.app import inspecting

    return inspecting.fit(model, hardware, given, json=json)

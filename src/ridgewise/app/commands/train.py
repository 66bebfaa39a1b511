"""`ridgewise train`: the options of the command."""

from __future__ import annotations

from typing import Annotated

import typer

from ridgewise.app.commands._shared import GOAL, LIMITS, OUT, WHAT, Json, Model, Report, flags

PANEL = "Decide"
LAYOUT = "Layout: what is not given is searched"


def train(
    model: Model,
    hardware: Annotated[str, typer.Option(help="device name or alias", rich_help_panel=WHAT)],
    count: Annotated[
        str | None, typer.Option(help="devices; without: as many as the deadline wants", rich_help_panel=WHAT)
    ] = None,
    goal: Annotated[
        str | None, typer.Option(help="train, finetune, lora, qlora, dpo or grpo", rich_help_panel=GOAL)
    ] = None,
    tokens: Annotated[str | None, typer.Option(help="tokens to train on: 2T", rich_help_panel=GOAL)] = None,
    samples: Annotated[
        str | None, typer.Option(help="samples (pairs, prompts) of the data set, instead", rich_help_panel=GOAL)
    ] = None,
    epochs: Annotated[str | None, typer.Option(help="times through the data", rich_help_panel=GOAL)] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            "--batch",
            "--global-batch",
            help="per step: tokens (train), sequences, pairs or answers",
            rich_help_panel=GOAL,
        ),
    ] = None,
    length: Annotated[
        str | None, typer.Option("--length", "--seq", help="tokens of a sequence", rich_help_panel=GOAL)
    ] = None,
    rank: Annotated[str | None, typer.Option(help="adapter rank; 16", rich_help_panel=GOAL)] = None,
    method: Annotated[
        str | None, typer.Option(help="of dpo and grpo: full, lora or qlora", rich_help_panel=GOAL)
    ] = None,
    group: Annotated[str | None, typer.Option(help="of grpo: answers per prompt; 8", rich_help_panel=GOAL)] = None,
    prompt: Annotated[str | None, typer.Option(help="of grpo: tokens of a prompt; 512", rich_help_panel=GOAL)] = None,
    answer: Annotated[str | None, typer.Option(help="of grpo: tokens of an answer; 1024", rich_help_panel=GOAL)] = None,
    precision: Annotated[
        str | None, typer.Option(help="bf16, fp8, mxfp8, nvfp4, fp16, tf32 or fp32", rich_help_panel=LAYOUT)
    ] = None,
    optimizer: Annotated[
        str | None,
        typer.Option(
            help="adamw, adamw-8bit, adamw-8bit-paged, adamw-bf16, adafactor, muon, sgd …", rich_help_panel=LAYOUT
        ),
    ] = None,
    recompute: Annotated[str | None, typer.Option(help="none, selective or full", rich_help_panel=LAYOUT)] = None,
    tp: Annotated[int | None, typer.Option(min=1, help="tensor parallel", rich_help_panel=LAYOUT)] = None,
    pp: Annotated[int | None, typer.Option(min=1, help="pipeline stages", rich_help_panel=LAYOUT)] = None,
    vpp: Annotated[int | None, typer.Option(min=1, help="chunks of layers per stage", rich_help_panel=LAYOUT)] = None,
    cp: Annotated[int | None, typer.Option(min=1, help="context parallel", rich_help_panel=LAYOUT)] = None,
    ep: Annotated[int | None, typer.Option(min=1, help="expert parallel", rich_help_panel=LAYOUT)] = None,
    dp: Annotated[int | None, typer.Option(min=1, help="replicas", rich_help_panel=LAYOUT)] = None,
    zero: Annotated[
        int | None, typer.Option(min=1, max=3, help="what replicas share: 1 optimiser, 3 all", rich_help_panel=LAYOUT)
    ] = None,
    micro_batch: Annotated[
        int | None, typer.Option(min=1, help="sequences per device at once", rich_help_panel=LAYOUT)
    ] = None,
    schedule: Annotated[
        str | None, typer.Option(help="of the pipeline: 1f1b, zero-bubble or dualpipe", rich_help_panel=LAYOUT)
    ] = None,
    offload: Annotated[
        str | None,
        typer.Option(help="into host RAM: none, optimizer, activations or both", rich_help_panel=LAYOUT),
    ] = None,
    imbalance: Annotated[
        str | None,
        typer.Option(help="routed tokens of the fullest expert group over the mean; 1", rich_help_panel=LAYOUT),
    ] = None,
    chunked_loss: Annotated[
        bool | None, typer.Option("--chunked-loss/--whole-loss", help="logits in eight parts", rich_help_panel=LAYOUT)
    ] = None,
    program: Annotated[
        str | None, typer.Option(help="whose habits count: torchtune, hf-trainer", rich_help_panel=LAYOUT)
    ] = None,
    deadline: Annotated[str | None, typer.Option(help="must end within: 30d", rich_help_panel=LIMITS)] = None,
    budget: Annotated[str | None, typer.Option(help="most to spend on the run [USD]", rich_help_panel=LIMITS)] = None,
    tariff: Annotated[str | None, typer.Option(help="electricity price [USD/kWh]", rich_help_panel=LIMITS)] = None,
    memory: Annotated[
        str | None, typer.Option(help="memory of the machine, where several are sold", rich_help_panel=WHAT)
    ] = None,
    export: Annotated[
        str | None,
        typer.Option(help="settings of torchtitan, megatron, deepspeed, axolotl or llamafactory", rich_help_panel=OUT),
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=50, help="layouts shown", rich_help_panel=OUT)] = 5,
    report: Report = None,
    json: Json = False,
) -> int:
    """Can it be trained on this, how, how long, at what power and price? The best layout, its memory and its step."""
    given = flags(locals(), "model", "hardware", "report", "json")
    from ridgewise.app import training

    return training.run(model, hardware, given, report, json=json)

"""The question of a plan, in options: what `plan`, `cost` and others ask alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ridgewise.app.commands._shared import GOAL, LIMITS, LOAD, OUT, TRAIN, WHAT

Model = Annotated[
    str | None, typer.Argument(help="catalogue name or alias, or path: config.json, folder, GGUF, safetensors")
]
Goal = Annotated[
    str | None,
    typer.Option(help="infer, train (also continued pretraining), finetune, lora or qlora", rich_help_panel=GOAL),
]
Priority = Annotated[str | None, typer.Option(help="speed, cost, energy or balanced", rich_help_panel=GOAL)]
Users = Annotated[str | None, typer.Option(help="people with access; 1 is a single user", rich_help_panel=LOAD)]
Prompt = Annotated[str | None, typer.Option(help="prompt tokens of a request", rich_help_panel=LOAD)]
Output = Annotated[str | None, typer.Option(help="output tokens of a request", rich_help_panel=LOAD)]
Context = Annotated[
    str | None,
    typer.Option(help="longest context memory must hold: 8k is 8,000, 8Ki is 8,192", rich_help_panel=LOAD),
]
Concurrency = Annotated[
    str | None, typer.Option(help="requests in flight, instead of --active and --think", rich_help_panel=LOAD)
]
Active = Annotated[str | None, typer.Option(help="share of users in a conversation at the peak", rich_help_panel=LOAD)]
Think = Annotated[str | None, typer.Option(help="time between answer and next question", rich_help_panel=LOAD)]
SloTtft = Annotated[str | None, typer.Option(help="limit on time to first token: 1s, 500ms", rich_help_panel=LOAD)]
SloTpot = Annotated[str | None, typer.Option(help="limit on time per output token: 50ms", rich_help_panel=LOAD)]
Hours = Annotated[str | None, typer.Option(help="hours a day the machine is on", rich_help_panel=LOAD)]
Busy = Annotated[str | None, typer.Option(help="share of those hours it works: 30%", rich_help_panel=LOAD)]
Tokens = Annotated[str | None, typer.Option(help="training tokens: 2T, 20M", rich_help_panel=TRAIN)]
Length = Annotated[str | None, typer.Option(help="training sequence length", rich_help_panel=TRAIN)]
Batch = Annotated[
    str | None,
    typer.Option(help="tokens per step (train), sequences per step (fine-tuning)", rich_help_panel=TRAIN),
]
Rank = Annotated[str | None, typer.Option(help="adapter rank", rich_help_panel=TRAIN)]
Deadline = Annotated[str | None, typer.Option(help="training must end within: 30d, 12h", rich_help_panel=TRAIN)]
Budget = Annotated[
    str | None,
    typer.Option(help="most to spend: on buying, or on the rent of a training run [USD]", rich_help_panel=LIMITS),
]
MaxPower = Annotated[str | None, typer.Option(help="most to draw at the wall: 600W", rich_help_panel=LIMITS)]
HostPrice = Annotated[
    str | None, typer.Option(help="price of the computer around boards; 0: owned", rich_help_panel=LIMITS)
]
Price = Annotated[
    list[str] | None,
    typer.Option(help="your own price per device: 'RTX 4090=1500'; =0: owned", rich_help_panel=LIMITS),
]
Hardware = Annotated[
    list[str] | None, typer.Option(help="only these devices (repeat, or separate with commas)", rich_help_panel=WHAT)
]
Quant = Annotated[str | None, typer.Option(help="weight format: q4_k_m, fp8, bf16 …", rich_help_panel=WHAT)]
Engine = Annotated[str | None, typer.Option(help="inference engine: llama.cpp, vllm …", rich_help_panel=WHAT)]
KvBits = Annotated[str | None, typer.Option(help="bits per cached value", rich_help_panel=WHAT)]
Ignore = Annotated[
    list[str] | None, typer.Option(help="id of a rule that is to say nothing (repeat)", rich_help_panel=OUT)
]
File = Annotated[
    Path | None, typer.Option("--file", "-f", help="plan file (TOML); flags override it", rich_help_panel=OUT)
]

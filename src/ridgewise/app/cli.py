"""The command line. Every command imports what it needs when it runs, so that help comes at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="ridgewise",
    help="What hardware does my AI workload need, and why? Answers in numbers you can check.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models_app = typer.Typer(help="Models of the catalogue, or your own: list, show, add.", no_args_is_help=True)
hardware_app = typer.Typer(help="Hardware of the catalogue, or your own: list, show, add.", no_args_is_help=True)
app.add_typer(models_app, name="models")
app.add_typer(hardware_app, name="hardware")
measurements_app = typer.Typer(help="Your own measurements: list, show, dump.", no_args_is_help=True)
app.add_typer(measurements_app, name="measurements")

Model = Annotated[str, typer.Argument(help="catalogue name or alias, or path: config.json, folder, GGUF, safetensors")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON document")]
Markdown = Annotated[bool, typer.Option("--markdown", help="print Markdown")]
Text = Annotated[str | None, typer.Option()]


def _version(value: bool) -> None:
    if value:
        from ridgewise import __version__

        typer.echo(f"ridgewise {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """What hardware does my AI workload need, and why?"""


GOAL = "Goal"
LOAD = "Inference load"
TRAIN = "Training"
LIMITS = "Limits and prices"
WHAT = "Candidates"
OUT = "Output"


@app.command()
def plan(
    model: Annotated[
        str | None, typer.Argument(help="catalogue name or alias, or path: config.json, folder, GGUF, safetensors")
    ] = None,
    goal: Annotated[
        str | None,
        typer.Option(help="infer, train (also continued pretraining), finetune, lora or qlora", rich_help_panel=GOAL),
    ] = None,
    priority: Annotated[str | None, typer.Option(help="speed, cost, energy or balanced", rich_help_panel=GOAL)] = None,
    users: Annotated[
        str | None, typer.Option(help="people with access; 1 is a single user", rich_help_panel=LOAD)
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="prompt tokens of a request", rich_help_panel=LOAD)] = None,
    output: Annotated[str | None, typer.Option(help="output tokens of a request", rich_help_panel=LOAD)] = None,
    context: Annotated[
        str | None,
        typer.Option(help="longest context memory must hold: 8k is 8,000, 8Ki is 8,192", rich_help_panel=LOAD),
    ] = None,
    concurrency: Annotated[
        str | None, typer.Option(help="requests in flight, instead of --active and --think", rich_help_panel=LOAD)
    ] = None,
    active: Annotated[
        str | None, typer.Option(help="share of users in a conversation at the peak", rich_help_panel=LOAD)
    ] = None,
    think: Annotated[
        str | None, typer.Option(help="time between answer and next question", rich_help_panel=LOAD)
    ] = None,
    slo_ttft: Annotated[
        str | None, typer.Option(help="limit on time to first token: 1s, 500ms", rich_help_panel=LOAD)
    ] = None,
    slo_tpot: Annotated[
        str | None, typer.Option(help="limit on time per output token: 50ms", rich_help_panel=LOAD)
    ] = None,
    hours: Annotated[str | None, typer.Option(help="hours a day the machine is on", rich_help_panel=LOAD)] = None,
    busy: Annotated[str | None, typer.Option(help="share of those hours it works: 30%", rich_help_panel=LOAD)] = None,
    tokens: Annotated[str | None, typer.Option(help="training tokens: 2T, 20M", rich_help_panel=TRAIN)] = None,
    length: Annotated[str | None, typer.Option(help="training sequence length", rich_help_panel=TRAIN)] = None,
    batch: Annotated[
        str | None,
        typer.Option(help="tokens per step (train), sequences per step (fine-tuning)", rich_help_panel=TRAIN),
    ] = None,
    rank: Annotated[str | None, typer.Option(help="adapter rank", rich_help_panel=TRAIN)] = None,
    deadline: Annotated[
        str | None, typer.Option(help="training must end within: 30d, 12h", rich_help_panel=TRAIN)
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(help="most to spend: on buying, or on the rent of a training run [USD]", rich_help_panel=LIMITS),
    ] = None,
    max_power: Annotated[
        str | None, typer.Option(help="most to draw at the wall: 600W", rich_help_panel=LIMITS)
    ] = None,
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
    quant: Annotated[str | None, typer.Option(help="weight format: q4_k_m, fp8, bf16 …", rich_help_panel=WHAT)] = None,
    engine: Annotated[
        str | None, typer.Option(help="inference engine: llama.cpp, vllm …", rich_help_panel=WHAT)
    ] = None,
    kv_bits: Annotated[str | None, typer.Option(help="bits per cached value", rich_help_panel=WHAT)] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="plan file (TOML); flags override it", rich_help_panel=OUT)
    ] = None,
    save: Annotated[Path | None, typer.Option(help="write the question as a plan file", rich_help_panel=OUT)] = None,
    top: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="show the first N instead of the best of each kind", rich_help_panel=OUT),
    ] = None,
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
    }  # fmt: skip
    return planning.run(flags, file, save, top, json=json, markdown=markdown)


@app.command()
def fit(
    model: Model,
    hardware: Annotated[str, typer.Argument(help="device name or alias")],
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
    from ridgewise.app import inspecting

    return inspecting.fit(
        model, hardware, engine, quant, context, concurrency, kv_bits, tp, pp, ep, memory, free, ngl, cpu_moe,
        max_sequences, utilization, json=json,
    )  # fmt: skip


HOW = "Deployment"
DRAFT = "Drafts and adapters"
RAM = "Parts in RAM"
APART = "Phases on two machines"
JOBS = "Embeddings, pictures, speech"


@app.command()
def estimate(
    model: Model,
    hardware: Annotated[str, typer.Argument(help="device name or alias")],
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
    json: Json = False,
) -> int:
    """How fast is it? TTFT, TPOT, throughput, watts of one deployment, with intervals."""
    from ridgewise.app import estimating

    flags = {
        "prompt": prompt, "output": output, "concurrency": concurrency, "batch": batch, "cached": cached,
        "engine": engine, "quant": quant, "kv_bits": kv_bits, "tp": tp, "pp": pp, "ep": ep, "replicas": replicas,
        "memory": memory, "free": free, "max_sequences": max_sequences, "utilization": utilization,
        "draft": draft, "draft_tokens": draft_tokens, "acceptance": acceptance,
        "adapters": adapters, "rank": rank, "ngl": ngl, "cpu_moe": cpu_moe, "host": host,
        "prefill_on": prefill_on, "prefill_tp": prefill_tp, "prefill_engine": prefill_engine, "link": link,
        "length": length, "size": size, "steps": steps, "guidance": guidance, "frames": frames, "audio": audio,
        "beams": beams, "images": images,
    }  # fmt: skip
    return estimating.run(model, hardware, flags, json=json)


MONEY = "Money"


@app.command()
def cost(
    model: Annotated[
        str | None, typer.Argument(help="catalogue name or alias, or path: config.json, folder, GGUF, safetensors")
    ] = None,
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
    goal: Annotated[
        str | None, typer.Option(help="infer, train, finetune, lora or qlora", rich_help_panel=GOAL)
    ] = None,
    priority: Annotated[str | None, typer.Option(help="speed, cost, energy or balanced", rich_help_panel=GOAL)] = None,
    users: Annotated[str | None, typer.Option(help="people with access", rich_help_panel=LOAD)] = None,
    prompt: Annotated[str | None, typer.Option(help="prompt tokens of a request", rich_help_panel=LOAD)] = None,
    output: Annotated[str | None, typer.Option(help="output tokens of a request", rich_help_panel=LOAD)] = None,
    context: Annotated[str | None, typer.Option(help="longest context memory must hold", rich_help_panel=LOAD)] = None,
    concurrency: Annotated[str | None, typer.Option(help="requests in flight", rich_help_panel=LOAD)] = None,
    active: Annotated[str | None, typer.Option(help="share of users in a conversation", rich_help_panel=LOAD)] = None,
    think: Annotated[str | None, typer.Option(help="between answer and next question", rich_help_panel=LOAD)] = None,
    slo_ttft: Annotated[str | None, typer.Option(help="limit on time to first token", rich_help_panel=LOAD)] = None,
    slo_tpot: Annotated[str | None, typer.Option(help="limit on time per output token", rich_help_panel=LOAD)] = None,
    hours: Annotated[str | None, typer.Option(help="hours a day the machine is on", rich_help_panel=LOAD)] = None,
    busy: Annotated[str | None, typer.Option(help="share of those hours it works: 30%", rich_help_panel=LOAD)] = None,
    tokens: Annotated[str | None, typer.Option(help="training tokens: 2T, 20M", rich_help_panel=TRAIN)] = None,
    length: Annotated[str | None, typer.Option(help="training sequence length", rich_help_panel=TRAIN)] = None,
    batch: Annotated[str | None, typer.Option(help="tokens or sequences per step", rich_help_panel=TRAIN)] = None,
    rank: Annotated[str | None, typer.Option(help="adapter rank", rich_help_panel=TRAIN)] = None,
    deadline: Annotated[str | None, typer.Option(help="training must end within: 30d", rich_help_panel=TRAIN)] = None,
    budget: Annotated[str | None, typer.Option(help="most to spend on buying [USD]", rich_help_panel=LIMITS)] = None,
    max_power: Annotated[str | None, typer.Option(help="most to draw at the wall", rich_help_panel=LIMITS)] = None,
    quant: Annotated[str | None, typer.Option(help="weight format", rich_help_panel=WHAT)] = None,
    engine: Annotated[str | None, typer.Option(help="inference engine", rich_help_panel=WHAT)] = None,
    kv_bits: Annotated[str | None, typer.Option(help="bits per cached value", rich_help_panel=WHAT)] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="plan file (TOML); flags override it", rich_help_panel=OUT)
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="write the picture here (SVG)", rich_help_panel=OUT)] = None,
    json: Json = False,
) -> int:
    """Buy, rent or API? What each costs over years, from which month and load on the answer changes, and why."""
    from ridgewise.app import costing, planning

    flags = {
        "model": model, "goal": goal, "priority": priority, "hardware": planning.names([hardware] if hardware else []),
        "users": users, "prompt": prompt, "output": output, "context": context, "concurrency": concurrency,
        "active": active, "think": think, "slo_ttft": slo_ttft, "slo_tpot": slo_tpot, "hours": hours, "busy": busy,
        "tokens": tokens, "length": length, "batch": batch, "rank": rank, "deadline": deadline,
        "budget": budget, "max_power": max_power, "quant": quant, "engine": engine, "kv_bits": kv_bits,
        "prices": planning.own_prices(price or []), "host_price": host_price, "tariff": tariff,
        "country": country, "horizon": horizon, "rate": rate, "growth": growth, "ramp": ramp, "cached": cached,
        "rent": rent, "api": api, "api_model": api_model, "hosting": hosting, "pue": pue, "resale": resale,
        "upkeep": upkeep, "running": running, "tax": tax, "carbon": carbon, "interruptions": interruptions,
        "restart": restart, "profile": profile, "runs": runs, "quotes": quotes,
    }  # fmt: skip
    return costing.run(flags, file, plot, json=json)


SYSTEM = "System"
FLEET = "Fleet"
PROMISE = "Limits"


@app.command()
def simulate(
    model: Model,
    hardware: Annotated[str, typer.Argument(help="device name or alias")],
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
    active: Annotated[
        str | None, typer.Option(help="share of users in a conversation at the peak", rich_help_panel=LOAD)
    ] = None,
    think: Annotated[
        str | None, typer.Option(help="mean time between answer and next question", rich_help_panel=LOAD)
    ] = None,
    turns: Annotated[
        str | None, typer.Option(help="questions of a conversation that grows", rich_help_panel=LOAD)
    ] = None,
    system_prompt: Annotated[
        str | None, typer.Option(help="tokens that every conversation begins with", rich_help_panel=LOAD)
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(help="tokens: 1024, lognormal:1024,0.95, uniform:10-99", rich_help_panel=LOAD)
    ] = None,
    output: Annotated[str | None, typer.Option(help="tokens of an answer, likewise", rich_help_panel=LOAD)] = None,
    requests: Annotated[str | None, typer.Option(help="how many are simulated", rich_help_panel=LOAD)] = None,
    seed: Annotated[int, typer.Option(min=0, help="of what is drawn", rich_help_panel=LOAD)] = 0,
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
    slo_ttft: Annotated[
        str | None, typer.Option(help="limit on time to first token: p95=1s", rich_help_panel=PROMISE)
    ] = None,
    slo_tpot: Annotated[
        str | None, typer.Option(help="limit on time per output token: p95=50ms", rich_help_panel=PROMISE)
    ] = None,
    slo_e2e: Annotated[str | None, typer.Option(help="limit on a whole answer", rich_help_panel=PROMISE)] = None,
    table: Annotated[Path | None, typer.Option(help="write a row per request (CSV)", rich_help_panel=OUT)] = None,
    perfetto: Annotated[
        Path | None, typer.Option(help="write a timeline for ui.perfetto.dev (JSON)", rich_help_panel=OUT)
    ] = None,
    json: Json = False,
) -> int:
    """What do users feel? A service request by request: queues, batches, percentiles, limits kept or broken."""
    from ridgewise.app import simulating

    flags = {
        "rate": rate, "users": users, "trace": trace, "trace_format": trace_format, "speed": speed,
        "arrivals": arrivals, "active": active, "think": think, "turns": turns, "system_prompt": system_prompt,
        "prompt": prompt, "output": output, "requests": requests, "seed": seed, "engine": engine, "quant": quant,
        "kv_bits": kv_bits, "tp": tp, "pp": pp, "memory": memory, "free": free, "policy": policy, "draft": draft,
        "draft_tokens": draft_tokens, "acceptance": acceptance, "replicas": replicas, "router": router,
        "decode_replicas": decode_replicas, "link": link, "scale_target": scale_target, "scale_from": scale_from,
        "start_delay": start_delay, "fail": fail, "repair": repair, "slo_ttft": slo_ttft, "slo_tpot": slo_tpot,
        "slo_e2e": slo_e2e, "table": table, "perfetto": perfetto,
    }  # fmt: skip
    return simulating.simulate(model, hardware, flags, json=json)


@app.command()
def capacity(
    model: Model,
    users: Annotated[str | None, typer.Option(help="people with access", rich_help_panel=LOAD)] = None,
    rate: Annotated[str | None, typer.Option(help="requests per second, instead", rich_help_panel=LOAD)] = None,
    active: Annotated[
        str | None, typer.Option(help="share of users in a conversation at the peak", rich_help_panel=LOAD)
    ] = None,
    think: Annotated[
        str | None, typer.Option(help="mean time between answer and next question", rich_help_panel=LOAD)
    ] = None,
    turns: Annotated[
        str | None, typer.Option(help="questions of a conversation that grows", rich_help_panel=LOAD)
    ] = None,
    system_prompt: Annotated[
        str | None, typer.Option(help="tokens that every conversation begins with", rich_help_panel=LOAD)
    ] = None,
    arrivals: Annotated[str | None, typer.Option(help="poisson, bursty:2, even", rich_help_panel=LOAD)] = None,
    prompt: Annotated[
        str | None, typer.Option(help="tokens: 1024, lognormal:1024,0.95, uniform:10-99", rich_help_panel=LOAD)
    ] = None,
    output: Annotated[str | None, typer.Option(help="tokens of an answer, likewise", rich_help_panel=LOAD)] = None,
    seed: Annotated[int, typer.Option(min=0, help="of what is drawn", rich_help_panel=LOAD)] = 0,
    slo_ttft: Annotated[
        str | None, typer.Option(help="limit on time to first token: p95=1s", rich_help_panel=PROMISE)
    ] = None,
    slo_tpot: Annotated[
        str | None, typer.Option(help="limit on time per output token: p95=50ms", rich_help_panel=PROMISE)
    ] = None,
    slo_e2e: Annotated[str | None, typer.Option(help="limit on a whole answer", rich_help_panel=PROMISE)] = None,
    hardware: Annotated[
        list[str] | None,
        typer.Option(help="only these devices (repeat, or separate with commas)", rich_help_panel=WHAT),
    ] = None,
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
    tariff: Annotated[str | None, typer.Option(help="electricity price [USD/kWh]", rich_help_panel=LIMITS)] = None,
    top: Annotated[int, typer.Option(min=1, max=50, help="systems shown", rich_help_panel=OUT)] = 5,
    json: Json = False,
) -> int:
    """How much hardware does a service need? The cheapest systems that keep your limits, and when they no longer do."""
    from ridgewise.app import simulating

    flags = {
        "users": users, "rate": rate, "active": active, "think": think, "turns": turns,
        "system_prompt": system_prompt, "arrivals": arrivals, "prompt": prompt, "output": output, "seed": seed,
        "slo_ttft": slo_ttft, "slo_tpot": slo_tpot, "slo_e2e": slo_e2e, "hardware": hardware, "engine": engine,
        "quant": quant, "kv_bits": kv_bits, "tp": tp, "policy": policy, "busy": busy, "tariff": tariff, "top": top,
    }  # fmt: skip
    return simulating.capacity(model, flags, json=json)


LAYOUT = "Layout: what is not given is searched"


@app.command()
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
    json: Json = False,
) -> int:
    """Can it be trained on this, how, how long, at what power and price? The best layout, its memory and its step."""
    from ridgewise.app import training

    flags = {
        "count": count, "goal": goal, "tokens": tokens, "samples": samples, "epochs": epochs, "batch": batch,
        "length": length, "rank": rank, "method": method, "group": group, "prompt": prompt, "answer": answer,
        "precision": precision, "optimizer": optimizer, "recompute": recompute, "tp": tp, "pp": pp, "vpp": vpp,
        "cp": cp, "ep": ep, "dp": dp, "zero": zero, "micro_batch": micro_batch, "chunked_loss": chunked_loss,
        "program": program, "deadline": deadline, "budget": budget, "tariff": tariff, "memory": memory,
        "export": export, "top": top,
    }  # fmt: skip
    return training.run(model, hardware, flags, json=json)


@app.command()
def explain(
    model: Model,
    hardware: Annotated[str, typer.Argument(help="device name or alias")],
    engine: Annotated[str | None, typer.Option(help="engine, or one of its back ends: llama.cpp/rocm")] = None,
    quant: Annotated[str | None, typer.Option(help="weight format")] = None,
    prompt: Annotated[str, typer.Option(help="prompt tokens")] = "1024",
    output: Annotated[str, typer.Option(help="output tokens")] = "512",
    batch: Annotated[str, typer.Option(help="sequences decoded together")] = "1",
    tp: Annotated[int, typer.Option(min=1, max=1024, help="devices in tensor parallel or layer split")] = 1,
    pp: Annotated[int, typer.Option(min=1, max=1024, help="pipeline stages")] = 1,
    ep: Annotated[
        int | None, typer.Option(min=1, max=1024, help="devices that share the experts: a multiple of --tp")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="write the roofline plot here (SVG)")] = None,
    json: Json = False,
) -> int:
    """Every number of an estimate: operators, formulas, inputs with sources, coefficients with evidence."""
    from ridgewise.app import inspecting

    return inspecting.explain(model, hardware, engine, quant, prompt, output, batch, tp, pp, ep, plot, json=json)


@app.command()
def compare(
    model: Model,
    hardware: Annotated[list[str] | None, typer.Argument(help="device names; one of each class where none is")] = None,
    phases: Annotated[bool, typer.Option("--phases", help="building against using, aspect by aspect")] = False,
    engine: Annotated[str | None, typer.Option(help="engine, or one of its back ends: llama.cpp/rocm")] = None,
    quant: Annotated[str | None, typer.Option(help="weight format")] = None,
    prompt: Annotated[str, typer.Option(help="prompt tokens")] = "1024",
    output: Annotated[str, typer.Option(help="output tokens")] = "512",
    concurrency: Annotated[str, typer.Option(help="requests in flight")] = "1",
    plot: Annotated[Path | None, typer.Option(help="write the rooflines here (SVG)")] = None,
    json: Json = False,
) -> int:
    """One model on several machines, side by side; with --phases training beside inference."""
    from ridgewise.app import comparing

    flags = {"engine": engine, "quant": quant, "prompt": prompt, "output": output, "concurrency": concurrency}
    return comparing.run(model, hardware or [], flags, plot, phases=phases, json=json)


@app.command()
def validate(
    files: Annotated[list[Path] | None, typer.Argument(help="measurements (CSV in one of the schemas)")] = None,
    run: Annotated[Path | None, typer.Option(help="folder of one recorded run: meta.json, requests.csv")] = None,
    configs: Annotated[Path | None, typer.Option(help="folder of further model configurations")] = None,
    rows: Annotated[Path | None, typer.Option(help="write every row with its prediction (CSV)")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="without files: only this kind of measurement")] = None,
    json: Json = False,
) -> int:
    """How wrong are we? Predict measurements and compare; without files, leave out whole sources and devices."""
    from ridgewise.app import judging

    return judging.validate(files or [], run, configs, rows, kind or [], json=json)


@app.command()
def calibrate(
    out: Annotated[Path | None, typer.Option(help="folder the fitted coefficients are written to")] = None,
    extra: Annotated[Path | None, typer.Option(help="folder of further measurements, fitted with the shipped")] = None,
    check: Annotated[Path | None, typer.Option(help="compare the fit with the files of this folder instead")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="only this kind of measurement")] = None,
    json: Json = False,
) -> int:
    """Fit the coefficients anew from measurements and the catalogue."""
    from ridgewise.app import judging

    return judging.calibrate(extra, out, kind or [], check, json=json)


StorePath = Annotated[Path | None, typer.Option("--store", help="file of the store, instead of your data folder's")]


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="what tools printed, or tables in one of the schemas")],
    form: Annotated[str | None, typer.Option("--format", help="name of the format, where it is not recognised")] = None,
    device: Annotated[str | None, typer.Option(help="device name or alias")] = None,
    model: Annotated[str | None, typer.Option(help="catalogue name or alias, or path of its configuration")] = None,
    engine: Annotated[str | None, typer.Option(help="inference engine, or training framework")] = None,
    precision: Annotated[str | None, typer.Option(help="weight format: q4_k_m, fp8, bf16 …")] = None,
    columns: Annotated[list[str] | None, typer.Option("--set", help="column=value of the schema (repeat)")] = None,
    source: Annotated[str, typer.Option(help="key that rows carry as their source")] = "user",
    store: StorePath = None,
    json: Json = False,
) -> int:
    """Add measurements to your store: benchmark results, training and start-up logs, power logs."""
    from ridgewise.app import measuring

    flags = {"device": device, "model": model, "engine": engine, "precision": precision}
    return measuring.import_files(files, form, flags, columns or [], source, store, json=json)


@measurements_app.command("list")
def measurements_list(
    store: StorePath = None,
    kind: Annotated[str | None, typer.Option(help="only this kind of measurement")] = None,
    device: Annotated[str | None, typer.Option(help="only this device")] = None,
    json: Json = False,
) -> int:
    """What your store holds."""
    from ridgewise.app import measuring

    return measuring.list_measurements(store, kind, device, json=json)


@measurements_app.command("show")
def measurements_show(
    row: Annotated[str, typer.Argument(help="id of a row, or its beginning")],
    store: StorePath = None,
    json: Json = False,
) -> int:
    """One row in full."""
    from ridgewise.app import measuring

    return measuring.show_measurement(row, store, json=json)


@measurements_app.command("dump")
def measurements_dump(
    store: StorePath = None,
    kind: Annotated[str | None, typer.Option(help="only this kind of measurement")] = None,
    device: Annotated[str | None, typer.Option(help="only this device")] = None,
    out: Annotated[Path | None, typer.Option(help="write the table here instead of to the screen")] = None,
    json: Json = False,
) -> int:
    """Rows of one kind as a table that validate reads."""
    from ridgewise.app import measuring

    return measuring.dump_measurements(store, kind, device, out, json=json)


@models_app.command("list")
def models_list(
    search: Annotated[str, typer.Argument(help="only names that contain this")] = "", json: Json = False
) -> int:
    """Models of the catalogue."""
    from ridgewise.app import cataloguing

    return cataloguing.list_models(search, json=json)


@models_app.command("show")
def models_show(model: Model, json: Json = False) -> int:
    """One model on one screen: parameters by component, cache per token, layers."""
    from ridgewise.app import cataloguing

    return cataloguing.show_model(model, json=json)


@models_app.command("add")
def models_add(
    path: Annotated[Path, typer.Argument(help="config.json or folder")],
    name: Annotated[str, typer.Argument(help="name to use, like org/name")],
) -> int:
    """Add your own model to your catalogue."""
    from ridgewise.app import cataloguing

    return cataloguing.add_model(path, name)


@hardware_app.command("list")
def hardware_list(
    search: Annotated[str, typer.Argument(help="only names that contain this")] = "",
    kind: Annotated[str | None, typer.Option(help="only this class: gpu-consumer, unified, cpu …")] = None,
    json: Json = False,
) -> int:
    """Devices of the catalogue."""
    from ridgewise.app import cataloguing

    return cataloguing.list_hardware(search, kind, json=json)


@hardware_app.command("show")
def hardware_show(name: Annotated[str, typer.Argument(help="device name or alias")], json: Json = False) -> int:
    """One device: every figure with its unit, kind, source and date, its prices, its ridge point."""
    from ridgewise.app import cataloguing

    return cataloguing.show_hardware(name, json=json)


@hardware_app.command("add")
def hardware_add(path: Annotated[Path, typer.Argument(help="sheet (TOML) of the device")]) -> int:
    """Check a device sheet and add it to your catalogue."""
    from ridgewise.app import cataloguing

    return cataloguing.add_hardware(path)


@hardware_app.command("prices")
def hardware_prices(
    name: Annotated[str, typer.Argument(help="device name or alias; without: every device")] = "",
    refresh: Annotated[bool, typer.Option("--refresh", help="fetch today's offers into your catalogue")] = False,
    json: Json = False,
) -> int:
    """What devices cost to buy and to rent: every price with its date and source."""
    from ridgewise.app import costing

    return costing.list_prices(name, refresh, json=json)

"""`ridgewise bench`: the options of the command."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ridgewise.app.commands._shared import Json
from ridgewise.errors import RequestError

PANEL = "This machine"
RUN, SERVER, TRAINING = "Engine on this machine", "Server", "Training"


def bench(
    model: Annotated[
        str | None, typer.Argument(help="GGUF file, or a model of the catalogue: made with random weights")
    ] = None,
    quant: Annotated[str | None, typer.Option(help="format of random weights: f16, q8_0, q4_0, q4_k_m")] = None,
    device: Annotated[str | None, typer.Option(help="what it runs on, where that is not found out")] = None,
    threads: Annotated[int | None, typer.Option(min=1, max=4096, help="threads; one per core")] = None,
    engine: Annotated[str, typer.Option(help="llama.cpp; of a server: what serves there")] = "llama.cpp",
    prompts: Annotated[str, typer.Option(help="prompt lengths to read, with commas", rich_help_panel=RUN)] = "512",
    depths: Annotated[
        str, typer.Option(help="cached tokens to answer after, with commas", rich_help_panel=RUN)
    ] = "128,1024",
    output: Annotated[int, typer.Option(min=2, max=100000, help="tokens of an answer")] = 48,
    slots: Annotated[int, typer.Option(min=1, max=256, help="answers at once", rich_help_panel=RUN)] = 4,
    repeats: Annotated[int, typer.Option(min=1, max=100, help="rounds of each", rich_help_panel=RUN)] = 3,
    endpoint: Annotated[
        str | None, typer.Option(help="drive an OpenAI-compatible server: http://host:8000", rich_help_panel=SERVER)
    ] = None,
    served: Annotated[str, typer.Option(help="its name of the model", rich_help_panel=SERVER)] = "",
    requests: Annotated[int, typer.Option(min=1, max=100000, help="most requests", rich_help_panel=SERVER)] = 64,
    clients: Annotated[
        int, typer.Option(min=1, max=1024, help="closed loop: so many wait for their answers", rich_help_panel=SERVER)
    ] = 4,
    rate: Annotated[
        float | None, typer.Option(min=1e-3, max=1e4, help="open loop: requests per second", rich_help_panel=SERVER)
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="most seconds", rich_help_panel=SERVER)] = 60.0,
    prompt: Annotated[
        int, typer.Option(min=1, max=1000000, help="tokens of a request's prompt", rich_help_panel=SERVER)
    ] = 256,
    chat: Annotated[bool, typer.Option("--chat", help="the chat endpoint", rich_help_panel=SERVER)] = False,
    count: Annotated[str | None, typer.Option(help="devices that serve together", rich_help_panel=SERVER)] = None,
    train: Annotated[
        bool, typer.Option("--train", help="time training steps (PyTorch)", rich_help_panel=TRAINING)
    ] = False,
    length: Annotated[
        int, typer.Option(min=2, max=100000, help="tokens of a sequence", rich_help_panel=TRAINING)
    ] = 256,
    micro: Annotated[int, typer.Option(min=1, max=4096, help="sequences of a step", rich_help_panel=TRAINING)] = 1,
    json: Json = False,
) -> int:
    """Measure a real engine, beside what was predicted before; keep it, and predict better."""
    from ridgewise.app import benching

    options: dict[str, Any] = {
        "threads": threads,
        "output": output,
        "slots": slots,
        "repeats": repeats,
        "length": length,
        "micro": micro,
    }
    if endpoint is not None:
        from ridgewise.here.load import Load

        load = Load(requests, prompt, output, clients, rate, seconds, chat=chat)
        about = {"device": device, "engine": engine, "model": model, "quant": quant, "count": count}
        return benching.show(benching.endpoint(endpoint, served, load, about), json=json)
    if model is None:
        raise RequestError("which model?", "model", ("ridgewise bench Llama-3.2-1B", "ridgewise bench FILE.gguf"))
    if train:
        return benching.show(benching.train(model, device, options), json=json)
    if engine not in benching.ENGINES:
        raise RequestError(
            f"{engine!r} is not run here; its server is", "--engine", (*benching.ENGINES, "--endpoint URL")
        )
    options |= {"prompts": _lengths(prompts, "--prompts"), "depths": _lengths(depths, "--depths")}
    return benching.show(benching.llama(model, quant, device, options), json=json)


def _lengths(text: str, where: str) -> list[int]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdigit() and 0 < int(part) <= 1_000_000 for part in parts):
        raise RequestError(f"{text!r} is no list of token counts", where, ("512", "128,1024"))
    return [int(part) for part in parts]

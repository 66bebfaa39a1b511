"""``llama-server``. Names of options as of llama.cpp b11434, ``common/arg.cpp``."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.report.manifests._served import HERE, Served, header, shell

NAME, ABOUT = "llama.cpp", "the command llama-server (b11434)"
ENGINES = ("llama.cpp",)
#: Container image by back end.
IMAGES = {
    "cuda": "ghcr.io/ggml-org/llama.cpp:server-cuda", "rocm": "ghcr.io/ggml-org/llama.cpp:server-rocm",
    "vulkan": "ghcr.io/ggml-org/llama.cpp:server-vulkan", "cpu": "ghcr.io/ggml-org/llama.cpp:server",
}  # fmt: skip
PORT, READY = 8080, "/health"
#: Where a container finds the server.
INSIDE = "/app/llama-server"


def command(served: Served, host: str = HERE) -> list[str]:
    """The words of the command; ``host``: the address it listens on."""
    return ["llama-server", *_options(served), "--host", host]


def layers(served: Served) -> int:
    """Layers on the card: as told, none on a processor, else more than any model has."""
    if served.setup.backend.unit == "cpu":
        return 0
    return 999 if served.ngl is None else served.ngl


def _options(served: Served) -> Iterator[str]:
    setup = served.setup
    yield from ("--model", served.model(), "--alias", setup.arch.name)
    yield from ("--ctx-size", str(served.slots * served.context), "--parallel", str(served.slots))
    yield from ("--gpu-layers", str(layers(served)))
    if served.cpu_moe:
        yield "--cpu-moe"
    if setup.plan.pp > 1:
        yield from ("--split-mode", "layer")
    yield from ("--cache-type-k", served.cache[0], "--cache-type-v", served.cache[1], "--flash-attn", "on")
    yield from ("--ubatch-size", f"{setup.engine.chunk:.0f}", "--port", str(PORT))


def write(served: Served) -> str:
    """The command with its notes."""
    each = f"# the context is shared out: {served.slots} x {served.context} tokens"
    return "\n".join(["#!/bin/sh", *header(served), *([each] if served.slots > 1 else []), shell(command(served)), ""])

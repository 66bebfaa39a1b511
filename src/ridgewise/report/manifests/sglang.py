"""SGLang's server. Names of options as of SGLang 0.5, ``python/sglang/srt/server_args.py``."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ridgewise.hardware.machine import Machine
from ridgewise.memory.engines.sglang import left_free
from ridgewise.report.manifests._served import HERE, PLAIN, Served, header, shell

NAME, ABOUT = "sglang", "the command of SGLang's server (0.5)"
ENGINES = ("sglang",)
#: Container image by back end.
IMAGES = {"cuda": "lmsysorg/sglang:latest"}
PORT, READY = 30000, "/health"
#: Formats made from 16-bit weights while they are loaded.
LOADING = ("fp8",)


def command(served: Served, host: str = HERE) -> list[str]:
    """The words of the command; ``host``: the address it listens on."""
    return ["python3", "-m", "sglang.launch_server", *_options(served), "--host", host]


def _options(served: Served) -> Iterator[str]:
    plan, arch = served.setup.plan, served.setup.arch
    yield from ("--model-path", served.model(LOADING))
    if served.weights or served.model(LOADING) != arch.name:
        yield from ("--served-model-name", arch.name)
    yield from ("--tp-size", f"{plan.tp:.0f}")
    if served.groups > 1:
        yield from ("--dp-size", str(served.groups), "--ep-size", f"{plan.tp:.0f}", "--enable-dp-attention")
    if plan.pp > 1:
        yield from ("--pp-size", f"{plan.pp:.0f}")
    if plan.format.id in PLAIN:
        yield from ("--dtype", PLAIN[plan.format.id])
    elif plan.format.id in LOADING and not served.native and not served.weights:
        yield from ("--quantization", plan.format.id)
    yield from ("--kv-cache-dtype", served.cache[0])
    yield from ("--context-length", str(served.context))
    yield from ("--max-running-requests", str(served.most))
    yield from ("--chunked-prefill-size", str(served.step_tokens))
    yield from ("--mem-fraction-static", f"{_share(served):g}")
    nodes = math.ceil(served.each / Machine(served.setup.device).per_node)
    if nodes > 1:
        yield from ("--nnodes", str(nodes), "--node-rank", "0", "--dist-init-addr", "HEAD:50000")
    yield from ("--port", str(PORT))


def _share(served: Served) -> float:
    """``mem_fraction_static``: as told, else what its own default comes to on this device."""
    setup = served.setup
    if setup.plan.share:
        return float(setup.plan.share)
    return math.floor(1000 * (1 - float(left_free(setup.usable, setup.plan)) / setup.usable)) / 1000


def write(served: Served) -> str:
    """The command with its notes."""
    lines = header(served, LOADING)
    if served.each > Machine(served.setup.device).per_node:
        lines.append("# run it on every node, with its own --node-rank; HEAD is the first node's address")
    return "\n".join(["#!/bin/sh", *lines, shell(command(served)), ""])

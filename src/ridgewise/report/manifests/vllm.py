"""``vllm serve``. Names of options as of vLLM 0.33, ``vllm/engine/arg_utils.py``."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.hardware.machine import Machine
from ridgewise.memory.engines.vllm import UTILIZATION
from ridgewise.report.manifests._served import HERE, PLAIN, Served, header, shell

NAME, ABOUT = "vllm", "the command vllm serve (0.33)"
ENGINES = ("vllm",)
#: Container image by back end.
IMAGES = {"cuda": "vllm/vllm-openai:latest", "rocm": "rocm/vllm:latest"}
PORT, READY = 8000, "/health"
#: Formats made from 16-bit weights while they are loaded.
LOADING = ("fp8",)


def command(served: Served, host: str = HERE) -> list[str]:
    """The words of the command; ``host``: the address it listens on."""
    return ["vllm", "serve", served.model(LOADING), *_options(served), "--host", host]


def _options(served: Served) -> Iterator[str]:
    plan, arch = served.setup.plan, served.setup.arch
    if served.weights or served.model(LOADING) != arch.name:
        yield from ("--served-model-name", arch.name)
    yield from ("--tensor-parallel-size", f"{plan.attn_tp:.0f}")
    if served.groups > 1:
        yield from ("--data-parallel-size", str(served.groups), "--enable-expert-parallel")
    if plan.pp > 1:
        yield from ("--pipeline-parallel-size", f"{plan.pp:.0f}")
    if served.each > Machine(served.setup.device).per_node:
        yield from ("--distributed-executor-backend", "ray")
    if plan.format.id in PLAIN:
        yield from ("--dtype", PLAIN[plan.format.id])
    elif plan.format.id in LOADING and not served.native and not served.weights:
        yield from ("--quantization", plan.format.id)
    yield from ("--kv-cache-dtype", {"bf16": "bfloat16", "fp16": "float16"}.get(served.cache[0], served.cache[0]))
    yield from ("--max-model-len", str(served.context))
    yield from ("--max-num-seqs", str(max(served.most // served.groups, 1)))
    yield from ("--max-num-batched-tokens", str(served.step_tokens))
    yield from ("--gpu-memory-utilization", f"{float(plan.share) or UTILIZATION:g}")
    yield from ("--port", str(PORT))


def write(served: Served) -> str:
    """The command with its notes."""
    lines = header(served, LOADING)
    if served.each > Machine(served.setup.device).per_node:
        lines.append("# the replica spans nodes: start it on the head of a Ray cluster that holds them")
    return "\n".join(["#!/bin/sh", *lines, shell(command(served)), ""])

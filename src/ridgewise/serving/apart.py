"""The two phases on machines of their own: one reads prompts, the other writes answers.

The dividing line inside inference: prefill wants compute, decode wants bandwidth (Splitwise, arXiv 2311.18677;
DistServe, arXiv 2401.09670). The cache of a prompt travels between them. Prompts queue for the reading machine,

    wait = u/(2(1 − u)) · p,   u = ρ·(c − 1)/c

(M/D/1 with equal prompts of p seconds at utilisation ρ, and alike for the link; of c requests in flight one sees
the other c − 1, Bard 1979),
and answers are written without prompts beside them: b sequences at once yield b/((o − 1)·d(b)) requests a second.
"""

from __future__ import annotations

import numpy as np

from ridgewise.memory import cache_bytes
from ridgewise.memory.engines import policy
from ridgewise.serving.estimate import (
    GRID,
    bands,
    decode_seconds,
    floor_seconds,
    memory_batch,
    most_sequences,
    prompt_parts,
    prompt_seconds,
)
from ridgewise.serving.local import Part
from ridgewise.serving.outcome import Load, Outcome, Range, ranged
from ridgewise.serving.setup import Setup
from ridgewise.units import Bytes, BytesPerSecond, Num, Tokens
from ridgewise.work import decode

#: Utilisation of the reading machine beyond which its queue is taken to be endless.
FULL = 0.98
#: Rounds in which requests in flight and their wait for the reading machine settle.
ROUNDS = 12


def handed_over(setup: Setup, tokens: Tokens) -> Bytes:
    """Bytes of cache that one prompt leaves, over all devices of the writing machine's group."""
    whole = policy("textbook")
    return float(setup.plan.tp * setup.plan.pp) * cache_bytes(setup.arch, setup.plan, 1.0, tokens, whole)


def _wait(utilisation: Num, each: Num) -> Num:
    """Mean wait for one server of equal jobs [s] (M/D/1)."""
    return utilisation / (2.0 * (1.0 - utilisation)) * each


def apart(reader: Setup, writer: Setup, load: Load, link: BytesPerSecond) -> Outcome:
    """What users feel where ``reader`` does the prompts and ``writer`` the answers of one load (numbers, no columns),
    the cache passing over a link of so many bytes per second."""
    prompt, output, asked = float(load.prompt), float(load.output), float(load.concurrency)
    new, depth = prompt * (1.0 - float(load.cached)), prompt * float(load.cached)
    reading = float(prompt_seconds(reader, new, depth))
    held = min(float(memory_batch(writer, prompt + output)), most_sequences(writer))
    most = max(held, 1.0) * writer.replicas
    running = np.unique(np.append(GRID[most > GRID], most))
    step = np.asarray(decode_seconds(writer, prompt + output / 2, np.maximum(running / writer.replicas, 1.0)))
    step = step * np.ones_like(running)
    rate = running / (np.maximum(output - 1.0, 1.0) * step)
    moving = float(handed_over(writer, new)) / link
    rate = np.minimum(rate, FULL / max(reading / reader.replicas, moving))
    used, sent = rate * reading / reader.replicas, rate * moving
    able = (np.maximum(used, sent) < FULL * (1.0 - 1e-9)) | (running == running[0])
    running, step, rate, used, sent = (column[able] for column in (running, step, rate, used, sent))
    unloaded = reader.coefficients().get("request_overhead", 0.0) + reading + moving + step
    first = unloaded
    for _ in range(ROUNDS):
        others = 1.0 - 1.0 / np.maximum(running + rate * first, 1.0)
        first = unloaded + _wait(used * others, reading) + _wait(sent * others, moving)
    alone = unloaded[0] + max(output - 1.0, 1.0) * step[0]  # one request in flight: nothing waits for another
    curve = {
        "carried": (1.0, running + rate * first), "running": (1.0, running), "step": (step[0], step),
        "rate": (1.0 / alone, rate), "first": (unloaded[0], first),
    }  # fmt: skip
    carried, *columns = (np.append(begin, rest) for begin, rest in curve.values())
    at = min(asked, float(carried[-1]))
    at_once, tpot, flow, ttft = (float(np.interp(at, carried, column)) for column in columns)
    ttft += max(asked - at, 0.0) / flow
    (low_first, _, _), (_, low_rest, whole) = bands(reader), bands(writer, at_once / writer.replicas)
    floor = float(floor_seconds(reader, prompt_parts(reader, new, depth)))
    steady = float(floor_seconds(writer, (Part(decode(prompt + output / 2, max(at_once / writer.replicas, 1.0))),)))
    first_range = ranged(ttft, low_first.low, low_first.high, floor)
    rest_range = ranged(tpot, low_rest.low, low_rest.high, steady)
    total = Range(flow * output, flow * output * whole.low, flow * output * whole.high)
    return Outcome(
        first_range, rest_range, first_range + rest_range * (output - 1.0), total, total * (1.0 / output),
        at_once / writer.replicas, held,
    )  # fmt: skip

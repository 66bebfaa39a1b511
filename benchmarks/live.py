"""``python -m benchmarks.live``: a real llama.cpp server with parallel slots under load, beside the simulator.

What is compared is the queue: how slots fill, prompts ride in the steps of those who answer, and requests wait. So the
step times come from this very server, measured while it had nothing else to do: prompts alone, and one to as many
answers as there are slots at once. Its load is then sent twice, by the client to the server and by its times and
lengths to the simulator. A small model with random weights is served by one thread, so that the client has a core.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from ridgewise.here.llama_server import LlamaServer, engine
from ridgewise.here.load import Driven, Load, Outcome, drive
from ridgewise.here.random_gguf import write
from ridgewise.models.read import load as load_model
from ridgewise.simulation.fleet import Fleet, run
from ridgewise.simulation.metrics import columns, statistics
from ridgewise.simulation.policies import load_policies
from ridgewise.simulation.request import Requests, requests
from ridgewise.simulation.steptimes import UNBOUNDED, StepTimes
from ridgewise.simulation.system import System

MODEL, MIX, SLOTS, CONTEXT, BATCH = "HuggingFaceTB/SmolLM2-135M", "q8_0", 4, 4096, 2048
#: Prompts whose time is taken alone, tokens of answers, depths between which a token's own cost is taken.
PROMPTS, ANSWER, DEPTHS, REPEATS = (8, 16, 32, 64, 128, 256), 48, (16, 640), 3
#: Loads: name, and what is sent.
LOADS = (
    ("quiet", Load(24, prompt=96, output=32, rate=0.7, seconds=200.0, seed=1)),
    ("busy", Load(40, prompt=96, output=32, rate=1.3, seconds=200.0, seed=2)),
    ("long answers", Load(24, prompt=32, output=96, rate=0.8, seconds=200.0, seed=3)),
    ("8 clients", Load(40, prompt=96, output=32, clients=8, seconds=200.0, seed=4)),
)
#: How much longer a step of one answer may take after a load than before all before the load is sent again, once.
DISTURBED, TRIES = 1.1, 2
STATISTICS = ("mean", "p50", "p90")
HEADER = """# A real server beside the simulator

{engine} on {machine}, {threads} thread, {slots} slots, {model} in {mix} with random weights. The same load was sent to
the server and simulated with step times that were measured while it had nothing else to do. A cell is simulated over
measured, with the measured value; the last column is a step of one answer after the load over before. Run by
`python -m benchmarks.live`.

Step times: {told}.

| load | requests | TTFT mean | p50 | p90 | TPOT mean | p50 | p90 | E2E mean | tokens/s | a step after |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


def ahead() -> None:
    """This process and the server it starts go before everything else on the machine, where they may."""
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))


def alone(server: LlamaServer, tokens: int) -> float:
    """Seconds in which a prompt is read with nothing beside it."""
    ids = list(range(300, 300 + tokens))
    return median(server.complete(ids, 1).prompt_s for _ in range(REPEATS))


def together(server: LlamaServer, sequences: int, depth: int) -> float:
    """Seconds of a step in which so many answers get a token."""
    ids = list(range(300, 300 + depth))

    def one(_: int) -> float:
        found = server.complete(ids, ANSWER)
        return found.output_s / (found.output - 1)

    with ThreadPoolExecutor(sequences) as pool:
        return median(min(pool.map(one, range(sequences))) for _ in range(REPEATS))


def step_times(server: LlamaServer) -> tuple[StepTimes, str]:
    """Tables of the idle server: by tokens of a step, and per token that an answer sees."""
    counts = range(1, SLOTS + 1)
    answers = {n: together(server, n, DEPTHS[0]) for n in counts}
    deep = together(server, 1, DEPTHS[1])
    seen = max(deep - answers[1], 0.0) / (DEPTHS[1] - DEPTHS[0])
    prompts = {n: alone(server, n) for n in PROMPTS}
    middle = DEPTHS[0] + ANSWER / 2
    points = {0: 0.0} | {n: s - n * seen * middle for n, s in answers.items()} | prompts
    most = BATCH + SLOTS
    last = max(PROMPTS)
    points[most + 1] = prompts[last] * (most + 1) / last
    base = np.interp(np.arange(most + 2), list(points), list(points.values()))
    none, whole = np.zeros(0), np.zeros(most + 2, dtype=np.int64)
    made = StepTimes(
        base, np.zeros(most + SLOTS + 2), none, whole, none, whole, none, 0, np.array([UNBOUNDED]), np.array([0]),
        np.zeros(1), np.array([seen]), 0.0, np.zeros(1), np.zeros(1), 0.0, np.zeros(SLOTS + 1),
    )  # fmt: skip
    told = f"a step of 1 to {SLOTS} answers {', '.join(f'{1e3 * s:.1f}' for s in answers.values())} ms, a prompt of "
    return made, told + ", ".join(f"{n} tokens {1e3 * s:.0f} ms" for n, s in prompts.items())


def sent(outcomes: Sequence[Outcome], clients: int) -> Requests:
    """The same load for the simulator: at the times it was sent, or by so many clients one after the other."""
    prompt = np.array([one.input_tokens or 0 for one in outcomes])
    output = np.array([one.output_tokens or 0 for one in outcomes])
    if clients < 2:
        return requests(np.array([one.sent_s for one in outcomes]), prompt, output)
    count = np.arange(len(outcomes))
    came = np.where(count < clients, [one.sent_s for one in outcomes], np.nan)
    follower = np.where(count + clients < len(outcomes), count + clients, -1)
    return requests(came, prompt, output, follower=follower, think=np.zeros(len(outcomes)))


def compared(driven: Driven, system: System) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Measured and simulated: statistics of TTFT, TPOT, E2E, and tokens per second as a mean."""
    outcomes = sorted(driven.answered, key=lambda one: one.sent_s)
    clients = driven.load.clients if driven.load.rate is None else 1
    served = run(Fleet((system,)), sent(outcomes, clients), False)
    found = columns(served)
    measured = {
        "ttft": statistics([one.ttft_s or 0.0 for one in outcomes]),
        "tpot": statistics([one.tpot_s or 0.0 for one in outcomes]),
        "e2e": statistics([one.e2e_s for one in outcomes]),
        "rate": {"mean": sum(one.output_tokens or 0 for one in outcomes) / max(one.end_s for one in outcomes)},
    }
    made = float(served.asked.output.sum())
    simulated = {name: statistics(found[name]) for name in ("ttft", "tpot", "e2e")} | {
        "rate": {"mean": made / (served.end + system.overhead)}
    }  # fmt: skip
    return measured, simulated


def rows() -> Iterator[str]:
    """A row of the report per load, after the header; a load during which others worked is sent again."""
    threads = 1
    ahead()
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "model.gguf", load_model(MODEL), MIX)
        with LlamaServer(path, threads, context=CONTEXT, slots=SLOTS, batch=BATCH) as server:
            times, told = step_times(server)
            before = together(server, 1, DEPTHS[0])
            yield HEADER.format(
                engine=engine().version, machine=platform.machine(), threads=threads, slots=SLOTS, model=MODEL,
                mix=MIX, told=told,
            ).rstrip("\n")  # fmt: skip
            policy = replace(load_policies()["llamacpp"], sequences=SLOTS, tokens=BATCH)
            system = System(times, policy, SLOTS, BATCH, CONTEXT, CONTEXT // SLOTS)
            probe = drive(server.url, "", Load(6, prompt=96, output=2))
            first = median(one.ttft_s or 0.0 for one in probe.answered)
            tokens = probe.answered[0].input_tokens or 96
            system = replace(system, overhead=max(first - float(times.base[tokens]), 0.0))
            print(f"outside the engine {1e3 * system.overhead:.1f} ms of {1e3 * first:.0f}", file=sys.stderr)
            for name, load in LOADS:
                for _ in range(TRIES):
                    driven = drive(server.url, "", load)
                    drift = together(server, 1, DEPTHS[0]) / before
                    print(f"{name}: a step takes {drift:.2f} times what it took", file=sys.stderr)
                    if drift <= DISTURBED:
                        break
                measured, simulated = compared(driven, system)
                cells = [_cell(measured[k][s], simulated[k][s]) for k in ("ttft", "tpot") for s in STATISTICS]
                rate = f"{simulated['rate']['mean'] / measured['rate']['mean']:.2f} ({measured['rate']['mean']:.1f})"
                yield "| " + " | ".join([
                    name, str(len(driven.answered)), *cells, _cell(measured["e2e"]["mean"], simulated["e2e"]["mean"]),
                    rate, f"{drift:.2f}",
                ]) + " |"  # fmt: skip


def _cell(measured: float, simulated: float) -> str:
    return f"{simulated / measured:.2f} ({1e3 * measured:.0f} ms)"


if __name__ == "__main__":
    text = "\n".join(rows()) + "\n"
    Path(__file__).with_name("live.md").write_text(text, encoding="utf-8")
    print(text)

"""Fifty readers at once before ``ridgewise serve`` on this machine: how long answers take, and whether any fail.

    python -m benchmarks.load [--readers 50] [--seconds 20] [--pause 2] [--workers 2]

Each reader asks one question after another, with a pause as people make it: half of them plans of other numbers of
people, which are computed, the rest closer looks, lists, and plans that somebody asked before.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import subprocess
import sys
import time

import httpx

MODELS = ("meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-70B-Instruct", "openai/gpt-oss-20b")

#: Kind of question and seconds until its answer.
Seen = list[tuple[str, float]]


def questions(draw: random.Random) -> tuple[str, str]:
    """A kind of question and its address."""
    model = draw.choice(MODELS)
    return draw.choice([
        ("plan, new", f"/?model={model}&users={draw.randint(1, 2000)}"),
        ("plan, new", f"/v1/plan?model={model}&users={draw.randint(1, 2000)}&slo_ttft={draw.randint(1, 4)}s"),
        ("plan, asked before", f"/?model={MODELS[0]}&users={draw.choice((1, 20, 200))}"),
        ("closer look", f"/look?model={model}&hardware=H100 SXM&tp=2&concurrency={draw.randint(1, 64)}"),
        ("fit", f"/v1/fit?model={model}&hardware=RTX 4090&context={draw.randint(1, 32) * 1000}"),
        ("list", "/v1/hardware?class=gpu-consumer&limit=20"),
    ])  # fmt: skip


async def reader(client: httpx.AsyncClient, seed: int, until: float, pause: float, seen: Seen) -> int:
    """One person until the time is up; the number of answers that failed."""
    draw, failed = random.Random(seed), 0
    await asyncio.sleep(draw.uniform(0, pause))
    while time.perf_counter() < until:
        kind, address = questions(draw)
        began = time.perf_counter()
        try:
            failed += (await client.get(address)).status_code != 200
        except httpx.HTTPError:
            failed += 1
        seen.append((kind, time.perf_counter() - began))
        await asyncio.sleep(draw.expovariate(1 / pause) if pause else 0)
    return failed


async def load(address: str, readers: int, seconds: float, pause: float) -> None:
    seen: Seen = []
    until = time.perf_counter() + seconds
    async with httpx.AsyncClient(base_url=address, timeout=60, limits=httpx.Limits(max_connections=readers)) as client:
        failed = sum(await asyncio.gather(*(reader(client, n, until, pause, seen) for n in range(readers))))
    print(f"{readers} readers, {seconds:g} s, pause {pause:g} s: {len(seen)} answers, {failed} failed")
    print("| question | answers | median | p95 | p99 |\n| --- | --- | --- | --- | --- |")
    for kind in (*dict.fromkeys(kind for kind, _ in sorted(seen)), "all"):
        times = sorted(took for name, took in seen if kind in (name, "all"))
        median, p95, p99 = (times[min(int(share * len(times)), len(times) - 1)] for share in (0.5, 0.95, 0.99))
        print(f"| {kind} | {len(times)} | {median:.2f} s | {p95:.2f} s | {p99:.2f} s |")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--readers", type=int, default=50)
    options.add_argument("--seconds", type=float, default=20.0)
    options.add_argument("--pause", type=float, default=2.0)
    options.add_argument("--workers", type=int, default=2)
    asked = options.parse_args()
    server = subprocess.Popen(
        [sys.executable, "-m", "ridgewise", "serve", "--port", "0", "--workers", str(asked.workers)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found is not None, "the server says where it is"
        httpx.get(found[0] + "v1/plan", params={"model": MODELS[0], "users": "1"}, timeout=120)
        asyncio.run(load(found[0], asked.readers, asked.seconds, asked.pause))
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    main()

"""``python -m tests.fuzz [--count N] [--seed S]``: malformed inputs for all readers, same seed, same inputs."""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.mutate import mutate_bytes, mutate_json, mutate_safetensors
from tests.fuzz.readers import Reader, readers

SLOWEST = 1.0  # seconds for one input
MOST_MEMORY = 512 << 20  # bytes the process may grow by


def inputs(reader: Reader, seed: int, number: int) -> bytes:
    """Input ``number`` of a run: found again from its number alone."""
    rng = random.Random(f"{reader.name} {seed} {number}")
    chosen = rng.choice(reader.seeds)
    match reader.name:
        case "config.json":
            return mutate_json(rng, chosen, reader.seeds)
        case "safetensors":
            return mutate_safetensors(rng, chosen, reader.seeds)
    return mutate_bytes(rng, chosen, reader.seeds, 5_000)


def run(reader: Reader, count: int, seed: int) -> tuple[Counter[str], float, float]:
    """``count`` inputs: how they ended, seconds in all, seconds of the slowest."""
    ends: Counter[str] = Counter()
    started, slowest = time.perf_counter(), 0.0
    for number in range(count):
        data = inputs(reader, seed, number)
        begun = time.perf_counter()
        try:
            ends[reader.check(data)] += 1
        except BaseException:
            kept = Path(f"fuzz-{reader.name}-{seed}-{number}.bin")
            kept.write_bytes(data)
            print(f"{reader.name}: input {number} of seed {seed} broke its promise; kept as {kept}", file=sys.stderr)
            raise
        taken = time.perf_counter() - begun
        slowest = max(slowest, taken)
        assert taken < SLOWEST, f"{reader.name}: input {number} of seed {seed} took {taken:.2f} s"
    return ends, time.perf_counter() - started, slowest


def memory() -> int:
    """The largest resident size so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main() -> None:
    """Run all readers and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="inputs over all readers (default 100000)")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    every = readers()
    before, total = memory(), 0.0
    for reader in every:
        count = -(-chosen.count // len(every))
        ends, seconds, slowest = run(reader, count, chosen.seed)
        total += seconds
        ended = ", ".join(f"{n:,} {how}" for how, n in ends.most_common())
        print(f"{reader.name:12} {count:,} inputs in {seconds:.0f} s, slowest {1000 * slowest:.0f} ms: {ended}")
    grown = memory() - before
    assert grown < MOST_MEMORY, f"memory grew by {grown >> 20} MiB"
    print(f"all kept their promise in {total:.0f} s; memory grew by {grown >> 20} MiB (seed {chosen.seed})")


if __name__ == "__main__":
    main()

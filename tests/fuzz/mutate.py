"""Mutations: bytes changed, moved, cut and spliced; JSON values replaced by awkward ones."""

from __future__ import annotations

import copy
import json
import random
import struct
from typing import Any

_NUMBERS = (
    0, 1, 2, 3, 7, 8, 9, 10, 31, 32, 127, 128, 255, 256, 0x7FFF, 0xFFFF, 1 << 31, (1 << 32) - 1, 1 << 40,
    (1 << 63) - 1, 1 << 63, (1 << 64) - 1,
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 7, 64, 10**6, 10**9, 2**31, 2**63, 2**64, -(2**63), 10**30, 0.5, -0.0, 1e308,
    float("nan"), float("inf"), "", "x", "full_attention", "é" * 50, "x" * 5_000, [], [0], [1, 2, 3], ["a"], [[]],
    {}, {"a": 1}, [None] * 100, ["sliding_attention"] * 48,
)  # fmt: skip


def mutate_bytes(rng: random.Random, seed: bytes, others: tuple[bytes, ...], reach: int) -> bytes:
    """A few changes in the first ``reach`` bytes, where headers are."""
    raw = bytearray(seed)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        if not raw:
            break
        at = rng.randrange(min(len(raw), max(reach, 1)))
        match rng.randrange(9):
            case 0:
                raw[at] ^= 1 << rng.randrange(8)
            case 1:
                raw[at] = rng.randrange(256)
            case 2:
                width = rng.choice(("<I", "<Q", ">Q", "<H"))
                number = rng.choice(_NUMBERS) & ((1 << 8 * struct.calcsize(width)) - 1)
                raw[at : at + struct.calcsize(width)] = struct.pack(width, number)
            case 3:
                raw[at:at] = rng.randbytes(rng.choice((1, 4, 8, 32)))
            case 4:
                del raw[at : at + rng.choice((1, 4, 8, 64))]
            case 5:
                length = rng.randrange(1, 64)
                raw[at : at + length] = bytes(length) if rng.random() < 0.5 else b"\xff" * length
            case 6:
                start = rng.randrange(min(len(raw), reach))
                raw[at:at] = raw[start : start + rng.randrange(1, 200)]
            case 7:
                other = rng.choice(others)
                start = rng.randrange(len(other)) if other else 0
                raw[at : at + 64] = other[start : start + rng.randrange(1, 200)]
            case _:
                del raw[at:]
    return bytes(raw)


def mutate_json(rng: random.Random, seed: bytes, others: tuple[bytes, ...]) -> bytes:
    """One JSON object with a few values replaced, removed or moved; sometimes its text is broken too."""
    data = json.loads(seed)
    for _ in range(rng.choice((1, 1, 2, 3))):
        holder, key = _place(rng, data)
        if holder is None:
            break
        match rng.randrange(6):
            case 0:
                del holder[key]
            case 1:
                other = json.loads(rng.choice(others))
                if isinstance(data, dict) and isinstance(other, dict) and other:
                    chosen = rng.choice(list(other))
                    data[chosen] = other[chosen]
            case 2 if isinstance(holder[key], int):
                change = rng.choice((1, -1, holder[key], -2 * holder[key]))
                holder[key] = holder[key] + change
            case 3 if isinstance(holder[key], list) and holder[key]:
                holder[key] = holder[key] * rng.choice((0, 2, 50)) if len(holder[key]) < 1_000 else []
            case _:
                holder[key] = copy.deepcopy(rng.choice(_VALUES))
    text = json.dumps(data)
    if rng.random() < 0.1:
        return mutate_bytes(rng, text.encode(), others, len(text))
    return text.encode()


def _place(rng: random.Random, data: Any) -> tuple[Any, Any]:
    """A random place in nested objects and lists: its holder and its key."""
    holder, key = None, None
    here = data
    while isinstance(here, dict | list) and here:
        keys = list(here) if isinstance(here, dict) else range(len(here))
        holder, key = here, rng.choice(keys)
        here = holder[key]
        if rng.random() < 0.5:
            break
    return holder, key


def mutate_safetensors(rng: random.Random, seed: bytes, others: tuple[bytes, ...]) -> bytes:
    """The JSON of the header changed and put back with its length, or the bytes as they are."""
    length = int.from_bytes(seed[:8], "little")
    if rng.random() < 0.5:
        return mutate_bytes(rng, seed, others, 8 + length)
    headers = tuple(other[8 : 8 + int.from_bytes(other[:8], "little")] for other in others)
    header = mutate_json(rng, seed[8 : 8 + length], headers)
    return struct.pack("<Q", len(header)) + header + seed[8 + length :]

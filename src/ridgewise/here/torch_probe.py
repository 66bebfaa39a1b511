"""What PyTorch reaches where it is installed: products by number format, copies to and from a device, all-reduce."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from ridgewise.here.contention import Figure, rounds, settled

#: Order of a product and bytes of a copy, on a processor and on a device.
ORDER, DEVICE_ORDER, COPY = 1024, 8192, 256 << 20
FORMATS = {"cpu": ("bfloat16",), "cuda": ("float32", "float16", "bfloat16"), "mps": ("float32", "float16"),
           "xpu": ("float32", "float16", "bfloat16")}  # fmt: skip
SHORT = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}


def torch_probe(said: Callable[[str], None], threads: int, budget: float) -> Iterator[Figure]:
    """Figures of the processor and of every kind of device PyTorch drives (CUDA and ROCm as cuda, MPS, XPU)."""
    import torch

    torch.set_num_threads(threads)
    yield from _products(torch, "cpu", threads, said, budget / 3)
    for kind in ("cuda", "xpu", "mps"):
        backend: Any = getattr(torch, kind, None) or getattr(torch.backends, kind, None)
        if backend is None or not getattr(backend, "is_available", lambda: False)():
            continue
        yield from _products(torch, kind, 1, said, budget / 2)
        yield from _copies(torch, kind, said, budget / 4)
    if torch.cuda.is_available() and torch.cuda.device_count() > 1:
        yield _all_reduce(torch, said, budget / 4)


def _wait(torch: Any, kind: str) -> Callable[[], None]:
    found: Callable[[], None] = getattr(torch, kind).synchronize if kind != "cpu" else (lambda: None)
    return found


def _products(torch: Any, kind: str, threads: int, said: Callable[[str], None], budget: float) -> Iterator[Figure]:
    wait = _wait(torch, kind)
    order = ORDER if kind == "cpu" else DEVICE_ORDER
    for name in FORMATS[kind]:
        said(f"PyTorch, {kind}, product, {name}")
        a = torch.randn(order, order, device=kind, dtype=getattr(torch, name))

        def run(a: Any = a) -> None:
            a @ a
            wait()

        label = f"torch {kind}, product, {SHORT[name]}"
        if kind == "cpu":
            yield rounds(label, "FLOP/s", 2.0 * order**3, run, threads, budget / len(FORMATS[kind]))
        else:
            yield _device(label, "FLOP/s", 2.0 * order**3, run, budget / len(FORMATS[kind]))


def _copies(torch: Any, kind: str, said: Callable[[str], None], budget: float) -> Iterator[Figure]:
    wait = _wait(torch, kind)
    pinned = kind == "cuda"
    host = torch.empty(COPY, dtype=torch.uint8, pin_memory=pinned)
    there, other = (torch.empty(COPY, dtype=torch.uint8, device=kind) for _ in range(2))
    for label, amount, target, source in (
        ("host to device", COPY, there, host),
        ("device to host", COPY, host, there),
        ("memory, copy", 2 * COPY, other, there),
    ):
        said(f"PyTorch, {kind}, {label}")

        def run(target: Any = target, source: Any = source) -> None:
            target.copy_(source)
            wait()

        yield _device(f"torch {kind}, {label}", "B/s", amount, run, budget / 3)


def _all_reduce(torch: Any, said: Callable[[str], None], budget: float) -> Figure:
    """Bus bandwidth of NCCL's all-reduce over all devices: ``2(g−1)/g`` of the message over its time."""
    from torch.cuda import nccl

    count = torch.cuda.device_count()
    said(f"PyTorch, all-reduce over {count} devices")
    held = [torch.ones(COPY // 4, device=f"cuda:{i}") for i in range(count)]

    def run() -> None:
        nccl.all_reduce(held)
        for i in range(count):
            torch.cuda.synchronize(i)

    return _device(f"torch cuda, all-reduce, {count} devices", "B/s", 2 * (count - 1) / count * COPY, run, budget)


def _device(name: str, unit: str, amount: float, run: Callable[[], None], budget: float) -> Figure:
    """Rounds on a device, which the processors' load says nothing about."""
    run()
    found: list[tuple[float, float]] = []
    end = time.perf_counter() + budget
    while len(found) < 5 or (time.perf_counter() < end and len(found) < 200):
        start = time.perf_counter()
        run()
        found.append((amount / (time.perf_counter() - start), 1.0))
    return settled(name, unit, found)

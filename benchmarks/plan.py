"""Answers to typical planning questions, the catalogue already read; the floor estimates one deployment of the
question's kind alone."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.estimates import setup
from benchmarks.timing import median
from ridgewise.advise import answer
from ridgewise.app.request import from_flags, question
from ridgewise.hardware.sheets import load_devices
from ridgewise.serving import service
from ridgewise.workloads import Service

LLAMA = "meta-llama/Llama-3.1-70B-Instruct"
QUESTIONS: dict[str, dict[str, object]] = {
    "one user": {"model": "meta-llama/Llama-3.1-8B-Instruct", "users": "1"},
    "one user, nothing keeps the power limit": {"model": LLAMA, "users": "1", "max_power": "5W"},
    "a service": {"model": LLAMA, "users": "200"},
    "a service of a mixture": {"model": "deepseek-ai/DeepSeek-V3", "users": "500"},
    "a service, nothing keeps the limits": {
        "model": LLAMA, "users": "2000", "slo_ttft": "300ms", "slo_tpot": "10ms",
    },
    "a service, no single change helps": {
        "model": "Qwen/Qwen3-30B-A3B", "users": "3000", "slo_tpot": "1ms", "priority": "speed",
    },
    "a pretraining": {"model": LLAMA, "goal": "train", "tokens": "15T"},
    "a fine-tuning, nothing keeps the budget": {"model": LLAMA, "goal": "qlora", "budget": "1"},
}  # fmt: skip


def rows() -> Iterator[tuple[str, str, str, float]]:
    """Every question, answered in full."""
    alone, work = setup("meta-llama/Llama-3.1-8B-Instruct"), Service(200.0)
    floor = median(lambda: service(alone, work), 51)
    devices = tuple(load_devices().values())
    for name, flags in QUESTIONS.items():
        asked = question(from_flags(None, flags))
        seconds = median(lambda asked=asked: answer(asked, devices), 3)
        yield f"answer: {name}", f"{1e3 * seconds:.0f} ms", "one deployment of a service", seconds / floor

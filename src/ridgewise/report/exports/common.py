"""What several programs ask for in the same way."""

from __future__ import annotations

import math

from ridgewise.errors import RequestError
from ridgewise.hardware.machine import Machine
from ridgewise.hardware.sheets import load_devices
from ridgewise.report.training import TrainingDocument


def only_full(found: TrainingDocument, program: str) -> None:
    """Refuse adapters and preferences where a program's plain training loop has none."""
    if found.method != "full" or found.goal in ("dpo", "grpo"):
        raise RequestError(f"{program}'s plain training loop trains every weight on text", "--export", ("axolotl",))


#: Precisions that every program's settings have a word for.
WIDE = ("bf16", "fp16")


def only_known(
    found: TrainingDocument, program: str, schedules: tuple[str, ...] = ("1f1b",),
    offloads: tuple[str, ...] = ("none",), precisions: tuple[str, ...] = WIDE, optimisers: tuple[str, ...] = (),
) -> None:  # fmt: skip
    """Refuse what a program's settings have no word for: schedules (none: no pipelines), offloads to the host's memory,
    precisions, optimisers (none named: any)."""
    one = found.layouts[0]
    if one.pp > 1 and not schedules:
        raise RequestError(f"{program}'s settings lay out no pipeline", "--export", ("--pp 1", "megatron"))
    if one.precision not in precisions:
        raise RequestError(f"{program}'s settings have no {one.precision}", "--precision", precisions)
    if optimisers and found.optimiser not in optimisers:
        raise RequestError(f"{program}'s settings have no {found.optimiser}", "--optimizer", optimisers)
    if one.pp > 1 and one.schedule not in schedules:
        raise RequestError(f"{program} has no {one.schedule} schedule", "--schedule", schedules)
    if one.offload not in offloads:
        raise RequestError(f"{program}'s settings do not offload {one.offload}", "--offload", offloads)


def per_node(found: TrainingDocument) -> tuple[int, int]:
    """Nodes, and devices of each."""
    device = load_devices().get(found.device)
    most = Machine(device).per_node if device else 8
    return math.ceil(found.devices / most), min(found.devices, most)


def steps(found: TrainingDocument) -> int:
    """Optimiser steps of the run."""
    return max(round(found.tokens / (found.batch_sequences * found.length_tokens)), 1)


def eight_bit(found: TrainingDocument) -> str:
    """The Hugging Face name of the optimiser."""
    names = {"adamw-8bit": "adamw_bnb_8bit", "adamw-8bit-paged": "paged_adamw_8bit", "adafactor": "adafactor",
             "sgd": "sgd", "muon": "muon"}  # fmt: skip
    return names.get(found.optimiser, "adamw_torch_fused")

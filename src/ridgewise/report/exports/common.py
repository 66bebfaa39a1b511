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

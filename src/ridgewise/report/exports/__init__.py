"""Settings of training programs, written from the plan that was found: one file per program."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ridgewise.report.exports import axolotl, deepspeed, llamafactory, megatron, torchtitan
from ridgewise.report.training import TrainingDocument

#: Program → what writes its settings.
EXPORTS: Mapping[str, Callable[[TrainingDocument], str]] = {
    "torchtitan": torchtitan.write,
    "megatron": megatron.write,
    "deepspeed": deepspeed.write,
    "axolotl": axolotl.write,
    "llamafactory": llamafactory.write,
}

__all__ = ["EXPORTS"]

"""Families of models: ``model_type`` → builder. Adding one is a line in one of these files."""

from __future__ import annotations

from ridgewise.models.families import deepseek, diffusion, encoders, gemma, gpt, hybrid, llama, multimodal
from ridgewise.models.families.base import Builder

FAMILIES: dict[str, Builder] = {
    **llama.FAMILIES,
    **deepseek.FAMILIES,
    **gemma.FAMILIES,
    **gpt.FAMILIES,
    **hybrid.FAMILIES,
    **encoders.FAMILIES,
    **multimodal.FAMILIES,
    **diffusion.FAMILIES,
}

__all__ = ["FAMILIES", "Builder"]

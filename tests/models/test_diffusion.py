"""Diffusion models that the catalogue does not hold: elements as published, layers by level."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ridgewise.models.architecture import Architecture
from ridgewise.models.formats import load_formats
from ridgewise.models.hf import read_config
from ridgewise.models.read import find, load, read_json
from ridgewise.work.denoiser import denoise


def sd3(layers: int, heads: int, qk_norm: str | None = None, dual: int = 0) -> Architecture:
    transformer: dict[str, Any] = {
        "attention_head_dim": 64, "num_attention_heads": heads, "num_layers": layers, "joint_attention_dim": 4096,
        "pooled_projection_dim": 2048, "caption_projection_dim": 64 * heads, "in_channels": 16, "out_channels": 16,
        "patch_size": 2, "qk_norm": qk_norm, "dual_attention_layers": list(range(dual)),
    }  # fmt: skip
    return read_config({"_class_name": "StableDiffusion3Pipeline", "transformer": transformer}, "sd3")


@pytest.mark.parametrize(
    ("arch", "elements"),
    [
        (sd3(24, 24), 2_028_328_000),  # Stable Diffusion 3 Medium
        (sd3(38, 38, "rms_norm"), 8_056_627_520),  # 3.5 Large
        (sd3(24, 24, "rms_norm", 13), 2_243_171_520),  # 3.5 Medium: a second attention in 13 layers
    ],
    ids=["3 medium", "3.5 large", "3.5 medium"],
)
def test_elements_are_those_of_the_published_files(arch: Architecture, elements: int) -> None:
    assert arch.parameters_total == elements


def test_a_second_attention_is_scored_too() -> None:
    """13 layers more that score 4,096 tokens against each other: 4 · 1536 · 4096² FLOP each."""
    fmt = load_formats()["bf16"]
    one, two = (
        float(denoise(arch, 4096.0, 333.0, 1.0, fmt)["attention (picture)"].flops)
        for arch in (sd3(24, 24), sd3(24, 24, None, 13))
    )
    assert two - one == 13 * 4 * 1536 * 4096**2


@pytest.mark.parametrize(
    ("model", "elements"),
    [
        ("SD-1.5", 123_060_480),  # CLIP ViT-L
        ("SD-2.1", 340_387_840),  # OpenCLIP ViT-H
        ("SDXL", 123_060_480 + 694_659_840),  # CLIP ViT-L, OpenCLIP ViT-bigG
        ("FLUX.1", 4_762_310_656),  # T5 XXL, as the pipeline's file states
        ("Wan-AI/Wan2.1-T2V-14B", 5_680_910_336),  # UMT5 XXL
        ("FLUX.2", 24_011_361_280),  # Mistral Small 3 24B, tower included
        ("Tongyi-MAI/Z-Image", 4_022_468_096),  # Qwen3 4B
        ("hunyuanvideo-community/HunyuanVideo", 7_504_924_672 + 123_060_480),  # Llama 3 8B without head, CLIP ViT-L
    ],
)
def test_text_encoders_are_counted_apart(model: str, elements: int) -> None:
    assert load(model).extra["text_encoder"] == elements


def test_text_encoders_that_are_models_of_the_catalogue_are_those() -> None:
    mistral, llama = load("mistralai/Mistral-Small-3.1-24B-Instruct-2503"), load("meta-llama/Meta-Llama-3-8B")
    assert load("FLUX.2").extra["text_encoder"] == mistral.parameters_total + mistral.extra["vision"]
    assert load("Tongyi-MAI/Z-Image").extra["text_encoder"] == load("Qwen/Qwen3-4B").parameters_total
    body = llama.parameters_total - llama.vocab * llama.hidden
    assert load("hunyuanvideo-community/HunyuanVideo").extra["text_encoder"] == body + 123_060_480


def test_a_published_folder_is_read_whole(tmp_path: Path) -> None:
    """``model_index.json`` names the parts; the denoiser's sizes stand in a folder of its own."""
    shipped = read_json(find("SDXL").path)
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "config.json").write_text(json.dumps(shipped["unet"]))
    index = {"_class_name": "StableDiffusionXLPipeline", "_diffusers_version": "0.42.1",
             "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}  # fmt: skip
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    found = load(tmp_path)
    assert found.parameters_total == load("SDXL").parameters_total and found.canvas == load("SDXL").canvas


def test_layers_of_a_u_net_know_their_level() -> None:
    """Stable Diffusion 1 halves the picture three times; SDXL twice. Equal layers of two levels stay apart."""
    for model, strides in (("SD-1.5", {1, 2, 4, 8}), ("SDXL", {1, 2, 4})):
        assert {group.stride for group in load(model).kinds} == strides
    same = [group for group in load("SD-1.5").kinds if group.mixer.qk_dim == group.mixer.v_dim == 1280]
    assert {group.stride for group in same if group.mixer.kind == "conv"} >= {4, 8}

"""Pictures in prompts: tokens by family, held against the image processors of transformers where they are installed."""

from __future__ import annotations

import random
from importlib import import_module
from typing import Any

import pytest

from ridgewise.errors import RequestError
from ridgewise.models.read import find, load, read_json
from ridgewise.models.vision import FAMILIES, Seen, image_tokens, sight, vision


def config(model: str) -> dict[str, Any]:
    return read_json(find(model).path)


@pytest.mark.parametrize(
    ("model", "width", "height", "tokens"),
    [
        # Qwen2.5-VL: sides rounded to 28 pixels; 1024 / 28 = 36.6 → 37
        ("Qwen/Qwen2.5-VL-7B-Instruct", 1024, 1024, 37 * 37),
        ("Qwen/Qwen2.5-VL-7B-Instruct", 1920, 1080, 69 * 39),
        ("Qwen/Qwen2.5-VL-7B-Instruct", 20, 20, 4),  # grown to 3,136 pixels
        # Qwen3-VL: 32 pixels, at least 65,536 in all
        ("Qwen/Qwen3-VL-8B-Instruct", 1024, 1024, 32 * 32),
        ("Qwen/Qwen3-VL-8B-Instruct", 64, 64, 8 * 8),
        ("google/gemma-3-4b-it", 3000, 200, 256),
        ("llava-hf/llava-1.5-7b-hf", 640, 480, 576),
        # Mistral 3: rows of merged patches of 28 pixels and a break after each; 1,540 pixels at most
        ("mistralai/Mistral-Small-3.1-24B-Instruct-2503", 1540, 1540, 55 * 56),
        ("mistralai/Mistral-Small-3.1-24B-Instruct-2503", 3080, 1540, 28 * 56),
        # Llama 4: tiles of 144 tokens, the whole picture as one more, separators
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", 336, 336, 144 + 3),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", 672, 336, 3 * 144 + 2 + 3),
        ("moonshotai/Kimi-K2.5", 1024, 1024, 37 * 37),
        # Gemma 4: 280 tokens of 48 × 48 pixels at most, of any picture
        ("google/gemma-4-12B-it", 1000, 1000, 16 * 16),
        ("google/gemma-4-31B-it", 2000, 1000, 23 * 11),
        # MiniMax-M3: 451,584 pixels at most, 672 × 672
        ("MiniMaxAI/MiniMax-M3", 2000, 2000, 24 * 24),
        ("mistralai/Ministral-3-3B-2512", 1540, 1540, 55 * 56),
    ],
)
def test_tokens_by_hand(model: str, width: int, height: int, tokens: int) -> None:
    assert image_tokens(config(model), width, height) == tokens


def test_towers_are_those_that_the_readers_count() -> None:
    """Layers and projector of a tower hold nearly all that the model's reader counts as vision."""
    seen = 0
    for model in (
        "Qwen/Qwen2.5-VL-7B-Instruct", "Qwen/Qwen3-VL-8B-Instruct", "google/gemma-3-4b-it", "llava-hf/llava-1.5-7b-hf",
        "mistralai/Mistral-Small-3.1-24B-Instruct-2503", "meta-llama/Llama-4-Scout-17B-16E-Instruct",
        "moonshotai/Kimi-K2.5", "zai-org/GLM-4.1V-9B-Thinking", "mistralai/Ministral-3-3B-2512",
    ):  # fmt: skip
        found, counted = sight(config(model)), load(model).extra["vision"]
        assert found.tower.parameters_total + found.projector == pytest.approx(counted, rel=0.03), model
        seen += 1
    assert seen == 9


def test_tiles_of_internvl() -> None:
    """448 pixels a tile, 256 tokens each; the whole picture once more where there are several."""
    tower = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096,
             "image_size": [448, 448], "patch_size": 14}  # fmt: skip
    wrapped = {"model_type": "internvl_chat", "llm_config": {"hidden_size": 4096}, "vision_config": tower}
    for (width, height), tiles in {
        (448, 448): 1, (896, 448): 2 + 1, (1024, 1024): 9 + 1, (1344, 896): 6 + 1, (5000, 100): 12 + 1
    }.items():  # fmt: skip
        assert image_tokens(wrapped, width, height) == 256 * tiles + 2, (width, height)


def test_windows_of_qwen() -> None:
    tower = sight(config("Qwen/Qwen2.5-VL-7B-Instruct")).tower
    counts = {group.mixer.window: group.count for group in tower.kinds}
    assert counts == {64: 28, None: 4}  # 112 pixels are 8 × 8 patches


def test_larger_pictures_never_take_fewer_tokens_within_the_bounds() -> None:
    for model in ("Qwen/Qwen3-VL-8B-Instruct", "moonshotai/Kimi-K2.5", "zai-org/GLM-4.1V-9B-Thinking"):
        seen = sight(config(model)).seen
        tokens = [seen(side, side).tokens for side in range(256, 1500, 64)]
        assert tokens == sorted(tokens), model


def test_unknown_families_are_refused_with_those_known() -> None:
    assert vision({"model_type": "llama"}) is None
    assert vision({"model_type": "gemma3"}) is None  # no tower described
    with pytest.raises(RequestError, match="not known here") as caught:
        image_tokens(config("microsoft/Phi-3.5-vision-instruct"), 1024, 1024)
    assert "qwen2_5_vl" in caught.value.nearest


def test_any_size_is_seen_without_failing() -> None:
    draw = random.Random(7)
    models = [config(model) for model in ("google/gemma-4-31B-it", "Qwen/Qwen3.5-27B", "moonshotai/Kimi-K2.5",
                                          "meta-llama/Llama-4-Scout-17B-16E-Instruct")]  # fmt: skip
    assert {str(c["model_type"]) for c in models} <= set(FAMILIES)
    for _ in range(200):
        width, height = (int(10 ** draw.uniform(0, 4.3)) for _ in range(2))
        for one in models:
            found: Seen = sight(one).seen(width, height)
            assert found.tokens >= 1 and found.tiles >= 1 and found.patches >= 1


def test_the_processors_of_the_library_agree() -> None:
    """The functions that resize pictures in transformers, over random sizes."""
    pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("PIL", reason="Pillow (oracle extra) is not installed")
    # Since release 5 the functions for Pillow stand in modules of their own; those before need no torchvision.
    kind = "pil_" if int(pytest.importorskip("transformers").__version__.partition(".")[0]) >= 5 else ""
    qwen = import_module(f"transformers.models.qwen2_vl.image_processing_{kind}qwen2_vl").smart_resize
    glm = import_module(f"transformers.models.glm4v.image_processing_{kind}glm4v").smart_resize
    draw = random.Random(3)
    for _ in range(500):
        width, height = draw.randint(60, 6000), draw.randint(60, 6000)
        if max(width, height) > 150 * min(width, height):
            continue
        for model, factor, resized in (
            ("Qwen/Qwen2.5-VL-7B-Instruct", 28, qwen(height, width, 28, 3136, 12_845_056)),
            ("Qwen/Qwen3-VL-8B-Instruct", 32, qwen(height, width, 32, 65_536, 16_777_216)),
            ("zai-org/GLM-4.1V-9B-Thinking", 28, glm(2, height, width, 2, 28, 112 * 112, 28 * 28 * 15_000)),
        ):
            assert image_tokens(config(model), width, height) == resized[0] * resized[1] // factor**2

"""What a picture in a prompt costs: tokens it becomes, and the tower that makes them.

How a picture is resized, cut into tiles and merged into tokens is the family's own rule, after the image processors of
transformers 5.24 (``models/*/image_processing_*.py`` and ``processing_*.py``) and the published preprocessor files
where they differ from the library's defaults (Qwen2.5-VL: 3,136 to 12,845,056 pixels; Qwen3-VL and Qwen3.5: 65,536 to
16,777,216). Towers attend without causality; a windowed layer sees its window.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, floor, sqrt
from typing import Any

from ridgewise.errors import RequestError
from ridgewise.models.architecture import Architecture
from ridgewise.models.fields import Fields
from ridgewise.models.parts import Layer, attention, merged, mlp


@dataclass(frozen=True, slots=True)
class Seen:
    """One picture as a model sees it.

    tokens    tokens of the prompt
    tiles     sequences through the tower, of ``patches`` tokens each
    """

    tokens: int
    tiles: int
    patches: int


Rule = Callable[[int, int], Seen]


@dataclass(frozen=True, slots=True)
class Vision:
    """The tower of a multimodal model: its layers as an architecture, the elements that project its output onto each
    token of the prompt, and the rule of its pictures."""

    tower: Architecture
    projector: int
    seen: Rule


def vision(config: Mapping[str, Any], where: str = "config.json") -> Vision | None:
    """The tower of a configuration whose family's rule is known here; None where it is not, or sees nothing."""
    f = Fields(config, where)
    builder = FAMILIES.get(f.text("model_type"))
    return builder(f) if builder is not None and f.has("vision_config") else None


def sight(config: Mapping[str, Any] | None) -> Vision:
    """The tower of a configuration; RequestError where its family's rule is not known, or it sees nothing."""
    found = vision(config) if config is not None else None
    if found is None:
        kind = (config or {}).get("model_type", "without configuration")
        able = tuple(sorted(FAMILIES.keys() - {"clip"}))
        raise RequestError(f"how models of type {kind!r} see pictures is not known here", "--images", able)
    return found


def image_tokens(config: Mapping[str, Any], width: int, height: int) -> int:
    """Tokens that a picture of so many pixels adds to the prompt; RequestError where the family's rule is not known."""
    return sight(config).seen(width, height).tokens


def _tower(
    v: Fields, *, gated: bool = False, inner: int | None = None, windows: Mapping[int, int] | None = None
) -> Architecture:
    """The layers of a tower; ``windows``: patches that a layer (by place) sees, where fewer than all."""
    h = v.size("hidden_size", "vt_hidden_size", most=10**6)
    n = v.size("num_hidden_layers", "depth", "vt_num_hidden_layers", most=1000)
    heads = v.size("num_attention_heads", "num_heads", "vt_num_attention_heads", "attention_heads", most=10**4)
    wide = inner or v.size("intermediate_size", "vt_intermediate_size", most=10**6)
    dim, feed = v.size("head_dim", default=h // heads), mlp(h, wide, gated=gated, bias=True)
    near = windows or {}
    layers: list[Layer] = []
    for i in range(n):
        kind, window = ("sliding", near[i]) if i in near else ("full", None)
        mixer = attention(h, heads, heads, dim, kind=kind, window=window, qkv_bias=True, o_bias=True)  # type: ignore[arg-type]
        layers.append((mixer, feed, 4 * h))
    return Architecture("vision tower", "vision", h, 0, merged(layers), causal=False)


def _fitted(width: int, height: int, factor: int, least: float, most: float) -> tuple[int, int]:
    """Sides as multiples of ``factor`` with an area between two bounds and nearly the same proportions
    (``smart_resize`` of Qwen2-VL)."""
    w, h = (max(round(side / factor), 1) * factor for side in (width, height))
    if w * h > most:
        shrunk = sqrt(width * height / most)
        w, h = (max(floor(side / shrunk / factor), 1) * factor for side in (width, height))
    elif w * h < least:
        grown = sqrt(least / (width * height))
        w, h = (ceil(side * grown / factor) * factor for side in (width, height))
    return w, h


def _merging(patch: int, merge: int, least: float, most: float) -> Rule:
    """Patches merged ``merge × merge`` into tokens, of a picture resized to whole tokens."""

    def seen(width: int, height: int) -> Seen:
        w, h = _fitted(width, height, patch * merge, least, most)
        patches = (w // patch) * (h // patch)
        return Seen(patches // merge**2, 1, patches)

    return seen


def _merger(v: Fields, out: int) -> int:
    """Two projections over the merged patches."""
    wide = v.size("hidden_size") * v.size("spatial_merge_size", default=2) ** 2
    return wide * wide + wide * v.size("out_hidden_size", default=out)


def _out(f: Fields) -> int:
    text = f.sub("text_config") if f.has("text_config") else f
    return text.size("hidden_size", default=4096)


def qwen2_vl(f: Fields) -> Vision:
    """Qwen2.5-VL: all layers but a few see windows of 112 pixels."""
    v = f.sub("vision_config")
    patch, merge = v.size("patch_size", default=14), v.size("spatial_merge_size", default=2)
    whole = v.items("fullatt_block_indexes", int)
    near = (v.size("window_size", default=112) // patch) ** 2
    n = v.size("depth", most=1000)
    windows = {i: near for i in range(n) if whole and i not in whole}
    gated = f.text("model_type") == "qwen2_5_vl"
    return Vision(
        _tower(v, gated=gated, windows=windows), _merger(v, _out(f)),
        _merging(patch, merge, 3136, 12_845_056),
    )  # fmt: skip


def qwen3_vl(f: Fields) -> Vision:
    """Qwen3-VL and Qwen3.5: every layer sees everything; one more merger per deep-stack layer."""
    v = f.sub("vision_config")
    patch, merge = v.size("patch_size", default=16), v.size("spatial_merge_size", default=2)
    mergers = 1 + len(v.items("deepstack_visual_indexes", int))
    return Vision(_tower(v), mergers * _merger(v, _out(f)), _merging(patch, merge, 65_536, 16_777_216))


def glm4v(f: Fields) -> Vision:
    """GLM-4.1V: one picture counts as two frames against its bound of 28 · 28 · 15,000 pixels."""
    v = f.sub("vision_config")
    patch, merge, out = v.size("patch_size", default=14), v.size("spatial_merge_size", default=2), _out(f)
    wide = v.size("out_hidden_size", default=out)
    projector = v.size("hidden_size") * merge**2 * wide + wide * wide + 3 * wide * v.size("intermediate_size")
    rule = _merging(patch, merge, 112 * 112 / 2, 28 * 28 * 15_000 / 2)
    return Vision(_tower(v, gated=True, inner=wide), projector, rule)


def gemma3(f: Fields) -> Vision:
    """Gemma 3: every picture becomes a square of fixed size, pooled to a fixed number of tokens."""
    v = f.sub("vision_config")
    patches = (v.size("image_size") // v.size("patch_size")) ** 2
    tokens = f.size("mm_tokens_per_image", default=256)
    return Vision(_tower(v), v.size("hidden_size") * _out(f), lambda width, height: Seen(tokens, 1, patches))


def gemma4(f: Fields) -> Vision:
    """Gemma 4: the largest picture of the same proportions within a budget of patches, pooled 3 × 3."""
    v = f.sub("vision_config")
    return Vision(_tower(v, gated=True), v.size("hidden_size") * _out(f), _pooling(f, v))


def gemma4_unified(f: Fields) -> Vision:
    """Gemma 4 without a tower: pooled patches are projected as they are."""
    v = f.sub("vision_config")
    wide = v.size("mm_embed_dim", default=_out(f))
    patch = 3 * (v.size("patch_size", default=16) * v.size("pooling_kernel_size", default=3)) ** 2
    nothing = Architecture("no tower", "vision", wide, 0, (), causal=False)
    return Vision(nothing, patch * wide + v.size("output_proj_dims", default=wide) * _out(f), _pooling(f, v))


def _pooling(f: Fields, v: Fields) -> Rule:
    """The largest picture of the same proportions within a budget of tokens."""
    patch, pool = v.size("patch_size", default=16), v.size("pooling_kernel_size", default=3)
    most = f.size("vision_soft_tokens_per_image", default=280)

    def seen(width: int, height: int) -> Seen:
        side, area = pool * patch, most * pool**2 * patch**2
        scale = sqrt(area / (width * height))
        w, h = (min(max(floor(scale * length / side), 1), most) for length in (width, height))
        return Seen(w * h, 1, w * h * pool**2)

    return seen


def minimax_m3(f: Fields) -> Vision:
    """MiniMax-M3: patches are projected, then merged 2 × 2 by a second pair of projections; 451,584 pixels at most."""
    v, out = f.sub("vision_config"), _out(f)
    squeeze = v.sub("img_token_compression_config") if v.has("img_token_compression_config") else v
    merge, inner = squeeze.size("spatial_merge_size", default=2), f.size("projector_hidden_size", default=out)
    pair = v.size("hidden_size") * inner + inner * out
    projector = merge**2 * pair + merge**2 * out * inner + inner * out
    return Vision(_tower(v), projector, _merging(v.size("patch_size", default=14), merge, 3136, 451_584))


def llava(f: Fields) -> Vision:
    """LLaVA 1.5: a square of fixed size, one token per patch."""
    v, out = f.sub("vision_config"), _out(f)
    patches = (v.size("image_size") // v.size("patch_size")) ** 2
    projector = v.size("hidden_size") * out + out * out
    return Vision(_tower(v), projector, lambda width, height: Seen(patches, 1, patches + 1))


def clip(f: Fields) -> Vision:
    """CLIP: a square of fixed size and a class token; the picture's vector goes into no prompt."""
    v = f.sub("vision_config")
    patches = (v.size("image_size") // v.size("patch_size")) ** 2 + 1
    return Vision(_tower(v), 0, lambda width, height: Seen(0, 1, patches))


def pixtral(f: Fields) -> Vision:
    """Pixtral and Mistral 3: the picture shrunk to a longest side, rows of merged patches with a break after each."""
    v, out = f.sub("vision_config"), _out(f)
    merge, most = f.size("spatial_merge_size", default=1), v.size("image_size", default=1024)
    side = v.size("patch_size", default=16) * merge
    h = v.size("hidden_size")

    def seen(width: int, height: int) -> Seen:
        ratio = max(width / most, height / most, 1.0)
        columns, rows = (max(ceil(floor(length / ratio) / side), 1) for length in (width, height))
        return Seen((columns + 1) * rows, 1, columns * rows * merge**2)

    projector = (h * h * merge**2 if merge > 1 else 0) + h * out + out * out
    return Vision(_tower(v, gated=True), projector, seen)


def moonvit(f: Fields) -> Vision:
    """Kimi K2.5: shrunk where it has more than 16,384 patches or 512 a side, padded to whole tokens."""
    v = f.sub("vision_config")
    patch, merge = v.size("patch_size", default=14), (v.items("merge_kernel_size", int) or [2])[0]
    budget, longest = 16_384, 512

    def seen(width: int, height: int) -> Seen:
        patches = max(width // patch, 1) * max(height // patch, 1)
        scale = min(1.0, sqrt(budget / patches), longest * patch / width, longest * patch / height)
        w, h = (ceil(max(floor(side * scale), 1) / (patch * merge)) for side in (width, height))
        return Seen(w * h, 1, w * h * merge**2)

    wide = v.size("vt_hidden_size") * merge**2
    return Vision(_tower(v), wide * wide + wide * v.size("text_hidden_size", default=_out(f)), seen)


def llama4(f: Fields) -> Vision:
    """Llama 4: up to 16 tiles of 336 pixels and the whole picture as one more, patches shuffled 2 × 2 into tokens;
    separators between tiles, and a start, a middle and an end."""
    v = f.sub("vision_config")
    side, patch = v.size("image_size", default=336), v.size("patch_size", default=14)
    patches = (side // patch) ** 2
    each = int(patches * v.number("pixel_shuffle_ratio", 0.5) ** 2)

    def seen(width: int, height: int) -> Seen:
        columns, rows = _tiled(width, height, side, 16)
        tiles = columns * rows
        if tiles == 1:
            return Seen(each + 3, 1, patches + 1)
        return Seen((tiles + 1) * each + rows * columns + 3, tiles + 1, patches + 1)

    last = v.size("projector_output_dim", default=4096)
    middle = v.size("projector_input_dim", default=4096)
    shuffled = int(v.size("hidden_size") / v.number("pixel_shuffle_ratio", 0.5) ** 2)
    projector = middle * shuffled + middle * last + v.size("vision_output_dim", default=last) * _out(f)
    return Vision(_tower(v), projector, seen)


def _tiled(width: int, height: int, side: int, most: int) -> tuple[int, int]:
    """Columns and rows of tiles: of all grids that take the picture without shrinking it the one that magnifies least,
    else the one that shrinks least; the smaller grid where two are alike (``get_best_fit`` of Llama 4)."""
    grids = [(c, r) for c in range(1, most + 1) for r in range(1, most + 1) if c * r <= most]
    scales = {grid: min(grid[0] * side / width, grid[1] * side / height) for grid in grids}
    able = [scale for scale in scales.values() if scale >= 1]
    chosen = min(able) if able else max(scales.values())
    return min((grid for grid, scale in scales.items() if scale == chosen), key=lambda grid: grid[0] * grid[1])


def internvl(f: Fields) -> Vision:
    """InternVL: up to 12 tiles of 448 pixels in the grid nearest to the picture's proportions, the whole picture as one
    more where there are several, patches shuffled 2 × 2 into tokens; a start and an end."""
    v = f.sub("vision_config")
    side, patch = _side(v, "image_size", 448), _side(v, "patch_size", 14)
    patches, ratio = (side // patch) ** 2, f.number("downsample_ratio", 0.5)
    each, most = int(patches * ratio**2), f.size("max_dynamic_patch", default=12)

    def seen(width: int, height: int) -> Seen:
        columns, rows = _nearest(width, height, side, most)
        tiles = columns * rows + (columns * rows > 1)
        return Seen(tiles * each + 2, tiles, patches + 1)

    wide = int(v.size("hidden_size") / ratio**2)
    text = next((f.sub(key) for key in ("text_config", "llm_config") if f.has(key)), f)
    out = text.size("hidden_size", default=4096)
    return Vision(_tower(v), wide * out + out * out, seen)


def _side(v: Fields, name: str, default: int) -> int:
    """A side given as a number or as a pair of equal ones."""
    if isinstance(v.data.get(name), list):
        sides = v.items(name, int)
        return int(sides[0]) if sides and sides[0] > 0 else default
    return v.size(name, default=default)


def _nearest(width: int, height: int, side: int, most: int) -> tuple[int, int]:
    """Columns and rows of tiles with the proportions nearest to the picture's; of equals the one of more tiles, while
    the picture covers more than half of them (``get_optimal_tiled_canvas`` of GOT-OCR2)."""
    grids = [(c, r) for c in range(1, most + 1) for r in range(1, most + 1) if c * r <= most]
    best, gap = (1, 1), float("inf")
    for grid in sorted(grids, key=lambda grid: grid[0] * grid[1]):
        away = abs(width / height - grid[0] / grid[1])
        if away < gap or (away == gap and width * height > 0.5 * side**2 * grid[0] * grid[1]):
            best, gap = grid, away
    return best


FAMILIES: dict[str, Callable[[Fields], Vision]] = {
    "clip": clip,
    "gemma3": gemma3,
    "gemma4": gemma4,
    "gemma4_unified": gemma4_unified,
    "glm4v": glm4v,
    "internvl": internvl,
    "internvl_chat": internvl,
    "kimi_k25": moonvit,
    "llama4": llama4,
    "llava": llava,
    "minimax_m3_vl": minimax_m3,
    "ministral3": pixtral,
    "mistral3": pixtral,
    "qwen2_vl": qwen2_vl,
    "qwen2_5_vl": qwen2_vl,
    "qwen3_vl": qwen3_vl,
    "qwen3_vl_moe": qwen3_vl,
    "qwen3_5": qwen3_vl,
    "qwen3_5_moe": qwen3_vl,
}

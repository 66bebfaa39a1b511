"""Vision and audio towers with their projectors: element counts only, reported apart from the main model.

``f`` is the configuration of the whole model, ``v`` the tower's, ``h`` the tower's width and ``out`` the
width of the language model.
"""

from __future__ import annotations

from collections.abc import Callable

from ridgewise.models.fields import Fields
from ridgewise.models.parts import attention, mlp

Tower = Callable[[Fields, int], dict[str, int]]


def block(
    h: int, heads: int, dim: int, inner: int, *, bias: bool = True, o_bias: bool = True, gated: bool = False,
    mlp_bias: bool = True, norm: int = 2, small: int = 0,
) -> int:  # fmt: skip
    """One transformer block of a tower; ``norm``: vectors of h per norm, two norms."""
    mixer = attention(h, heads, heads, dim, qkv_bias=bias, o_bias=o_bias)
    return mixer.parameters + mlp(h, inner, gated=gated, bias=mlp_bias).parameters + 2 * norm * h + small


def _linear(rows: int, columns: int, bias: bool = True) -> int:
    return rows * columns + rows * bias


def _sizes(v: Fields) -> tuple[int, int, int, int]:
    """Width, layers, heads and patch area of a tower."""
    h = v.size("hidden_size", "vt_hidden_size", "width", most=10**6)
    layers = v.size("num_hidden_layers", "depth", "vt_num_hidden_layers", "layers", most=1000)
    heads = v.size("num_attention_heads", "num_heads", "vt_num_attention_heads", "attention_heads", "heads", most=10**4)
    return h, layers, heads, v.size("patch_size", default=14, most=1000) ** 2


def _inner(v: Fields) -> int:
    return v.size("intermediate_size", "vt_intermediate_size", most=10**6)


def qwen_vl(f: Fields, out: int) -> dict[str, int]:
    """Qwen3-VL and Qwen3.5: learned positions, a merger, and one more per deep-stack layer."""
    v = f.sub("vision_config")
    h, layers, heads, area = _sizes(v)
    merged = v.size("spatial_merge_size", default=2) ** 2 * h
    patch = _linear(h, v.size("in_channels", default=3) * v.size("temporal_patch_size", default=2) * area)
    head = _linear(merged, merged) + _linear(v.size("out_hidden_size", default=out), merged)
    deep = len(v.items("deepstack_visual_indexes", int)) * (head + 2 * merged)
    body = layers * block(h, heads, h // heads, _inner(v))
    return {"vision": patch + v.size("num_position_embeddings") * h + body + head + 2 * h + deep}


def qwen2_vl(f: Fields, out: int) -> dict[str, int]:
    """Qwen2.5-VL: RMSNorm, gated feed-forward with biases, a merger."""
    v = f.sub("vision_config")
    h, layers, heads, area = _sizes(v)
    merged = v.size("spatial_merge_size", default=2) ** 2 * h
    patch = h * v.size("in_chans", "in_channels", default=3) * v.size("temporal_patch_size", default=2) * area
    body = layers * block(h, heads, h // heads, _inner(v), gated=True, norm=1)
    head = _linear(merged, merged) + _linear(v.size("out_hidden_size", default=out), merged) + h
    return {"vision": patch + body + head}


def _siglip(v: Fields) -> int:
    """SigLIP encoder without its pooling head, which language models leave out."""
    h, layers, heads, area = _sizes(v)
    patches = v.optional("num_patches") or v.size("image_size") ** 2 // area
    patch = _linear(h, v.size("num_channels", default=3) * area)
    return patch + patches * h + layers * block(h, heads, h // heads, _inner(v)) + 2 * h


def gemma3(f: Fields, out: int) -> dict[str, int]:
    """Gemma 3: SigLIP, a norm and one projection."""
    v = f.sub("vision_config")
    h = v.size("hidden_size")
    return {"vision": _siglip(v) + h * out + h}


def lfm2_vl(f: Fields, out: int) -> dict[str, int]:
    """LFM2-VL: SigLIP 2, then two projections of the pixel-unshuffled patches."""
    v = f.sub("vision_config")
    wide = v.size("hidden_size") * f.size("downsample_factor", default=2) ** 2
    inner = f.size("projector_hidden_size", default=2048)
    norm = 2 * wide * f.flag("projector_use_layernorm", default=True)
    bias = f.flag("projector_bias", default=True)
    return {"vision": _siglip(v) + norm + _linear(inner, wide, bias) + _linear(out, inner, bias)}


def _clip(v: Fields, *, post: bool = True) -> int:
    """CLIP vision tower: class token, positions, norms before and after."""
    h, layers, heads, area = _sizes(v)
    patches = v.size("image_size") ** 2 // area + 1
    body = layers * block(h, heads, h // heads, _inner(v))
    return h + h * v.size("num_channels", default=3) * area + patches * h + 2 * h + body + 2 * h * post


def llava(f: Fields, out: int) -> dict[str, int]:
    """LLaVA 1.5: CLIP and two projections."""
    v = f.sub("vision_config")
    h, bias = v.size("hidden_size"), f.flag("multimodal_projector_bias", default=True)
    return {"vision": _clip(v) + _linear(out, h, bias) + _linear(out, out, bias)}


def pixtral(f: Fields, out: int) -> dict[str, int]:
    """Mistral 3: Pixtral tower (RMSNorm, gated, no biases), a patch merger and two projections."""
    v = f.sub("vision_config")
    h, layers, heads, area = _sizes(v)
    dim = v.size("head_dim", default=h // heads)
    body = layers * block(h, heads, dim, _inner(v), bias=False, o_bias=False, gated=True, mlp_bias=False, norm=1)
    bias = f.flag("multimodal_projector_bias")
    merge = h * h * f.size("spatial_merge_size", default=2) ** 2
    head = h + merge + _linear(out, h, bias) + _linear(out, out, bias)
    return {"vision": h * v.size("num_channels", default=3) * area + h + body + head}


def moonvit(f: Fields, out: int) -> dict[str, int]:
    """Kimi K2.5: MoonViT and a patch merger."""
    v = f.sub("vision_config")
    h, layers, heads, area = _sizes(v)
    merged = h
    for side in v.items("merge_kernel_size", int) or [2, 2]:
        merged *= side
    positions = v.size("init_pos_emb_height", default=64) * v.size("init_pos_emb_width", default=64) * h
    norms, bias = (1, False) if v.text("norm_type") == "rmsnorm" else (2, True)
    wide = v.size("qkv_hidden_size", default=h)
    attn_bias, patch_bias = v.flag("attn_bias", default=bias), v.flag("patch_embed_proj_bias", default=bias)
    body = layers * block(
        h, heads, wide // heads, _inner(v), bias=attn_bias, o_bias=attn_bias, norm=norms,
        mlp_bias=v.flag("linear_bias", default=bias),
    )  # fmt: skip
    head = 2 * h + _linear(merged, merged) + _linear(out, merged)
    return {"vision": _linear(h, 3 * area, patch_bias) + positions + body + norms * h + head}


def glm4v(f: Fields, out: int) -> dict[str, int]:
    """GLM-4.1V: RMSNorm, gated, no biases; a down-sampling convolution and a gated merger."""
    v = f.sub("vision_config")
    h, layers, heads, area = _sizes(v)
    wide, bias = v.size("out_hidden_size", default=out), v.flag("attention_bias")
    patch = _linear(h, v.size("in_channels", default=3) * v.size("temporal_patch_size", default=2) * area)
    body = layers * block(h, heads, h // heads, wide, bias=bias, o_bias=False, gated=True, mlp_bias=False, norm=1)
    positions = v.size("image_size", default=336) ** 2 // area * h
    return {"vision": patch + positions + body + 2 * h + _glm_merger(v, h, wide, _inner(v))}


def _glm_merger(v: Fields, h: int, wide: int, inner: int) -> int:
    down = _linear(wide, h * v.size("spatial_merge_size", default=2) ** 2)
    return down + wide * wide + 2 * wide + 3 * wide * inner


def glm5_next(f: Fields, out: int) -> dict[str, int]:
    """GLM-5.3-Flash: head norms, biases, and the merger of GLM-4.1V."""
    v = f.sub("vision_config")
    h, layers, heads, area = _sizes(v)
    wide, bias = v.size("out_hidden_size", default=out), v.flag("attention_bias", default=True)
    patch = _linear(h, v.size("in_channels", default=3) * v.size("temporal_patch_size", default=2) * area)
    dim = h // heads
    body = layers * block(h, heads, dim, _inner(v), bias=bias, o_bias=bias, gated=True, norm=1, small=2 * dim)
    return {"vision": patch + body + h + _glm_merger(v, h, wide, v.size("projection_intermediate_size"))}


def llama4(f: Fields, out: int) -> dict[str, int]:
    """Llama 4: class token, positions, biases, a pixel-shuffle adapter and one projection."""
    v = f.sub("vision_config")
    h, layers, heads, area = _sizes(v)
    tokens = v.size("image_size") ** 2 // area + 1
    inner, middle = _inner(v), v.size("projector_input_dim", default=4096)
    body = layers * block(h, heads, h // heads, inner)
    ends = h + tokens * h + v.size("num_channels", default=3) * area * h + 4 * h
    shuffled = int(h / v.number("pixel_shuffle_ratio", 0.5) ** 2)
    last = v.size("projector_output_dim", default=4096)
    adapter = middle * shuffled + middle * last
    return {"vision": ends + body + adapter + out * v.size("vision_output_dim", default=last)}


def mllama(f: Fields, out: int) -> dict[str, int]:
    """Llama 3.2 Vision: local and gated global layers, tile and position tables, one projection."""
    v = f.sub("vision_config")
    h, layers, heads, area = _sizes(v)
    deep, tiles = v.size("num_global_layers", default=8, least=0), v.size("max_num_tiles", default=4)
    patches = v.size("image_size") ** 2 // area + 1
    shapes = len(v.items("supported_aspect_ratios", list)) or 8
    tables = patches * h + (shapes + 1) * tiles * h * (patches + 2) + 3
    own = block(h, heads, h // heads, _inner(v), bias=False, o_bias=False)
    ends = h + h * v.size("num_channels", default=3) * area + 4 * h
    return {"vision": tables + ends + layers * own + deep * (own + 2) + _linear(out, v.size("vision_output_dim"))}


def minimax_m3(f: Fields, out: int) -> dict[str, int]:
    """MiniMax-M3: CLIP layers with rotary positions, two projections and a patch-merging pair."""
    v = f.sub("vision_config")
    h, layers, heads, area = _sizes(v)
    squeeze = v.sub("img_token_compression_config") if v.has("img_token_compression_config") else v
    merge, frames = (
        squeeze.size("spatial_merge_size", default=2),
        squeeze.size("temporal_patch_size", default=2),
    )
    inner = f.size("projector_hidden_size", default=out)
    head = _linear(inner, h) + _linear(out, inner) + _linear(inner, merge**2 * out) + _linear(out, inner)
    body = layers * block(h, heads, h // heads, _inner(v))
    return {"vision": h * v.size("num_channels", default=3) * frames * area + 2 * h + body + head}


def step3(f: Fields, out: int) -> dict[str, int]:
    """Step-3.7: layer scales, two down-sampling convolutions, one projection."""
    v = f.sub("vision_config")
    h, layers, heads, area = _sizes(v)
    inner = int(h * v.number("mlp_ratio", 8960 / 1536))
    patches = v.size("image_size", default=728) ** 2 // area
    body = layers * block(h, heads, h // heads, inner, small=2 * h)
    down = _linear(2 * h, 9 * h) + _linear(4 * h, 9 * 2 * h)
    return {"vision": h * v.size("num_channels", default=3) * area + patches * h + 2 * h + body + down + 4 * h * out}


def muse(f: Fields, out: int) -> dict[str, int]:
    """Muse Glimmer: norms before and after, an adapter of two layers and one projection."""
    v = f.sub("vision_config")
    h, layers, heads, area = _sizes(v)
    patch = h * 3 * v.size("patch_temporal", default=2) * area
    positions = v.size("pos_emb_height", default=32) * v.size("pos_emb_width", default=32) * h
    wide, inner = f.size("out_hidden_size"), f.size("projector_hidden_size")
    head = wide * inner + inner * inner + inner * out
    return {"vision": patch + positions + 4 * h + layers * block(h, heads, h // heads, _inner(v)) + head}


def gemma4(f: Fields, out: int) -> dict[str, int]:
    """Gemma 4: two-axis positions, four norms, head norms, gated, one projection; a conformer for audio."""
    found = {}
    if f.has("vision_config"):
        v = f.sub("vision_config")
        h, layers, heads, area = _sizes(v)
        dim = v.size("head_dim", default=h // heads)
        body = layers * block(
            h, heads, dim, _inner(v), bias=False, o_bias=False, gated=True, mlp_bias=False, small=2 * dim
        )
        found["vision"] = 2 * v.size("position_embedding_size", default=10240) * h + h * 3 * area + body + h * out
    if f.has("audio_config"):
        found["audio"] = _conformer(f.sub("audio_config"), out)
    return found


def _conformer(a: Fields, out: int) -> int:
    """Gemma 4 audio encoder: two convolutions, then conformer layers (2005.08100)."""
    h, layers = a.size("hidden_size", default=1024), a.size("num_hidden_layers", default=12, most=1000)
    first, second = (int(n) for n in a.items("subsampling_conv_channels", int, 2) or (128, 32))
    stem = 10 * first + 9 * first * second + second + h * h
    feed = 8 * h * h + 2 * h
    attn = 5 * h * h + h // a.size("num_attention_heads", default=8)
    conv = 3 * h * h + h * a.size("conv_kernel_size", default=5) + 2 * h
    last = a.size("output_proj_dims", default=1536)
    return stem + layers * (2 * feed + attn + conv + 3 * h) + _linear(last, h) + last * out


def gemma4_unified(f: Fields, out: int) -> dict[str, int]:
    """Gemma 4 unified: no towers; patches and audio frames are embedded by one projection each."""
    found = {}
    if f.has("vision_config"):
        v = f.sub("vision_config")
        wide = v.size("mm_embed_dim", default=out)
        patch = 3 * (v.size("patch_size", default=16) * v.size("pooling_kernel_size", default=3)) ** 2
        positions = 2 * v.size("mm_posemb_size", default=1120) * wide
        last = v.size("output_proj_dims", default=wide) * out
        found["vision"] = positions + 2 * patch + _linear(wide, patch) + 4 * wide + last
    if f.has("audio_config"):
        found["audio"] = f.sub("audio_config").size("audio_embed_dim", default=640) * out
    return found


def _whisper_encoder(a: Fields) -> int:
    h, layers, heads, _ = _sizes(a)
    body = block(h, heads, a.size("head_dim", default=h // heads), _inner(a)) - h  # keys have no bias
    ends = _linear(h, 3 * a.size("num_mel_bins", default=128)) + _linear(h, 3 * h)
    return ends + a.size("max_source_positions", default=1500) * h + layers * body + 2 * h


def voxtral(f: Fields, out: int) -> dict[str, int]:
    """Voxtral: a Whisper encoder and two projections of four stacked frames."""
    a = f.sub("audio_config")
    return {"audio": _whisper_encoder(a) + out * _inner(a) + out * out}


def phi3_v(f: Fields, out: int) -> dict[str, int]:
    """Phi-3.5 Vision: CLIP ViT-L/14 at 336 pixels, two projections, separators (modeling_phi3_v.py)."""
    clip = Fields(
        {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096,
         "patch_size": 14, "image_size": 336}, f.where, f.notes,
    )  # fmt: skip
    part = f.sub("img_processor")
    wide = 4 * part.size("image_dim_out", default=1024)
    separators = 2 * wide if f.has("embd_layer") and f.sub("embd_layer").flag("with_learnable_separator") else 0
    return {"vision": _clip(clip) + separators + _linear(out, wide) + _linear(out, out)}


def inkling(f: Fields, out: int) -> dict[str, int]:
    """Inkling: discrete audio tokens; the vision tower's plan of scales is not published as sizes."""
    a = f.sub("audio_config")
    audio = a.size("n_mel_bins", "num_codebooks") * a.size("mel_vocab_size", "codebook_size") * out + out
    f.assume("The vision tower of Inkling is left out: its widths follow from a scale plan, not from stated sizes.")
    return {"audio": audio}

"""Image and video models (diffusers pipelines): the denoiser as the main model, text encoders apart.

Elements are exact for the denoiser. Its layers run over image or video tokens, several tens of times per
result; resolution and steps belong to the workload. What a pipeline does unless told otherwise is its
:class:`Canvas`, after ``pipelines/*/pipeline_*.py`` of diffusers 0.42 (steps, guidance, sizes, text tokens,
patches) and ``models/autoencoders/autoencoder_kl.py``.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from ridgewise.models.architecture import Architecture, Canvas, Feed, LayerGroup, Mixer
from ridgewise.models.families.base import Builder
from ridgewise.models.fields import Fields
from ridgewise.models.parts import NO_FEED, Layer, attention, merged, mlp

SINUSOID = 256
#: Channels by level of the decoder that Stable Diffusion, FLUX and Z-Image share (AutoencoderKL).
DECODER = (128, 256, 512, 512)
#: Pixels of a side where the pipeline makes squares (128 latent values of 8 pixels).
SIDE = 1024


def _linear(rows: int, columns: int, bias: bool = True) -> int:
    return rows * columns + rows * bias


def _embedder(h: int, columns: int, bias: bool = True) -> int:
    """Two projections: of a sinusoid or a pooled text, to the width of the model."""
    return _linear(h, columns, bias) + _linear(h, h, bias)


def _denoiser(
    f: Fields, name: str, h: int, groups: tuple[LayerGroup, ...], canvas: Canvas, *, embedding: int, head: int,
    small: int = 0, words: int = 0,
) -> Architecture:  # fmt: skip
    """``words``: elements of the text encoders that such pipelines come with, where the file does not state them."""
    f.assume("The denoiser alone is the main model; the autoencoder is not counted, text encoders where stated.")
    arch = Architecture(
        name=name, family=f.text("_class_name"), hidden=h, vocab=0, groups=groups,
        embedding=embedding, head=head, small=small, causal=False, canvas=canvas,
    )  # fmt: skip
    return replace(arch, extra=_text_encoders(f) or ({"text_encoder": words} if words else {}))


def _text_encoders(f: Fields) -> dict[str, int]:
    """Text encoders by their stored bytes, where the pipeline states them (16-bit weights)."""
    if not f.has("_component_bytes"):
        return {}
    parts = f.sub("_component_bytes")
    total = sum(parts.size(key, most=10**13) // 2 for key in parts.data if key.startswith("text_encoder"))
    return {"text_encoder": total} if total else {}


#: Elements of text encoders, as their published files hold them: T5 1.1 XXL's encoder and UMT5 XXL's; Mistral Small 3
#: 24B with its tower (FLUX.2); Qwen3 4B (Z-Image); Llama 3 8B without its head (HunyuanVideo).
T5_XXL, UMT5_XXL = 4_762_310_656, 5_680_910_336
MISTRAL_24B, QWEN3_4B, LLAMA_8B = 24_011_361_280, 4_022_468_096, 7_504_924_672


def _clip_text(h: int, layers: int, projected: bool) -> int:
    """Elements of a CLIP text encoder: 49,408 words, 77 places (modeling_clip.py)."""
    layer = attention(h, h // 64, h // 64, 64, qkv_bias=True, o_bias=True).parameters
    layer += mlp(h, 4 * h, gated=False, bias=True).parameters + 4 * h
    return (49_408 + 77) * h + layers * layer + 2 * h + h * h * projected


def _shape(t: Fields) -> tuple[int, int, int]:
    heads, dim = t.size("num_attention_heads", most=1000), t.size("attention_head_dim", most=10_000)
    return heads * dim, heads, dim


def _joint(h: int, heads: int, dim: int, inner: int, *, bias: bool, gated: bool, modulation: int) -> Layer:
    """A double-stream block: image and text have their own projections, and attend together."""
    image = attention(h, heads, heads, dim, qkv_bias=bias, o_bias=bias, small=2 * dim)
    weights = {**image.weights, **{f"text_{role}": n for role, n in image.weights.items()}}
    if modulation:
        weights["modulation"] = modulation * h * h
    mixer = replace(image, weights=weights, small=2 * image.small + modulation * h)
    one = mlp(h, inner, gated=gated, bias=bias)
    feed = Feed(
        "dense", weights={**one.weights, **{f"text_{role}": n for role, n in one.weights.items()}},
        small=2 * one.small,
    )  # fmt: skip
    return mixer, feed, 0


def _single(h: int, heads: int, dim: int, inner: int, *, bias: bool, gated: bool, modulation: int) -> Layer:
    """A single-stream block: attention and feed-forward side by side, one projection out."""
    mixer = attention(h, heads, heads, dim, qkv_bias=bias, o_bias=False, small=2 * dim + modulation * h)
    weights = {**mixer.weights, "modulation": modulation * h * h} if modulation else dict(mixer.weights)
    feed = mlp(h, inner, gated=gated)
    return replace(mixer, weights=weights), replace(feed, small=(inner * (1 + gated) + h) * bias), 0


def flux(f: Fields, name: str) -> Architecture:
    """FLUX.1: 19 double-stream and 38 single-stream blocks."""
    t = f.sub("transformer")
    h, heads, dim = _shape(t)
    double = _joint(h, heads, dim, 4 * h, bias=True, gated=False, modulation=12)
    single = _single(h, heads, dim, 4 * h, bias=True, gated=False, modulation=3)
    layers = [double] * t.size("num_layers", most=1000) + [single] * t.size("num_single_layers", least=0, most=1000)
    times = 1 + t.flag("guidance_embeds")
    ends = times * _embedder(h, SINUSOID) + _embedder(h, t.size("pooled_projection_dim"))
    ends += _linear(h, t.size("joint_attention_dim")) + _linear(h, t.size("in_channels"))
    out = t.size("out_channels", default=t.size("in_channels")) * t.size("patch_size", default=1) ** 2
    steps, words = (28, 512) if times > 1 else (4, 256)  # dev, schnell
    canvas = Canvas(8, 2, False, steps, words, SIDE, SIDE, autoencoder=DECODER, latent=16)
    head = _linear(2 * h, h) + _linear(out, h)
    return _denoiser(f, name, h, merged(layers), canvas, embedding=ends, head=head)


def flux2(f: Fields, name: str) -> Architecture:
    """FLUX.2: gated feed-forwards, no biases, modulation shared by all blocks."""
    t = f.sub("transformer")
    h, heads, dim = _shape(t)
    inner = int(h * t.number("mlp_ratio", 3.0))
    double = _joint(h, heads, dim, inner, bias=False, gated=True, modulation=0)
    single = _single(h, heads, dim, inner, bias=False, gated=True, modulation=0)
    layers = [double] * t.size("num_layers", most=1000) + [single] * t.size("num_single_layers", least=0, most=1000)
    times = 1 + t.flag("guidance_embeds", default=True)
    ends = times * _embedder(h, t.size("timestep_guidance_channels", default=SINUSOID), False) + 15 * h * h
    ends += h * (t.size("in_channels") + t.size("joint_attention_dim"))
    out = t.size("out_channels", default=t.size("in_channels")) * t.size("patch_size", default=1) ** 2
    canvas = Canvas(8, 2, False, 50, 512, SIDE, SIDE, autoencoder=DECODER, latent=32)
    return _denoiser(f, name, h, merged(layers), canvas, embedding=ends, head=2 * h * h + out * h, words=MISTRAL_24B)


def hunyuan_video(f: Fields, name: str) -> Architecture:
    """HunyuanVideo: FLUX-like blocks after a refiner of the text tokens."""
    t = f.sub("transformer")
    h, heads, dim = _shape(t)
    inner = int(h * t.number("mlp_ratio", 4.0))
    double = _joint(h, heads, dim, inner, bias=True, gated=False, modulation=12)
    single = _single(h, heads, dim, inner, bias=True, gated=False, modulation=3)
    layers = [double] * t.size("num_layers", most=1000) + [single] * t.size("num_single_layers", least=0, most=1000)
    text, volume = t.size("text_embed_dim"), t.size("patch_size") ** 2 * t.size("patch_size_t", default=1)
    refiner = attention(h, heads, heads, dim, qkv_bias=True, o_bias=True).parameters
    refiner += mlp(h, inner, gated=False, bias=True).parameters + 4 * h + _linear(2 * h, h)
    ends = _linear(h, t.size("in_channels") * volume) + _embedder(h, SINUSOID) + _embedder(h, text) + _linear(h, text)
    ends += t.size("num_refiner_layers", default=2) * refiner
    ends += (1 + t.flag("guidance_embeds")) * _embedder(h, SINUSOID) + _embedder(h, t.size("pooled_projection_dim"))
    head = _linear(2 * h, h) + _linear(t.size("out_channels") * volume, h)
    canvas = Canvas(8, t.size("patch_size"), False, 50, 256, 1280, 720, frames=4, length=129)
    words = LLAMA_8B + _clip_text(768, 12, False)
    return _denoiser(f, name, h, merged(layers), canvas, embedding=ends, head=head, words=words)


def qwen_image(f: Fields, name: str) -> Architecture:
    """Qwen-Image: double-stream blocks throughout."""
    t = f.sub("transformer")
    h, heads, dim = _shape(t)
    text = t.size("joint_attention_dim")
    double = _joint(h, heads, dim, 4 * h, bias=True, gated=False, modulation=12)
    ends = _embedder(h, SINUSOID) + text + _linear(h, t.size("in_channels")) + _linear(h, text)
    out = t.size("out_channels") * t.size("patch_size") ** 2
    layers = [double] * t.size("num_layers", most=1000)
    canvas = Canvas(8, t.size("patch_size"), True, 50, 128, SIDE, SIDE)  # texts are not padded: 128 tokens assumed
    head = _linear(2 * h, h) + _linear(out, h)
    return _denoiser(f, name, h, merged(layers), canvas, embedding=ends, head=head)


def stable_diffusion_3(f: Fields, name: str) -> Architecture:
    """Stable Diffusion 3 and 3.5: double-stream blocks, the last without an answer of the text; a second attention of
    the picture alone in some layers of 3.5 Medium (2403.03206; diffusers ``transformer_sd3.py``)."""
    t = f.sub("transformer")
    h, heads, dim = _shape(t)
    n, text = t.size("num_layers", most=1000), t.size("joint_attention_dim")
    norms = 2 * dim * (t.text("qk_norm") == "rms_norm")
    double = _joint(h, heads, dim, 4 * h, bias=True, gated=False, modulation=12)
    mixer, feed, _ = double
    mixer = replace(mixer, small=mixer.small + 2 * (norms - 2 * dim))
    picture = {role: size for role, size in mixer.weights.items() if role != "text_o"}
    last = replace(mixer, weights={**picture, "modulation": 8 * h * h}, small=mixer.small - 4 * h - h)
    alone = attention(h, heads, heads, dim, qkv_bias=True, o_bias=True, small=norms)
    twice = replace(
        mixer, weights={**mixer.weights, "modulation": 15 * h * h} | {f"own_{r}": e for r, e in alone.weights.items()},
        small=mixer.small + alone.small + 3 * h,
    )  # fmt: skip
    dual = set(t.items("dual_attention_layers", int))
    layers: list[Layer] = [(twice if i in dual else mixer, feed, 0) for i in range(n - 1)]
    layers.append((last, mlp(h, 4 * h, gated=False, bias=True), 0))
    patch = t.size("patch_size", default=2)
    ends = _linear(h, t.size("in_channels") * patch**2) + _embedder(h, SINUSOID)
    ends += _embedder(h, t.size("pooled_projection_dim")) + _linear(h, text)
    canvas = Canvas(8, patch, True, 28, 333, SIDE, SIDE, autoencoder=DECODER, latent=16)  # 77 of CLIP, 256 of T5
    head = _linear(2 * h, h) + _linear(t.size("out_channels", default=16) * patch**2, h)
    words = _clip_text(768, 12, True) + _clip_text(1280, 32, True) + T5_XXL
    return _denoiser(f, name, h, merged(layers), canvas, embedding=ends, head=head, words=words)


def wan(f: Fields, name: str) -> Architecture:
    """Wan 2.1: self-attention over video tokens, cross-attention to the text, norms over all heads."""
    t = f.sub("transformer")
    h, heads, dim = _shape(t)
    own = attention(h, heads, heads, dim, qkv_bias=True, o_bias=True, small=2 * h)
    weights = {**own.weights, **{f"cross_{role}": n for role, n in own.weights.items()}}
    mixer = replace(own, weights=weights, small=2 * own.small)
    feed = mlp(h, t.size("ffn_dim"), gated=False, bias=True)
    norms = 6 * h + 2 * h * t.flag("cross_attn_norm", default=True)
    sides = [int(side) for side in t.items("patch_size", int)] or [1, 2, 2]
    volume = 1
    for side in sides:
        volume *= side
    ends = _linear(h, t.size("in_channels") * volume) + _embedder(h, t.size("freq_dim", default=SINUSOID))
    ends += _linear(6 * h, h) + _embedder(h, t.size("text_dim"))
    head = _linear(t.size("out_channels") * volume, h)
    layers = [(mixer, feed, norms)] * t.size("num_layers", most=1000)
    canvas = Canvas(8, sides[-1], True, 50, 512, 832, 480, frames=4, length=81)
    return _denoiser(f, name, h, merged(layers), canvas, embedding=ends, head=head, small=2 * h, words=UMT5_XXL)


def z_image(f: Fields, name: str) -> Architecture:
    """Z-Image: single-stream blocks; image and text pass through refiners first."""
    t = f.sub("transformer")
    h, heads = t.size("dim", most=10**6), t.size("n_heads", most=10**4)
    dim, inner, narrow = h // heads, int(h / 3 * 8), min(h, 256)
    plain = attention(h, heads, t.size("n_kv_heads", default=heads), dim, small=2 * dim)
    modulated = replace(plain, weights={**plain.weights, "modulation": 4 * h * narrow}, small=plain.small + 4 * h)
    feed = mlp(h, inner)
    refiners = t.size("n_refiner_layers", default=2, least=0, most=1000)
    layers: list[Layer] = [(modulated, feed, 4 * h)] * refiners + [(plain, feed, 4 * h)] * refiners
    layers += [(modulated, feed, 4 * h)] * t.size("n_layers", most=1000)
    patch = t.size("in_channels") * 4
    text = t.size("cap_feat_dim")
    time = _linear(1024, SINUSOID) + _linear(narrow, 1024)
    ends = 2 * h + _linear(h, patch) + time + text + _linear(h, text)
    canvas = Canvas(8, 2, True, 50, 512, SIDE, SIDE, autoencoder=DECODER, latent=16)
    head = _linear(patch, h) + _linear(h, narrow)
    return _denoiser(f, name, h, merged(layers), canvas, embedding=ends, head=head, words=QWEN3_4B)


# U-Nets (Stable Diffusion): layers with the level they stand at, which halves the sides of the picture

Strided = tuple[Layer, int]


def _levels(layers: list[Strided]) -> tuple[LayerGroup, ...]:
    """Equal neighbours of one level become one group."""
    groups = []
    for (layer, level), run in groupby(layers):
        mixer, feed, small = layer
        groups.append(LayerGroup(sum(1 for _ in run), mixer, feed, small, 2**level))
    return tuple(groups)


def _resnet(inside: int, outside: int, time: int) -> Layer:
    """Two 3×3 convolutions with group norms and a time projection (Ho 2020)."""
    conv = 9 * inside * outside + 9 * outside * outside + inside * outside * (inside != outside)
    weights = {"conv": conv, "time": time * outside}
    small = 2 * inside + 5 * outside + outside * (inside != outside)
    return Mixer("conv", heads=1, qk_dim=inside, v_dim=outside, weights=weights, small=small), NO_FEED, 0


def _transformer(channels: int, depth: int, heads: int, text: int) -> list[Layer]:
    """Self-attention, cross-attention to the text, gated feed-forward; projections in and out once."""
    own = attention(channels, heads, heads, channels // heads, o_bias=True)
    cross = {
        "cross_q": channels**2,
        "cross_k": text * channels,
        "cross_v": text * channels,
        "cross_o": channels**2,
    }
    mixer = replace(own, weights={**own.weights, **cross}, small=own.small + channels)
    feed = mlp(channels, 4 * channels, bias=True)
    around = Mixer(
        "conv", heads=1, qk_dim=channels, v_dim=channels, weights={"conv": 2 * channels**2}, small=4 * channels
    )
    return [(around, NO_FEED, 0), *[(mixer, feed, 6 * channels)] * depth]


def _resample(channels: int) -> Layer:
    weights = {"conv": 9 * channels**2}
    return Mixer("conv", heads=1, qk_dim=channels, v_dim=channels, weights=weights, small=channels), NO_FEED, 0


def unet(f: Fields, name: str) -> Architecture:
    """Stable Diffusion 1, 2, XL: a convolutional U-Net with transformers at some levels (2112.10752)."""
    u = f.sub("unet")
    channels = [int(c) for c in u.items("block_out_channels", int)]
    if not 1 <= len(channels) <= 8 or any(not 1 <= c <= 10**5 for c in channels):
        raise u.refuse("is not a list of one to eight channel counts", "block_out_channels")
    depths, heads = _depths(u, len(channels)), _unet_heads(u, len(channels))
    each, text, time = u.size("layers_per_block", most=100), u.size("cross_attention_dim"), 4 * channels[0]
    parts = (channels, depths, heads, each, text, time)
    groups = _levels(_down(*parts) + _middle(*parts) + _up(*parts))
    first = 9 * u.size("in_channels") * channels[0] + channels[0]
    ends = first + _linear(time, channels[0]) + _linear(time, time)
    large = f.text("_class_name") == "StableDiffusionXLPipeline"
    if large:
        pooled = u.size("projection_class_embeddings_input_dim", default=2816)
        ends += _linear(time, pooled) + _linear(time, time)
    side = 1024 if large else 768 if text == 1024 else 512
    canvas = Canvas(8, 1, True, 50, 77, side, side, autoencoder=DECODER)
    out = u.size("out_channels")
    words = _clip_text(768, 12, False) + _clip_text(1280, 32, True) if large else 0
    if not large:  # of Stable Diffusion 2 all layers of OpenCLIP H but the last
        words = _clip_text(1024, 23, False) if text == 1024 else _clip_text(768, 12, False)
    head = 9 * channels[0] * out + out
    return _denoiser(
        f, name, channels[-1], groups, canvas, embedding=ends, head=head, small=2 * channels[0], words=words
    )


def _depths(u: Fields, levels: int) -> list[int]:
    """Transformer layers per level; null where a level has none."""
    value = u.data.get("transformer_layers_per_block", 1)
    listed = value if isinstance(value, list) else [value] * levels
    kinds = u.items("down_block_types", str)
    if kinds:
        listed = [d if kind.startswith("CrossAttn") else 0 for d, kind in zip(listed, kinds, strict=False)]
    good = [d or 0 for d in listed if d is None or (type(d) is int and 0 <= d <= 100)]
    if len(good) != levels:
        raise u.refuse("does not give one depth per level", "transformer_layers_per_block")
    return good


def _unet_heads(u: Fields, levels: int) -> list[int]:
    """``attention_head_dim`` holds the number of heads, by an old slip the files kept."""
    value = u.data.get("attention_head_dim", 8)
    listed = value if isinstance(value, list) else [value] * levels
    if len(listed) != levels or any(type(n) is not int or not 1 <= n <= 10**4 for n in listed):
        raise u.refuse("does not give one number of heads per level", "attention_head_dim")
    return listed


def _down(channels: list[int], depths: list[int], heads: list[int], each: int, text: int, time: int) -> list[Strided]:
    layers: list[Strided] = []
    inside = channels[0]
    for level, outside in enumerate(channels):
        for _ in range(each):
            layers.append((_resnet(inside, outside, time), level))
            if depths[level]:
                layers += [(layer, level) for layer in _transformer(outside, depths[level], heads[level], text)]
            inside = outside
        if level < len(channels) - 1:
            layers.append((_resample(outside), level + 1))
    return layers


def _middle(
    channels: list[int], depths: list[int], heads: list[int], _each: int, text: int, time: int
) -> list[Strided]:
    last, level = channels[-1], len(channels) - 1
    body = _transformer(last, depths[-1] or 1, heads[-1], text)
    return [(layer, level) for layer in (_resnet(last, last, time), *body, _resnet(last, last, time))]


def _up(channels: list[int], depths: list[int], heads: list[int], each: int, text: int, time: int) -> list[Strided]:
    layers: list[Strided] = []
    before = channels[-1]
    for level in reversed(range(len(channels))):
        outside = channels[level]
        for i in range(each + 1):
            skip = outside if i < each else channels[max(level - 1, 0)]
            layers.append((_resnet((before if i == 0 else outside) + skip, outside, time), level))
            if depths[level]:
                layers += [(layer, level) for layer in _transformer(outside, depths[level], heads[level], text)]
        if level:
            layers.append((_resample(outside), level - 1))
        before = outside
    return layers


def autoencoder(canvas: Canvas) -> Architecture:
    """The decoder that makes pixels of latent values (AutoencoderKL): ``len(channels) − 1`` doublings, two residual
    blocks and one attention at the smallest size, three residual blocks per level. Strides are pixels."""
    channels, latent = canvas.autoencoder, canvas.latent
    last, deep = channels[-1], len(channels) - 1

    def conv(inside: int, outside: int) -> Layer:
        weights = {"conv": 9 * inside * outside}
        return Mixer("conv", heads=1, qk_dim=inside, v_dim=outside, weights=weights, small=outside), NO_FEED, 0

    def block(inside: int, outside: int) -> Layer:
        mixer, feed, small = _resnet(inside, outside, 0)
        return replace(mixer, weights={"conv": mixer.weights["conv"]}, small=mixer.small - outside), feed, small

    looking = (attention(last, 1, 1, last, qkv_bias=True, o_bias=True, small=2 * last), NO_FEED, 0)
    layers: list[Strided] = [(layer, deep) for layer in (conv(latent, last), block(last, last), looking)]
    layers.append((block(last, last), deep))
    before = last
    for level in range(deep, -1, -1):
        for _ in range(3):
            layers.append((block(before, channels[level]), level))
            before = channels[level]
        if level:
            layers.append((_resample(before), level - 1))
    layers.append((conv(before, 3), 0))
    return Architecture("autoencoder", "AutoencoderKL", last, 0, _levels(layers), small=2 * before, causal=False)


FAMILIES: dict[str, Builder] = {
    "FluxPipeline": flux,
    "Flux2Pipeline": flux2,
    "HunyuanVideoPipeline": hunyuan_video,
    "QwenImagePipeline": qwen_image,
    "WanPipeline": wan,
    "ZImagePipeline": z_image,
    "StableDiffusion3Pipeline": stable_diffusion_3,
    "StableDiffusionPipeline": unet,
    "StableDiffusionXLPipeline": unet,
}

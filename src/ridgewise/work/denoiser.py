"""The demand of one pass of a diffusion model, operator by operator.

Conventions are those of :mod:`ridgewise.work.forward`: a multiply-add is 2 FLOP, bytes move once per pass. There is no
cache and nothing is causal. Weights differ in what they multiply: those of the picture every token of it (or, in a
U-Net, every place of the level they stand at), those of the text every text token, modulation and time projections
one vector per sequence. Convolutions are products of every place with the whole kernel.
"""

from __future__ import annotations

from collections.abc import Iterable

from ridgewise.models.architecture import Architecture, Canvas, LayerGroup
from ridgewise.models.formats import Format
from ridgewise.units import Count, Num, Tokens
from ridgewise.work.forward import ACTIVATION_BYTES, Work

#: Roles that multiply the text's tokens, and those that multiply one vector per sequence.
TEXT, ONCE = ("text_", "cross_k", "cross_v"), ("modulation", "time")
#: Values per place that pass through memory in a residual block of ``in`` and ``out`` channels: norms, convolutions and
#: the sum each read and write them (2·in + (in + out) and twice 2·out, and 2·out for the sum).
INSIDE, OUTSIDE = 3.0, 7.0
#: Times a layer of a transformer reads and writes its hidden state between products, as in ``forward.pointwise``.
BETWEEN = 8.0


def picture_tokens(canvas: Canvas, width: Num, height: Num, length: Num = 1.0) -> Tokens:
    """Tokens (of a U-Net: places of its largest level) of a picture, or of a clip of ``length`` pictures: sides in
    steps of ``shrink · patch`` pixels, the first picture of a clip alone and the others in groups of ``frames``."""
    side = canvas.shrink * canvas.patch
    return (width // side) * (height // side) * ((length - 1) // canvas.frames + 1)


def denoise(arch: Architecture, picture: Tokens, text: Tokens, sequences: Count, fmt: Format) -> dict[str, Work]:
    """Work of one pass over ``sequences`` pictures of so many tokens, each with ``text`` tokens beside it (columns
    allowed)."""
    work: dict[str, Work] = {}

    def add(operator: str, part: Work) -> None:
        work[operator] = work[operator] + part if operator in work else part

    for group in arch.kinds:
        for operator, part in _layer(group, picture, text, sequences, fmt):
            add(operator, part * group.count)
    return work


def _layer(
    group: LayerGroup, picture: Tokens, text: Tokens, sequences: Count, fmt: Format
) -> Iterable[tuple[str, Work]]:
    """One layer. Attention is joint where the text has weights of its own (double-stream blocks) or none at all
    (single-stream ones: the text is among the tokens), and to the text beside it where there is cross-attention."""
    mixer, weights = group.mixer, {**group.mixer.weights, **group.feed.weights}
    places = picture / group.stride**2
    attends = mixer.heads > 0 and mixer.kind != "conv"
    crossed = "cross_q" in weights
    joint = attends and not crossed
    streams = any(role.startswith("text_") for role in weights)
    own = places + (text if joint and not streams else 0.0)
    rows = {"picture": sequences * own, "text": sequences * text, "once": sequences * 1.0}

    def product(roles: Iterable[str], tokens: Tokens, moved: Num = 0.0) -> Work:
        chosen = tuple(roles)
        elements = sum(weights[role] for role in chosen)
        stored = sum(weights[role] * fmt.bits(role) for role in chosen) / 8
        return Work(2.0 * elements * tokens, stored, activations=moved * tokens * ACTIVATION_BYTES, rows=tokens)

    of_text = [role for role in weights if role.startswith(TEXT)]
    once = [role for role in weights if role in ONCE]
    feed = [role for role in group.feed.weights if role not in of_text]
    rest = [role for role in mixer.weights if role not in of_text and role not in once]
    if mixer.kind == "conv":
        yield "convolutions", product(rest, rows["picture"], INSIDE * mixer.qk_dim + OUTSIDE * mixer.v_dim)
    else:
        width = mixer.heads * mixer.v_dim
        yield "projections", product(rest, rows["picture"], 4.0 * width)
        yield "pointwise", Work(activations=BETWEEN * width * rows["picture"] * ACTIVATION_BYTES)
    if feed:
        yield "feed-forward", product(feed, rows["picture"])
    if of_text:
        yield "text", product(of_text, rows["text"])
    if once:
        yield "modulation", product(once, rows["once"])
    if attends:
        seen = own + (text if streams else 0.0)
        each = 2.0 * mixer.heads * (mixer.qk_dim + mixer.v_dim)
        values = mixer.kv_heads * (mixer.qk_dim + mixer.v_dim) * ACTIVATION_BYTES
        yield "attention (picture)", Work(each * sequences * seen * seen, activations=values * sequences * seen)
        if "own_q" in weights:  # once more, of the picture alone
            yield "attention (picture)", Work(each * sequences * places**2, activations=values * sequences * places)
        if crossed:
            yield "attention (text)", Work(each * sequences * places * text, activations=values * sequences * text)

"""Encoders: BERT and kin, vision transformers, CLIP; and encoder-decoders: T5, Whisper."""

from __future__ import annotations

from dataclasses import replace

from ridgewise.models.architecture import Architecture, Feed, LayerGroup, Mixer
from ridgewise.models.families.base import Builder, Rule, Windows, sliding
from ridgewise.models.fields import Fields
from ridgewise.models.parts import Layer, attention, merged, mlp


def _encoder(f: Fields, name: str, layers: list[Layer], *, embedding: int, vocab: int, small: int) -> Architecture:
    return Architecture(
        name=name, family=f.text("model_type"), hidden=f.hidden, vocab=vocab, groups=merged(layers),
        embedding=embedding, small=small, max_context=f.context, causal=False,
    )  # fmt: skip


def _block(f: Fields, *, inner: int | None = None, bias: bool = True, gated: bool = False) -> tuple[Mixer, Feed]:
    h = f.hidden
    mixer = attention(h, f.heads, f.heads, f.head_dim, qkv_bias=bias, o_bias=bias)
    return mixer, mlp(h, inner or f.inner, gated=gated, bias=bias)


def bert(f: Fields, name: str) -> Architecture:
    """BERT, RoBERTa, XLM-R: three embedding tables, norms after; the pooler is counted (modeling_bert.py)."""
    h, vocab = f.hidden, f.vocab
    mixer, feed = _block(f)
    tables = (vocab + f.context + f.size("type_vocab_size", default=2, least=0)) * h
    arch = _encoder(f, name, [(mixer, feed, 4 * h)] * f.layers, embedding=tables, vocab=vocab, small=2 * h)
    return replace(arch, head=h * h, small=arch.small + h)


def rotary_bert(f: Fields, name: str) -> Architecture:
    """Jina v3 and Nomic: BERT without position table; Nomic is gated, without biases and pooler."""
    h, vocab = f.hidden, f.vocab
    nomic = f.text("model_type") == "nomic_bert"
    mixer, feed = _block(f, bias=not nomic, gated=nomic)
    tables = (vocab + f.size("type_vocab_size", default=2, least=0)) * h
    arch = _encoder(f, name, [(mixer, feed, 4 * h)] * f.layers, embedding=tables, vocab=vocab, small=2 * h)
    return arch if nomic else replace(arch, head=h * h, small=arch.small + h)


def distilbert(f: Fields, name: str) -> Architecture:
    """DistilBERT: BERT's layers without token types and pooler (modeling_distilbert.py)."""
    names = {"hidden_size": f.size("dim", most=10**7), "intermediate_size": f.size("hidden_dim", most=10**7)}
    f = Fields({**f.data, **names}, f.where, f.notes)
    h, vocab = f.hidden, f.vocab
    mixer, feed = _block(f)
    tables = (vocab + f.context) * h
    return _encoder(f, name, [(mixer, feed, 4 * h)] * f.layers, embedding=tables, vocab=vocab, small=2 * h)


def mpnet(f: Fields, name: str) -> Architecture:
    """MPNet: BERT without token types, with one table of relative position biases (modeling_mpnet.py)."""
    h, vocab = f.hidden, f.vocab
    mixer, feed = _block(f)
    tables, biases = (vocab + f.context) * h, f.size("relative_attention_num_buckets", default=32) * f.heads
    arch = _encoder(f, name, [(mixer, feed, 4 * h)] * f.layers, embedding=tables, vocab=vocab, small=2 * h + biases)
    return replace(arch, head=h * h, small=arch.small + h)


def electra(f: Fields, name: str) -> Architecture:
    """ELECTRA: BERT's layers behind tables of a width of their own, no pooler (modeling_electra.py)."""
    h, wide, vocab = f.hidden, f.size("embedding_size", default=f.hidden), f.vocab
    mixer, feed = _block(f)
    tables = (vocab + f.context + f.size("type_vocab_size", default=2, least=0)) * wide
    tables += (h * wide + h) * (wide != h)
    return _encoder(f, name, [(mixer, feed, 4 * h)] * f.layers, embedding=tables, vocab=vocab, small=2 * wide)


def deberta_v2(f: Fields, name: str) -> Architecture:
    """DeBERTa v2 and v3: relative positions scored apart, against a table all layers share (2006.03654)."""
    h, vocab = f.hidden, f.vocab
    if f.has("conv_kernel_size"):
        raise f.refuse("the convolution beside the first layer is not known here", "conv_kernel_size")
    mixer, feed = _block(f)
    if not f.flag("share_att_key"):
        kinds = [kind for kind in ("c2p", "p2c") if kind in str(f.data.get("pos_att_type"))]
        own = {f"position_{kind}": h * h for kind in kinds}
        mixer = replace(mixer, weights={**mixer.weights, **own}, small=mixer.small + len(own) * h)
    buckets = f.optional("position_buckets", least=-1) or -1
    spans = 2 * (buckets if buckets > 0 else f.context)
    absolute = f.context * f.flag("position_biased_input", default=True)
    tables = (vocab + absolute + f.size("type_vocab_size", default=0, least=0)) * h + spans * h
    normed = 2 * h * ("layer_norm" in f.text("norm_rel_ebd"))
    f.assume("Scores of relative positions come on top of those of content and are not counted.")
    return _encoder(f, name, [(mixer, feed, 4 * h)] * f.layers, embedding=tables, vocab=vocab, small=2 * h + normed)


def modernbert(f: Fields, name: str) -> Architecture:
    """ModernBERT: local and global attention, gated feed-forward, norms without bias (2412.13663)."""
    h, n = f.hidden, f.layers
    bias = f.flag("norm_bias")
    vectors = 1 + bias
    spans = sliding(f, n, Rule()) if f.has("layer_types") else _modern_spans(f, n)
    feed = mlp(h, f.inner, bias=f.flag("mlp_bias"))
    layers: list[Layer] = []
    for i, (kind, window) in enumerate(spans):
        attn_bias = f.flag("attention_bias")
        mixer = attention(
            h, f.heads, f.heads, f.head_dim, kind=kind, window=window, qkv_bias=attn_bias, o_bias=attn_bias
        )
        layers.append((mixer, feed, vectors * h * (1 if i == 0 else 2)))
    return _encoder(f, name, layers, embedding=f.vocab * h, vocab=f.vocab, small=2 * vectors * h)


def _modern_spans(f: Fields, n: int) -> Windows:
    every = f.size("global_attn_every_n_layers", default=3)
    window = f.size("local_attention", default=128)
    return [("full", None) if i % every == 0 else ("sliding", window) for i in range(n)]


def vit(f: Fields, name: str) -> Architecture:
    """ViT: class token, learned positions; the pooler is counted (modeling_vit.py)."""
    h = f.hidden
    mixer, feed = _block(f)
    arch = _encoder(f, name, [(mixer, feed, 4 * h)] * f.layers, embedding=_patches(f, 1, True), vocab=0, small=2 * h)
    return replace(arch, head=h * h, small=arch.small + h, max_context=_tokens(f))


def _tokens(f: Fields) -> int:
    return (f.size("image_size") // f.size("patch_size")) ** 2 + 1


def _patches(f: Fields, own_tokens: int, bias: bool) -> int:
    h = f.hidden
    return h * (f.size("num_channels", default=3) * f.size("patch_size") ** 2 + bias + own_tokens + _tokens(f))


def dinov2(f: Fields, name: str) -> Architecture:
    """DINOv2: ViT with layer scales and a mask token, no pooler (modeling_dinov2.py)."""
    h = f.hidden
    if f.flag("use_swiglu_ffn"):
        inner = (int(f.size("mlp_ratio") * h * 2 / 3) + 7) // 8 * 8
        mixer, _ = _block(f, inner=inner)
        feed = Feed("dense", weights={"gate": h * inner, "up": h * inner, "down": inner * h}, small=2 * inner + h)
    else:
        mixer, feed = _block(f, inner=f.size("mlp_ratio") * h)
    own = 1 + f.flag("use_mask_token", default=True)
    arch = _encoder(f, name, [(mixer, feed, 6 * h)] * f.layers, embedding=_patches(f, own, True), vocab=0, small=2 * h)
    return replace(arch, max_context=_tokens(f))


def clip(f: Fields, name: str) -> Architecture:
    """CLIP: a text tower as the main stack, an image tower as the second (modeling_clip.py)."""
    t, v = f.sub("text_config"), f.sub("vision_config")
    width = f.size("projection_dim", default=512)
    text_mixer, text_feed = _block(t)
    image_mixer, image_feed = _block(v)
    arch = _encoder(
        t, name, [(text_mixer, text_feed, 4 * t.hidden)] * t.layers,
        embedding=(t.vocab + t.context) * t.hidden + _patches(v, 1, False), vocab=t.vocab,
        small=2 * t.hidden + 4 * v.hidden + 1,
    )  # fmt: skip
    image = (LayerGroup(v.layers, image_mixer, image_feed, 4 * v.hidden),)
    return replace(arch, family="clip", encoder=image, head=width * (t.hidden + v.hidden))


def t5(f: Fields, name: str) -> Architecture:
    """T5: relative position biases in the first layer of each stack, RMSNorm, no biases (1910.10683)."""
    h, heads, dim, inner = f.size("d_model"), f.size("num_heads"), f.size("d_kv"), f.size("d_ff")
    gated = f.flag("is_gated_act") or f.text("feed_forward_proj").startswith("gated")
    depth = f.size("num_layers", most=10_000)
    decoders = f.size("num_decoder_layers", default=depth, most=10_000)
    own, feed = attention(h, heads, heads, dim), mlp(h, inner, gated=gated)
    both = with_cross(own, own)
    table = f.size("relative_attention_num_buckets", default=32) * heads
    tied = f.flag("tie_word_embeddings", default=True)
    vocab = f.vocab
    f.assume("The decoder's cache of encoder keys and values grows with the source; it is not counted.")
    return Architecture(
        name=name, family="t5", hidden=h, vocab=vocab, groups=(LayerGroup(decoders, both, feed, 3 * h),),
        encoder=(LayerGroup(depth, own, feed, 2 * h),), embedding=vocab * h, head=0 if tied else vocab * h,
        tied=tied, small=2 * h + 2 * table, max_context=f.size("n_positions", default=512),
    )  # fmt: skip


def with_cross(own: Mixer, cross: Mixer, tokens: int = 0) -> Mixer:
    """Self-attention and attention to an encoder in one layer; the encoder's cache is a state."""
    weights = {**own.weights, **{f"cross_{role}": n for role, n in cross.weights.items()}}
    state = tokens * cross.kv_heads * (cross.qk_dim + cross.v_dim)
    return replace(own, weights=weights, small=own.small + cross.small, state=state, state_bits=16)


def whisper(f: Fields, name: str) -> Architecture:
    """Whisper: two convolutions, an encoder of 1,500 frames, a decoder that attends to it (2212.04356).

    Every layer of the decoder keeps keys and values of the whole source per sequence.
    """
    h = f.size("d_model")
    frames, positions = (
        f.size("max_source_positions", default=1500),
        f.size("max_target_positions", default=448),
    )
    deep, decoders = f.size("encoder_layers", most=10_000), f.size("decoder_layers", most=10_000)
    own = _whisper_attention(h, f.size("encoder_attention_heads"))
    mine = _whisper_attention(h, f.size("decoder_attention_heads"))
    encoder = LayerGroup(deep, own, mlp(h, f.size("encoder_ffn_dim"), gated=False, bias=True), 4 * h)
    decoder_feed = mlp(h, f.size("decoder_ffn_dim"), gated=False, bias=True)
    decoder = LayerGroup(decoders, with_cross(mine, mine, frames), decoder_feed, 6 * h)
    stem = (3 * f.size("num_mel_bins", default=80) + 1) * h + (3 * h + 1) * h
    vocab = f.vocab
    return Architecture(
        name=name, family="whisper", hidden=h, vocab=vocab, groups=(decoder,), encoder=(encoder,),
        embedding=(vocab + positions + frames) * h + stem, tied=True, small=4 * h, max_context=positions,
    )  # fmt: skip


def _whisper_attention(h: int, heads: int) -> Mixer:
    """Attention whose keys have no bias."""
    mixer = attention(h, heads, heads, h // heads, qkv_bias=True, o_bias=True)
    return replace(mixer, small=mixer.small - h)


FAMILIES: dict[str, Builder] = {
    "bert": bert,
    "roberta": bert,
    "xlm-roberta": bert,
    "camembert": bert,
    "data2vec-text": bert,
    "ernie": bert,
    "distilbert": distilbert,
    "mpnet": mpnet,
    "electra": electra,
    "deberta-v2": deberta_v2,
    "jina_embeddings_v3": rotary_bert,
    "nomic_bert": rotary_bert,
    "modernbert": modernbert,
    "vit": vit,
    "dinov2": dinov2,
    "clip": clip,
    "t5": t5,
    "whisper": whisper,
}

"""From the header of a GGUF file to an Architecture and its exact format.

Weights are counted from the tensor table, tensor by tensor; the metadata say only how heads, windows and
states are cut. Tensor names: gguf-py/gguf/constants.py; rules per architecture: src/llama-model.cpp
(``load_hparams``) in llama.cpp.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from ridgewise.errors import RequestError
from ridgewise.models.architecture import Architecture, Feed, Mixer, MixerKind
from ridgewise.models.families.hybrid import side_by_side
from ridgewise.models.fields import MOST_LAYERS
from ridgewise.models.formats import Format, load_formats, model_bytes
from ridgewise.models.gguf import GGUFFile, Scalar, Tensor
from ridgewise.models.parts import NO_FEED, NO_MIXER, Layer, merged, remembering
from ridgewise.models.stored import EMBEDDING, EXPERT, EXTRA, HEAD, SMALL, Model, exact_format

Span = tuple[MixerKind, int | None]

#: ``model_type`` of the architectures whose name differs from the one in configurations.
_FAMILIES = {
    "qwen2moe": "qwen2_moe", "qwen3moe": "qwen3_moe", "qwen3next": "qwen3_next", "deepseek2": "deepseek_v3",
    "gemma3": "gemma3_text", "gemma3n": "gemma3n_text", "gemma4": "gemma4_text", "gpt-oss": "gpt_oss",
    "command-r": "cohere", "falcon-h1": "falcon_h1", "granitehybrid": "granitemoehybrid",
    "kimi-linear": "kimi_linear", "glm4moe": "glm4_moe", "glm-dsa": "glm_moe_dsa", "minimax-m2": "minimax_m2",
    "nemotron_h_moe": "nemotron_h", "lfm2moe": "lfm2_moe", "llama4": "llama4_text", "gptneox": "gpt_neox",
}  # fmt: skip

#: Layers of a period of which the last (or, after ``dense_first``, the first) sees everything.
_PERIODS = {
    "llama4": 4, "gemma2": 2, "gemma3": 6, "gemma-embedding": 6, "cohere2": 4, "gpt-oss": 2, "exaone4": 4,
    "exaone-moe": 4, "olmo2": 4, "smallthinker": 4, "modern-bert": 3, "afmoe": 4,
}  # fmt: skip
_DENSE_FIRST = ("smallthinker", "modern-bert")
_CHUNK = 8192  # Llama 4: the length of a chunk, fixed in llama.cpp
_ENCODERS = ("bert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2", "jina-bert-v3", "modern-bert", "neo-bert",
             "eurobert", "gemma-embedding", "t5encoder")  # fmt: skip
_NO_LANGUAGE = {"clip": "a vision or audio projector", "wavtokenizer-dec": "an audio decoder"}

_MIXER_ROLES = {
    "attn_q": "q", "attn_k": "k", "attn_v": "v", "attn_output": "o", "attn_o": "o", "attn_out": "o",
    "attn_qkv": "qkv", "attn_gate": "g", "attn_q_a": "q_a", "attn_q_b": "q_b", "attn_kv_a_mqa": "kv_a",
    "attn_kv_b": "kv_b", "attn_k_b": "kv_b", "attn_v_b": "kv_b", "indexer.attn_k": "index",
    "indexer.attn_q_b": "index", "indexer.proj": "index", "ssm_in": "in", "ssm_ba": "in", "ssm_alpha": "in",
    "ssm_beta": "in", "ssm_f_a": "in", "ssm_f_b": "in", "ssm_g_a": "in", "ssm_g_b": "in", "ssm_out": "out",
    "ssm_conv1d": "conv", "ssm_conv1d_q": "conv", "ssm_conv1d_k": "conv", "ssm_conv1d_v": "conv",
    "ssm_x": "ssm", "ssm_dt": "ssm", "ssm_a": "ssm", "shortconv.in_proj": "in", "shortconv.conv": "conv",
    "shortconv.out_proj": "out", "time_mix_output": "out", "cross_attn_q": "cross_q", "cross_attn_k": "cross_k",
    "cross_attn_v": "cross_v", "cross_attn_o": "cross_o",
}  # fmt: skip
_FEED_ROLES = {
    "ffn_gate": "gate", "ffn_up": "up", "ffn_down": "down", "ffn_gate_inp": "router",
    "ffn_gate_shexp": "shared_gate", "ffn_up_shexp": "shared_up", "ffn_down_shexp": "shared_down",
    "ffn_latent_down": "latent_in", "ffn_latent_up": "latent_out", "channel_mix_key": "up",
    "channel_mix_value": "down", "channel_mix_receptance": "gate",
}  # fmt: skip
_EXPERT_ROLES = {"ffn_gate_exps": "gate", "ffn_up_exps": "up", "ffn_down_exps": "down", "ffn_gate_up_exps": "gate_up"}
_MIXER_STEMS = ("attn_q", "attn_k", "attn_v", "attn_output.", "attn_gate", "attn_sinks", "attn_sub", "attn_rel",
                "attn_rot", "indexer.", "ssm_", "shortconv.", "time_mix_", "cross_attn_q", "cross_attn_k",
                "cross_attn_v", "cross_attn_o.")  # fmt: skip
_FEED_STEMS = ("ffn_", "exp_probs", "channel_mix_", "inp_gate", "proj")
_LAYER = re.compile(r"^((?:enc|dec)\.)?blk\.(\d{1,5})\.(.+)$")
_NUMBERED = re.compile(r"^(ffn_(?:gate|up|down))\.(\d{1,5})$")
_MODULES = (
    ("v.", "vision"), ("mm.a.", "audio"), ("mm.", "vision"), ("a.", "audio"), ("resampler.", "vision"),
    ("cls", "classifier"), ("dense_", "projection"), ("rope_f", "rope_tables"), ("nextn.", "mtp"),
)  # fmt: skip


def model_from(file: GGUFFile, name: str = "", path: Path | None = None) -> Model:
    """The architecture of a file and the format at which its tensors take the bytes they take."""
    reading = _Reading(file)
    arch = reading.architecture(name or _name(file))
    label = file.quantisation
    base = Format(
        id=f"gguf:{label}", name=f"{label} (file)", family="gguf", default=0.0, small=32.0, embedding=0.0,
        head=0.0, compute={"F32": "fp32", "BF16": "bf16", "F16": "fp16"}.get(_widest(file), "int8"),
        note="bits per element averaged over the tensors of the file", sources=("ggml-types",),
    )  # fmt: skip
    made = exact_format(arch, reading.held, base)
    return Model(_stored_as(arch, label, made), made, path)


def architecture_from(file: GGUFFile, name: str = "") -> Architecture:
    """The architecture of a file; RequestError naming the key or tensor that is missing or does not fit."""
    return model_from(file, name).arch


def file_format(file: GGUFFile) -> Format:
    """The format of a file: ``model_bytes(architecture_from(file), file_format(file))`` is its tensor bytes."""
    fmt = model_from(file).format
    assert fmt is not None
    return fmt


def _stored_as(arch: Architecture, label: str, made: Format) -> Architecture:
    """The architecture with the catalogue's name for the mix, or the nearest in bits, and said so."""
    formats = load_formats()
    known = {"F32": "fp32", "MXFP4_MOE": "gguf-mxfp4"}.get(label, label.lower())
    if known in formats:
        return replace(arch, dtype=known)
    nearest = min(
        (entry for entry in formats.values() if entry.family == "gguf"),
        key=lambda entry: abs(model_bytes(arch, entry) - model_bytes(arch, made)),
    )
    note = f"The file is stored as {label}; where a format of the catalogue is needed, {nearest.name} is nearest."
    return replace(arch, dtype=nearest.id, assumptions=(*arch.assumptions, note))


def _widest(file: GGUFFile) -> str:
    """The tensor type that holds most bytes."""
    held: dict[str, int] = {}
    for tensor in file.tensors:
        held[tensor.type] = held.get(tensor.type, 0) + tensor.bytes
    return max(held, key=lambda kind: held[kind])


def _name(file: GGUFFile) -> str:
    stated = file.metadata.get("general.name")
    return stated[:200] if isinstance(stated, str) and stated else file.where.rpartition("/")[2]


@dataclass
class _Parts:
    """The tensors of one layer, counted by role."""

    mixer: dict[str, int] = field(default_factory=dict)
    feed: dict[str, int] = field(default_factory=dict)
    expert: dict[str, int] = field(default_factory=dict)
    experts: int = 0
    singles: set[str] = field(default_factory=set)
    mixer_small: int = 0
    feed_small: int = 0
    expert_small: int = 0
    small: int = 0
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def has(self, *stems: str) -> bool:
        return any(f"{stem}.weight" in self.tensors or stem in self.tensors for stem in stems)

    def shape(self, stem: str) -> tuple[int, ...]:
        found = self.tensors.get(f"{stem}.weight") or self.tensors.get(stem)
        return found.shape if found else ()

    def rows(self, stem: str) -> int:
        """Rows of a matrix: its elements over the contiguous dimension."""
        found = self.tensors.get(f"{stem}.weight") or self.tensors.get(stem)
        return found.elements // found.shape[0] if found and found.shape else 0


class _Reading:
    """One file being read: its metadata, its tensors by place, and what had to be assumed."""

    def __init__(self, file: GGUFFile) -> None:
        self.file = file
        self.kind = file.architecture
        self.notes: list[str] = []
        self.held: dict[str, int] = {}
        self.extra: dict[str, int] = {}
        self.stacks: dict[str, dict[int, _Parts]] = {"": {}, "enc.": {}, "dec.": {}}
        self.embedding = self.head = self.small = 0
        self._check()
        self._sort()

    def refuse(self, what: str, place: str = "") -> RequestError:
        return RequestError(what, f"{self.file.where}: {place}" if place else self.file.where)

    def _check(self) -> None:
        if not self.kind:
            raise self.refuse("key is missing", "general.architecture")
        if self.kind in _NO_LANGUAGE:
            raise self.refuse(f"holds {_NO_LANGUAGE[self.kind]}, not a language model")
        stated = self.file.metadata.get("split.count", 0)
        if type(stated) is int and stated > 1 and "-of-" not in self.file.where:
            raise self.refuse(f"is one of {stated} parts, and its name does not say which")
        if not self.file.tensors:
            raise self.refuse("holds no tensors: a vocabulary alone")

    # Metadata.

    def number(self, key: str, default: int | None = None, least: int = 0, most: int = 10**9) -> int:
        """An integer under ``<architecture>.<key>``."""
        full = f"{self.kind}.{key}"
        value = self.file.metadata.get(full)
        if value is None:
            if default is None:
                raise self.refuse("key is missing", full)
            return default
        if type(value) is not int or not least <= value <= most:
            raise self.refuse(f"{value!r:.60} is no integer between {least} and {most}", full)
        return value

    def each(self, key: str, count: int) -> list[int]:
        """An integer for every layer, from one number or an array; 0 where the key is missing."""
        full = f"{self.kind}.{key}"
        value = self.file.metadata.get(full)
        if not isinstance(value, tuple):
            return [self.number(key, 0)] * count
        if len(value) < count:
            raise self.refuse(f"lists {len(value)} layers where the model has {count}", full)
        return [self._whole(item, full) for item in value[:count]]

    def _whole(self, value: Scalar, full: str) -> int:
        if isinstance(value, str | float) or not 0 <= value <= 10**9:
            raise self.refuse(f"{value!r:.60} is no whole number of reasonable size", full)
        return int(value)

    def assume(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)

    # Tensors.

    def _sort(self) -> None:
        """Give every tensor its place."""
        for tensor in self.file.tensors:
            match = _LAYER.match(tensor.name)
            if match is None:
                self._outside(tensor)
                continue
            stack, layer = self.stacks[match[1] or ""], int(match[2])
            stack.setdefault(layer, _Parts()).tensors[match[3]] = tensor
        for prefix, stack in self.stacks.items():
            last = self._without_mtp(stack) if not prefix else stack
            for parts in last.values():
                for name, tensor in parts.tensors.items():
                    self._inside(parts, name, tensor)

    def _without_mtp(self, stack: dict[int, _Parts]) -> dict[int, _Parts]:
        """Layers that belong to multi-token prediction are counted apart."""
        for layer in [i for i, parts in stack.items() if any(name.startswith("nextn.") for name in parts.tensors)]:
            for tensor in stack.pop(layer).tensors.values():
                self._apart("mtp", tensor)
        return stack

    def _hold(self, place: str, tensor: Tensor) -> None:
        self.held[place] = self.held.get(place, 0) + tensor.bytes

    def _apart(self, module: str, tensor: Tensor) -> None:
        self.extra[module] = self.extra.get(module, 0) + tensor.elements
        self._hold(EXTRA, tensor)

    def _outside(self, tensor: Tensor) -> None:
        """Tensors outside the layers."""
        name = tensor.name
        if name in ("token_embd.weight", "position_embd.weight", "token_types.weight", "per_layer_token_embd.weight"):
            self.embedding += tensor.elements
            self._hold(EMBEDDING, tensor)
        elif name == "output.weight":
            self.head += tensor.elements
            self._hold(HEAD, tensor)
        elif module := next((module for prefix, module in _MODULES if name.startswith(prefix)), ""):
            self._apart(module, tensor)
        else:
            self.small += tensor.elements
            self._hold(SMALL, tensor)

    def _inside(self, parts: _Parts, name: str, tensor: Tensor) -> None:
        """Tensors of a layer."""
        stem, _, suffix = name.rpartition(".")
        if suffix != "weight":
            stem, suffix = (stem, suffix) if suffix in ("bias", "scale", "input_scale") else (name, "weight")
        numbered = _NUMBERED.match(stem)
        if stem in _EXPERT_ROLES or numbered:
            shared, single = (f"{numbered[1]}_exps", numbered[2]) if numbered else (stem, "")
            self._expert(parts, shared, suffix, tensor, single)
        elif stem.startswith("vis_"):
            self._apart("vision", tensor)
        elif suffix != "weight" or _vector(tensor) or "norm" in stem or stem.startswith("time_mix_lerp"):
            self._small(parts, name, tensor)
        elif stem in _MIXER_ROLES or stem.startswith(_MIXER_STEMS):
            role = _MIXER_ROLES.get(stem, "in" if stem.startswith("time_mix") else stem)
            self._matrix(parts.mixer, role, tensor)
        else:
            self._matrix(parts.feed, _FEED_ROLES.get(stem, stem), tensor)

    def _matrix(self, weights: dict[str, int], role: str, tensor: Tensor, place: str = "") -> None:
        weights[role] = weights.get(role, 0) + tensor.elements
        self._hold(place or role, tensor)

    def _small(self, parts: _Parts, name: str, tensor: Tensor) -> None:
        self._hold(SMALL, tensor)
        if name.startswith(_MIXER_STEMS) and name not in ("attn_output_norm.weight", "attn_output_norm.bias"):
            parts.mixer_small += tensor.elements
        elif name.startswith(_FEED_STEMS) and not name.startswith("ffn_norm"):
            parts.feed_small += tensor.elements
        else:
            parts.small += tensor.elements

    def _expert(self, parts: _Parts, stem: str, suffix: str, tensor: Tensor, single: str) -> None:
        """Routed experts: one tensor for all, or (older files) one for each."""
        if single:
            parts.singles.add(single)
            self.assume("Experts are stored one by one, as in files of early 2024; all are taken as equal.")
        else:
            count = tensor.shape[-1] if tensor.shape else 0
            if parts.experts not in (0, count):
                raise self.refuse(f"holds {count} experts where others hold {parts.experts}", tensor.name)
            parts.experts = count
        if suffix != "weight":
            self._hold(SMALL, tensor)
            parts.expert_small += tensor.elements
            return
        self._matrix(parts.expert, _EXPERT_ROLES[stem], tensor, EXPERT)

    # The whole.

    def architecture(self, name: str) -> Architecture:
        encoder_decoder = bool(self.stacks["dec."])
        main = self.stacks["dec."] or self.stacks[""] or self.stacks["enc."]
        hidden, vocab = self._width(), self._vocabulary()
        layers = self._layers(main)
        encoder = self._layers(self.stacks["enc."]) if encoder_decoder else []
        causal = self.kind not in _ENCODERS and self.file.metadata.get(f"{self.kind}.attention.causal") is not False
        if encoder:
            self.assume("The decoder's cache of encoder keys and values grows with the source; it is not counted.")
        return Architecture(
            name=name,
            family=_FAMILIES.get(self.kind, self.kind.replace("-", "_")),
            hidden=hidden,
            vocab=vocab,
            groups=merged(layers),
            encoder=merged(encoder),
            embedding=self.embedding,
            head=self.head,
            tied=causal and not self.head,
            small=self.small,
            extra=self.extra,
            max_context=self.number("context_length", 0, most=10**12),
            causal=causal,
            assumptions=tuple(self.notes),
        )

    def _table(self) -> Tensor:
        found = next((tensor for tensor in self.file.tensors if tensor.name == "token_embd.weight"), None)
        if found is None or len(found.shape) != 2:
            raise self.refuse("tensor is missing" if found is None else "is no matrix", "token_embd.weight")
        return found

    def _width(self) -> int:
        width, stated = self._table().shape[0], self.number("embedding_length", least=1)
        if width != stated:
            raise self.refuse(f"rows of {width} where {self.kind}.embedding_length is {stated}", "token_embd.weight")
        return width

    def _vocabulary(self) -> int:
        return self._table().shape[1]

    def _layers(self, stack: dict[int, _Parts]) -> list[Layer]:
        count = len(stack)
        if not count:
            raise self.refuse("holds no layers (blk.0 and following)")
        missing = next((i for i in range(count) if i not in stack), None)
        if missing is not None:
            raise self.refuse(f"tensors of layer {missing} are missing", f"blk.{missing}")
        stated = self.number("block_count", least=1, most=MOST_LAYERS)
        apart = self.number("nextn_predict_layers", 0)
        if stack is self.stacks[""] and count not in (stated, stated - apart):
            raise self.refuse(f"holds {count} layers where {stated} are stated", f"{self.kind}.block_count")
        cut = _Cut(self, stack)
        return [(cut.mixer(i), self._feed(stack[i], i), stack[i].small) for i in range(count)]

    def _feed(self, parts: _Parts, layer: int) -> Feed:
        if not parts.expert:
            return Feed("dense", weights=parts.feed, small=parts.feed_small) if parts.feed else NO_FEED
        count = parts.experts or len(parts.singles)
        active = self.number("expert_used_count", least=1, most=10**6)
        if active > count:
            raise self.refuse(f"{active} active of {count} experts", f"{self.kind}.expert_used_count")
        sizes = (*parts.expert.values(), parts.expert_small)
        if any(size % count for size in sizes) or (parts.experts and parts.singles):
            raise self.refuse("experts are not of equal size", f"blk.{layer}")
        return Feed(
            "moe", weights=parts.feed, expert={role: size // count for role, size in parts.expert.items()},
            experts=count, active=active, small=parts.feed_small, expert_small=parts.expert_small // count,
        )  # fmt: skip


class _Cut:
    """How the weights of each mixer are cut into heads, windows and states."""

    def __init__(self, reading: _Reading, stack: dict[int, _Parts]) -> None:
        self.of = reading
        self.stack = stack
        count = len(stack)
        self.heads = reading.each("attention.head_count", count)
        self.kv_heads = reading.each("attention.head_count_kv", count)
        self.spans = self._spans(count)
        self.reused_from = count - reading.number("attention.shared_kv_layers", 0, most=count)

    def mixer(self, layer: int) -> Mixer:
        """The mixer of one layer, told from its tensors."""
        parts = self.stack[layer]
        if parts.has("attn_kv_a_mqa"):
            return self._latent(parts, layer)
        if parts.has("time_mix_key", "time_mix_receptance", "time_mix_output"):
            return self._rwkv(parts)
        if parts.has("shortconv.conv"):
            made = Mixer("conv", weights=parts.mixer, small=parts.mixer_small)
            return remembering(made, 0, self._taps(parts, "shortconv.conv"), 16)
        if parts.has("ssm_conv1d_q"):
            return self._kda(parts, layer)
        if parts.has("ssm_alpha", "ssm_beta", "ssm_ba"):
            return self._delta(parts)
        attends = parts.has("attn_q", "attn_qkv")
        if parts.has("ssm_conv1d"):
            recurrent = self._space(parts)
            if not attends:
                return recurrent
            return side_by_side(self._attention(parts, layer), replace(recurrent, weights={}, small=0))
        if attends:
            return self._attention(parts, layer)
        if not parts.mixer:
            return replace(NO_MIXER, small=parts.mixer_small)
        raise self.of.refuse(f"no known mixer has tensors {', '.join(sorted(parts.mixer)[:4])}", f"blk.{layer}")

    # Attention.

    def _attention(self, parts: _Parts, layer: int) -> Mixer:
        kind, window = self.spans[layer]
        heads = self.heads[layer]
        if not heads:
            raise self.of.refuse("key is missing", f"{self.of.kind}.attention.head_count")
        qk, v = self._widths(heads, local=kind == "sliding")
        kv = self._groups(parts, layer, heads, qk, v)
        return Mixer(
            kind, heads=heads, kv_heads=kv, qk_dim=qk, v_dim=v, window=window, rope_dim=qk,
            cached=layer < self.reused_from and parts.has("attn_k", "attn_qkv"),
            weights=parts.mixer, small=parts.mixer_small,
        )  # fmt: skip

    def _widths(self, heads: int, *, local: bool) -> tuple[int, int]:
        """Values of one head in queries and keys, and in values."""
        own = self.of.number("embedding_length", least=1) // heads or None
        qk = self.of.number("attention.key_length", own, least=1, most=10**6)
        v = self.of.number("attention.value_length", own, least=1, most=10**6)
        if local:
            qk = self.of.number("attention.key_length_swa", qk, least=1, most=10**6)
            v = self.of.number("attention.value_length_swa", v, least=1, most=10**6)
        return qk, v

    def _groups(self, parts: _Parts, layer: int, heads: int, qk: int, v: int) -> int:
        """Key-value heads: as stated where the tensors agree, else as the tensors say."""
        stated = self.kv_heads[layer] or heads
        place = f"blk.{layer}.attn_{'qkv' if parts.has('attn_qkv') else 'k'}.weight"
        if parts.has("attn_qkv"):
            rows, own = parts.rows("attn_qkv"), heads * qk
            found, odd = divmod(rows - own, qk + v)
        elif parts.has("attn_k"):
            rows = parts.rows("attn_k")
            found, odd = divmod(rows, qk)
            self._queries(parts, layer, heads, qk)
        else:
            return min(stated, heads)
        if odd or not 0 < found <= heads:
            raise self.of.refuse(f"{rows} rows do not divide into {heads} heads of {qk}", place)
        if found != stated:
            self.of.assume(
                f"{place} holds {found} key-value heads where the metadata state {stated}: {found} are used."
            )
        return found

    def _queries(self, parts: _Parts, layer: int, heads: int, qk: int) -> None:
        """Query rows: the heads, twice where half of them gate the output."""
        rows = parts.rows("attn_q")
        if rows and rows not in (heads * qk, 2 * heads * qk):
            raise self.of.refuse(f"{rows} rows are not {heads} heads of {qk}", f"blk.{layer}.attn_q.weight")

    def _latent(self, parts: _Parts, layer: int) -> Mixer:
        """Latent attention (2405.04434); files from before April 2025 cache full heads in llama.cpp."""
        of, heads = self.of, self.heads[layer] or self.of.number("attention.head_count", least=1)
        rank = of.number("attention.kv_lora_rank", least=1, most=10**6)
        rope = parts.rows("attn_kv_a_mqa") - rank
        if rope < 0:
            raise of.refuse(f"{rank} is wider than its tensor", f"{of.kind}.attention.kv_lora_rank")
        whole = parts.has("attn_kv_b") and not parts.has("attn_k_b")
        suffix = "" if whole and "attention.key_length_mla" not in self._keys() else "_mla"
        qk = of.number(f"attention.key_length{suffix}", least=1, most=10**6)
        v = of.number(f"attention.value_length{suffix}", least=1, most=10**6)
        index = of.number("attention.indexer.key_length", 0) if parts.has("indexer.attn_k") else 0
        made = Mixer(
            "mla", heads=heads, kv_heads=1, qk_dim=qk, v_dim=v, latent=rank, rope_dim=rope,
            selected=(of.number("attention.indexer.top_k", 0) or None) if index else None,
            index_heads=of.number("attention.indexer.head_count", 0) if index else 0, index_dim=index,
            weights=parts.mixer, small=parts.mixer_small,
        )  # fmt: skip
        if not suffix:
            of.assume(
                "The file is from before latent caching in llama.cpp (no key_length_mla): keys and values of every "
                f"head are cached, {heads * (qk + v)} values per token and layer instead of {rank + rope}."
            )
            return replace(made, kind="full", kv_heads=heads, latent=0)
        return made

    def _keys(self) -> set[str]:
        return {key.removeprefix(f"{self.of.kind}.") for key in self.of.file.metadata}

    def _spans(self, count: int) -> list[Span]:
        """Which layers see a window only."""
        of = self.of
        window = of.number("attention.sliding_window", 0, most=10**12)
        full: Span = ("full", None)
        limit = of.number("context_length", 0, most=10**12)
        if not window or 0 < limit <= window:
            return [full] * count
        local: Span = ("chunked", _CHUNK) if of.kind == "llama4" else ("sliding", window)
        listed = of.file.metadata.get(f"{of.kind}.attention.sliding_window_pattern")
        if isinstance(listed, tuple):
            flags = of.each("attention.sliding_window_pattern", count)
            return [local if flag else full for flag in flags]
        period = of.number("attention.sliding_window_pattern", _PERIODS.get(of.kind, 0), most=MOST_LAYERS)
        if not period:
            of.assume(f"A window of {window} tokens is stated but not for which layers: all keep the full cache.")
            return [full] * count
        last = 0 if of.kind in _DENSE_FIRST else period - 1
        return [full if layer % period == last else local for layer in range(count)]

    # Recurrence.

    def _taps(self, parts: _Parts, *stems: str) -> int:
        """Inputs a short convolution keeps: channels × kernel."""
        found = (parts.tensors.get(f"{stem}.weight") for stem in stems)
        return sum(tensor.elements for tensor in found if tensor)

    def _space(self, parts: _Parts) -> Mixer:
        """Mamba (with ``ssm_x``) and Mamba-2: one state of ``ssm.state_size`` per inner channel."""
        inner, states = self._inner()
        first = parts.has("ssm_x")
        heads = 1 if first else self.of.number("ssm.time_step_rank", least=1, most=10**6)
        made = Mixer(
            "ssm", heads=heads, qk_dim=0 if first else states, v_dim=0 if first else inner // heads,
            weights=parts.mixer, small=parts.mixer_small,
        )  # fmt: skip
        return remembering(made, inner * states, self._taps(parts, "ssm_conv1d"))

    def _delta(self, parts: _Parts) -> Mixer:
        """Gated DeltaNet (2412.06464): a matrix of key × value per value head."""
        inner, keys = self._inner()
        heads = self.of.number("ssm.time_step_rank", least=1, most=10**6)
        made = Mixer(
            "linear", heads=heads, kv_heads=self.of.number("ssm.group_count", heads), qk_dim=keys,
            v_dim=inner // heads, weights=parts.mixer, small=parts.mixer_small,
        )  # fmt: skip
        return remembering(made, inner * keys, self._taps(parts, "ssm_conv1d"))

    def _inner(self) -> tuple[int, int]:
        return self.of.number("ssm.inner_size", least=1), self.of.number("ssm.state_size", least=1, most=10**6)

    def _kda(self, parts: _Parts, layer: int) -> Mixer:
        """Kimi Delta Attention (2510.26692): a square matrix per head, three short convolutions."""
        heads = self.heads[layer] or self.of.number("attention.head_count", least=1)
        dim = self.of.number("kda.head_dim", least=1, most=10**6)
        made = Mixer(
            "linear", heads=heads, kv_heads=heads, qk_dim=dim, v_dim=dim, weights=parts.mixer, small=parts.mixer_small,
        )  # fmt: skip
        taps = self._taps(parts, "ssm_conv1d_q", "ssm_conv1d_k", "ssm_conv1d_v")
        return remembering(made, heads * dim * dim, taps)

    def _rwkv(self, parts: _Parts) -> Mixer:
        """RWKV 6 and 7 (2404.05892): a square matrix per head, and the shifted tokens."""
        dim = self.of.number("wkv.head_size", least=1, most=10**6)
        width = self.of.number("embedding_length", least=1)
        shifts = self.of.number("token_shift_count", 2, most=16)
        heads = -(-width // dim)
        return Mixer(
            "linear", heads=heads, kv_heads=heads, qk_dim=dim, v_dim=dim, weights=parts.mixer,
            small=parts.mixer_small, state=width * dim + shifts * width,
        )  # fmt: skip


def _vector(tensor: Tensor) -> bool:
    """One row, or one column: a norm, a bias, a scale per head."""
    return sum(size > 1 for size in tensor.shape) < 2

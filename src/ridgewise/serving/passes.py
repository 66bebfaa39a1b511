"""Seconds of models that do not answer token by token: embeddings, pictures and clips, speech, encoder–decoders.

Each job is a few kinds of passes, of which every one is an engine step: its work against both roofs with the
efficiency that prompts reach under the same engine on the same device, a fixed cost per layer, nothing cached. No
measurement of such a job stands behind the coefficients: they are borrowed from prompts, which these passes resemble
(many rows through every matrix), and the intervals say so.

Convolutions count as products; a pass over a batch is one pass with more rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from ridgewise.models.architecture import Architecture, Canvas, LayerGroup
from ridgewise.models.families.diffusion import autoencoder
from ridgewise.models.formats import load_formats
from ridgewise.serving.keys import service_regime
from ridgewise.serving.limits import limits
from ridgewise.serving.setup import Setup
from ridgewise.timing import Term, terms
from ridgewise.timing.coefficients import Band
from ridgewise.timing.roofline import allreduce_seconds, overhead_seconds
from ridgewise.units import Bytes, Count, Num, Seconds, Tokens
from ridgewise.work import Plan, Step, Work, decode, prefill
from ridgewise.work.denoiser import denoise, picture_tokens
from ridgewise.work.forward import ACTIVATION_BYTES

#: Seconds of sound one pass of Whisper's encoder reads, however little of it is speech (arXiv 2212.04356, section 2.2).
WINDOW = 30.0
#: Text tokens of a second of speech, assumed: 150 words a minute (English conversation, National Center for Voice and
#: Speech), 1.3 tokens a word, and the marks of a segment.
SPOKEN = 3.5
#: Launches of a residual block or a resampling convolution over those of a transformer layer: about 10 kernels to 30.
CONVOLUTION = 1.0 / 3.0
#: Activations as wide as the hidden state that live at once in a transformer layer, and feature maps in a residual
#: block, assumed: projections and the inner feed-forward; input, norm, output and shortcut.
ALIVE, MAPS = 12.0, 4.0
#: How much further each way an interval reaches for passes unlike the prompts that were measured.
BORROWED = 1.5


@dataclass(frozen=True, slots=True)
class Stage:
    """One kind of pass of a job, and how often it runs.

    terms      every operator against both roofs
    fixed      seconds of a pass in which neither roof is touched: launches, collectives
    floor      seconds of a pass that no engine can beat
    alive      bytes of activations at the widest place of a pass, assumed
    """

    name: str
    times: Num
    terms: tuple[Term, ...]
    fixed: Seconds
    floor: Seconds
    alive: Bytes

    @property
    def each(self) -> Seconds:
        """Seconds of one pass."""
        return sum((term.seconds for term in self.terms), 0.0) + self.fixed

    @property
    def seconds(self) -> Seconds:
        """Seconds of all of them."""
        return self.times * self.each

    @property
    def flops(self) -> Num:
        """FLOP of all of them."""
        return self.times * sum((term.work.flops for term in self.terms), 0.0)

    @property
    def bound(self) -> str:
        """What most of its time goes to: "compute", "memory" or "overhead" (of a single answer)."""
        spent = {"compute": 0.0, "memory": 0.0, "overhead": float(np.mean(self.fixed))}
        for term in self.terms:
            spent[term.bound] += float(np.mean(term.seconds))
        return max(spent, key=lambda bound: spent[bound])


def _stage(
    setup: Setup, name: str, work: Mapping[str, Work], layers: float, step: Step, times: Num = 1.0,
    alive: Bytes | None = None,
) -> Stage:  # fmt: skip
    """A stage of passes with this work; ``step`` says how many tokens and sequences pass together."""
    tokens = float(np.max(step.tokens))
    offered, eff, tp = setup.rates(tokens), setup.efficiency(tokens), setup.plan.tp
    message = step.tokens * setup.arch.hidden * 2.0
    fixed = overhead_seconds(layers, 0.0, eff) + 2 * layers * allreduce_seconds(message, tp, offered, eff)
    parts = tuple(terms(work, offered, eff))
    launched = layers * setup.engine.launch - sum((term.seconds for term in parts), 0.0)  # launches hide behind work
    fixed = np.maximum(fixed, launched)
    flops, read = (sum((getattr(part, field) for part in work.values()), 0.0) for field in ("flops", "weights"))
    peak = np.maximum(np.asarray(offered.peak), np.asarray(offered.scores))
    floor = np.maximum(flops / peak, read / offered.bandwidth)
    if alive is None:
        engine = setup.engine
        most = limits(engine.id, setup.device).tokens if engine.limits else np.inf  # larger batches take several steps
        together = np.minimum(step.tokens, np.maximum(most, step.tokens / np.maximum(step.sequences, 1.0)))
        alive = ALIVE * together * setup.arch.hidden * ACTIVATION_BYTES / tp
    return Stage(name, times, parts, fixed, floor, alive)


def _stack(setup: Setup, groups: tuple[LayerGroup, ...], *, causal: bool, name: str) -> Setup:
    """The same deployment of one stack of the model, without tables and head."""
    arch = replace(
        setup.arch, name=f"{setup.arch.name} ({name})", groups=groups, encoder=(), head=0, tied=False, causal=causal,
        extra={}, canvas=None,
    )  # fmt: skip
    return replace(setup, arch=arch)


def _read(setup: Setup, step: Step, name: str, times: Num = 1.0) -> Stage:
    """Passes in which all tokens of a step go through a stack at once; their keys and values pass through memory."""
    work = setup.work(step, float(np.max(step.tokens)))
    return _stage(setup, name, work, float(setup.arch.layers), step, times)


def embed(setup: Setup, length: Tokens, sequences: Count = 1.0) -> tuple[Stage, ...]:
    """One batch of ``sequences`` texts (pictures, pairs) of ``length`` tokens through an encoder, or through a decoder
    whose last states are pooled: every token, no output head. Pooling and heads of a few classes are not counted."""
    body = _stack(setup, setup.arch.groups, causal=setup.arch.causal, name="body")
    return (_read(body, prefill(length, sequences), "encoder"),)


def draw(
    setup: Setup, width: Num, height: Num, length: Num, pictures: Count, steps: Count, guided: bool
) -> tuple[Stage, ...]:
    """``pictures`` pictures (or clips of ``length`` pictures) made together: the text encoder once, the denoiser in
    every step, with guidance with and without the text, and the autoencoder where its decoder is known."""
    canvas = setup.arch.canvas
    assert canvas is not None, "a diffusion model has one"
    tokens, passes = picture_tokens(canvas, width, height, length), 2.0 if guided else 1.0
    batch = pictures * passes
    work = denoise(setup.arch, tokens, float(canvas.text), batch, setup.plan.format)
    wide = widest(setup.arch, tokens, float(canvas.text), batch)
    found = [_stage(setup, "denoiser", work, launches(setup.arch), prefill(tokens, batch), steps, wide)]
    if setup.arch.extra.get("text_encoder"):
        found.insert(0, _text_encoder(setup, canvas, batch))
    if canvas.autoencoder:
        found.append(_autoencoder(setup, canvas, width, height, pictures))
    return tuple(found)


def widest(arch: Architecture, picture: Tokens, text: Tokens, sequences: Count) -> Bytes:
    """Bytes of activations at the widest place of a denoiser or an autoencoder, in 16 bits; assumed."""
    found: Bytes = 0.0
    for group in arch.groups:
        mixer, places = group.mixer, picture / group.stride**2
        if mixer.kind == "conv":
            values = MAPS * places * max(mixer.qk_dim, mixer.v_dim)
        else:
            values = ALIVE * (places + text) * mixer.heads * mixer.v_dim
        found = np.maximum(found, sequences * values * ACTIVATION_BYTES)
    return found


def launches(arch: Architecture) -> float:
    """Layers of a network by what they cost beside their work, in transformer layers."""
    return sum(group.count * (CONVOLUTION if group.mixer.kind == "conv" else 1.0) for group in arch.groups)


def _text_encoder(setup: Setup, canvas: Canvas, sequences: Count) -> Stage:
    """All its elements times the tokens of the text, in 16 bits: its layers are not known here."""
    elements, step = float(setup.arch.extra["text_encoder"]), prefill(float(canvas.text), sequences)
    work = {"projections": Work(2.0 * elements * step.tokens, 2.0 * elements, rows=step.tokens)}
    return _stage(setup, "text encoder", work, 0.0, step)


def _autoencoder(setup: Setup, canvas: Canvas, width: Num, height: Num, pictures: Count) -> Stage:
    """Latent values to pixels, in 16 bits."""
    decoder = autoencoder(canvas)
    wide = replace(setup, arch=decoder)
    work = denoise(decoder, width * height, 0.0, pictures, setup.plan.format)
    alive = widest(decoder, width * height, 0.0, pictures)
    return _stage(wide, "autoencoder", work, launches(decoder), prefill(width * height, pictures), 1.0, alive)


def _cross(groups: tuple[LayerGroup, ...], tokens: Num, step: Step, kv_bits: Num, tp: Num) -> Work:
    """Attention of a step's tokens to ``tokens`` cached ones of the encoder, in every layer of the decoder."""
    found = Work()
    for group in groups:
        mixer = group.mixer
        values = mixer.kv_heads * (mixer.qk_dim + mixer.v_dim)
        flops = 2.0 * mixer.heads * (mixer.qk_dim + mixer.v_dim) * step.tokens * tokens
        part = Work(flops / tp, cache=step.sequences * tokens * values * kv_bits / 8 / tp)
        found = found + part * group.count
    return found


def _without(groups: tuple[LayerGroup, ...], *roles: str) -> tuple[LayerGroup, ...]:
    return tuple(
        replace(
            g, mixer=replace(g.mixer, weights={r: n for r, n in g.mixer.weights.items() if r not in roles}, state=0)
        )
        for g in groups
    )


def _answers(
    setup: Setup, source: Tokens, output: Tokens, sequences: Count, times: Num = 1.0, beams: Count = 1.0
) -> tuple[Stage, Stage]:
    """Encoder once, then one decoder pass per token, with ``beams`` answers to each source tried side by side. The
    decoder's keys and values of the source are made with the encoder's pass and read in every later one."""
    arch, plan = setup.arch, setup.plan
    encoder = _stack(setup, arch.encoder, causal=False, name="encoder")
    step = prefill(source, sequences)
    work = dict(encoder.work(step, float(np.max(step.tokens))))
    made = sum(g.count * sum(g.mixer.weights.get(role, 0) for role in ("cross_k", "cross_v")) for g in arch.groups)
    bits = plan.format.bits("cross_k")
    keys = Work(2.0 * made * step.tokens / plan.tp, made * bits / 8 / plan.tp, rows=step.tokens)
    work["projections (source)"] = keys
    reading = _stage(encoder, "encoder", work, float(sum(g.count for g in arch.encoder)), step, times)
    body = replace(arch, groups=_without(arch.groups, "cross_k", "cross_v"), encoder=(), extra={})
    decoder = replace(setup, arch=body)
    one = decode(output / 2, sequences * beams)
    answering = dict(decoder.work(one, float(np.max(one.tokens))))
    answering["attention (source)"] = _cross(arch.groups, source, one, plan.kv_bits, plan.tp)
    return reading, _stage(decoder, "decoder", answering, float(arch.layers), one, times * output)


def translate(
    setup: Setup, source: Tokens, output: Tokens, sequences: Count = 1.0, beams: Count = 1.0
) -> tuple[Stage, ...]:
    """``sequences`` texts through an encoder–decoder (T5): ``source`` tokens in, ``output`` tokens out; ``beams``
    answers tried side by side."""
    return _answers(setup, source, output, sequences, 1.0, beams)


def transcribe(
    setup: Setup, audio: Seconds, spoken: Num = SPOKEN, windows: Count = 1.0, beams: Count = 1.0
) -> tuple[Stage, ...]:
    """``audio`` seconds of sound through Whisper: windows of 30 s, ``windows`` of them together, ``spoken`` tokens per
    second, ``beams`` answers tried side by side. The last window counts whole for the encoder."""
    cross = setup.arch.groups[0].mixer
    frames = cross.state // (cross.kv_heads * (cross.qk_dim + cross.v_dim))
    number = np.ceil(audio / WINDOW)
    together = np.minimum(windows, number)
    answered = spoken * np.minimum(audio, WINDOW)
    return _answers(setup, float(frames), answered, together, number / together, beams)


def see(
    setup: Setup, tower: Architecture, patches: Tokens, tiles: Count, projector: Num, tokens: Tokens
) -> tuple[Stage, ...]:
    """``tiles`` pictures or pieces of pictures of ``patches`` tokens through a tower in 16 bits, and the projection of
    ``tokens`` of them to the width of the language model."""
    plan = Plan(load_formats()["bf16"])  # whatever the language model's format, on one device
    looking = replace(setup, arch=tower, plan=plan, draft=None, host=None, adapters=0.0)
    step = prefill(patches, tiles)
    work = dict(looking.work(step, float(np.max(step.tokens))))
    work["projector"] = Work(2.0 * projector * tokens, 2.0 * projector, rows=np.maximum(tokens, 1.0))
    return (_stage(looking, "tower", work, float(tower.layers), step),)


@dataclass(frozen=True, slots=True)
class Job:
    """All passes of one job: ``units`` texts, pictures or seconds of sound are done in ``seconds``."""

    stages: tuple[Stage, ...]
    units: Num

    @property
    def seconds(self) -> Seconds:
        return sum((stage.seconds for stage in self.stages), 0.0)

    @property
    def floor(self) -> Seconds:
        """Seconds that no engine can beat."""
        return sum((stage.times * stage.floor for stage in self.stages), 0.0)

    @property
    def alive(self) -> Bytes:
        """Bytes of activations at the widest place of all passes, assumed."""
        found: Bytes = 0.0
        for stage in self.stages:
            found = np.maximum(found, stage.alive)
        return found

    @property
    def rate(self) -> Annotated[Num, "1/s"]:
        """Units per second."""
        return self.units / self.seconds

    @property
    def flops(self) -> Num:
        """FLOP of the job."""
        return sum((stage.flops for stage in self.stages), 0.0)


def band(setup: Setup) -> Band:
    """The 80 % interval of a job's seconds as ratios: that of the engine at work on what lies ready (offline
    throughput of services, prompts of single users), and further each way because no such job was measured."""
    if setup.many:
        found = setup.block.band("output_tok_s", service_regime(setup.device, setup.arch, "offline"), setup.support)
    else:
        found = setup.band("prefill_tok_s")
    return Band(1.0 / found.high / BORROWED, BORROWED / found.low, found.rows)


def tier(setup: Setup) -> str:
    """Evidence of a job's seconds: never better than borrowed from prompts ("transferred")."""
    found = setup.tier if setup.many else setup.prompt_tier
    return "transferred" if found in ("measured", "interpolated") else found


def generates(arch: Architecture) -> str:
    """What kind of work a model does: "text", "embeddings", "pictures", "speech" or "sequences"."""
    if arch.canvas is not None:
        return "pictures"
    if arch.family == "whisper":
        return "speech"
    if arch.encoder and arch.causal:
        return "sequences"
    return "text" if arch.causal else "embeddings"

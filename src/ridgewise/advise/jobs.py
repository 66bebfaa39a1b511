"""Jobs of models that do not answer token by token: how long a batch takes, and what its passes are bound by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ridgewise.advise.drawing import drawn
from ridgewise.advise.estimating import Estimation
from ridgewise.advise.limits import check_context
from ridgewise.economics import Draw
from ridgewise.engines import Backend, Engine, load_engines
from ridgewise.errors import RequestError
from ridgewise.hardware import Device
from ridgewise.hardware.machine import Machine
from ridgewise.memory import weight_bytes
from ridgewise.models import Architecture
from ridgewise.models.formats import Format, load_formats, native_format
from ridgewise.models.vision import Vision
from ridgewise.serving import Setup, passes
from ridgewise.serving.outcome import Outcome, Range, ranged
from ridgewise.timing.coefficients import Block
from ridgewise.timing.power import Effort
from ridgewise.timing.power import asked as effort_of
from ridgewise.units import Num, digits, duration, size, whole
from ridgewise.work import Plan
from ridgewise.work.denoiser import picture_tokens

#: Engines tried in order; pictures are made with the reference library, whose kernels nobody else's plans need.
ENGINES: Mapping[str, tuple[str, ...]] = {
    "pictures": ("transformers", "mlx", "openvino-genai", "optimum-habana"),
    "embeddings": ("vllm", "transformers", "mlx", "llama.cpp", "openvino-genai", "optimum-habana"),
    "speech": ("vllm", "transformers", "mlx", "openvino-genai", "optimum-habana"),
    "sequences": ("transformers", "tensorrt-llm", "optimum-habana"),
}
#: Texts of a batch, and tokens of each, where nothing is said.
BATCH, LENGTH = 32.0, 512.0
#: Tokens in and out of an encoder–decoder where nothing is said.
SOURCE, ANSWER = 512.0, 128.0


@dataclass(frozen=True, slots=True)
class JobAnswer:
    """One job on one deployment.

    kind       "embeddings", "pictures", "speech" or "sequences"
    unit       what ``job.units`` counts
    tokens     tokens that pass the largest stack per unit; 0 for speech
    seconds    the whole job; ``rate`` units per second of all replicas
    weights    bytes of all weights on one device
    draw       watts while it works; None where the limit of the board is not known
    """

    setup: Setup
    kind: str
    unit: str
    asked: str
    job: passes.Job
    tokens: float
    seconds: Range
    rate: Range
    weights: float
    draw: Draw | None
    notes: tuple[str, ...]

    @property
    def joules(self) -> Range | None:
        """Energy at the wall per unit [J]."""
        if self.draw is None:
            return None
        draw, rate = self.draw, self.rate
        return Range(draw.wall / rate.value, draw.low / rate.high, draw.high / rate.low)

    @property
    def left(self) -> float:
        """Bytes of a device that weights and activations leave."""
        return float(self.setup.usable - self.weights - float(self.job.alive))

    @property
    def fits(self) -> bool:
        return self.left >= 0

    @property
    def peak_share(self) -> float | None:
        """FLOP over time times peak: MFU; None where no peak is known."""
        peak = self.setup.peak
        each = float(self.job.flops) / self.setup.plan.tp
        return float(each / float(self.job.seconds) / peak[0]) if peak else None


def placed(
    arch: Architecture, device: Device, kind: str, engine: Engine | None, fmt: Format | None, tp: int = 1,
    memory: float | None = None, free: float | None = None, blocks: Mapping[str, Block] | None = None,
    replicas: int = 1,
) -> Setup:  # fmt: skip
    """The deployment of a job with the blanks filled; ``replicas`` of it do such jobs side by side. RequestError where
    it cannot be."""
    chosen, backend = _driver(device, kind, engine)
    format_ = _format(fmt, native_format(arch), chosen, backend)
    if tp > 1 and (kind == "pictures" or chosen.split != "tensor"):
        raise RequestError(f"{kind} are made on one device here", "--tp", ("--tp 1",))
    usable = free if free is not None else Machine(device, tp, memory).usable
    if usable is None:
        raise RequestError(f"the memory of {device.name} is not in the catalogue", "--memory", ("--memory 64GiB",))
    if not device.bandwidth:
        raise RequestError(f"the memory bandwidth of {device.name} is not in the catalogue", "hardware")
    return Setup(arch, device, chosen, backend, Plan(format_, float(tp)), usable, replicas, blocks)


def _format(asked: Format | None, native: Format, engine: Engine, backend: Backend) -> Format:
    """The format asked for, or the checkpoint's own; where the back end takes others alone, its widest."""
    formats = load_formats()
    if asked is None and backend.formats and native.id not in backend.formats:
        return max((formats[name] for name in backend.formats), key=lambda fmt: fmt.default)
    chosen = asked or native
    if (chosen.default < 16 and chosen.family not in engine.families) or (
        asked is not None and backend.formats and asked.id not in backend.formats
    ):
        able = backend.formats or tuple(f.id for f in formats.values() if f.family in engine.families)
        raise RequestError(f"{engine.name} ({backend.id}) does not take {chosen.name}", "--quant", able[:6])
    return chosen


def _driver(device: Device, kind: str, engine: Engine | None) -> tuple[Engine, Backend]:
    """The engine named, or the first that does such jobs on the device: the usual ones before the others."""
    engines = load_engines()
    if engine is not None:
        able = tuple(e.id for e in engines.values() if kind in e.jobs and e.backend(device, asked=True))
        backend = engine.backend(device, asked=True)
        if kind not in engine.jobs:
            raise RequestError(f"{engine.name} does no {kind}", "--engine", able)
        if backend is None:
            raise RequestError(f"{engine.name} does not run on {device.name}", "--engine", able)
        return engine, backend
    unusual = ("transformers", *ENGINES[kind])  # the reference library runs on more than it is usual for
    for asked, names in ((False, ENGINES[kind]), (True, unusual)):
        for name in names:
            found = engines[name].backend(device, asked=asked)
            if found is not None and kind in engines[name].jobs:
                return engines[name], found
    raise RequestError(f"no engine of the catalogue does {kind} on {device.name}", "hardware")


def embeddings(setup: Setup, batch: float, length: float, towers: Vision | None = None) -> JobAnswer:
    """A batch of texts (of a vision transformer: pictures), all at once; with ``towers`` as many pictures beside."""
    arch = setup.arch
    check_context(arch, length, "--length", "texts")
    stages = passes.embed(setup, length, batch)
    unit, asked = "texts", f"{whole(batch)} × {whole(length)} tokens"
    if not arch.vocab:
        unit, asked = "pictures", f"{whole(batch)} × {whole(length)} patches"
    if towers is not None:
        seen = towers.seen(1, 1)
        stages += passes.see(setup, towers.tower, float(seen.patches), batch, 0.0, 0.0)
        unit, asked = "pairs", f"{whole(batch)} × {whole(length)} tokens and {whole(seen.patches)} patches"
    return _answer(setup, "embeddings", unit, asked, passes.Job(stages, batch), length)


def pictures(setup: Setup, width: int, height: int, length: int, batch: float, steps: float, guided: bool) -> JobAnswer:
    """Pictures, or clips of ``length`` pictures."""
    canvas = setup.arch.canvas
    assert canvas is not None, "only diffusion models are asked for pictures"
    tokens = float(picture_tokens(canvas, width, height, length))
    if tokens < 1:
        side = canvas.shrink * canvas.patch
        raise RequestError(f"{width}x{height} is smaller than one token", "--size", (f"--size {side}x{side}",))
    stages = passes.draw(setup, width, height, float(length), batch, steps, guided)
    unit = "clips" if canvas.frames > 1 else "pictures"
    frames = f" × {length} frames" if canvas.frames > 1 else ""
    twice = ", twice each (guidance)" if guided else ""
    asked = f"{whole(batch)} of {width} × {height}{frames}: {whole(tokens)} tokens, {whole(steps)} steps{twice}"
    return _answer(setup, "pictures", unit, asked, passes.Job(stages, batch), tokens)


def speech(setup: Setup, audio: float, windows: float, beams: float) -> JobAnswer:
    """Sound to text; units are seconds of sound."""
    stages = passes.transcribe(setup, audio, windows=windows, beams=beams)
    together = f", {whole(windows)} windows at once" if windows > 1 else ""
    tried = f", {whole(beams)} beams" if beams > 1 else ""
    asked = f"{duration(audio)} of sound in windows of 30 s{together}{tried}"
    return _answer(setup, "speech", "seconds of sound", asked, passes.Job(stages, audio), 0.0)


def sequences(setup: Setup, source: float, output: float, batch: float, beams: float) -> JobAnswer:
    """Texts through an encoder–decoder."""
    stages = passes.translate(setup, source, output, batch, beams)
    tried = f", {whole(beams)} beams" if beams > 1 else ""
    asked = f"{whole(batch)} × {whole(source)} tokens in, {whole(output)} out{tried}"
    return _answer(setup, "sequences", "texts", asked, passes.Job(stages, batch), source)


def _answer(setup: Setup, kind: str, unit: str, asked: str, job: passes.Job, tokens: float) -> JobAnswer:
    band, seconds = passes.band(setup), float(job.seconds)
    took = ranged(seconds, band.low, band.high, float(job.floor))
    units = job.units * setup.replicas
    rate = Range(units / took.value, units / took.high, units / took.low)
    held = float(weight_bytes(setup.arch, setup.plan))
    notes = tuple(_notes(setup, kind, job, held))
    return JobAnswer(setup, kind, unit, asked, job, tokens, took, rate, held, _draw(setup, job), notes)


def _draw(setup: Setup, job: passes.Job) -> Draw | None:
    """Watts of the mean of all passes."""
    effort = Effort()
    for stage in job.stages:
        effort = effort + effort_of({term.operator: term.work for term in stage.terms}, setup.rates()) * stage.times
    return drawn(setup, effort * (1.0 / job.seconds))


def _notes(setup: Setup, kind: str, job: passes.Job, held: float) -> Iterator[str]:
    """What the reader of the numbers should know."""
    alive = float(job.alive)
    if held + alive > setup.usable:
        yield f"it does not fit: {size(held + alive - setup.usable)} too little per device"
        largest = float(weight_bytes(replace(setup.arch, extra={}), setup.plan))
        own = sum(float(stage.alive) for stage in job.stages if stage.name == "denoiser")
        if largest < held and largest + own <= setup.usable:
            yield f"one part after the other would: the denoiser alone takes {size(largest)} (model offload)"
    yield (
        f"no such job was measured: the passes are timed like prompts under {setup.engine.name} "
        f"({passes.tier(setup)}), and the interval reaches {digits(passes.BORROWED)} times further each way"
    )
    names = {stage.name for stage in job.stages}
    if kind == "pictures":
        left = [name for name in ("text encoder", "autoencoder") if name not in names]
        if left:
            yield f"not counted, because the model's file does not describe it: {' and '.join(left)}"
        yield "activations are assumed; tiles of the autoencoder take less"
    if kind == "speech":
        yield f"{digits(passes.SPOKEN)} tokens per second of speech assumed; silence costs as much as speech"
    if kind == "embeddings":
        yield "every text fills the batch's length; tokenising, pooling and transport are not counted"
    if lent := setup.engine.borrows(setup.backend):
        yield f"measurements of {lent}, which has kernels of the same kind, stand in for those of {setup.engine.name}"
    if setup.lone:
        yield "the coefficients rest on one device of this kind"
    if setup.peak is None:
        yield f"no sheet gives a peak rate of {setup.device.name}: a typical ratio to bandwidth stands in"
    yield from (note for note in setup.arch.assumptions if not note.startswith("The denoiser alone"))


def with_pictures(found: Estimation, towers: Vision, width: int, height: int, pictures_: float) -> Estimation:
    """The estimate of a prompt that holds pictures: their tokens are in the load already, their towers' passes come
    before the first token and take their time from everybody's answers."""
    setup, load = found.reader or found.setup, found.load
    seen = towers.seen(width, height)
    stages = passes.see(
        setup, towers.tower, float(seen.patches), pictures_ * seen.tiles, towers.projector, pictures_ * seen.tokens
    )
    seconds = float(passes.Job(stages, pictures_).seconds)
    band = passes.band(setup)
    looking = Range(seconds, seconds * band.low, seconds * band.high)
    many = f"{whole(pictures_)} pictures" if pictures_ > 1 else "a picture"
    note = (
        f"{many} of {width} × {height}: {whole(seen.tokens)} tokens of the prompt and {duration(seconds / pictures_)} "
        f"in the tower{' each' * (pictures_ > 1)}"
    )
    return replace(found, outcome=_delayed(found.outcome, looking, load.output, found.setup.replicas),
                   notes=(note, *found.notes))  # fmt: skip


def _delayed(outcome: Outcome, looking: Range, output: Num, replicas: int) -> Outcome:
    """With ``looking`` more seconds of work per request: the first token waits for it; in a closed loop every request
    takes its share of a replica, ``R' = R / (1 + R·t)``, and answers stretch as much."""
    each = outcome.requests.value / replicas

    def stretched(before: Num, first: Num, added: Num) -> tuple[Num, Num]:
        longer = before * (1.0 + each * added)
        return longer, (longer - first - added) / np.maximum(output - 1.0, 1.0)

    e2e, ttft = outcome.e2e, outcome.ttft
    value = stretched(e2e.value, ttft.value, looking.value)
    low, high = stretched(e2e.low, ttft.low, looking.low), stretched(e2e.high, ttft.high, looking.high)
    less = 1.0 / (1.0 + each * looking.value)
    return replace(
        outcome, ttft=ttft + looking, e2e=Range(value[0], low[0], high[0]), tpot=Range(value[1], low[1], high[1]),
        output=outcome.output * less, requests=outcome.requests * less,
    )  # fmt: skip

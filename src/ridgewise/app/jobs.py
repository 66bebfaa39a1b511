"""``ridgewise estimate`` for models that do not answer token by token, and for prompts with pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgewise.app.anchors import own_blocks
from ridgewise.app.home import own
from ridgewise.app.inspecting import held, number
from ridgewise.errors import RequestError

if TYPE_CHECKING:
    from ridgewise.advise.jobs import JobAnswer
    from ridgewise.models.vision import Vision
    from ridgewise.report.jobs import JobDocument
    from ridgewise.serving import Setup

#: Flags of each kind of job; those of all others are refused.
FLAGS: Mapping[str, tuple[str, ...]] = {
    "text": ("images", "size"),
    "embeddings": ("length",),
    "pictures": ("size", "steps", "guidance", "frames"),
    "speech": ("audio", "beams"),
    "sequences": ("beams",),
}
EVERY = tuple(dict.fromkeys(flag for flags in FLAGS.values() for flag in flags))


def kind_of(model: str, flags: Mapping[str, Any]) -> str:
    """What kind of job the flags ask of a model; RequestError where they do not go together."""
    from ridgewise.models.read import load_model
    from ridgewise.serving.passes import generates

    kind = generates(load_model(model, own("models")).arch)
    if kind == "text" and flags.get("length"):
        kind = "embeddings"
    for flag in EVERY:
        if flags.get(flag) is not None and flag not in FLAGS[kind]:
            able = tuple(f"--{name}" for name in FLAGS[kind])
            raise RequestError(f"{model} does {kind}: the flag says nothing about that", f"--{flag}", able)
    return kind


def documented(model: str, hardware: str, kind: str, flags: Mapping[str, Any]) -> JobDocument:
    """What one deployment does with one job, as the published document."""
    from ridgewise.report.jobs import document

    return document(answer(model, hardware, kind, flags))


def job(model: str, hardware: str, **flags: Any) -> JobAnswer:
    """What one deployment does with one job: texts to embed, pictures, sound, an encoder–decoder.

    ``flags`` are those of ``ridgewise estimate`` (batch, length, size, steps, guidance, frames, audio, beams, prompt,
    output, engine, quant, tp, replicas, memory, free), numbers or words. Seconds and rates come with their 80 %
    interval (``.seconds.value``, ``.low``, ``.high``). Raises :class:`ridgewise.errors.RequestError` for what is
    unknown or cannot be, and for models that answer token by token.
    """
    from ridgewise.advise.jobs import ANSWER, SOURCE

    known = {*EVERY, "batch", "prompt", "output", "engine", "quant", "tp", "replicas", "memory", "free"} - {"images"}
    if wrong := sorted(set(flags) - known):
        raise RequestError(f"unknown flag {wrong[0]!r}", "job", tuple(sorted(known)))
    kind = kind_of(model, flags)
    if kind == "text":
        raise RequestError(f"{model} answers token by token", "model", ("ridgewise.estimate", "length=512"))
    return answer(model, hardware, kind, {"prompt": SOURCE, "output": ANSWER, **flags})


def answer(model: str, hardware: str, kind: str, flags: Mapping[str, Any]) -> JobAnswer:
    """The job behind the flags; blanks are filled by what is usual for the model."""
    from ridgewise.advise import jobs
    from ridgewise.engines import engine
    from ridgewise.hardware.sheets import device
    from ridgewise.models.formats import weight_format
    from ridgewise.models.read import load_model

    _plain(flags)
    found = load_model(model, own("models"))
    setup = jobs.placed(
        found.arch, device(hardware, "hardware", own("hardware")), kind,
        engine(flags["engine"]) if flags.get("engine") else None,
        weight_format(flags["quant"]) if flags.get("quant") else found.format, int(flags.get("tp") or 1),
        *held(flags), own_blocks(),
        int(flags.get("replicas") or 1),
    )  # fmt: skip
    many = flags.get("batch") or flags.get("concurrency")
    batch = number(many, "1", "--batch", 1, 1e6) if many else None
    beams = float(flags.get("beams") or 1)
    if kind == "embeddings":
        return _embeddings(setup, model, flags, batch or jobs.BATCH)
    if kind == "pictures":
        return _pictures(setup, flags, batch or 1.0)
    if kind == "speech":
        audio = number(flags.get("audio") or "60s", "s", "--audio", 0.1, 1e8)
        return jobs.speech(setup, audio, batch or 1.0, beams)
    source = number(flags["prompt"], "tokens", "--prompt", 1, 1e8)
    return jobs.sequences(setup, source, number(flags["output"], "tokens", "--output", 1, 1e8), batch or 1.0, beams)


#: Flags of deployments that answer token by token.
UNUSED = (
    "pp", "ep", "cached", "kv_bits", "max_sequences", "utilization", "draft", "draft_tokens", "acceptance", "adapters",
    "rank", "ngl", "cpu_moe", "host", "prefill_on", "prefill_tp", "prefill_engine", "link",
)  # fmt: skip


def _plain(flags: Mapping[str, Any]) -> None:
    """Refuse flags that mean nothing here."""
    for flag in UNUSED:
        if flags.get(flag) not in (None, False, 1):
            raise RequestError("the model does not answer token by token", f"--{flag.replace('_', '-')}")


def _embeddings(setup: Setup, model: str, flags: Mapping[str, Any], batch: float) -> JobAnswer:
    from ridgewise.advise import jobs
    from ridgewise.models.vision import vision

    most = float(setup.arch.max_context or jobs.LENGTH)
    usual = most if not setup.arch.vocab else min(jobs.LENGTH, most)
    length = number(flags["length"], "tokens", "--length", 1, 1e8) if flags.get("length") else usual
    config = configuration(model) if setup.arch.family == "clip" else None
    return jobs.embeddings(setup, batch, length, vision(config) if config else None)


def _pictures(setup: Setup, flags: Mapping[str, Any], batch: float) -> JobAnswer:
    from ridgewise.advise import jobs

    canvas = setup.arch.canvas
    assert canvas is not None, "the kind was told by it"
    width, height = pixels(flags["size"]) if flags.get("size") else (canvas.width, canvas.height)
    steps = float(flags.get("steps") or canvas.steps)
    frames = int(flags.get("frames") or canvas.length)
    if canvas.frames == 1 and frames > 1:
        raise RequestError(f"{setup.arch.name} makes pictures, not clips", "--frames", ("--batch N",))
    guided = canvas.guided if flags.get("guidance") is None else bool(flags["guidance"])
    return jobs.pictures(setup, width, height, frames, batch, steps, guided)


def pixels(text: str) -> tuple[int, int]:
    """Width and height of ``1024x768``, or of a square of one side."""
    found = re.fullmatch(r"\s*(\d{1,5})\s*(?:[x×*]\s*(\d{1,5}))?\s*", text)
    if found is None or not int(found[1]) or not int(found[2] or found[1]):
        raise RequestError(f"{text!r} is no size in pixels", "--size", ("--size 1024x1024",))
    return int(found[1]), int(found[2] or found[1])


def configuration(model: str) -> dict[str, Any] | None:
    """The ``config.json`` behind a name, a file or a folder; None where weight files hold the model."""
    from ridgewise.models.read import find, read_json

    path = Path(model)
    if path.is_dir():
        path = path / "config.json"
    if path.is_file():
        return read_json(path) if path.suffix == ".json" else None
    return None if ":" in model else read_json(find(model, own("models")).path)


def shown(model: str, flags: Mapping[str, Any]) -> tuple[Vision, int, int, float] | None:
    """The tower, size and number of the pictures in a prompt; None where there are none."""
    if not flags.get("images"):
        return None
    from ridgewise.models.vision import sight

    width, height = pixels(flags.get("size") or "1024x1024")
    return sight(configuration(model)), width, height, float(flags["images"])

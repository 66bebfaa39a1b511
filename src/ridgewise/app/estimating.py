"""``ridgewise estimate``, and the same call in Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgewise.app.inspecting import deployment, given, number
from ridgewise.errors import RequestError

if TYPE_CHECKING:
    from ridgewise.report.estimate import EstimateDocument
    from ridgewise.report.jobs import JobDocument
    from ridgewise.serving import Setup
    from ridgewise.serving.outcome import Outcome

#: Probability that a drafted token is taken where nothing is said: between the 0.6 to 0.8 that chat and code reach with
#: drafts of a twentieth of the size (arXiv 2211.17192, table 3), and DeepSeek-V3's own 0.85 to 0.9 for one token.
ACCEPTANCE = "0.7"


def prepared(model: str, hardware: str, flags: Mapping[str, Any]) -> Setup:
    """The deployment behind the flags of one machine; unknown names and impossible layouts are refused."""
    from ridgewise.advise.estimating import adapted, drafted, lowered
    from ridgewise.app.home import own
    from ridgewise.hardware.sheets import device
    from ridgewise.models.read import load_model

    setup = replace(deployment(model, hardware, flags), replicas=int(flags.get("replicas") or 1))
    if flags.get("adapters"):
        setup = adapted(setup, float(flags["adapters"]), float(flags.get("rank") or 16))
    if flags.get("ngl") is not None or flags.get("cpu_moe") or flags.get("host"):
        from ridgewise.advise.offload import HOST

        host = device(flags.get("host") or HOST, "--host", own("hardware"))
        if host.kind not in ("cpu", "unified"):
            raise RequestError(f"{host.name} is no processor with RAM", "--host", ("--host 'EPYC 9654'",))
        context = float(flags["prompt"]) + float(flags["output"])
        setup = lowered(setup, host, flags.get("ngl"), bool(flags.get("cpu_moe")), context)
    if flags.get("draft"):
        small = None if flags["draft"] == "mtp" else load_model(flags["draft"], own("models")).arch
        tokens = number(str(flags.get("draft_tokens") or (1 if small is None else 4)), "1", "--draft-tokens", 1, 64)
        acceptance = number(str(flags.get("acceptance") or ACCEPTANCE), "ratio", "--acceptance", 0, 1)
        setup = drafted(setup, small, tokens, acceptance)
    return setup


def run(model: str, hardware: str, flags: Mapping[str, Any], report: Path | None = None, *, json: bool) -> int:
    """Print what one deployment does with one load, and write its ``report``; 1 where it does not fit."""
    from ridgewise.report import estimate, jobs
    from ridgewise.report.document import as_json

    found = estimated(model, hardware, flags)
    if report is not None:
        _report(report, found, model, hardware, flags)
    if json:
        print(as_json(found))
    elif isinstance(found, jobs.JobDocument):
        jobs.show(found)
    else:
        estimate.show(found)
    return 0 if found.fits else 1


#: Flags of an explanation, and those under which it would be of something else.
SIMPLE = ("engine", "quant", "prompt", "output", "tp", "pp", "ep")
ELSE = ("kv_bits", "draft", "adapters", "ngl", "cpu_moe", "host", "prefill_on", "images", "memory", "free")


def _report(path: Path, found: Any, model: str, hardware: str, flags: Mapping[str, Any]) -> None:
    """Write the memo, with the roofline where an explanation is of the same deployment."""
    from ridgewise.app import reporting
    from ridgewise.app.inspecting import explained
    from ridgewise.report.estimate import EstimateDocument

    behind = None
    if isinstance(found, EstimateDocument) and not any(flags.get(name) for name in ELSE):
        many = flags.get("batch") or flags.get("concurrency") or "1"
        behind = explained(model, hardware, {**{name: flags.get(name) for name in SIMPLE}, "batch": many})
    reporting.write(path, found, behind)


def estimated(model: str, hardware: str, flags: Mapping[str, Any]) -> EstimateDocument | JobDocument:
    """What one deployment does with one load; ``flags`` are those of ``ridgewise estimate``, with underscores."""
    from ridgewise.advise.estimating import estimation
    from ridgewise.app import jobs
    from ridgewise.report.estimate import document
    from ridgewise.serving.outcome import Load

    if flags.get("batch") and flags.get("concurrency"):
        raise RequestError("started together or in flight, not both", "--batch, --concurrency", ("--batch 8",))
    kind = jobs.kind_of(model, flags)
    if kind != "text":
        return jobs.documented(model, hardware, kind, flags)
    looking = jobs.shown(model, flags)
    many = flags.get("batch") or flags.get("concurrency") or "1"
    load = Load(
        number(given(flags, "prompt", "1024"), "tokens", "--prompt", 1, 1e8),
        number(given(flags, "output", "512"), "tokens", "--output", 1, 1e8),
        number(many, "1", "--batch" if flags.get("batch") else "--concurrency", 1, 1e6),
        number(flags.get("cached") or "0", "ratio", "--cached", 0, 0.999), together=bool(flags.get("batch")),
    )  # fmt: skip
    if looking is not None:
        tower, width, height, pictures = looking
        load = replace(load, prompt=load.prompt + pictures * tower.seen(width, height).tokens)
    sizes = {"prompt": load.prompt, "output": load.output}
    setup = prepared(model, hardware, {**flags, **sizes})
    reader, link = None, None
    if flags.get("prefill_on"):
        from ridgewise.models.formats import load_formats

        same = {"engine": flags.get("prefill_engine"), "quant": flags.get("quant"), "kv_bits": flags.get("kv_bits")}
        fmt = load_formats().get(setup.plan.format.id)
        same["quant"] = same["quant"] or (fmt.id if fmt else None)
        reader = prepared(model, flags["prefill_on"], {**same, **sizes, "tp": flags.get("prefill_tp")})
        link = number(flags.get("link") or "12.5 GB/s", "B/s", "--link", 1e6, 1e13)
    found = estimation(setup, load, reader, link)
    if looking is not None:
        from ridgewise.advise.jobs import with_pictures

        found = with_pictures(found, *looking)
    return document(found)


def estimate(
    model: str,
    hardware: str,
    *,
    prompt: Any = 1024.0,
    output: Any = 512.0,
    concurrency: Any = 1.0,
    cached: Any = 0.0,
    together: bool = False,
    **flags: Any,
) -> Outcome:
    """What one deployment does with a load, or with a column of loads.

    ``prompt``, ``output`` (tokens), ``concurrency`` (requests in flight) and ``cached`` (share of the prompt in the
    prefix cache) are numbers or arrays of one length; ``together``: the requests start together instead of following
    each other. ``flags`` are those of ``ridgewise estimate`` (engine, quant, tp, pp, ep, replicas, kv_bits, memory,
    free, max_sequences, utilization, ngl, cpu_moe, host, draft, draft_tokens, acceptance, adapters, rank). Seconds and
    rates come with their 80 % interval (``.ttft.value``, ``.low``, ``.high``). Raises
    :class:`ridgewise.errors.RequestError` for what is unknown or cannot be.
    """
    import numpy as np

    from ridgewise.serving.outcome import Load, outcome

    numbers = {"prompt": prompt, "output": output, "concurrency": concurrency, "cached": cached}
    columns = {name: np.asarray(value, dtype=float) for name, value in numbers.items()}
    lengths = {column.shape for column in columns.values() if column.ndim}
    if len(lengths) > 1 or any(column.ndim > 1 for column in columns.values()):
        raise RequestError("columns of one length, or numbers", "estimate", ("prompt=1024.0",))
    for name, (low, high) in {
        "prompt": (1.0, 1e8), "output": (1.0, 1e8), "concurrency": (1.0, 1e6), "cached": (0.0, 0.999)
    }.items():  # fmt: skip
        column = columns[name]
        if column.size and not (np.all(column >= low) and np.all(column <= high)):
            raise RequestError(f"outside {low:g} … {high:g}", name)
    known = {"engine", "quant", "kv_bits", "tp", "pp", "ep", "replicas", "memory", "free", "ngl", "cpu_moe", "host",
             "max_sequences", "utilization", "draft", "draft_tokens", "acceptance", "adapters", "rank"}  # fmt: skip
    if wrong := sorted(set(flags) - known):
        raise RequestError(f"unknown flag {wrong[0]!r}", "estimate", tuple(sorted(known)))
    most = {name: float(np.max(columns[name])) for name in ("prompt", "output")}
    setup = prepared(model, hardware, {**{k: _text(v) for k, v in flags.items()}, **most})
    p, o, c, k = (column if column.ndim else float(column) for column in columns.values())
    return outcome(setup, Load(p, o, c, k, together))


def _text(value: Any) -> Any:
    """Numbers as the command line would give them, where it gives words."""
    return value if value is None or isinstance(value, str | bool | int) else f"{value:g}"

"""``ridgewise bench``: predict, measure, compare, and keep what was measured."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import isfinite
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ridgewise.app.here import runs, said
from ridgewise.app.home import own
from ridgewise.errors import RequestError

if TYPE_CHECKING:
    from ridgewise.evidence.tables import Row
    from ridgewise.here.llama_bench import Reading
    from ridgewise.here.load import Driven, Load
    from ridgewise.here.match import Detected
    from ridgewise.models.stored import Model
    from ridgewise.report.here import BenchDocument, Compared

SOURCE = "mine"
ENGINES = ("llama.cpp",)


@dataclass(frozen=True, slots=True)
class Place:
    """What is measured on: the sheet of the device, how many, and which part of it computes."""

    device: str
    count: int
    unit: str
    found: tuple[Detected, ...]


def here(named: str | None) -> Place:
    """The device named, or the best of this machine's that the catalogue knows."""
    from ridgewise.hardware.sheets import device
    from ridgewise.here.match import detected
    from ridgewise.serving.local import native_unit

    found = detected(own("hardware"))
    if named is not None:
        sheet = device(named, "--device", own("hardware"))
        same = [one for one in found if one.device == sheet.id]
        return Place(sheet.id, same[0].count if same else 1, native_unit(sheet), found)
    for one in found:
        if one.device and one.unit in ("gpu", "cpu"):
            return Place(one.device, one.count, one.unit, found)
    names = ", ".join(one.label for one in found)
    raise RequestError(f"has no sheet: {names}", "this machine", ("ridgewise probe", "--device NAME"))


def known_model(name: str) -> tuple[Model, dict[str, str]]:
    """A model of the catalogue or of a file, and the columns that name it in a measurement."""
    from ridgewise.evidence.importers.reading import plain
    from ridgewise.models.read import find, load_model
    from ridgewise.validation.models import ENDINGS

    model = load_model(name, own("models"))
    cells = {"params_b": plain(round(model.arch.parameters_total / 1e9, 6))}
    cells["arch"] = "moe" if model.arch.moe else "dense"
    if model.arch.moe:
        cells["params_active_b"] = plain(round(model.arch.parameters_active / 1e9, 6))
    stem = Path(name).stem
    tails = (*ENDINGS, *(f"{sep}{model.arch.dtype}" for sep in "-._"))
    for spelled in (name, stem, *(stem[: -len(tail)] for tail in tails if stem.casefold().endswith(tail.casefold()))):
        try:
            entry = find(spelled, own("models"))
        except RequestError:
            continue
        return model, {**cells, "model_id": entry.id, "config_file": entry.path.name}
    return model, {**cells, "model_id": stem}


def closed(kind: str, rows: Sequence[Row], words: Sequence[tuple[str, str, float | None]]) -> list[Compared]:
    """Every row beside its prediction before it was known; kept; and beside what all that is kept predicts now.

    ``words``: what each row says, its unit, its spread.
    """
    from ridgewise.app.anchors import own_blocks
    from ridgewise.app.measuring import store_at
    from ridgewise.evidence.tables import KINDS, Table
    from ridgewise.hardware.sheets import also
    from ridgewise.report.here import Compared
    from ridgewise.timing.coefficients import load_blocks
    from ridgewise.validation.predict import predict

    table = Table(KINDS[kind], tuple(rows), "bench")
    with also(own("hardware")):
        before = predict(table, own_blocks() or load_blocks())
    store_at(None).add(kind, rows, "ridgewise bench")
    with also(own("hardware")):
        after = predict(table, own_blocks() or load_blocks())
    return [
        Compared(
            what, unit, first.measured, _finite(first.predicted), _finite(first.low), _finite(first.high),
            first.tier or first.reason, _finite(then.predicted), spread,
        )
        for (what, unit, spread), first, then in zip(words, before, after, strict=True)
    ]  # fmt: skip


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def llama(model: str, quant: str | None, device: str | None, options: Mapping[str, Any]) -> BenchDocument:
    """Phases of llama.cpp with the user's GGUF file, or with random weights of a named architecture."""
    from ridgewise.here.llama_server import LlamaServer, engine

    found = engine()
    place = here(device)
    held, cells = known_model(model)
    if Path(model).suffix == ".gguf":
        return _llama(Path(model), held, cells, place, found.version, options, LlamaServer)
    from ridgewise.here.random_gguf import MIXES, size, write

    mix = quant or "q4_k_m"
    if mix not in MIXES:
        raise RequestError(f"no random weights are made in {mix!r}", "--quant", tuple(MIXES))
    with tempfile.TemporaryDirectory(prefix="ridgewise-") as folder:
        needed = size(held.arch, mix)
        said(f"writing {held.arch.name} with random weights in {mix}, {needed / 2**30:.2f} GiB")
        path = write(Path(folder) / f"{held.arch.name.rpartition('/')[2]}-{mix}.gguf", held.arch, mix)
        stored, _ = known_model(str(path))
        return _llama(path, stored, cells, place, found.version, options, LlamaServer)


def _llama(
    path: Path, model: Model, cells: Mapping[str, str], place: Place, version: str, options: Mapping[str, Any],
    server_of: Any,
) -> BenchDocument:  # fmt: skip
    from ridgewise.here.llama_bench import phases, readings
    from ridgewise.here.power import Power
    from ridgewise.here.probe import cores
    from ridgewise.models.formats import model_bytes
    from ridgewise.report.here import BenchDocument

    threads = options["threads"] or cores()
    slots, output = options["slots"], options["output"]
    wanted = phases(options["prompts"], options["depths"], output, slots)
    longest = max(max(options["prompts"]), max(options["depths"]) + output) + 64
    layers = 999 if place.unit == "gpu" else 0
    done, partial = [], ""
    with Power() as power:
        try:
            with server_of(path, threads, context=max(longest, slots * (min(options["depths"]) + output + 64)) * slots,
                           slots=slots, layers=layers) as server:  # fmt: skip
                for reading in readings(server, wanted, said, options["repeats"], threads, model.arch.vocab):
                    done.append(reading)
        except KeyboardInterrupt:
            partial = "stopped by the user"
        except RequestError as error:
            if not done:
                raise
            partial = str(error)
    if not done:
        raise RequestError("nothing was measured before it was stopped", str(path))
    assert model.format is not None
    size = model_bytes(model.arch, model.format) / 2**30
    count = place.count if place.unit == "gpu" else 1
    rows = local_rows(done, cells, place.device, count, place.unit, model.arch.dtype, size, version, threads, partial)
    words = [(one.phase.said, "tokens/s", one.spread) for one in done]
    compared = closed("local", rows, words)
    notes = [f"{one.phase.said}: others were at work, {100 * (one.busy or 0):.0f} % was ours" for one in done
             if one.disturbed]  # fmt: skip
    return BenchDocument(
        1, "bench", f"llama.cpp ({version}), {threads} threads", f"{cells['model_id']} {model.arch.dtype}",
        place.device, tuple(compared), len(rows), moving(rows), partial, (), power.watts, None,
        tuple(runs(place.found)), tuple(notes),
    )  # fmt: skip


def moving(rows: Sequence[Row]) -> int:
    """How many of these measurements predictions rest on; the others are context."""
    return sum(row["use"] == "score" for row in rows)


def local_rows(
    done: Sequence[Reading], cells: Mapping[str, str], device: str, count: int, unit: str, precision: str, size: float,
    version: str, threads: int, partial: str,
) -> list[Row]:  # fmt: skip
    """Readings of llama.cpp as measurements of one user's speed; ``size``: of the weights [GiB]."""
    from ridgewise.evidence.completion import complete
    from ridgewise.evidence.importers.reading import plain

    return [
        complete("local", {
            **cells, "date": date.today().isoformat(), "device_id": device, "compute_unit": unit,
            "n_devices": str(count), "parallelism": "single" if count == 1 else "layer", "engine": "llama.cpp",
            "engine_version": version, "backend": "cpu" if unit == "cpu" else "", "precision": precision,
            "weight_gib": plain(size), "metric": one.phase.metric, "value": plain(one.value),
            "stdev": plain(one.spread * one.value), "n_runs": str(one.rounds), "prompt_tokens": str(one.phase.prompt),
            "gen_tokens": str(one.phase.output), "context_depth": str(one.phase.depth),
            "batch": str(one.phase.batch), "ubatch": "512", "derived": "0", "offload": "full",
            "notes": f"threads={threads}" + ("; partial" if partial else ""),
        }, "bench", SOURCE, ("others were at work",) if one.disturbed else ())
        for one in done
    ]  # fmt: skip


def endpoint(url: str, served: str, load: Load, about: Mapping[str, str | None]) -> BenchDocument:
    """Load on a server; kept and predicted where it is said what serves what on what."""
    from ridgewise.here.load import drive
    from ridgewise.here.power import Power
    from ridgewise.report.here import BenchDocument, Compared

    with Power() as power:
        run = drive(url, served, load, said, os.environ.get("OPENAI_API_KEY", ""))
    errors = [one.error for one in run.outcomes if one.error]
    told = tuple(f"{errors.count(text)} × {text}" for text in dict.fromkeys(errors))
    if not run.answered:
        raise RequestError(told[0] if told else run.cut or "no request was answered", url)
    figures = served_figures(run)
    lacking = [f"--{name}" for name in ("device", "engine", "model", "quant") if not about.get(name)]
    if lacking:
        compared = [Compared(what, unit, value, None, None, None, "") for what, _, _, unit, value in figures]
        note = f"not kept, and not predicted: say {', '.join(lacking)}"
        rows = 0
    else:
        rows, compared = _served_rows(run, figures, about)
        note = "measured at the client"
    return BenchDocument(
        1, "bench", url, run.model, about.get("device") or "a server", tuple(compared), rows, rows, run.cut, told,
        power.watts if "127.0.0.1" in url or "localhost" in url else None, None, (), (note,),
    )  # fmt: skip


def served_figures(run: Driven) -> list[tuple[str, str, str, str, float]]:
    """What users of the server felt: (words, metric, statistic, unit, value), and what the server yielded."""
    from ridgewise.here.load import quantile

    found = []
    held = {
        ("first token", "ttft_ms"): [one.ttft_s for one in run.answered if one.ttft_s is not None],
        ("each further token", "tpot_ms"): [one.tpot_s for one in run.answered if one.tpot_s is not None],
        ("whole answer", "e2e_ms"): [one.e2e_s for one in run.answered],
        ("between tokens", "itl_ms"): [
            later - earlier for one in run.answered for earlier, later in zip(one.pieces, one.pieces[1:], strict=False)
        ],
    }  # fmt: skip
    for (words, metric), values in held.items():
        if values:
            found.append((f"{words}, mean", metric, "mean", "ms", 1e3 * fmean(values)))
            found += [(f"{words}, p{p}", metric, f"p{p}", "ms", 1e3 * quantile(values, p / 100)) for p in (50, 90, 99)]
    output = sum(one.output_tokens or len(one.pieces) for one in run.answered)
    found.append(("answered", "output_tok_s", "", "tokens/s", output / run.seconds))
    found.append(("answered", "req_s", "", "requests/s", len(run.answered) / run.seconds))
    return found


def _served_rows(
    run: Driven, figures: Sequence[tuple[str, str, str, str, float]], about: Mapping[str, str | None]
) -> tuple[int, list[Compared]]:
    from ridgewise.evidence.completion import complete
    from ridgewise.evidence.importers.reading import plain
    from ridgewise.hardware.sheets import device

    _, cells = known_model(str(about["model"]))
    cells["active_params_b"] = cells.pop("params_active_b", "")
    inputs = [one.input_tokens for one in run.answered if one.input_tokens is not None]
    load = run.load
    common = {
        **cells, "date": date.today().isoformat(),
        "device_id": device(str(about["device"]), "--device", own("hardware")).id,
        "n_devices": about.get("count") or "1", "tp": about.get("count") or "1", "engine": str(about["engine"]),
        "weight_dtype": str(about["quant"]),
        "load": "closed_loop" if load.rate is None else "open_loop", "num_requests": str(len(run.answered)),
        "concurrency": str(load.clients) if load.rate is None else "",
        "request_rate": plain(load.rate) if load.rate is not None else "",
        "input_tokens": plain(round(fmean(inputs), 1)) if inputs else str(load.prompt),
        "output_tokens": plain(round(fmean(one.output_tokens or len(one.pieces) for one in run.answered), 1)),
        "notes": f"partial: {run.cut}" if run.cut else "",
    }  # fmt: skip
    rows = [
        complete("serving", {**common, "metric": metric, "stat": stat, "value": plain(value)}, "bench", SOURCE)
        for _, metric, stat, _, value in figures
    ]
    return len(rows), closed("serving", rows, [(words, unit, None) for words, _, _, unit, _ in figures])


def train(model: str, device: str | None, options: Mapping[str, Any]) -> BenchDocument:
    """Steps of a decoder with random weights in PyTorch."""
    from ridgewise.evidence.completion import complete
    from ridgewise.evidence.importers.reading import plain
    from ridgewise.here.contention import OURS
    from ridgewise.here.power import Power
    from ridgewise.here.probe import cores
    from ridgewise.here.train_bench import train as steps
    from ridgewise.report.here import BenchDocument

    place = here(device)
    held, cells = known_model(model)
    threads = options["threads"] or cores()
    length, micro = options["length"], options["micro"]
    on = "cpu" if place.unit == "cpu" else "cuda"
    dtype = "float32" if on == "cpu" else "bfloat16"
    with Power() as power:
        done = steps(held.arch, length, micro, threads, options["repeats"] + 2, said, on, dtype)
    tokens = length * micro
    mixer = held.arch.groups[0].mixer
    cells["active_params_b"] = cells.pop("params_active_b", "")
    row = complete("training", {
        **cells, "run_id": f"{SOURCE}-{place.device}", "date": date.today().isoformat(), "device_id": place.device,
        "n_devices": "1", "devices_per_node": "1", "framework": "pytorch", "framework_version": done.version,
        "family": "llm-dense", "layers": str(held.arch.layers), "hidden": str(held.arch.hidden),
        "heads": str(mixer.heads), "kv_heads": str(mixer.kv_heads), "head_dim": str(mixer.qk_dim),
        "vocab": str(held.arch.vocab), "method": "pretrain", "precision": "fp32" if on == "cpu" else "bf16",
        "seq_len": str(length), "micro_batch": str(micro), "global_batch_seqs": str(micro), "optimizer": "adamw",
        "sharding": "none", "tp": "1", "pp": "1", "dp": "1", "recompute": "none", "flash_attention": "1",
        "metric": "tokens_s_per_gpu", "value": plain(tokens / done.seconds), "calibration": "absolute",
        "notes": f"threads={threads}" + ("; partial" if done.cut else ""),
    }, "bench", SOURCE, () if done.busy >= OURS else ("others were at work",))  # fmt: skip
    compared = closed("training", [row], [(f"{micro} × {length} tokens a step", "tokens/s", done.spread)])
    notes = [] if done.busy >= OURS else [f"others were at work: {100 * done.busy:.0f} % of the time was ours"]
    return BenchDocument(
        1, "bench", f"PyTorch {done.version}, {threads} threads", f"{cells['model_id']} {dtype}", place.device,
        tuple(compared), 1, moving([row]), done.cut, (), power.watts, done.memory, (), tuple(notes),
    )  # fmt: skip


def show(document: BenchDocument, *, json: bool) -> int:
    """Print it; 1 where the run ended early."""
    from ridgewise.report.document import as_json
    from ridgewise.report.here import print_bench

    if json:
        print(as_json(document))
    else:
        print_bench(document)
    return 1 if document.partial else 0

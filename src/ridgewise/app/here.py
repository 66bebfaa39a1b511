"""``ridgewise doctor``, ``probe`` and ``bench``: this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgewise.app.home import own, write_whole
from ridgewise.errors import RequestError

if TYPE_CHECKING:
    from ridgewise.here.contention import Figure
    from ridgewise.here.match import Detected
    from ridgewise.report.here import Runs

#: Models that a first look tries, large to small, with the mix most people run.
TRIED = (
    "Llama-3.3-70B", "Qwen3-30B-A3B", "gpt-oss-20b", "Llama-3.1-8B", "Qwen3-4B", "Llama-3.2-3B", "Llama-3.2-1B",
)  # fmt: skip


def said(line: str) -> None:
    """Progress goes to standard error: the answer alone stands on standard output."""
    print(line, file=sys.stderr, flush=True)


def doctor(record: Path | None, read: Path | None, *, json: bool) -> int:
    """What is here, what of it the catalogue knows, and what runs well."""
    from ridgewise.here.detect import detect, live
    from ridgewise.here.match import matched
    from ridgewise.report.document import as_json
    from ridgewise.report.here import DoctorDocument, print_doctor

    if read is not None:
        from ridgewise.here.seen import recording

        here = detect(recording(read))
    else:
        seen = live()
        here = detect(seen)
        if record is not None:
            write_whole(record, seen.recorded())
            said(f"what was looked at is written to {record}")
    found = matched(here, own("hardware"))
    document = DoctorDocument(1, "doctor", here, found, tuple(runs(found)))
    if json:
        print(as_json(document))
    else:
        print_doctor(document)
    return 0


def runs(found: tuple[Detected, ...]) -> list[Runs]:
    """The largest models of a short list that fit the free memory of the best device here, and how fast they answer."""
    from ridgewise.advise.estimating import estimation
    from ridgewise.app.estimating import prepared
    from ridgewise.report.here import Runs
    from ridgewise.serving.outcome import Load

    main = next((one for one in found if one.device and one.unit in ("gpu", "cpu")), None)
    if main is None:
        return []
    rows: list[Runs] = []
    for model in TRIED:
        flags: dict[str, Any] = {"tp": main.count if main.unit == "gpu" else 1, "prompt": 512, "output": 256}
        if main.free:
            flags["free"] = f"{main.free:.0f}"
        quant = "gguf-mxfp4" if model.startswith("gpt-oss") else "q4_k_m"
        try:
            held = prepared(model, main.device, {**flags, "quant": quant, "engine": "llama.cpp"})
            got = estimation(held, Load(512.0, 256.0, 1.0, 0.0))
        except RequestError:
            continue
        if got.fits:
            speed, first = got.outcome.tpot.inverse, got.outcome.ttft
            rows.append(
                Runs(model, quant, main.device, float(speed.value), float(speed.low), float(speed.high),
                     float(first.value), float(got.memory.left), held.tier)
            )  # fmt: skip
    return rows


def probe(seconds: float, threads: int | None, *, json: bool) -> int:
    """Measure this machine, keep the figures, and make a sheet of them."""
    from datetime import date

    from ridgewise.app.home import home, keep
    from ridgewise.hardware.sheets import device_from, forget
    from ridgewise.here.contention import IDLE, idle
    from ridgewise.here.detect import detect, live
    from ridgewise.here.match import OURS
    from ridgewise.here.probe import cores
    from ridgewise.here.probe import probe as measure
    from ridgewise.here.sheet import sheet
    from ridgewise.report.document import as_json
    from ridgewise.report.here import Measured, ProbeDocument, print_probe

    here, notes = detect(live()), []
    free = idle()
    if free is not None and free < IDLE:
        notes.append(f"others used {100 * (1 - free):.0f} % of the processors when this began: figures may be low")
    count = threads or min(cores(), here.cpu.cores or cores())
    figures = list(measure(said, count, here.ram.free or 4e9, seconds))
    text = sheet(here, figures, date.today().isoformat())
    import tomllib

    made = device_from(tomllib.loads(text), "the sheet of this machine")
    path = keep("hardware", f"{OURS}.toml", text)
    forget()
    rows = _kept_products(figures)
    disturbed = sum(not figure.kept for figure in figures)
    if disturbed:
        notes.append(f"{disturbed} of {len(figures)} figures were disturbed: measure again when the machine is idle")
    notes.append(f"kept in {home()}: a sheet, and {rows} measurements of matrix products")
    notes.append(f"usable in every command as 'here': ridgewise estimate Llama-3.2-1B here ({made.name})")
    document = ProbeDocument(
        1, "probe",
        tuple(Measured(f.name, f.unit, f.value, f.spread, f.rounds, f.busy, f.kept) for f in figures),
        made.id, str(path), rows, tuple(notes),
    )  # fmt: skip
    if json:
        print(as_json(document))
    else:
        print_probe(document)
    return 0


def _kept_products(figures: Sequence[Figure]) -> int:
    """Best matrix products by number format as rows of the store; how many."""
    from ridgewise.app.measuring import store_at
    from ridgewise.evidence.completion import complete
    from ridgewise.evidence.importers.reading import plain
    from ridgewise.here.match import OURS

    best: dict[str, Figure] = {}
    for figure in figures:
        parts = figure.name.split(", ")
        if figure.unit == "FLOP/s" and not figure.name.startswith("torch cuda"):
            kind = next(part for part in parts if part.startswith(("fp", "bf")))
            if kind not in best or figure.value > best[kind].value:
                best[kind] = figure
    rows = [
        complete("matmul", {
            "device_id": OURS, "precision": kind, "value": plain(figure.value / 1e12), "notes": figure.name,
            "metric": "matmul_tflops_best_shape",
        }, "probe", "mine")
        for kind, figure in best.items()
    ]  # fmt: skip
    store_at(None).add("matmul", rows, "ridgewise probe")
    return len(rows)

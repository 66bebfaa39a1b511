"""``ridgewise doctor``, ``probe`` and ``bench``: this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgewise.app.home import own, write_whole
from ridgewise.errors import RequestError

if TYPE_CHECKING:
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
        for quant in ("mxfp4", "q4_k_m"):
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
            break
    return rows

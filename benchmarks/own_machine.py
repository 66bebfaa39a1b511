"""This machine, predicted and measured: ``python -m benchmarks.own_machine`` writes ``benchmarks/own_machine.md``.

A real llama.cpp runs random weights of three sizes in two formats: prompts, answers at several depths, four at once.
Predictions are made with the shipped coefficients and what ``ridgewise probe`` measured; then with one size as an
anchor, of the other sizes. Every ratio of predicted to measured is printed. Machines are noisy: the report names the
share of the processors that was ours, and only medians beyond twice the limits are a failure. It takes some minutes
and wants an idle machine; ``--again`` judges the readings of the last run anew.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

from ridgewise.app.benching import local_rows
from ridgewise.evidence.tables import KINDS, Row, Table
from ridgewise.hardware.sheets import also
from ridgewise.here import random_gguf
from ridgewise.here.contention import Figure, idle
from ridgewise.here.detect import detect, live
from ridgewise.here.llama_bench import Phase, Reading, phases, readings
from ridgewise.here.llama_server import LlamaServer, engine
from ridgewise.here.match import OURS
from ridgewise.here.probe import cores, probe
from ridgewise.here.sheet import sheet
from ridgewise.models.read import load
from ridgewise.timing.coefficients import load_blocks
from ridgewise.validation.anchor import anchored
from ridgewise.validation.predict import predict

MODELS = ("HuggingFaceTB/SmolLM2-135M", "HuggingFaceTB/SmolLM2-360M", "Qwen/Qwen3-0.6B")
MIXES = ("q8_0", "q4_0")
ANCHOR = MODELS[1]
PROMPTS, DEPTHS, OUTPUT, SLOTS = (512,), (128, 512, 1024), 32, 4
#: Largest median error by phase: with the probe alone, and with one anchor.
LIMITS = {"decode_tok_s": (0.20, 0.10), "prefill_tok_s": (0.35, 0.10)}
RAW, REPORT = Path(__file__).with_name("own_machine.json"), Path(__file__).with_name("own_machine.md")


def measure() -> dict[str, Any]:
    """The probe, and every phase of every model: written down as it comes, so that a run cut short is not lost."""
    free, count = idle(), cores()
    here = detect(live())
    figures = list(probe(_said, count, here.ram.free))
    made = sheet(here, figures, date.today().isoformat())
    held: dict[str, Any] = {
        "machine": here.cpu.name, "threads": count, "idle": free, "engine": engine().version,
        "figures": [asdict(figure) for figure in figures], "sheet": made, "runs": [],
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="ridgewise-") as folder:
        for model in MODELS:
            arch = load(model)
            for mix in MIXES:
                path = random_gguf.write(Path(folder) / "model.gguf", arch, mix)
                wanted = phases(PROMPTS, DEPTHS, OUTPUT, SLOTS)
                context = SLOTS * (max(DEPTHS) + OUTPUT + 64)
                with LlamaServer(path, count, context=context, slots=SLOTS) as server:
                    for one in readings(server, wanted, _said, 3, count):
                        held["runs"].append({"model": model, "mix": mix, **asdict(one)})
                        RAW.write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")
                path.unlink()
    return held


def judge(held: Mapping[str, Any]) -> tuple[list[str], bool]:
    """The report of a measurement, and whether every median is within twice its limit."""
    runs = held["runs"]
    rows = [row for run in runs for row in _rows(run, held)]
    with tempfile.TemporaryDirectory(prefix="ridgewise-") as folder:
        (Path(folder) / f"{OURS}.toml").write_text(held["sheet"], encoding="utf-8")
        with also(Path(folder)):
            shipped = load_blocks()
            first = predict(_table(rows), shipped)
            anchors = [row for row in rows if row["model_id"] == ANCHOR]
            then = predict(_table(rows), anchored(shipped, [_table(anchors)]))
    names = ("model", "format", "phase", "measured", "spread", "ours", "after probe", "ratio", "after anchor", "ratio")
    lines = [*_head(held), _line(names), _line(["---"] * len(names))]
    errors: dict[tuple[str, int], list[float]] = {}
    for run, row, before, after in zip(runs, rows, first, then, strict=True):
        phase = Phase(**run["phase"])
        a, b = before.predicted / before.measured, after.predicted / after.measured
        mine = row["model_id"] == ANCHOR
        busy = "" if run["busy"] is None else f"{100 * run['busy']:.0f} %"
        cells = (run["model"], run["mix"], phase.said, f"{before.measured:.1f}", f"{100 * run['spread']:.0f} %", busy)
        said = (
            f"{before.predicted:.1f}",
            f"{a:.2f}",
            f"{after.predicted:.1f}",
            f"{b:.2f}{' (anchor)' if mine else ''}",
        )
        lines.append(_line((*cells, *said)))
        if phase.batch == 1:
            errors.setdefault((phase.metric, 0), []).append(abs(a - 1))
            if not mine:
                errors.setdefault((phase.metric, 1), []).append(abs(b - 1))
    lines += ["", "| | median error | limit | |", "| --- | --- | --- | --- |"]
    good = True
    for (metric, stage), found in sorted(errors.items(), key=lambda pair: (pair[0][1], pair[0][0])):
        limit, middle = LIMITS[metric][stage], median(found)
        good = good and middle <= 2 * limit
        stood = "within" if middle <= limit else "beyond" if middle <= 2 * limit else "beyond twice"
        when = "other sizes after one anchor" if stage else "after the probe"
        lines.append(f"| {metric.partition('_')[0]}, {when} | {100 * middle:.0f} % | {100 * limit:.0f} % | {stood} |")
    return lines, good


def _rows(run: Mapping[str, Any], held: Mapping[str, Any]) -> Iterable[Row]:
    reading = Reading(Phase(**run["phase"]), run["value"], run["spread"], run["rounds"], run["busy"])
    arch = load(run["model"])
    cells = {"model_id": run["model"], "config_file": f"{run['model'].replace('/', '__')}.json",
             "params_b": f"{arch.parameters_total / 1e9:.6f}"}  # fmt: skip
    size = random_gguf.size(arch, run["mix"]) / 2**30
    return local_rows([reading], cells, OURS, 1, "cpu", run["mix"], size, held["engine"], held["threads"], "")


def _table(rows: Sequence[Row]) -> Table:
    return Table(KINDS["local"], tuple(rows), "own machine")


def _head(held: Mapping[str, Any]) -> list[str]:
    figures = [Figure(**one) for one in held["figures"]]
    ours = [run["busy"] for run in held["runs"] if run["busy"] is not None]
    shares = (
        f"{100 * min(ours):.0f} to {100 * max(ours):.0f} %, in the median {100 * median(ours):.0f} %" if ours else "?"
    )
    free = "?" if held["idle"] is None else f"{100 * held['idle']:.0f} %"
    probed = [
        _line((f.name, f"{f.value / 1e9:.1f} G{f.unit}", f"{100 * f.spread:.0f} %", f"{100 * f.busy:.0f} %"))
        for f in figures
    ]
    return [
        "# A machine predicted and measured", "",
        f"{held['machine']}, {held['threads']} cores, llama.cpp ({held['engine']}), random weights.",
        f"Idle when it began: {free} of the processors; the engine's share of them while it was timed: {shares}.",
        *(("", held["without"]) if "without" in held else ()),
        "", _line(("probe", "median", "spread", "ours")), _line(["---"] * 4), *probed, "",
    ]  # fmt: skip


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _said(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Measure, judge, write; 1 where a median is beyond twice its limit."""
    held = json.loads(RAW.read_text(encoding="utf-8")) if "--again" in sys.argv else measure()
    lines, good = judge(held)
    REPORT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

"""Predict, measure, keep, predict again: with readings made up to be faster than predicted."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median

import pytest

from ridgewise.app.benching import closed, known_model, local_rows
from ridgewise.app.main import main
from ridgewise.evidence.tables import KINDS, Row, Table, read_table
from ridgewise.facts.catalog import catalog_path
from ridgewise.here import random_gguf
from ridgewise.here.llama_bench import Phase, Reading, phases
from ridgewise.here.sheet import READ_SHARE
from ridgewise.models.read import load
from ridgewise.timing.coefficients import load_blocks
from ridgewise.validation.predict import predict

SHEET = """
id = "this-machine"
name = "Some CPU (this machine)"
kind = "cpu"
aliases = ["here"]
[figures]
memory = "64 GiB"
cores = 8
bandwidth = { value = "60 GB/s", kind = "derived" }
peak_fp32 = { value = "0.6 TFLOP/s", kind = "measured" }
"""
FASTER = 1.3


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RIDGEWISE_HOME", str(tmp_path))
    (tmp_path / "hardware").mkdir()
    (tmp_path / "hardware" / "this-machine.toml").write_text(SHEET)
    return tmp_path


def rows(model: str, rate: float | list[float], wanted: list[Phase]) -> list[Row]:
    _, cells = known_model(model)
    rates = rate if isinstance(rate, list) else [rate] * len(wanted)
    done = [Reading(phase, value, 0.01, 3, 1.0) for phase, value in zip(wanted, rates, strict=True)]
    size = random_gguf.size(load(model), "q4_0") / 2**30
    return local_rows(done, cells, "this-machine", 1, "cpu", "q4_0", size, "made up", 8, "")


def speed(capsys: pytest.CaptureFixture[str], model: str) -> dict[str, float]:
    capsys.readouterr()
    flags = ["--engine", "llama.cpp", "--quant", "q4_0", "--prompt", "512", "--output", "64", "--json"]
    assert main(["estimate", model, "here", *flags]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    return {"tpot": found["tpot_s"]["value"], "tier": found["tpot_s"]["tier"]}


def test_a_reading_kernel_reaches_what_the_fastest_decoding_did() -> None:
    place = catalog_path("measurements", "local.csv.gz")
    fastest = [row for row in read_table(place).rows if row["row_id"] in ("L05206", "L05238", "L05210")]
    found = predict(Table(KINDS["local"], tuple(fastest), ""), load_blocks())
    shares = [one.measured / one.baselines["datasheet roofline"] for one in found]
    assert len(shares) == 3 and min(shares) <= READ_SHARE <= max(shares)
    assert median(shares) == pytest.approx(READ_SHARE, abs=0.01)


def test_measurements_move_this_machine_and_every_model_on_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = phases((512,), (128, 1024), 48, 1)
    words = [(phase.said, "tokens/s", 0.01) for phase in wanted]
    before = speed(capsys, "Llama-3.1-8B")
    asked = closed("local", rows("Llama-3.2-1B", 1.0, wanted), words)
    (home / "measurements.sqlite").unlink()
    expected = [one.predicted for one in asked]
    assert all(expected)
    found = closed("local", rows("Llama-3.2-1B", [FASTER * (value or 0) for value in expected], wanted), words)
    assert [one.predicted for one in found] == expected, "predicted before anything was known"
    for one in found:
        assert one.off == pytest.approx(1 / FASTER - 1)
        assert one.low is not None and one.high is not None and one.low < one.measured < one.high
        assert one.afterwards == pytest.approx(one.measured, rel=0.12)
    after = speed(capsys, "Llama-3.1-8B")
    assert before["tpot"] / after["tpot"] == pytest.approx(FASTER, rel=0.12), "another model follows"
    assert (before["tier"], after["tier"]) == ("transferred", "interpolated")


def test_own_measurements_are_judged_as_if_they_were_not_known(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--mine"]) == 2
    assert "holds no measurements yet" in capsys.readouterr().err
    wanted = phases((512,), (128,), 48, 1)
    closed("local", rows("Llama-3.2-1B", [300.0, 30.0], wanted), [(phase.said, "tokens/s", 0.01) for phase in wanted])
    assert main(["validate", "--mine", "--json"]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert first["totals"]["rows"] == 2 and first["totals"]["predicted"] == 2
    assert main(["validate", "--mine", "--kind", "local"]) == 2


def test_a_machine_without_a_sheet_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIDGEWISE_HOME", str(tmp_path))
    monkeypatch.setattr("ridgewise.here.match.detect", lambda seen: _nameless())
    monkeypatch.setattr("ridgewise.here.match.live", lambda: None)
    assert main(["bench", "Llama-3.2-1B", "--train"]) == 2
    assert "ridgewise probe" in capsys.readouterr().err


def _nameless() -> object:
    from ridgewise.here.machine import Cpu, Here

    return Here(cpu=Cpu("Unheard-of CPU"))

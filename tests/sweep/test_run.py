"""Sweeps as they are run: the numbers of ``estimate``, every row once, whatever computes them and whatever dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ridgewise
from ridgewise.errors import RequestError
from ridgewise.sweep import swept
from ridgewise.sweep.grid import grid, read_grid
from ridgewise.sweep.run import RESULT, computed, finished
from ridgewise.timing.coefficients import load_blocks

from .conftest import NONE, TABLE, Make


def read(path: Path) -> dict[str, list[Any]]:
    import pyarrow.parquet as pq

    found: dict[str, list[Any]] = pq.read_table(path).to_pydict()
    return found


def same(one: Path, other: Path) -> bool:
    names = sorted(path.name for path in one.iterdir())
    return names == sorted(path.name for path in other.iterdir()) and all(
        (one / name).read_bytes() == (other / name).read_bytes() for name in names
    )


def test_rows_are_those_of_estimate(make: Make, tmp_path: Path) -> None:
    found = swept(make(), tmp_path / "a")
    rows = read(found.result)
    assert found.rows == found.kept == 240 and rows["row"] == list(range(240))
    for at in (0, 63, 130, 239):
        one = ridgewise.estimate(
            "Llama-3.1-8B-Instruct", rows["hardware"][at], prompt=rows["prompt_tokens"][at],
            concurrency=rows["concurrency"][at],
        )  # fmt: skip
        for column, ranged in (("ttft_s", one.ttft), ("tpot_s", one.tpot), ("output_tokens_per_s", one.output)):
            told = [rows[column + end][at] for end in ("", "_low", "_high")]
            assert told == pytest.approx([float(ranged.value), float(ranged.low), float(ranged.high)], rel=1e-12)


def test_what_a_user_measured_moves_a_sweep_as_it_moves_an_answer(make: Make, tmp_path: Path) -> None:
    shipped = load_blocks()
    known = shipped["serving"].coefficients
    halved = replace(known["compute"], value=known["compute"].value / 2)
    moved = replace(shipped["serving"], coefficients={**known, "compute": halved})
    names = {"model": "Llama-3.1-8B-Instruct", "hardware": "H100 SXM", "engine": "vllm"}
    asked = make(names=names, numbers={"prompt": 4096})
    before = read(swept(asked, tmp_path / "a").result)
    after = read(swept(replace(asked, blocks={**shipped, "serving": moved}), tmp_path / "b").result)
    assert after["ttft_s"][0] > 1.2 * before["ttft_s"][0]
    with pytest.raises(RequestError, match="another grid"):
        swept(asked, tmp_path / "b")


def test_dearer_electricity_costs_more_and_changes_no_speed(make: Make, tmp_path: Path) -> None:
    rows = {name: np.array(column) for name, column in read(swept(make(), tmp_path / "a").result).items()}
    cheap, dear = rows["tariff_usd_per_kwh"] == 0.1, rows["tariff_usd_per_kwh"] == 0.3
    assert (rows["tpot_s"][cheap] == rows["tpot_s"][dear]).all()
    assert rows["energy_usd_per_month"][dear] == pytest.approx(3 * rows["energy_usd_per_month"][cheap])


def test_processes_give_the_same_bytes(make: Make, tmp_path: Path) -> None:
    for on in ("serial", "processes"):
        swept(make(), tmp_path / on, on, 2)
    assert same(tmp_path / "serial" / "parts", tmp_path / "processes" / "parts")


def test_a_cluster_gives_the_same_bytes(make: Make, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed: clusters are not tested")
    for on in ("serial", "ray"):
        swept(make(part=120), tmp_path / on, on, 2)
    assert same(tmp_path / "serial" / "parts", tmp_path / "ray" / "parts")


def test_a_worker_that_is_killed_costs_nothing(make: Make, tmp_path: Path) -> None:
    swept(make(part=8), tmp_path / "serial")
    killed = 0
    for progress in computed(make(part=8), tmp_path / "processes", "processes", 2):
        if progress.done == 3 and not killed:
            victim = multiprocessing.active_children()[0]
            assert victim.pid is not None
            os.kill(victim.pid, signal.SIGKILL)
            killed = victim.pid
    assert killed and same(tmp_path / "serial" / "parts", tmp_path / "processes" / "parts")


GRID = """
[names]
model = "Llama-3.1-8B-Instruct"
hardware = ["H100 SXM", "RTX 4090"]
[numbers]
prompt = {from = 128, to = 8192, points = 64, scale = "log"}
concurrency = {from = 1, to = 64, points = 64, scale = "log"}
output = {from = 16, to = 512, points = 80}
[keep]
columns = ["ttft_s", "tpot_s"]
"""


def test_a_sweep_that_is_killed_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "grid.toml"
    file.write_text(GRID)
    command = [sys.executable, "-m", "ridgewise", "sweep", str(file), "--executor", "serial", "--out"]
    going = subprocess.Popen([*command, str(tmp_path / "b")], stdout=subprocess.DEVNULL)
    parts = tmp_path / "b" / "parts"
    for _ in range(600):
        if len(list(parts.glob("part-*.parquet"))) >= 1:
            break
        time.sleep(0.02)
    going.kill()
    going.wait()
    there = {path.name: path.stat().st_mtime_ns for path in parts.glob("part-*.parquet")}
    assert there and subprocess.run([*command, str(tmp_path / "b")], capture_output=True, timeout=120).returncode == 0
    assert all((parts / name).stat().st_mtime_ns == written for name, written in there.items())
    swept(read_grid(file, NONE), tmp_path / "whole")
    assert same(tmp_path / "whole" / "parts", parts)


@pytest.mark.parametrize(
    "keep",
    [
        {"top": {"order": "usd_per_million_output_tokens", "first": 4, "by": ["hardware"]}},
        {"front": {"of": ["tpot_s", "-output_tokens_per_s"]}, "where": ["fits"]},
        {"groups": {"by": ["hardware", "prompt_tokens"], "of": ["tpot_s"]}, "where": ["hardware != nvidia-rtx-4090"]},
    ],
)
def test_what_is_kept_does_not_depend_on_parts(make: Make, tmp_path: Path, keep: dict[str, Any]) -> None:
    one, many = (swept(make(part=part, keep=keep), tmp_path / str(part)) for part in (1000, 7))
    assert one.result.name == many.result.name == RESULT
    first, second = read(one.result), read(many.result)
    assert first.keys() == second.keys() and len(first["hardware"]) > 0
    for name, column in first.items():
        other: Any = pytest.approx(second[name], nan_ok=True) if isinstance(column[0], float) else second[name]
        assert column == other, name


def test_cases_side_by_side_are_what_they_are_alone(make: Make, tmp_path: Path) -> None:
    """Of few rows a case many deployments are computed as one; in parts that cut a case each is computed alone."""
    names = {"model": ["Llama-3.1-8B-Instruct", "openai/gpt-oss-120b"], "tp": "least",
             "hardware": ["nvidia-rtx-*", "kind:unified", "kind:gpu-datacenter", "kind:cpu"]}  # fmt: skip
    numbers = {"prompt": [128, 8192], "concurrency": [1, 40], "tariff": [0.1, 0.4]}
    many, alone = (
        read(swept(make(part=part, names=names, numbers=numbers), tmp_path / str(part)).result) for part in (8000, 3001)
    )
    assert many["row"] == alone["row"] and len(set(many["hardware"])) > 80
    for name, column in many.items():
        told: Any = pytest.approx(alone[name], rel=1e-12, nan_ok=True) if isinstance(column[0], float) else alone[name]
        assert column == told, name


def test_cases_that_cannot_be_are_counted_and_named(make: Make, tmp_path: Path) -> None:
    names = {"model": ["Llama-3.1-8B-Instruct"], "hardware": ["RTX 4090", "H100 SXM"], "engine": ["mlx", "vllm"]}
    found = swept(make(names=names), tmp_path / "a")
    assert found.skipped == {"--engine": 2} and "mlx" in found.examples["--engine"].casefold()
    assert found.rows == 240 and set(read(found.result)["engine"]) == {"vllm"}


def test_no_row_kept_is_a_data_set_all_the_same(make: Make, tmp_path: Path) -> None:
    found = swept(make(keep={"where": ["ttft_s < 0"]}), tmp_path / "a")
    rows = read(found.result)
    assert found.kept == 0 and rows["hardware"] == [] and "tpot_s" in rows


def test_the_fewest_devices_that_hold_a_request(make: Make, tmp_path: Path) -> None:
    names = {"model": ["Llama-3.1-70B-Instruct"], "hardware": ["H100 SXM"], "quant": "bf16", "tp": "least"}
    found = swept(make(names=names, numbers={}), tmp_path / "a")
    assert set(read(found.result)["devices"]) == {2.0}, "141 GB of weights on 80 GB devices"


def test_a_folder_of_another_sweep_is_left_alone(make: Make, tmp_path: Path) -> None:
    swept(make(), tmp_path / "a")
    with pytest.raises(RequestError, match="another grid"):
        swept(make(numbers={"prompt": 5}), tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "thesis.txt").write_text("x")
    with pytest.raises(RequestError, match="holds no sweep"):
        swept(make(), tmp_path / "b")
    assert (tmp_path / "b" / "thesis.txt").read_text() == "x"


def test_simulations_are_those_of_simulate(tmp_path: Path) -> None:
    told = {"kind": "simulate", "names": TABLE["names"] | {"engine": "vllm", "hardware": "H100 SXM"},
            "numbers": {"rate": [2, 8], "requests": 200, "seed": [3]}}  # fmt: skip
    found = swept(grid(told, NONE), tmp_path / "a")
    rows = read(found.result)
    one = ridgewise.simulate(
        "Llama-3.1-8B-Instruct", "H100 SXM", engine="vllm", rate="8", requests="200", seed=3,
        prompt="lognormal:1024,0.95", output="lognormal:512,0.77",
    )  # fmt: skip
    assert rows["requests_per_s"] == [2.0, 8.0] and rows["unanswered_requests"] == [0.0, 0.0]
    assert rows["tpot_mean_s"][1] == pytest.approx(one.tpot_s["mean"].value, rel=1e-9)
    assert finished(grid(told, NONE), tmp_path / "a").rows == 2

"""``plan`` and ``train`` answer one question alike, and so does what ``train`` says of other methods and models."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from ridgewise.app.main import main
from ridgewise.app.training import train
from ridgewise.report.training import document, show

CASES = [
    ("Llama-3.1-8B", "RTX 3060", "qlora"),
    ("Llama-3.1-8B", "RTX 4090", "lora"),
    ("Llama-3.1-8B", "RTX 4090", "qlora"),
    ("Llama-3.1-8B", "H100 SXM", "finetune"),
    ("Qwen2.5-14B-Instruct", "RTX 4090", "lora"),
    ("Llama-3.1-70B", "H100 SXM", "lora"),
    ("Llama-3.1-70B", "RTX A6000", "qlora"),
    ("Llama-3.1-8B", "apple-m4-max-40c", "lora"),
    ("Llama-3.1-8B", "H100 SXM", "train"),
    ("Llama-3.1-70B", "B200 SXM", "train"),
    ("Qwen/Qwen3-30B-A3B", "H100 SXM", "train"),
    ("Llama-3.1-8B", "TPU v6e", "train"),
]


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    main([*words, "--json"])
    found = json.loads(capsys.readouterr().out.rstrip("\n").rpartition("\n")[2])
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(("model", "hardware", "goal"), CASES)
def test_plan_and_train_name_the_same_devices_and_hours(
    capsys: pytest.CaptureFixture[str], model: str, hardware: str, goal: str
) -> None:
    words = (model, "--goal", goal, "--hardware", hardware, *(("--tokens", "1T") if goal == "train" else ()))
    planned = answer(capsys, "plan", *words)["options"][0]
    trained = answer(capsys, "train", *words)
    assert trained["feasible"] and planned["feasible"]
    assert planned["count"] == trained["devices"]
    assert (planned["layout"]["tp"], planned["layout"]["pp"]) == (
        trained["layouts"][0]["tp"],
        trained["layouts"][0]["pp"],
    )
    for end in ("value", "low", "high"):
        assert planned["run_s"][end] == pytest.approx(trained["run_s"][end], rel=1e-9)


def test_a_deadline_nobody_keeps_names_what_comes_nearest_in_time(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("plan", "Llama-3.1-8B", "--goal", "train", "--tokens", "2T", "--deadline", "1h")
    found = answer(capsys, *words)["options"]
    assert not any(option["feasible"] for option in found)
    nearest = found[0]
    assert nearest["count"] == 4096 and nearest["memory_bytes"]["value"] < nearest["memory_usable_bytes"]
    assert all(nearest["run_s"]["value"] <= other["run_s"]["value"] for other in found)


@pytest.mark.parametrize(
    ("goal", "other"), [("finetune", "lora"), ("finetune", "qlora"), ("lora", "finetune"), ("qlora", "lora")]
)
def test_another_method_fits_where_its_own_answer_fits(goal: str, other: str) -> None:
    asked = train("Llama-3.1-8B", "RTX 4090", goal=goal, count=1)
    knob = next(knob for knob in asked.knobs if knob.name == f"--goal {other}")
    own = train("Llama-3.1-8B", "RTX 4090", goal=other, count=1)
    assert knob.fits == own.plan.fits
    assert asked.plan.memory_total + knob.memory == pytest.approx(own.plan.memory_total)


def test_the_largest_that_fits_is_no_smaller_than_the_model_that_fits() -> None:
    found = train("Llama-3.1-8B", "RTX 4090", goal="lora", count=1)
    assert found.feasible and found.largest["lora"] == found.asked.arch.name


@pytest.mark.parametrize(
    ("model", "hardware", "flags"),
    [
        ("Llama-3.1-8B", "RTX 3060", {"goal": "qlora"}),
        ("Llama-3.1-70B", "H100 SXM", {"tokens": "2T"}),
        ("deepseek-ai/DeepSeek-V3", "H800 SXM", {"tokens": "14.8T", "count": 2048, "length": 32768}),
    ],
)
def test_layouts_are_readable_at_eighty_columns(model: str, hardware: str, flags: dict[str, Any]) -> None:
    out = Console(width=80, record=True, highlight=False, file=StringIO())
    found = document(train(model, hardware, **flags))
    show(found, out)
    said = out.export_text()
    assert "…" not in said
    assert f"{found.layouts[0].mfu:.0%}" in said


def test_rent_of_lone_machines_is_no_rent_of_a_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("plan", "Llama-3.1-8B", "--goal", "train", "--tokens", "2T", "--deadline", "30d", "--hardware")
    lone, joined = (answer(capsys, *words, device) for device in ("GH200 96GB", "H100 SXM"))
    assert lone["options"][0]["count"] > 1
    assert lone["options"][0]["cost_usd_run"] is None and joined["options"][0]["cost_usd_run"] is not None
    assert "single-machines" in {finding["rule"] for finding in lone["findings"]}
    assert "single-machines" not in {finding["rule"] for finding in joined["findings"]}
    one = answer(capsys, "plan", "Llama-3.1-8B", "--goal", "lora", "--hardware", "GH200 96GB")["options"][0]
    assert one["count"] == 1 and one["cost_usd_run"] is not None


def test_machines_that_nobody_lets_together_do_not_come_first(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "plan", "Llama-3.1-8B", "--goal", "train", "--tokens", "2T")
    assert found["options"][0]["tier"] in ("measured", "interpolated")
    assert "GH200" not in found["options"][0]["device"]

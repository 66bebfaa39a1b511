"""``ridgewise compare``: machines side by side, and the two phases of one model."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ridgewise.report.comparison import ComparisonDocument
from ridgewise.report.document import schema

Run = Callable[..., Any]


def test_the_dividing_line_of_an_8b_model(run: Run, tmp_path: Path) -> None:
    """By hand: 8.03 B parameters take 16 bytes each to train and 2 to use; a token costs 6 FLOP per parameter to train
    (and the scores of half a square of 4,096 tokens, a tenth more), 2 to use; a reading of the weights serves 4,096
    tokens or one."""
    plot = tmp_path / "roofs.svg"
    said = run("compare", "Llama-3.1-8B", "RTX 4090", "H100 SXM", "--phases", "--plot", str(plot), "--json")
    assert said.code == 0
    found = said.document
    jsonschema.validate(found, schema(ComparisonDocument), jsonschema.Draft202012Validator)
    told = {aspect["name"]: (aspect["training"], aspect["inference"]) for aspect in found["aspects"]}
    assert told["memory"][0].startswith(f"{8.03e9 * 16 / 2**30:.0f} GiB")
    assert "128 KiB of cache per token" in told["memory"][1]
    assert "4.8 × 10¹⁰ FLOP" in told["work per token"][0]
    assert "consumer GPU" in told["hardware"][0] and "npu" not in told["hardware"][0] and "npu" in told["hardware"][1]
    for machine in found["machines"]:
        ridge, training = machine["estimate"]["ridge_point_flop_per_byte"], machine["training"]
        assert machine["estimate"]["decode"]["arithmetic_intensity_flop_per_byte"] < ridge / 10
        assert training["arithmetic_intensity_flop_per_byte"] > ridge
        assert 0.2 < training["mfu"] < 0.75
    assert [machine["training"]["hold_devices"] for machine in found["machines"]] == [6 - 1, 2]
    drawn = ElementTree.parse(plot).getroot()
    assert len(drawn.findall("{http://www.w3.org/2000/svg}svg")) == 2


def test_a_machine_that_does_not_train_says_why(run: Run) -> None:
    found = run("compare", "Llama-3.1-8B", "M4 Max 40-core", "--phases", "--json").document["machines"][0]
    assert found["training"] is None and "qlora" in found["training_refused"]
    assert "does not train" in found["sentence"]


def test_a_large_model_takes_as_many_devices_as_hold_it(run: Run) -> None:
    said = run("compare", "Llama-3.1-70B", "H100 SXM", "RTX 4090", "--quant", "fp8", "--engine", "vllm")
    assert said.code == 0
    assert "2 × nvidia-h100-sxm" in said.out and "4 × nvidia-rtx-4090" in said.out
    assert "building it" not in said.out


@pytest.mark.parametrize("flags", [("no such card",), ("RTX 4090", "--prompt", "-1"), ("RTX 4090", "--engine", "mlx")])
def test_bad_requests_are_named(run: Run, flags: tuple[str, ...]) -> None:
    said = run("compare", "Llama-3.1-8B", *flags)
    assert said.code == 2 and said.err and not said.out

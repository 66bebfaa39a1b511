"""``ridgewise estimate`` and the same call in Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsonschema
import numpy as np
import pytest

import ridgewise
from ridgewise.errors import RequestError
from ridgewise.report.document import schema
from ridgewise.report.estimate import EstimateDocument

Run = Callable[..., Any]


@pytest.mark.parametrize(
    "flags",
    [
        ("Llama-3.1-8B", "RTX 3090", "--quant", "q4_k_m"),
        ("Llama-3.1-70B", "H100 SXM", "--quant", "fp8", "--tp", "4", "--concurrency", "64"),
        ("Llama-3.1-8B", "H100 SXM", "--batch", "16", "--cached", "50%", "--adapters", "8"),
        ("DeepSeek-V3", "H200", "--tp", "8", "--draft", "mtp"),
        ("Qwen3-30B-A3B", "RTX 4090", "--engine", "llama.cpp", "--quant", "q4_k_m", "--cpu-moe"),
        ("Llama-3.1-70B", "M3 Ultra", "--quant", "q4_k_m", "--prefill-on", "DGX Spark",
         "--prefill-engine", "llama.cpp", "--link", "1.2GB/s"),
    ],
)  # fmt: skip
def test_the_document_keeps_its_schema_and_adds_up(run: Run, flags: tuple[str, ...]) -> None:
    said = run("estimate", *flags, "--json")
    assert said.code == 0
    found = said.document
    jsonschema.validate(found, schema(EstimateDocument), jsonschema.Draft202012Validator)
    for name in ("ttft_s", "tpot_s", "e2e_s", "user_tokens_per_s", "output_tokens_per_s", "requests_per_s"):
        assert 0 < found[name]["low"] <= found[name]["value"] <= found[name]["high"], name
        assert found[name]["basis"]
    assert found["user_tokens_per_s"]["value"] == pytest.approx(1 / found["tpot_s"]["value"])
    whole = found["ttft_s"]["value"] + 511 * found["tpot_s"]["value"]
    assert found["e2e_s"]["value"] == pytest.approx(whole)
    assert 0 < found["prefill"]["mfu"] < 1 and 0 < found["decode"]["mbu"] < 1
    if found["power_w"]:
        joules = found["power_w"]["value"] / found["output_tokens_per_s"]["value"]
        assert found["energy_j_per_token"]["value"] == pytest.approx(joules)


def test_the_screen_shows_every_number_with_its_interval(run: Run) -> None:
    said = run("estimate", "Llama-3.1-8B", "H100 SXM", "--concurrency", "32")
    assert said.code == 0
    for words in ("TTFT", "TPOT", "80 % interval", "requests/s", "ridge point", "MFU", "MBU", "room for"):
        assert words in said.out


def test_whose_measurements_they_are_is_said(run: Run) -> None:
    borrowed = run("estimate", "Llama-2-7b", "RTX 4090", "--engine", "exllamav3", "--json").document
    assert borrowed["tier"] == "transferred" and any("exllamav2" in note for note in borrowed["notes"])
    alone = run("estimate", "Llama-2-7b", "H100 SXM", "--engine", "lmdeploy", "--json").document
    assert alone["tier"] == "datasheet" and any("no measurement" in note for note in alone["notes"])


def test_experts_in_ram_under_the_engines_that_can(run: Run) -> None:
    flags = ("DeepSeek-V3", "RTX 4090", "--quant", "q4_k_m", "--cpu-moe", "--host", "intel-xeon-8480plus", "--json")
    for engine in ("llama.cpp", "ik_llama.cpp", "ktransformers"):
        said = run("estimate", *flags, "--engine", engine)
        assert said.code == 0 and said.document["ram_bytes"] > 300 * 2**30, engine
    refused = run("estimate", "Llama-3.1-8B", "RTX 4090", "--engine", "ktransformers", "--ngl", "10")
    assert refused.code == 2 and "ik_llama.cpp" in refused.out + refused.err


def test_what_does_not_fit_is_said_and_exits_with_1(run: Run) -> None:
    said = run("estimate", "Llama-3.1-70B", "RTX 4090", "--quant", "q4_k_m")
    assert said.code == 1
    assert "DOES NOT FIT" in said.out.splitlines()[2] and "--tp 2" in said.out and "MISSING" in said.out
    assert "measured" not in said.out and "interpolated" not in said.out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--batch", "4", "--concurrency", "4"), "not both"),
        (("--cached", "150%"), "--cached"),
        (("--acceptance", "2", "--draft", "Llama-3.2-1B"), "--acceptance"),
        (("--draft", "mtp"), "no multi-token-prediction"),
        (("--draft", "Qwen/Qwen3-0.6B"), "different tokens"),
        (("--draft", "Llama-3.1-8B"), "no smaller"),
        (("--cpu-moe",), "--engine llama.cpp"),
        (("--host", "RTX 3090", "--engine", "llama.cpp", "--quant", "q4_k_m"), "no processor"),
        (("--prefill-on", "no such card"), "no such card"),
        (("--prefill-on", "H100 SXM", "--link", "3 apples"), "--link"),
        (("--prompt", "0"), "--prompt"),
    ],
)
def test_bad_requests_are_named(run: Run, flags: tuple[str, ...], words: str) -> None:
    said = run("estimate", "Llama-3.1-8B", "H100 SXM", *flags)
    assert said.code == 2
    assert words in said.err
    assert not said.out


def test_python_gives_what_the_command_gives_and_takes_columns(run: Run) -> None:
    shown = run("estimate", "Llama-3.1-8B", "H100 SXM", "--concurrency", "8", "--json").document
    prompts = np.array([256.0, 1024.0, 4096.0])
    found = ridgewise.estimate("Llama-3.1-8B", "H100 SXM", prompt=prompts, concurrency=8)
    assert found.ttft.value[1] == pytest.approx(shown["ttft_s"]["value"], rel=1e-12)
    assert found.tpot.high[1] == pytest.approx(shown["tpot_s"]["high"], rel=1e-12)
    assert np.all(np.diff(found.ttft.value) > 0)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"prompt": [1.0, 2.0], "output": [1.0, 2.0, 3.0]}, "one length"),
        ({"prompt": [[1.0]]}, "one length"),
        ({"prompt": 0}, "prompt"),
        ({"cached": 1.0}, "cached"),
        ({"concurrency": float("nan")}, "concurrency"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_python_refuses_what_cannot_be(numbers: dict[str, Any], words: str) -> None:
    with pytest.raises(RequestError) as refused:
        ridgewise.estimate("Llama-3.1-8B", "H100 SXM", **numbers)
    assert words in str(refused.value)


def test_the_roofline_is_drawn(run: Run, tmp_path: Any) -> None:
    import xml.etree.ElementTree as ElementTree

    path = tmp_path / "roof.svg"
    said = run("explain", "Llama-3.1-8B", "H100 SXM", "--plot", str(path), "--json")
    assert said.code == 0
    marks = {mark["phase"]: mark for mark in said.document["roofline"]}
    ridge = said.document["ridge_point_flop_per_byte"]
    assert set(marks) == {"prefill", "decode", "training"}
    assert marks["decode"]["intensity_flop_per_byte"] < ridge < marks["training"]["intensity_flop_per_byte"]
    assert marks["decode"]["reached_flop_per_s"] < marks["prefill"]["reached_flop_per_s"]
    drawn = ElementTree.parse(path).getroot()
    words = " ".join(text.text or "" for text in drawn.iter("{http://www.w3.org/2000/svg}text"))
    assert all(f"{phase}:" in words for phase in marks)
    shown = run("explain", "Llama-3.1-8B", "H100 SXM").out
    assert "◆ ridge point" in shown and "T training" in shown

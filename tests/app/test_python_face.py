"""The questions as functions: the same answers as the commands, in tables and frames."""

from __future__ import annotations

import json

import numpy as np
import pytest

import ridgewise
from ridgewise.app.main import main
from ridgewise.errors import RequestError
from ridgewise.report.document import as_json


def test_the_function_is_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    for name, given, flags in (
        ("plan", {"users": 50, "hardware": ["L40S"]}, ["--users", "50", "--hardware", "L40S"]),
        ("fit", {"hardware": "RTX 4090", "context": "32k"}, ["RTX 4090", "--context", "32k"]),
        ("compare", {"hardware": ["RTX 4090", "L40S"]}, ["RTX 4090", "L40S"]),
        ("explain", {"hardware": "L40S"}, ["L40S"]),
    ):
        found = getattr(ridgewise, name)("Llama-3.1-8B", **given)
        assert main([name, "Llama-3.1-8B", *flags, "--json"]) == 0
        assert json.loads(as_json(found)) == json.loads(capsys.readouterr().out)


def test_check_finds_what_is_wrong() -> None:
    found = ridgewise.check("Llama-3.1-70B", "RTX 4090", users=50)
    assert not found.feasible


def test_a_wrong_flag_is_named() -> None:
    with pytest.raises(RequestError) as error:
        ridgewise.plan("Llama-3.1-8B", usrs=3)
    assert "users" in error.value.nearest


@pytest.mark.parametrize("library", ["polars", "pandas"])
def test_rows_become_a_frame(library: str) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed")
    frame = ridgewise.plan("Llama-3.1-8B", top=3).to_frame(library)
    assert len(frame) == 3
    assert {"name", "ttft_s", "ttft_s_low", "ttft_s_high", "ttft_s_tier", "layout_tp"} <= set(frame.columns)
    columns = ridgewise.estimate("Llama-3.1-8B", "L40S", concurrency=np.array([1.0, 8.0, 64.0])).to_frame(library)
    assert len(columns) == 3 and list(columns["ttft"]) == sorted(columns["ttft"])


def test_without_a_library_it_says_what_to_install() -> None:
    with pytest.raises(RequestError, match="frame"):
        ridgewise.fit("Llama-3.1-8B", "RTX 4090").to_frame("no-such-library")


def test_answers_show_themselves() -> None:
    shown = ridgewise.estimate("Llama-3.1-8B", "L40S")._repr_html_()
    assert "<table>" in shown and "ttft" in shown and " – " in shown

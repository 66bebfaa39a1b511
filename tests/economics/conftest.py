"""The command as a shell would call it, for tests of money."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ridgewise.app.main import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """``run("cost", "Llama-3.1-8B")``: exit code and both streams, with an empty catalogue of the user's own."""
    monkeypatch.setenv("RIDGEWISE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "120")

    def ran(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(list(arguments))
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return ran


@pytest.fixture
def answer(run: Run) -> Callable[..., dict[str, Any]]:
    """The document of a ``cost`` that is answered."""

    def asked(*arguments: str) -> dict[str, Any]:
        code, out, _ = run("cost", *arguments, "--json")
        assert code == 0, out
        found: dict[str, Any] = json.loads(out.rstrip("\n").rpartition("\n")[2])
        return found

    return asked

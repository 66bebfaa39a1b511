"""Calling the command as a shell would, inside this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from ridgewise.app.main import main


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The last line of stdout as JSON."""
        found = json.loads(self.out.rstrip("\n").rpartition("\n")[2], parse_constant=_refuse)
        assert isinstance(found, dict)
        return found


def _refuse(word: str) -> float:
    raise AssertionError(f"{word} is no JSON")


Run = Callable[..., Said]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """``run("plan", "Llama-3.1-8B", "--json")``: exit code and both streams; no traceback, ever."""

    def ran(*arguments: str) -> Said:
        capsys.readouterr()
        code = main(list(arguments))
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return Said(code, out, err)

    return ran

"""What is not asked for is not built: one command of many."""

from __future__ import annotations

import pytest

from ridgewise.app.cli import app
from ridgewise.app.main import _narrowed, main


@pytest.mark.parametrize("name", ["plan", "fit", "import", "validate"])
def test_a_named_command_is_built_alone(name: str) -> None:
    alone = _narrowed(app, [name, "--help"])
    assert len(alone.registered_commands) == 1 and not alone.registered_groups
    assert len(app.registered_commands) > 5, "the whole command line is left as it was"


def test_a_group_keeps_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    alone = _narrowed(app, ["models", "list"])
    assert not alone.registered_commands and [group.name for group in alone.registered_groups] == ["models"]
    assert main(["models", "show", "Llama-3.1-8B"]) == 0
    assert "8,030,261,248" in capsys.readouterr().out


@pytest.mark.parametrize("given", [[], ["--help"], ["plam"], ["--users", "3"]])
def test_where_no_command_is_named_all_are_there(given: list[str]) -> None:
    assert _narrowed(app, given) is app

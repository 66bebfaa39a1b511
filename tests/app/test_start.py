"""What is not asked for is not built: one command of many."""

from __future__ import annotations

import pytest
from typer import Typer

from ridgewise.app.cli import PANELS, build, names
from ridgewise.app.main import main


def held(app: Typer) -> set[str]:
    return {str(entry.name) for entry in (*app.registered_commands, *app.registered_groups)}


@pytest.mark.parametrize("name", ["plan", "fit", "import", "validate", "models"])
def test_a_named_command_is_built_alone(name: str) -> None:
    assert held(build(name)) == {name}


def test_a_group_keeps_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", "Llama-3.1-8B"]) == 0
    assert "8,030,261,248" in capsys.readouterr().out


@pytest.mark.parametrize("given", [None, "--help", "plam", "--users"])
def test_where_no_command_is_named_all_are_there(given: str | None) -> None:
    assert held(build(given)) == set(names())


def test_every_command_stands_under_a_heading_of_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in names())
    assert {"plan", "fit", "import", "models"} <= set(names())
    assert any(panel in said for panel in PANELS)

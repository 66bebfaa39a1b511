"""Files the command writes: whole or not at all, where a file may stand, and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
PLAN = ("plan", "Llama-3.1-8B", "--hardware", "RTX 4090", "--save")
SMALL = (
    '{"model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, '
    '"num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100}'
)


@pytest.mark.parametrize("name", ["a" * 3000, "absent/plan.toml"])
def test_a_path_that_cannot_be_is_refused(run: Run, tmp_path: Path, name: str) -> None:
    said = run(*PLAN, str(tmp_path / name))
    assert said.code == 2 and "cannot be written" in said.err and said.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_not_written_over(run: Run, tmp_path: Path) -> None:
    for path in (str(tmp_path), "."):
        said = run(*PLAN, path)
        assert said.code == 2 and "no ordinary file" in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_or_a_device_is_not_replaced_by_a_file(run: Run, tmp_path: Path) -> None:
    """Writing through a scratch file and renaming it would put a file in the place of a device, for a user who may."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    said = run(*PLAN, str(pipe))
    assert said.code == 2 and "no ordinary file" in said.err
    assert pipe.is_fifo()


def test_a_file_is_replaced_whole(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text("old")
    assert run(*PLAN, str(path)).code == 0
    assert "Llama-3.1-8B" in path.read_text() and [p.name for p in tmp_path.iterdir()] == ["plan.toml"]


@pytest.mark.parametrize(
    "name", ["", " ", ".", "..", "../up", "a/b/c", "a" * 3000, "a\x00b", "a\nb", "/etc/x", "a__b", "a\\b"]
)
def test_a_model_is_kept_under_a_name_or_not_at_all(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("RIDGEWISE_HOME", str(tmp_path / "home"))
    (tmp_path / "config.json").write_text(SMALL)
    assert run("models", "add", str(tmp_path / "config.json"), name).code == 2
    assert not (tmp_path / "home").exists()


def test_a_model_of_ones_own_is_found_by_its_name(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIDGEWISE_HOME", str(tmp_path / "home"))
    (tmp_path / "config.json").write_text(SMALL)
    assert run("models", "add", str(tmp_path), "me/tiny").code == 0
    document = run("models", "show", "me/tiny", "--json").document
    # Tables 2 · 100 · 64; per layer q, o 2 · 64², k, v 2 · 64 · 32, three of 64 · 128, two norms of 64; a last norm.
    assert document["parameters_total"] == 2 * 6400 + 2 * (8192 + 4096 + 24576 + 128) + 64


@pytest.mark.parametrize("path", ["a" * 3000, "absent.json", ""])
def test_a_file_that_is_not_there_is_named(run: Run, path: str) -> None:
    for command in (("models", "add", path, "me/x"), ("hardware", "add", path), ("plan", "--file", path)):
        said = run(*command)
        assert said.code == 2 and said.err.startswith("ridgewise: "), command


def test_a_name_longer_than_any_is_unknown(run: Run) -> None:
    assert run("hardware", "show", "a" * 3000).code == 2
    assert run("models", "show", "a" * 3000).code == 2

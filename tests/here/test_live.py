"""A real llama.cpp on this machine, with a model of a few hundred thousand random weights."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import pytest

from ridgewise.app.main import main
from ridgewise.errors import RequestError
from ridgewise.here import random_gguf
from ridgewise.here.llama_server import LlamaServer
from ridgewise.here.load import Load, drive
from ridgewise.models.read import load
from tests.here.test_made import tiny

pytest.importorskip("xllamacpp")
pytest.importorskip("gguf")
pytest.importorskip("httpx")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("live")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RIDGEWISE_HOME", str(folder))
        assert main(["probe", "--seconds", "1", "--json"]) == 0
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_gguf.write(tmp_path_factory.mktemp("models") / "tiny.gguf", tiny(), "q4_0")


def test_the_loop_closes(
    home: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIDGEWISE_HOME", str(home))
    assert 'kind = "derived"' in (home / "hardware" / "this-machine.toml").read_text()
    flags = ["--prompts", "64", "--depths", "16,64", "--output", "96", "--slots", "2", "--repeats", "1", "--json"]
    assert main(["bench", str(model), *flags]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["device"], found["rows"], found["partial"]) == ("this-machine", 4, "")
    for one in found["compared"]:
        assert one["measured"] > 0 and 0 < one["low"] < one["predicted"] < one["high"]
    assert main(["measurements", "list", "--json"]) == 0
    kinds = {group["kind"] for group in json.loads(capsys.readouterr().out)["measurements"]}
    assert kinds == {"local", "matmul"}


def test_a_server_answers_load_and_ends(model: Path) -> None:
    with LlamaServer(model, 1, context=512, slots=2) as server:
        timings = server.complete([300, 301, 302], 4)
        assert (timings.prompt, timings.output) == (3, 4) and timings.output_s > 0
        run = drive(server.url, "", Load(4, 16, 8, clients=2))
    assert [one.error for one in run.outcomes] == [""] * 4
    assert {one.output_tokens for one in run.answered} == {8}
    with pytest.raises(RequestError, match="does not answer"):
        drive(server.url, "", Load(1))


def test_a_broken_file_is_named(tmp_path: Path, model: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(model.read_bytes()[:50_000])
    with pytest.raises(RequestError, match=r"llama\.cpp does not load it"), LlamaServer(broken, 1, wait=60.0):
        pass
    monkeypatch.setenv("RIDGEWISE_HOME", str(home))
    assert main(["bench", str(broken)]) == 2
    assert main(["bench", str(tmp_path / "absent.gguf")]) == 2


def test_ctrl_c_keeps_what_was_measured(
    home: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIDGEWISE_HOME", str(home))

    def stop_at(line: str) -> None:
        if "decode after 32" in line:
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()

    monkeypatch.setattr("ridgewise.app.benching.said", stop_at)
    flags = ["--prompts", "16", "--depths", "32", "--output", "8", "--repeats", "100", "--slots", "1", "--json"]
    monkeypatch.setattr("ridgewise.here.llama_server.LlamaServer.complete", _slowly(LlamaServer.complete))
    assert main(["bench", str(model), *flags]) == 1
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["partial"] == "stopped by the user" and found["rows"] == 1


def _slowly(complete: object) -> object:
    import time

    def slow(*given: object) -> object:
        time.sleep(0.01)
        return complete(*given)  # type: ignore[operator]

    return slow


def test_training_steps_are_timed(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("RIDGEWISE_HOME", str(home))
    folder = home / "config"
    folder.mkdir()
    config = {"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
              "num_key_value_heads": 2, "intermediate_size": 128, "vocab_size": 256}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    assert load(str(folder)).layers == 2
    assert main(["bench", str(folder), "--train", "--length", "32", "--micro", "2", "--repeats", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["rows"] == 1 and found["compared"][0]["measured"] > 0 and found["peak_memory_bytes"] > 1e7

"""Load on servers that behave and that do not."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading

import pytest

from ridgewise.app.main import main
from ridgewise.errors import RequestError
from ridgewise.here import load as loading
from ridgewise.here.load import Load, drive, quantile
from tests.here.fake import Fake

pytest.importorskip("httpx")
WHAT_IS_SAID = {
    "cut": "the stream was cut before its end",
    "bytes": "sends bytes that are not UTF-8",
    "words": "sends an event that is not JSON",
    "error": "breaks off: out of memory",
    "429": "answers 429: too busy",
    "500": "answers 500: it broke",
}


def test_times_and_tokens_are_those_of_the_server() -> None:
    with Fake(wait=0.05, gap=0.01) as fake:
        run = drive(fake.url, "", Load(6, 7, 8, clients=2))
    assert (run.model, run.cut, len(run.answered)) == ("tiny", "", 6)
    assert len(fake.bodies) == 7, "one request to warm up"
    for one in run.answered:
        assert (one.input_tokens, one.output_tokens, len(one.pieces)) == (7, 8, 8)
        assert one.ttft_s is not None and 0.05 <= one.ttft_s < 10
        assert one.tpot_s is not None and 0.005 <= one.tpot_s < 2
        assert one.e2e_s >= one.ttft_s + 7 * one.tpot_s - 1e-9
    prompts = {body["prompt"] for body in fake.bodies}
    assert len(prompts) == 7, "no prompt is like another, so that no cache answers"


def test_chat_and_servers_that_know_only_the_protocol() -> None:
    with Fake("strict") as fake:
        run = drive(fake.url + "/v1", "tiny", Load(2, 4, 3, chat=True))
    assert len(run.answered) == 2
    assert "ignore_eos" in fake.bodies[0] and all("ignore_eos" not in body for body in fake.bodies[1:])


def test_an_open_loop_sends_whatever_is_unanswered() -> None:
    with Fake(wait=0.3, gap=0.0) as fake:
        run = drive(fake.url, "", Load(10, 4, 2, rate=100.0))
    sent = sorted(one.sent_s for one in run.outcomes)
    assert len(run.answered) == 10 and sent[-1] < run.seconds - 0.25, "all were sent before the first was answered"


def test_time_is_bounded_and_the_rest_is_marked_partial() -> None:
    with Fake(wait=0.05) as fake:
        run = drive(fake.url, "", Load(100_000, 4, 2, seconds=0.5))
    assert run.cut == "0.5 s were over" and 1 <= len(run.answered) < 100 and run.seconds < 5


@pytest.mark.parametrize("manner", WHAT_IS_SAID)
def test_a_fault_is_named_and_what_came_before_is_kept(manner: str) -> None:
    with Fake(manner, after=3) as fake:
        run = drive(fake.url, "", Load(20, 4, 6))
    assert len(run.answered) == 2, "after the request to warm up, two were answered"
    assert {one.error for one in run.outcomes if one.error} == {WHAT_IS_SAID[manner]}
    assert run.cut == f"5 requests in a row failed: {WHAT_IS_SAID[manner]}"


def test_a_server_that_is_down_or_serves_another_model_is_named() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    with pytest.raises(RequestError, match="does not answer: nothing listens there"):
        drive(f"http://127.0.0.1:{port}", "", Load(1))
    with pytest.raises(RequestError, match="does not answer"):
        drive("no address", "", Load(1))
    with Fake() as fake, pytest.raises(RequestError) as told:
        drive(fake.url, "tinny", Load(1))
    assert told.value.what == "does not serve 'tinny'" and told.value.nearest == ("tiny",)


def test_a_server_that_falls_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "SILENCE", 0.3)
    with Fake(wait=2.0) as fake, pytest.raises(RequestError, match=r"silent for 0\.3 s"):
        drive(fake.url, "", Load(1))


def test_ctrl_c_keeps_what_was_answered() -> None:
    with Fake(wait=0.02) as fake:
        threading.Timer(0.8, os.kill, (os.getpid(), signal.SIGINT)).start()
        run = drive(fake.url, "", Load(100_000, 4, 2))
    assert run.cut == "stopped by the user" and run.answered and run.seconds < 10


def test_quantiles_interpolate() -> None:
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0 and quantile([1.0, 2.0], 0.9) == pytest.approx(1.9)


def test_the_command_shows_keeps_and_refuses(
    capsys: pytest.CaptureFixture[str], tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIDGEWISE_HOME", str(tmp_path))
    with Fake(gap=0.0) as fake:
        assert main(["bench", "--endpoint", fake.url, "--requests", "4", "--output", "4", "--json"]) == 0
        shown = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert shown["rows"] == 0 and "say --device, --model, --quant" in shown["notes"][0]
        flags = ["Llama-3.1-8B", "--device", "H100 SXM", "--engine", "vllm", "--quant", "fp8"]
        assert main(["bench", *flags, "--endpoint", fake.url, "--requests", "4", "--output", "4", "--json"]) == 0
        kept = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert kept["rows"] == len(kept["compared"]) == 18
    first = kept["compared"][0]
    assert first["what"] == "first token, mean" and first["low"] < first["predicted"] < first["high"]
    assert main(["measurements", "list"]) == 0
    assert "nvidia-h100-sxm" in capsys.readouterr().out
    with Fake("500", after=1) as fake:
        assert main(["bench", "--endpoint", fake.url, "--requests", "4", "--output", "4"]) == 2
    assert "4 × answers 500: it broke" in capsys.readouterr().err
    with Fake("500", after=3) as fake:
        assert main(["bench", "--endpoint", fake.url, "--output", "4", "--clients", "1"]) == 1
    assert "partial: 5 requests in a row failed" in capsys.readouterr().out
    assert main(["bench"]) == 2 and main(["bench", "x", "--engine", "vllm"]) == 2
    assert main(["bench", "SmolLM2-135M", "--depths", "many"]) == 2

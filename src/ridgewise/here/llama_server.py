"""A llama.cpp server on this machine: ``llama-server`` where it is found, else the ``xllamacpp`` package."""

from __future__ import annotations

import importlib.util
import json
import shutil
import socket
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from ridgewise.errors import RequestError
from ridgewise.here.child import Child

#: Longest wait for a server to load its model [s], and for one answer of it.
LOADING, ANSWER = 180.0, 300.0
#: Most bytes of an answer that are read.
LIMIT = 16 << 20
#: Requests to this machine pass no proxy.
_OPENER = build_opener(ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Timings:
    """What the engine itself timed of one request: tokens and seconds of reading the prompt and of answering."""

    prompt: int
    prompt_s: float
    output: int
    output_s: float


@dataclass(frozen=True, slots=True)
class Engine:
    """How llama.cpp is had here: the path of ``llama-server``, or "" for the Python package, and its version."""

    binary: str
    version: str


def engine() -> Engine:
    """The llama.cpp of this machine; RequestError where there is none."""
    binary = shutil.which("llama-server")
    if binary:
        return Engine(binary, "llama-server")
    if importlib.util.find_spec("xllamacpp") is not None:
        from importlib.metadata import version

        return Engine("", f"xllamacpp {version('xllamacpp')}")
    ways = ("pip install 'ridgewise[bench]'", "llama-server on the PATH")
    raise RequestError("is not on this machine", "llama.cpp", ways)


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


class LlamaServer:
    """One model served on the loopback address while the context is open.

    threads   threads that compute
    context   tokens of all slots together, divided among ``slots``
    layers    layers on the graphics card; 0: none
    """

    def __init__(
        self, model: Path, threads: int, *, context: int = 4096, slots: int = 1, layers: int = 0, batch: int = 2048,
        ubatch: int = 512, wait: float = LOADING,
    ) -> None:  # fmt: skip
        self.model, self.threads, self.context, self.slots = model, threads, context, slots
        self._layers, self._batch, self._ubatch, self._wait = layers, batch, ubatch, wait
        self._stack = ExitStack()
        self._child: Child | None = None
        self.url = ""

    def __enter__(self) -> LlamaServer:
        found, port = engine(), free_port()
        if not self.model.is_file():
            raise RequestError("no such file", str(self.model))
        child = self._child = self._stack.enter_context(Child(self._command(found, port)))
        self.url = f"http://127.0.0.1:{port}"
        try:
            self._await(child)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def busy(self) -> float | None:
        """Seconds of processor time the server has used."""
        return self._child.busy() if self._child else None

    def _command(self, found: Engine, port: int) -> list[str]:
        if found.binary:
            return [
                found.binary, "-m", str(self.model), "--host", "127.0.0.1", "--port", str(port), "-c",
                str(self.context), "-np", str(self.slots), "-t", str(self.threads), "-tb", str(self.threads),
                "-ngl", str(self._layers), "-b", str(self._batch), "-ub", str(self._ubatch), "--metrics",
            ]  # fmt: skip
        settings = {
            "model": str(self.model), "port": port, "context": self.context, "slots": self.slots,
            "threads": self.threads, "layers": self._layers, "batch": self._batch, "ubatch": self._ubatch,
        }  # fmt: skip
        return [sys.executable, "-m", "ridgewise.here.llama_child", json.dumps(settings)]

    def _await(self, child: Child) -> None:
        end = time.monotonic() + self._wait
        while time.monotonic() < end:
            if child.code is not None:
                raise RequestError(f"llama.cpp does not load it: {_reason(child.printed())}", str(self.model))
            try:
                with _OPENER.open(f"{self.url}/health", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (URLError, OSError):
                pass
            time.sleep(0.1)
        raise RequestError(f"llama.cpp has not loaded it after {self._wait:g} s", str(self.model))

    def complete(self, prompt: list[int], output: int) -> Timings:
        """Answer a prompt of these token ids with ``output`` tokens, the next one always the likeliest."""
        body = {
            "prompt": prompt, "n_predict": output, "ignore_eos": True, "cache_prompt": False, "temperature": 0.0,
            "samplers": ["top_k"], "top_k": 1,
        }  # fmt: skip
        found = self.post("/completion", body)
        timings = found.get("timings") or {}
        try:
            return Timings(
                int(timings["prompt_n"]), float(timings["prompt_ms"]) / 1e3,
                int(timings["predicted_n"]), float(timings["predicted_ms"]) / 1e3,
            )  # fmt: skip
        except (KeyError, TypeError, ValueError):
            raise RequestError("answers without timings: is it llama.cpp?", self.url) from None

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """One JSON answer; RequestError says what the server said."""
        request = Request(self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        try:
            with _OPENER.open(request, timeout=ANSWER) as answer:
                found = json.loads(answer.read(LIMIT))
        except HTTPError as error:
            raise RequestError(
                f"answers {error.code}: {error.read(300).decode('utf-8', 'replace')}", self.url
            ) from None
        except (URLError, OSError, ValueError) as error:
            raise RequestError(f"does not answer: {error}", self.url) from None
        if not isinstance(found, dict):
            raise RequestError("answers with something that is no JSON object", self.url)
        return found


def _reason(printed: str) -> str:
    """The line of a log that says most about a failure."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.casefold() or "failed" in line.casefold()]
    return ((telling or lines or ["it ended at once"])[0])[:300]

"""Load on any OpenAI-compatible server: requests at given times or by so many clients, timed token by token.

A small client of its own: what load generators on the package index add (datasets, tokenisers, front ends) weighs a
gigabyte and more, and their reports are read by the importers anyway. Times are those of the client: sent, every
piece of text, end. Tokens are counted by the server (``usage``), by pieces only where it does not say.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from string import ascii_lowercase
from typing import Any

from ridgewise.errors import RequestError, nearest

#: Longest line of a stream that is read, longest wait for a connection and for the next piece [s].
LINE, CONNECT, SILENCE = 1 << 20, 10.0, 120.0
#: Requests in a row that fail before the run stops.
PATIENCE = 5
#: Fields beyond the protocol that make every answer as long as asked for; left out where a server refuses them.
FULL_LENGTH = {"ignore_eos": True, "cache_prompt": False}


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent.

    requests       most requests, after ``warm_up`` ones that are not counted
    prompt, output tokens of each
    clients        closed loop: so many clients, each sends when its last answer has ended
    rate           open loop: requests per second at random times (Poisson); None: closed loop
    seconds        most seconds in which requests are sent
    chat           the chat endpoint, not the one for completions
    """

    requests: int
    prompt: int = 256
    output: int = 64
    clients: int = 1
    rate: float | None = None
    seconds: float = 60.0
    warm_up: int = 1
    chat: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request: seconds since the start of the run, tokens, and what went wrong.

    pieces   when each piece of text came
    """

    sent_s: float
    pieces: tuple[float, ...]
    end_s: float
    input_tokens: int | None
    output_tokens: int | None
    error: str = ""

    @property
    def ttft_s(self) -> float | None:
        """Seconds from sending to the first piece of text."""
        return self.pieces[0] - self.sent_s if self.pieces else None

    @property
    def tpot_s(self) -> float | None:
        """Mean seconds of each further token; None where there is none."""
        count = self.output_tokens or len(self.pieces)
        return (self.pieces[-1] - self.pieces[0]) / (count - 1) if self.pieces and count > 1 else None

    @property
    def e2e_s(self) -> float:
        """Seconds from sending to the last byte."""
        return self.end_s - self.sent_s


@dataclass(slots=True)
class Driven:
    """A run: its outcomes in order of their end, how long it took, and why it stopped early ("": it did not)."""

    load: Load
    model: str
    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0
    cut: str = ""

    @property
    def answered(self) -> list[Outcome]:
        """Requests that were answered whole."""
        return [one for one in self.outcomes if not one.error]


def words(tokens: int, rng: random.Random) -> str:
    """A prompt of about so many tokens, its beginning never the same: no prefix cache helps."""
    return " ".join("".join(rng.choices(ascii_lowercase, k=3)) for _ in range(max(tokens - 1, 1)))


def drive(url: str, model: str, load: Load, said: Callable[[str], None] = lambda _: None, key: str = "") -> Driven:
    """Send the load and wait for its answers; on Ctrl-C what came until then is kept and the run is marked cut.

    RequestError where no request at all is answered: it says what the server said.
    """
    try:
        import httpx  # noqa: F401
    except ImportError:
        raise RequestError("needs the bench extra", "httpx", ("pip install 'ridgewise[bench]'",)) from None
    run = Driven(load, model)
    try:
        asyncio.run(_driven(url.rstrip("/").removesuffix("/v1"), run, said, key))
    except KeyboardInterrupt:
        run.cut = run.cut or "stopped by the user"
    return run


async def _driven(url: str, run: Driven, said: Callable[[str], None], key: str) -> None:
    import httpx

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    limits = httpx.Limits(max_keepalive_connections=0)  # servers close idle connections under load
    timeout = httpx.Timeout(SILENCE, connect=CONNECT)
    async with httpx.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=timeout) as client:
        run.model = await _served(client, run.model)
        sender = _Sender(client, run, random.Random(run.load.seed))
        await sender.warm_up()
        start = time.perf_counter()
        sender.start = start
        try:
            await (sender.closed() if run.load.rate is None else sender.open(run.load.rate))
        finally:
            run.seconds = time.perf_counter() - start
            said(f"{len(run.answered)} of {len(run.outcomes)} requests answered in {run.seconds:.1f} s")


async def _served(client: Any, asked: str) -> str:
    """The model the server has under this name; the only one it has where none is asked for."""
    import httpx

    place = str(client.base_url)
    try:
        answer = await client.get("/v1/models")
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise RequestError(f"does not answer: {_named(error)}", place) from None
    try:
        listed = [str(entry["id"]) for entry in answer.json()["data"]] if answer.status_code == 200 else []
    except (ValueError, KeyError, TypeError):
        listed = []
    if answer.status_code in (401, 403):
        raise RequestError(
            f"answers {answer.status_code}: it wants a key", place, ("OPENAI_API_KEY=… ridgewise bench",)
        )
    if asked and listed and asked not in listed:
        raise RequestError(f"does not serve {asked!r}", place, nearest(asked, listed) or tuple(listed[:4]))
    if not asked and not listed:
        raise RequestError("does not say which models it serves: name one", place, ("--served NAME",))
    return asked or listed[0]


class _Sender:
    """Sends requests and keeps what comes back."""

    def __init__(self, client: Any, run: Driven, rng: random.Random) -> None:
        self._client, self._run, self._rng = client, run, rng
        self._extra: dict[str, Any] = dict(FULL_LENGTH)
        self._failed = 0
        self.start = time.perf_counter()

    async def warm_up(self) -> None:
        """Requests that are not counted; the first shows whether the server knows the fields beyond the protocol."""
        for i in range(max(self._run.load.warm_up, 1)):
            found = await self._one()
            if i == 0 and found.error.startswith("answers 4") and self._extra:
                self._extra = {}
                found = await self._one()
            if found.error:
                raise RequestError(found.error, str(self._client.base_url))

    async def closed(self) -> None:
        """So many clients, each sends the next request when its last has ended."""
        load, left = self._run.load, iter(range(self._run.load.requests))

        async def client() -> None:
            for _ in left:
                if self._done():
                    return
                self._keep(await self._one())

        await asyncio.gather(*(client() for _ in range(min(load.clients, load.requests))))

    async def open(self, rate: float) -> None:
        """Requests at the times of a Poisson process, whatever is still unanswered."""
        due, tasks = 0.0, []
        for _ in range(self._run.load.requests):
            due += self._rng.expovariate(rate)
            if due > self._run.load.seconds or self._done():
                self._run.cut = self._run.cut or f"{self._run.load.seconds:g} s were over"
                break
            await asyncio.sleep(max(due - (time.perf_counter() - self.start), 0.0))
            tasks.append(asyncio.create_task(self._counted()))
        await asyncio.gather(*tasks)

    async def _counted(self) -> None:
        self._keep(await self._one())

    def _done(self) -> bool:
        run = self._run
        if time.perf_counter() - self.start > run.load.seconds:
            run.cut = run.cut or f"{run.load.seconds:g} s were over"
        elif self._failed >= PATIENCE:
            run.cut = run.cut or f"{PATIENCE} requests in a row failed: {run.outcomes[-1].error}"
        return bool(run.cut)

    def _keep(self, one: Outcome) -> None:
        self._failed = self._failed + 1 if one.error else 0
        self._run.outcomes.append(one)

    def _body(self) -> tuple[str, dict[str, Any]]:
        load, text = self._run.load, words(self._run.load.prompt, self._rng)
        body: dict[str, Any] = {
            "model": self._run.model, "max_tokens": load.output, "stream": True,
            "stream_options": {"include_usage": True}, **self._extra,
        }  # fmt: skip
        if load.chat:
            return "/v1/chat/completions", {**body, "messages": [{"role": "user", "content": text}]}
        return "/v1/completions", {**body, "prompt": text}

    async def _one(self) -> Outcome:
        """One request, whatever becomes of it."""
        import httpx

        path, body = self._body()
        pieces: list[float] = []
        usage: dict[str, Any] = {}
        error, ended = "", False
        sent = time.perf_counter() - self.start
        try:
            async with self._client.stream("POST", path, json=body) as answer:
                if answer.status_code != 200:
                    error = f"answers {answer.status_code}: {await _said(answer)}"
                else:
                    async for event in _events(answer):
                        if event is None:
                            ended = True
                            break
                        if "error" in event:
                            error = f"breaks off: {_message(event['error'])}"
                            break
                        if isinstance(event.get("usage"), dict):
                            usage = event["usage"]
                        ended = ended or _finished(event)
                        if _text(event):
                            pieces.append(time.perf_counter() - self.start)
                    if not error and not ended:
                        error = "the stream was cut before its end"
                    elif not error and not pieces:
                        error = "an answer without text"
        except _BrokenError as broken:
            error = str(broken)
        except httpx.HTTPError as problem:
            error = f"does not answer: {_named(problem)}" if not pieces else f"the stream was cut: {_named(problem)}"
        return Outcome(
            sent, tuple(pieces), time.perf_counter() - self.start, _count(usage, "prompt_tokens"),
            _count(usage, "completion_tokens"), error,
        )  # fmt: skip


class _BrokenError(Exception):
    """A stream that cannot be read."""


async def _events(answer: Any) -> AsyncIterator[dict[str, Any] | None]:
    """The events of a stream; None at its end. Bytes are split into lines first: a chunk may end anywhere."""
    held = b""
    async for chunk in answer.aiter_bytes():
        held += chunk
        *lines, held = held.split(b"\n")
        if len(held) > LINE:
            raise _BrokenError(f"sends a line of more than {LINE >> 20} MiB")
        for line in lines:
            content = line.strip()
            if not content.startswith(b"data:"):
                continue
            content = content[5:].strip()
            if content == b"[DONE]":
                yield None
                return
            try:
                event = json.loads(content.decode("utf-8"))
            except UnicodeDecodeError:
                raise _BrokenError("sends bytes that are not UTF-8") from None
            except (ValueError, RecursionError):
                raise _BrokenError("sends an event that is not JSON") from None
            if not isinstance(event, dict):
                raise _BrokenError("sends an event that is no JSON object")
            yield event


def _choice(event: dict[str, Any]) -> dict[str, Any]:
    choices = event.get("choices")
    found = choices[0] if isinstance(choices, list) and choices else {}
    return found if isinstance(found, dict) else {}


def _text(event: dict[str, Any]) -> bool:
    """Whether an event brings text: of the answer or of its reasoning."""
    found = _choice(event)
    delta = found.get("delta")
    held: dict[str, Any] = delta if isinstance(delta, dict) else found
    return any(held.get(name) for name in ("text", "content", "reasoning_content", "reasoning"))


def _finished(event: dict[str, Any]) -> bool:
    return bool(_choice(event).get("finish_reason"))


def _count(usage: dict[str, Any], name: str) -> int | None:
    found = usage.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None


async def _said(answer: Any) -> str:
    """What an error says, in one line."""
    text = b""
    with contextlib.suppress(Exception):
        async for chunk in answer.aiter_bytes():
            text += chunk
            if len(text) > 4096:
                break
    try:
        return _message(json.loads(text))
    except (ValueError, RecursionError):
        return " ".join(text.decode("utf-8", "replace").split())[:200] or "nothing"


def _message(found: Any) -> str:
    for name in ("error", "message"):
        if isinstance(found, dict) and found.get(name):
            found = found[name]
    return " ".join(str(found).split())[:200]


def _named(error: Exception) -> str:
    """An error of the client in words."""
    kind = type(error).__name__
    words_of = {
        "ConnectError": "nothing listens there", "ConnectTimeout": f"no connection after {CONNECT:g} s",
        "ReadTimeout": f"silent for {SILENCE:g} s", "RemoteProtocolError": "it closed the connection",
        "UnsupportedProtocol": "an address starts with http:// or https://",
    }  # fmt: skip
    return words_of.get(kind) or f"{kind} {error}".strip()[:200]


def quantile(values: Sequence[float], share: float) -> float:
    """A quantile by linear interpolation between the sorted values."""
    import numpy as np

    return float(np.quantile(values, share))

"""The door: who may ask, how much a request may carry, and what a browser is told to allow."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ridgewise.app.rest.problems import problem

#: Names under which a machine knows itself.
LOOPBACK = ("localhost", "127.0.0.1", "::1", "[::1]")
COOKIE = "ridgewise_token"
#: Bytes of a request's body, and of one that hands in a file.
BODY, UPLOAD = 64 << 10, 50 << 20
#: No script, style or picture but our own, nothing sent elsewhere, no frame around the page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer",
    "x-frame-options": "DENY", "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}  # fmt: skip


class _TooLargeError(Exception):
    """A body beyond its bound."""


@dataclass
class Guard:
    """``token``: what every request must carry; empty: none, and only this machine's own names are answered."""

    app: ASGIApp
    token: str = ""
    hosts: Iterable[str] = LOOPBACK

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((n.encode(), v.encode()) for n, v in HEADERS.items() if n.encode() not in present),
                ]
            await send(message)

        headers = Headers(scope=scope)
        refused = self._refused(scope, headers)
        if refused is not None:
            await refused(scope, receive, guarded)
            return
        most, read = UPLOAD if scope["path"].rstrip("/").endswith("upload") or "uploads" in scope["path"] else BODY, 0

        async def bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                raise _TooLargeError
            return message

        try:
            length = headers.get("content-length", "0")
            if not length.isdigit() or int(length) > most:
                raise _TooLargeError
            await self.app(scope, bounded, guarded)
        except _TooLargeError:
            if not started:
                await problem(413, f"a body may have {most >> 10} KiB")(scope, receive, guarded)

    def _refused(self, scope: Scope, headers: Headers) -> Response | None:
        """Why a request is not let in; None for one that is."""
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        if not self.token and host not in self.hosts:
            return problem(421, f"{host or 'no host'!r} is no name of this server", "host", ("127.0.0.1",))
        if scope["method"] not in ("GET", "HEAD", "OPTIONS") and not _same_site(headers):
            return problem(403, "the request comes from another site", "origin")
        if not self.token or scope["path"] == "/healthz":
            return None
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        given = headers.get("authorization", "").removeprefix("Bearer ").strip() or _cookie(headers)
        if _equal(given, self.token):
            return None
        if scope["method"] == "GET" and _equal(query.pop("token", ""), self.token):
            rest = urlencode(query)
            there = RedirectResponse(f"{scope['path']}{'?' if rest else ''}{rest}", 303)
            there.set_cookie(COOKIE, self.token, httponly=True, samesite="strict")
            return there
        return problem(401, "this server wants its token", "authorization", ("Authorization: Bearer TOKEN",),
                       {"WWW-Authenticate": "Bearer"})  # fmt: skip


def _equal(given: str, token: str) -> bool:
    return bool(given) and hmac.compare_digest(given.encode(), token.encode())


def _cookie(headers: Headers) -> str:
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(headers.get("cookie", ""))
    except CookieError:
        return ""
    return jar[COOKIE].value if COOKIE in jar else ""


def _same_site(headers: Headers) -> bool:
    """Whether a request that changes something comes from our own page, or from no page at all."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host", "")

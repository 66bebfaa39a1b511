"""What goes wrong, as ``application/problem+json`` (RFC 9457): what, where, and the nearest that would do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import Response

from ridgewise.app.rest.desk import BusyError, TooLongError
from ridgewise.errors import RequestError

MEDIA = "application/problem+json"
TITLES = {
    400: "Bad request", 401: "Not allowed in", 403: "Refused", 404: "Not found", 405: "Method not allowed",
    413: "Too large", 415: "Unsupported media type", 421: "Wrong host", 422: "The question cannot be answered as asked",
    500: "Ridgewise failed", 503: "Busy", 504: "Out of time",
}  # fmt: skip


class Problem(BaseModel):
    """What every refusal says. ``field`` names the option at fault, ``nearest`` what would do in its place."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    field: str | None = None
    nearest: list[str] = Field(default_factory=list)


def problem(
    status: int, detail: str, field: str = "", nearest: tuple[str, ...] = (), headers: Mapping[str, str] | None = None
) -> Response:
    """One refusal as a response."""
    told: dict[str, Any] = {
        "type": "about:blank", "title": TITLES.get(status, "Error"), "status": status, "detail": detail,
        "field": field or None, "nearest": list(nearest),
    }  # fmt: skip
    return Response(json.dumps(told, ensure_ascii=False), status, headers, MEDIA)


def told(error: Exception) -> tuple[str, str, tuple[str, ...]]:
    """What an error of ours says, the option at fault, and the nearest that would do."""
    if isinstance(error, RequestError):
        return error.what, error.where.removeprefix("--").replace("-", "_"), error.nearest
    return str(error), "", ()


def status_of(error: Exception, usual: int = 422) -> int:
    """The status of what went wrong; ``usual``: of a request that cannot be answered."""
    return 503 if isinstance(error, BusyError) else 504 if isinstance(error, TooLongError) else usual


def of(error: Exception, usual: int = 422) -> Response:
    """The problem behind an error of ours."""
    status = status_of(error, usual)
    return problem(status, *told(error), {"Retry-After": "2"} if status == 503 else None)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Refusals of a route, for the published description."""
    return {status: {"description": TITLES[status], "content": {MEDIA: {"schema": Problem.model_json_schema()}}}
            for status in statuses}  # fmt: skip

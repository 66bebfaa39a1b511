"""The routes under ``/v1``: questions, catalogue, handed-in files; health and metrics beside them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Annotated, Any

import anyio
from anyio import to_thread
from fastapi import FastAPI, File, Form, Path, Query, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from pydantic import TypeAdapter
from starlette.exceptions import HTTPException
from starlette.middleware.base import RequestResponseEndpoint
from starlette.responses import PlainTextResponse, Response

from ridgewise import __version__
from ridgewise.app.rest import catalogue, problems
from ridgewise.app.rest.desk import Desk
from ridgewise.app.rest.guard import LOOPBACK, Guard
from ridgewise.app.rest.questions import QUESTIONS, Question, refused
from ridgewise.app.rest.shelf import Shelf
from ridgewise.errors import RequestError, RidgewiseError

ABOUT = """\
What hardware does an AI workload need, and why? The questions, options and answers of the `ridgewise` command.

Every number that is an estimate is `{"value", "low", "high", "tier", "basis"}`: the value, its 80 % interval, how well
it is supported, and what it rests on. A question that nothing can answer as wished is answered with
`"feasible": false` and the ways out; one that cannot be read is a problem that names the field and the nearest value
that would do."""


@dataclass
class Meters:
    """What is counted for Prometheus."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.requests = Counter(
            "ridgewise_requests", "Requests answered", ("route", "method", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "ridgewise_request_seconds", "Seconds until a request was answered", ("route",), registry=self.registry,
            buckets=(0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
        )  # fmt: skip

    def watch(self, desk: Desk) -> None:
        """Show what the desk counts."""
        waiting = Gauge("ridgewise_questions_open", "Questions being answered or waiting", registry=self.registry)
        waiting.set_function(lambda: desk.queue)
        for name in desk.counts:
            shown = Gauge(f"ridgewise_answers_{name}", f"Questions {name}", registry=self.registry)
            shown.set_function(partial(desk.counts.__getitem__, name))


def created(desk: Desk | None = None, shelf: Shelf | None = None, token: str = "", pages: bool = True) -> FastAPI:
    """The application: the REST interface and, unless told otherwise, the page.

    ``token``: what every request must carry, wherever others than this machine may ask.
    """
    desk, shelf, meters = desk or Desk(), shelf or Shelf(), Meters()

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(desk.warm)
            yield
            tasks.cancel_scope.cancel()
        shelf.close()

    app = FastAPI(title="Ridgewise", version=__version__, description=ABOUT, docs_url=None, redoc_url=None,
                  openapi_url="/v1/openapi.json", lifespan=life, redirect_slashes=False)  # fmt: skip
    app.state.desk, app.state.shelf = desk, shelf
    meters.watch(desk)
    _errors(app)
    _watched(app, meters)
    for question in QUESTIONS.values():
        _ask(app, question)
    _lists(app)
    _files(app, shelf)
    _health(app, meters)
    if pages:
        from ridgewise.app.web.site import site

        site(app)
    app.add_middleware(Guard, token=token, hosts=LOOPBACK)
    return app


def _errors(app: FastAPI) -> None:
    """Everything that goes wrong is a problem document."""

    @app.exception_handler(RidgewiseError)
    async def ours(_: Request, error: Exception) -> Response:
        return problems.of(error)

    @app.exception_handler(RequestValidationError)
    async def unread(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        name = request.url.path.removeprefix("/v1/")
        return problems.of(refused(error.errors(), QUESTIONS.get(name)))

    @app.exception_handler(HTTPException)
    async def other(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return problems.problem(error.status_code, str(error.detail), headers=error.headers)

    @app.exception_handler(Exception)
    async def failed(_: Request, __: Exception) -> Response:
        return problems.problem(500, "please report it with the question that was asked")


def _watched(app: FastAPI, meters: Meters) -> None:
    @app.middleware("http")
    async def count(request: Request, call_next: RequestResponseEndpoint) -> Response:
        began = perf_counter()
        response = await call_next(request)
        route = getattr(request.scope.get("route"), "path", "none")
        meters.requests.labels(route, request.method, response.status_code).inc()
        meters.seconds.labels(route).observe(perf_counter() - began)
        return response


def tagged(request: Request, content: bytes, media: str = "application/json") -> Response:
    """A response with a tag of its content, or 304 where the asker has it already."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
    known = [part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(content, 200, headers, media)


def _ask(app: FastAPI, question: Question) -> None:
    """A question as GET with a readable query and as POST with a JSON body."""
    model = question.asked
    schema: dict[str, Any] = {"anyOf": [TypeAdapter(kind).json_schema() for kind in question.document_types()]}
    responses: dict[int | str, dict[str, Any]] = {
        200: {"description": "The answer", "content": {"application/json": {"schema": _inlined(schema)}}},
        **problems.documented(400, 401, 403, 413, 421, 422, 503, 504),
    }  # fmt: skip
    shown = {"summary": question.about.split("?")[0].split(".")[0].strip(), "description": question.about,
             "tags": ["questions"], "response_class": Response}  # fmt: skip

    async def answered(request: Request, asked: Any) -> Response:
        flags = app.state.shelf.resolved(asked.flags())
        found = await app.state.desk.ask(question.name, flags)
        return tagged(request, await to_thread.run_sync(lambda: found.json))

    async def get(request: Request, asked: Any) -> Response:
        return await answered(request, asked)

    async def post(request: Request, asked: Any) -> Response:
        return await answered(request, asked)

    get.__annotations__ |= {"request": Request, "asked": Annotated[model, Query()]}
    post.__annotations__ |= {"request": Request, "asked": model}
    where, name = f"/v1/{question.name}", question.name
    unchanged: dict[int | str, dict[str, Any]] = {304: {"description": "Unchanged"}}
    app.get(where, operation_id=f"get_{name}", responses=responses | unchanged, **shown)(get)  # type: ignore[arg-type]
    app.post(where, operation_id=name, responses=responses, openapi_extra={"requestBody": {"content": {
        "application/json": {"example": question.example}}}}, **shown)(post)  # type: ignore[arg-type]  # fmt: skip


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema with every reference replaced by what it names, so that it stands alone in the description."""
    named: dict[str, Any] = {}
    for one in schema["anyOf"]:
        named |= one.pop("$defs", {})

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            reference = value.get("$ref")
            if isinstance(reference, str):
                return walk(named[reference.rpartition("/")[2]])
            return {key: walk(inner) for key, inner in value.items()}
        return [walk(inner) for inner in value] if isinstance(value, list) else value

    found: dict[str, Any] = walk(schema)
    return found


Search = Annotated[str, Query(max_length=100, description="words that an id, name or alias holds")]
Limit = Annotated[int, Query(ge=1, le=catalogue.MOST_ROWS, description="rows of a page")]
Offset = Annotated[int, Query(ge=0, le=10**6, description="rows before it")]
LISTED: dict[int | str, dict[str, Any]] = problems.documented(400, 401, 404, 421, 422)


def _lists(app: FastAPI) -> None:
    async def listed(request: Request, document: Mapping[str, Any]) -> Response:
        response = tagged(request, json.dumps(document, ensure_ascii=False, allow_nan=False).encode())
        if document.get("next"):
            response.headers["Link"] = f'<{document["next"]}>; rel="next"'
        return response

    here = ("search", "class")

    def address(request: Request) -> str:
        kept = "".join(f"{key}={value}&" for key, value in request.query_params.items() if key in here)
        return f"{request.url.path}?{kept}"

    @app.get("/v1/models", tags=["catalogue"], responses=LISTED, response_class=Response)
    async def models(
        request: Request, search: Search = "", limit: Limit = catalogue.ROWS, offset: Offset = 0
    ) -> Response:
        """Models of the catalogue."""
        found = await to_thread.run_sync(catalogue.models, search)
        rows = await to_thread.run_sync(lambda: [catalogue.card(one) for one in found[offset : offset + limit]])
        return await listed(request, catalogue.page("models", rows, len(found), limit, offset, address(request)))

    @app.get("/v1/models/{model:path}", tags=["catalogue"], responses=LISTED, response_class=Response)
    async def model(request: Request, model: Annotated[str, Path(max_length=200)]) -> Response:
        """One model: parameters by component, cache per token, layers, source."""
        from ridgewise.app.cataloguing import model_document

        try:
            known = app.state.shelf.known(model)
        except RequestError as error:
            return problems.of(error, 404)
        return await listed(request, {"schema_version": 1, **await to_thread.run_sync(model_document, known)})

    @app.get("/v1/hardware", tags=["catalogue"], responses=LISTED, response_class=Response)
    async def hardware(
        request: Request, search: Search = "", limit: Limit = catalogue.ROWS, offset: Offset = 0,
        kind: Annotated[str | None, Query(alias="class", max_length=40, description="only this class")] = None,
    ) -> Response:  # fmt: skip
        """Devices of the catalogue."""
        found = await to_thread.run_sync(catalogue.hardware, search, kind)
        rows = [catalogue.line(one) for one in found[offset : offset + limit]]
        return await listed(request, catalogue.page("hardware", rows, len(found), limit, offset, address(request)))

    @app.get("/v1/hardware/{device}", tags=["catalogue"], responses=LISTED, response_class=Response)
    async def one_device(request: Request, device: Annotated[str, Path(max_length=200)]) -> Response:
        """One device: every figure with its unit, kind, source and date, its prices, its ridge point."""
        from ridgewise.app.cataloguing import hardware_document
        from ridgewise.app.home import own
        from ridgewise.hardware.sheets import device as find

        try:
            found = find(device, "hardware", own("hardware"))
        except RequestError as error:
            return problems.of(error, 404)
        return await listed(request, {"schema_version": 1, **await to_thread.run_sync(hardware_document, found)})


def _files(app: FastAPI, shelf: Shelf) -> None:
    @app.post("/v1/uploads", tags=["catalogue"], status_code=201, response_class=Response,
              responses={201: {"description": "Kept: ask about `model`"},
                         **problems.documented(400, 401, 403, 413, 421, 422)})  # fmt: skip
    async def hand_in(
        file: Annotated[UploadFile, File(description="a config.json, or the beginning of a GGUF file")],
        name: Annotated[str, Form(max_length=100)] = "",
        size: Annotated[int, Form(ge=0, le=1 << 44, description="bytes of the whole GGUF file")] = 0,
    ) -> Response:
        """Hand in a model of your own: it can then be asked about as `upload:ID`, until the server stops."""
        content = await file.read()
        told = await to_thread.run_sync(shelf.add, content, name or file.filename or "", size)
        return Response(json.dumps(told, ensure_ascii=False), 201, media_type="application/json")


def _health(app: FastAPI, meters: Meters) -> None:
    @app.get("/healthz", tags=["service"], response_class=PlainTextResponse)
    async def health() -> str:
        """Alive."""
        return "ok\n"

    @app.get("/metrics", tags=["service"], response_class=PlainTextResponse, responses=problems.documented(401))
    async def metrics() -> PlainTextResponse:
        """Counts and times, as Prometheus reads them."""
        return PlainTextResponse(generate_latest(meters.registry).decode(), media_type="text/plain; version=0.0.4")

"""The routes of the page."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl

from anyio import to_thread
from fastapi import FastAPI, File, Form, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles

from ridgewise.app.home import own
from ridgewise.app.rest import catalogue, problems
from ridgewise.app.rest.desk import Answer
from ridgewise.app.rest.questions import QUESTIONS, Flags, checked
from ridgewise.app.rest.service import tagged
from ridgewise.app.web import view, why
from ridgewise.errors import RequestError, RidgewiseError
from ridgewise.hardware.sheets import load_devices
from ridgewise.report.charts import field, knee, money, roofline, scaling, topology, waterfall
from ridgewise.report.comparison import rooflines
from ridgewise.report.provenance import CitedDocument, cited

#: What the page answers before anything is asked.
FIRST: Flags = {"model": "meta-llama/Llama-3.1-8B-Instruct", "users": "1"}
#: People of a service, where nobody said how many.
MANY = "200"
#: Options of a plan that its money and its service are asked with as well.
MONEY = tuple(QUESTIONS["cost"].asked.model_fields)
#: How a browser's script asks for a part of a page.
PART = "x-part"
#: Options of one deployment that its explanation takes.
ONE = ("model", "hardware", "engine", "quant", "tp", "pp", "prompt", "output", "concurrency")
HERE = Path(__file__).parent


def site(app: FastAPI) -> None:
    """Hang the pages into the application."""
    pages = Pages(app)
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    for path, page in (
        ("/", pages.plan), ("/look", pages.look), ("/train", pages.train), ("/money", pages.money),
        ("/service", pages.service), ("/compare", pages.compare), ("/why", pages.why), ("/models", pages.models),
        ("/models/{name:path}", pages.model), ("/hardware", pages.hardware), ("/hardware/{name}", pages.device),
        ("/configuration", pages.configuration),
        ("/reference", pages.reference), ("/pictures/{name}.svg", pages.picture), ("/plan.toml", pages.toml),
        ("/options.csv", pages.table), ("/memo.{form}", pages.memo), ("/find", pages.find),
    ):  # fmt: skip
        app.get(path, include_in_schema=False, response_class=HTMLResponse)(page)
    app.post("/upload", include_in_schema=False)(pages.upload)
    app.add_exception_handler(404, pages.missing)


def given(request: Request, question: str) -> Flags:
    """The options of an address."""
    return read(request.query_params.multi_items(), question)


def read(pairs: Iterable[tuple[str, str]], question: str) -> Flags:
    """Options from names and values, blanks dropped; of one that cannot repeat the last."""
    many = {name for name, about in QUESTIONS[question].asked.model_fields.items() if about.default_factory is not None}
    found: Flags = {}
    for name, value in pairs:
        if not value.strip():
            continue
        if name in many:
            found.setdefault(name, []).extend([value] if "=" in value else [p.strip() for p in value.split(",")])
        else:
            found[name] = value.strip()
    return found


def fitting(flags: Flags) -> Flags:
    """A plan's options without those that mean nothing for its goal, and without what is usual anyway."""
    from ridgewise.app.request import foreign

    goal = str(flags.get("goal", "infer"))
    kept = {name: value for name, value in flags.items() if name not in foreign(goal)}
    if goal == "train":
        kept.pop("rank", None)
        kept.setdefault("tokens", "2T")
    for name, usual in (("goal", "infer"), ("priority", "balanced")):
        if kept.get(name) == usual:
            del kept[name]
    return kept


class Pages:
    """Every page: read the address, ask, show."""

    def __init__(self, app: FastAPI) -> None:
        self.desk, self.shelf = app.state.desk, app.state.shelf
        self.templates = view.environment()

    async def ask(self, question: str, flags: Flags) -> Answer:
        asked = checked(QUESTIONS[question], flags).flags()
        found: Answer = await self.desk.ask(question, self.shelf.resolved(asked))
        return found

    async def show(self, template: str, status: int = 200, **seen: Any) -> HTMLResponse:
        text = await to_thread.run_sync(lambda: self.templates.get_template(template).render(**seen))
        return HTMLResponse(text, status, {"Vary": "X-Part, Cookie", "Cache-Control": "private, no-cache"})

    async def refused(self, error: RidgewiseError, query: Flags, request: Request, path: str = "/") -> HTMLResponse:
        """What is wrong, in the place of the answer."""
        part = request.headers.get(PART) is not None
        return await self.show("problem.html" if part else "page.html", problems.status_of(error), part="problem.html",
                               title="That cannot be answered", name=None,
                               **problem_seen(error, query, path))  # fmt: skip

    async def missing(self, request: Request, error: Exception) -> Response:
        """An address of nothing: a page for people, a problem for programs."""
        if request.url.path.startswith("/v1/") or "text/html" not in request.headers.get("accept", ""):
            return problems.problem(404, str(getattr(error, "detail", "")))
        told = RequestError(f"there is no page at {request.url.path[:100]}", "")
        return await self.show("page.html", 404, part="problem.html", title="Not found", name=None,
                               **problem_seen(told, {}, "/"))  # fmt: skip

    async def plan(self, request: Request) -> Response:
        """The three questions and their answer."""
        raw = given(request, "plan")
        query = fitting(raw) if raw else {}
        if (
            raw
            and view.address("/", query) != str(request.url).removeprefix(str(request.base_url)[:-1])
            and (any(not value.strip() for value in request.query_params.values()) or raw.keys() != query.keys())
        ):
            return RedirectResponse(view.address("/", query), 303)
        asked = query or dict(FIRST)
        part = request.headers.get(PART)
        try:
            if "model" not in asked:
                raise RequestError("choose a model", "model", (str(FIRST["model"]),))
            found = await self.ask("plan", asked)
            name = self.shelf.name_of(asked["model"])
        except RidgewiseError as error:
            if part == "answer":
                return await self.refused(error, asked, request)
            return await self.show("plan.html", problems.status_of(error), answer="problem.html",
                                   name=asked.get("model"), **problem_seen(error, asked, "/"))  # fmt: skip
        moves = await self.moves(request, found)
        explained = await self.behind(asked, found.document)
        seen = await to_thread.run_sync(lambda: self.plan_seen(asked, found, moves, explained))
        template = "answer.html" if part == "answer" else "plan.html"
        return await self.show(template, answer="answer.html", name=name, **seen)

    async def moves(self, request: Request, found: Answer) -> list[view.Move]:
        """What moved against the answer the reader had before."""
        was = request.headers.get("x-was")
        if not was:
            return []
        try:
            before = await self.ask("plan", fitting(read(parse_qsl(was.lstrip("?")[:4000]), "plan")) or dict(FIRST))
        except RidgewiseError:
            return []
        return view.moved(before.document, found.document)

    async def behind(self, query: Flags, document: Any) -> tuple[Flags, Any]:
        """Every term behind the speed of a plan's first choice, with the question it answers; nothing of a training."""
        if not document.pick or document.phase == "training":
            return {}, None
        asked = _only(view.deployment(document.options[0], document, query), ONE)
        asked["batch"] = asked.pop("concurrency", "1")
        try:
            return asked, (await self.ask("explain", asked)).document
        except RidgewiseError:  # a deployment that only plans know how to lay out
            return {}, None

    def plan_seen(
        self, query: Flags, found: Answer, moves: list[view.Move], explained: tuple[Flags, Any]
    ) -> dict[str, Any]:
        document = found.document
        first = document.options[0] if document.options else None
        pictures = dict(plan_pictures(document))
        if explained[1] is not None:
            pictures["roofline"] = roofline.explained(explained[1])
        seen: dict[str, Any] = {
            "query": query, "d": document, "first": first, "moves": moves, "seconds": found.seconds, "path": "/",
            "known": QUESTIONS["plan"].asked.model_fields, "training": document.phase == "training",
            "pictures": pictures, "money": _only(query, MONEY), "explained": explained[0],
        }  # fmt: skip
        return seen

    async def look(self, request: Request) -> Response:
        """One deployment: its memory, its roofline, every operator and input."""
        query = given(request, "estimate")
        context = request.query_params.get("context", "").strip()
        try:
            estimated = (await self.ask("estimate", {k: v for k, v in query.items() if k != "context"})).document
            if estimated.command != "estimate" or not hasattr(estimated, "ttft_s"):
                raise RequestError("does not answer token by token; the command line says how fast it is", "model")
            same = _only(query, ("model", "hardware", "engine", "quant", "tp", "pp", "ep"))
            held = _only(query, ("kv_bits", "memory", "free", "concurrency"))
            holds = same | held | ({"context": context} if context else {})
            fit = (await self.ask("fit", holds)).document
            told = _only(query, ("prompt", "output")) | (
                {"batch": query["concurrency"]} if "concurrency" in query else {}
            )
            explained = (await self.ask("explain", same | told)).document
            name = self.shelf.name_of(query["model"])
        except RidgewiseError as error:
            return await self.refused(error, query, request, "/look")
        query = query | ({"context": context} if context else {})
        pictures = dict(fit_pictures(fit)) | {"roofline": roofline.explained(explained)}
        title = f"{name} on {view.named(fit.device)}"
        return await self.show("page.html", part="look.html", title=title, query=query, d=estimated,
                               fit=fit, e=explained, name=name, pictures=pictures, path="/look",
                               asked={"fit": holds, "explain": same | told},
                               targets=await to_thread.run_sync(targets, estimated.engine),
                               grounds=grounds(one.key for one in explained.inputs),
                               known={*QUESTIONS["estimate"].asked.model_fields, "context"})  # fmt: skip

    async def train(self, request: Request) -> Response:
        """One training run: its layout, memory, step, and what more devices would do."""
        query = given(request, "train")
        try:
            found = (await self.ask("train", query)).document
            name = self.shelf.name_of(query["model"])
        except RidgewiseError as error:
            return await self.refused(error, query, request, "/train")
        if not hasattr(found, "layouts"):
            classic = RequestError(f"{name} is timed by the command line: ridgewise train", "model")
            return await self.refused(classic, query, request, "/train")
        title = f"Training {name} on {found.device_name}"
        return await self.show("page.html", part="train.html", title=title, query=query, d=found, name=name,
                               pictures=dict(train_pictures(found)), path="/train",
                               known=QUESTIONS["train"].asked.model_fields)  # fmt: skip

    async def money(self, request: Request) -> Response:
        """Buy, rent or API, over time."""
        query = given(request, "cost")
        try:
            found = (await self.ask("cost", query)).document
            name = self.shelf.name_of(query["model"])
        except RidgewiseError as error:
            return await self.refused(error, query, request, "/money")
        pictures = dict(money_pictures(found)) if hasattr(found, "ways") else {}
        part = request.headers.get(PART) is not None
        return await self.show("money.html" if part else "page.html", part="money.html", panel=part,
                               title=f"The money of {name}", query=query, d=found, name=name,
                               pictures=pictures, path="/money",
                               known=QUESTIONS["cost"].asked.model_fields)  # fmt: skip

    async def service(self, request: Request) -> Response:
        """How much hardware a service needs, and when it no longer does."""
        query = given(request, "capacity")
        if not {"users", "rate"} & query.keys():
            query = dict(FIRST) | query | {"users": MANY}
        try:
            found = (await self.ask("capacity", query)).document
            name = self.shelf.name_of(query["model"])
        except RidgewiseError as error:
            return await self.refused(error, query, request, "/service")
        part = request.headers.get(PART) is not None
        pictures = {"knee": knee.knee(found)} if found.feasible else {}
        return await self.show("service.html" if part else "page.html", part="service.html", panel=part,
                               title=f"{name} as a service", query=query, d=found, name=name, pictures=pictures,
                               path="/service", known=QUESTIONS["capacity"].asked.model_fields)  # fmt: skip

    async def compare(self, request: Request) -> Response:
        """One model on several machines, and its two phases."""
        query = given(request, "compare") or {"model": FIRST["model"]}
        try:
            found = (await self.ask("compare", query | {"phases": True})).document
            name = self.shelf.name_of(query["model"])
        except RidgewiseError as error:
            return await self.refused(error, query, request, "/compare")
        pictures = dict(rooflines(found))
        return await self.show("page.html", part="compare.html", title=f"{name}, side by side", query=query, d=found,
                               name=name, pictures=pictures, path="/compare",
                               known=QUESTIONS["compare"].asked.model_fields)  # fmt: skip

    async def why(self, request: Request) -> Response:
        """What stands behind one number of an answer."""
        question, place = request.query_params.get("question", "plan"), request.query_params.get("of", "")
        query: Flags = {}
        try:
            if question not in QUESTIONS:
                raise RequestError(f"unknown question {question!r}", "question", tuple(QUESTIONS))
            query = {k: v for k, v in given(request, question).items() if k not in ("question", "of")}
            found = (await self.ask(question, query)).document
            number = why.estimate_at(found, place)
        except RidgewiseError as error:
            return await self.refused(error, query, request)
        kind = why.kind_of(place)
        found_on = await to_thread.run_sync(lambda: grounds(getattr(number, "basis", ())))
        part = request.headers.get(PART) is not None
        said = why.subject(found, place)
        return await self.show("why.html" if part else "page.html", part="why.html", title=kind.name.capitalize(),
                               query=query, e=number, kind=kind, grounds=found_on, said=said, place=place,
                               question=question, name=None, path="/")  # fmt: skip

    async def models(self, request: Request) -> Response:
        """The models of the catalogue."""
        search = request.query_params.get("search", "")[:100]
        found = await to_thread.run_sync(catalogue.models, search)
        rows = await to_thread.run_sync(lambda: [catalogue.card(one) for one in found[:60]])
        return await self.show("page.html", part="models.html", title="Models", query={}, rows=rows, search=search,
                               total=len(found), name=None, path="/models")  # fmt: skip

    async def model(self, request: Request, name: str) -> Response:
        """One model."""
        from ridgewise.app.cataloguing import model_document

        try:
            found = await to_thread.run_sync(model_document, self.shelf.known(name))
        except RidgewiseError as error:
            return await self.refused(error, {}, request, "/models")
        return await self.show("page.html", part="model.html", title=found["name"], query={}, d=found, name=None,
                               path="/models")  # fmt: skip

    async def hardware(self, request: Request) -> Response:
        """The hardware of the catalogue."""
        search, kind = request.query_params.get("search", "")[:100], request.query_params.get("class") or None
        try:
            rows = await to_thread.run_sync(catalogue.hardware, search, kind)
        except RidgewiseError as error:
            return await self.refused(error, {}, request, "/hardware")
        return await self.show("page.html", part="hardware.html", title="Hardware", query={}, rows=rows, search=search,
                               kind=kind, name=None, path="/hardware")  # fmt: skip

    async def device(self, request: Request, name: str) -> Response:
        """One device: every figure with its source."""
        from ridgewise.app.cataloguing import hardware_document
        from ridgewise.hardware.sheets import device

        try:
            found = device(name, "hardware", own("hardware"))
        except RidgewiseError as error:
            return await self.refused(error, {}, request, "/hardware")
        document = await to_thread.run_sync(hardware_document, found)
        return await self.show("page.html", part="device.html", title=found.name, query={}, d=document,
                               grounds=grounds(f"{found.id}.{key}" for key in found.figures),
                               name=None, path="/hardware")  # fmt: skip

    async def reference(self, request: Request) -> Response:
        """The REST interface on one page."""
        shown = [(one, one.asked.model_fields, view.address(f"/v1/{one.name}", one.example))
                 for one in QUESTIONS.values()]  # fmt: skip
        return await self.show("page.html", part="reference.html", title="REST interface", query={}, questions=shown,
                               name=None, path="/reference", base=str(request.base_url).rstrip("/"))  # fmt: skip

    async def configuration(self, request: Request) -> Response:
        """The configuration that starts a deployment, as text."""
        query = given(request, "export")
        try:
            found = (await self.ask("export", query)).document
            if not found.feasible:
                raise RequestError(found.reason, "to")
        except RidgewiseError as error:
            return await self.refused(error, query, request, "/look")
        return Response(found.text, media_type="text/plain; charset=utf-8")

    async def picture(self, request: Request, name: str) -> Response:
        """One picture of an answer, to keep."""
        question = request.query_params.get("question", "plan")
        try:
            if question not in PICTURES:
                raise RequestError(f"no pictures of {question!r}", "question", tuple(PICTURES))
            query = {k: v for k, v in given(request, question).items() if k != "question"}
            if question == "plan":
                query = fitting(query)
            found = dict(PICTURES[question]((await self.ask(question, query)).document))
            if not found.get(name):
                raise RequestError(
                    f"no picture {name!r} of this answer", "name", tuple(n for n, s in found.items() if s)
                )
        except RidgewiseError as error:
            return await self.refused(error, {}, request)
        return tagged(request, found[name].encode(), "image/svg+xml")

    async def toml(self, request: Request) -> Response:
        """The question as a plan file."""
        from ridgewise.app.advising import FURTHER
        from ridgewise.app.planning import named
        from ridgewise.app.request import from_flags, plan_text

        query = fitting(given(request, "plan"))
        try:
            flags = checked(QUESTIONS["plan"], query).flags()
            text = plan_text(from_flags(None, {k: v for k, v in named(flags).items() if k not in (*FURTHER, "top")}))
        except RidgewiseError as error:
            return await self.refused(error, query, request)
        return Response(text, media_type="application/toml",
                        headers={"Content-Disposition": 'attachment; filename="plan.toml"'})  # fmt: skip

    async def memo(self, request: Request, form: str) -> Response:
        """The memo of a plan, for whoever signs: a file to keep."""
        from ridgewise.app.reporting import forms, made

        query = fitting(given(request, "plan"))
        try:
            known = {ending.lstrip("."): write for ending, write in forms().items()}
            if form not in known:
                raise RequestError(f"no memo is written as {form!r}", "form", tuple(known))
            found = await self.ask("plan", query)
            _, explained = await self.behind(query, found.document)
            memo = partial(made, found.document, explained, found.further.get("cost"))
            text = await to_thread.run_sync(lambda: known[form](memo()))
        except RidgewiseError as error:
            return await self.refused(error, query, request)
        media = {"html": "text/html", "pdf": "application/pdf"}.get(form, "text/markdown")
        return Response(text, media_type=media, headers={"Content-Disposition": f'attachment; filename="memo.{form}"'})

    async def table(self, request: Request) -> Response:
        """The ranked options as a table."""
        query = fitting(given(request, "plan"))
        try:
            found = (await self.ask("plan", query)).document
        except RidgewiseError as error:
            return await self.refused(error, query, request)
        rows = [flat(option) for option in found.options]
        text = io.StringIO()
        writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), restval="")
        writer.writeheader()
        writer.writerows(rows)
        return Response(text.getvalue(), media_type="text/csv",
                        headers={"Content-Disposition": 'attachment; filename="options.csv"'})  # fmt: skip

    async def find(self, request: Request) -> Response:
        """The models that a search means, for the picker."""
        search = request.query_params.get("search", "")[:100]
        found = await to_thread.run_sync(catalogue.models, search)
        rows = await to_thread.run_sync(lambda: [catalogue.card(one) for one in found[:8]])
        return await self.show("find.html", rows=rows, total=len(found))

    async def upload(
        self, request: Request, file: Annotated[UploadFile, File()], name: Annotated[str, Form()] = "",
        size: Annotated[int, Form(ge=0, le=1 << 44)] = 0, back: Annotated[str, Form(max_length=4000)] = "",
    ) -> Response:  # fmt: skip
        """A model of one's own, then the same question about it."""
        query = {k: v for k, v in parse_qsl(back.lstrip("?")) if k in QUESTIONS["plan"].asked.model_fields}
        try:
            content = await file.read()
            told = await to_thread.run_sync(self.shelf.add, content, name or file.filename or "", size)
        except RidgewiseError as error:
            return await self.refused(error, {}, request)
        return RedirectResponse(view.address("/", {**query, "model": told["model"]}), 303)


def grounds(keys: Iterable[str]) -> tuple[CitedDocument, ...]:
    """What the keys of an estimate mean, every price by itself."""
    return cited(keys, load_devices(own("hardware")), apart=True)


def targets(engine: str) -> tuple[str, ...]:
    """What a deployment of an engine can be written down for."""
    from ridgewise.report.manifests import able
    from ridgewise.report.manifests import targets as known

    return tuple(name for name, module in known().items() if engine in able(module))


def problem_seen(error: RidgewiseError, query: Flags, path: str) -> dict[str, Any]:
    """What the template of a problem shows."""
    what, where, near = problems.told(error)
    return {"what": what, "where": where, "near": near, "query": query, "path": path}


def _only(query: Flags, names: Any) -> Flags:
    return {name: query[name] for name in names if name in query}


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """A document's fields side by side: ``ttft_s_low``."""
    found: dict[str, Any] = {}
    items: Mapping[str, Any] = {f.name: getattr(value, f.name) for f in fields(value)}
    for name, inner in items.items():
        key = f"{prefix}{name}"
        if is_dataclass(inner):
            found |= flat(inner, f"{key}_")
        elif isinstance(inner, dict):
            found |= {f"{key}_{part}": amount for part, amount in inner.items()}
        elif isinstance(inner, tuple):
            found[key] = "; ".join(map(str, inner))
        else:
            found[key] = inner
    return found


def plan_pictures(d: Any) -> list[tuple[str, str]]:
    """The pictures of a plan, by name."""
    if not d.options:
        return []
    first, training = d.options[0], d.phase == "training"
    parts = {part: amount for part, amount in first.memory_parts_bytes.items() if amount > 0}
    return [
        ("field", field.field(f"Hardware for {d.model}", d.options, training)),
        ("memory", waterfall.waterfall(f"Memory of each {first.device}", first.memory_usable_bytes, parts)),
        ("topology", topology.topology(first.name, first.layout.tp, first.layout.pp, first.layout.replicas, parts,
                                       first.memory_usable_bytes)),
    ]  # fmt: skip


def fit_pictures(fit: Any) -> list[tuple[str, str]]:
    """The memory of one device, and all that hold one copy."""
    return [
        ("memory", waterfall.waterfall(f"Memory of each {fit.device}", fit.memory_total_bytes, fit.parts_bytes,
                                       fit.reserved_bytes)),
        ("topology", topology.topology(fit.device, fit.tp, fit.pp, 1, fit.parts_bytes, fit.memory_total_bytes)),
    ]  # fmt: skip


def money_pictures(d: Any) -> list[tuple[str, str]]:
    """The pictures of a cost."""
    return [("spent", money.spent(d)), ("swings", money.swings(d))]


def train_pictures(d: Any) -> list[tuple[str, str]]:
    """The pictures of a training run."""
    found = [("scaling", scaling.scaling(d))]
    if d.layouts and d.usable_memory_bytes:
        first = d.layouts[0]
        found += [
            ("memory", waterfall.waterfall(f"Memory of each {d.device_name}", d.usable_memory_bytes,
                                           first.memory_parts_bytes)),
            ("topology", topology.topology(d.device_name, first.tp, first.pp, first.dp * first.cp,
                                           first.memory_parts_bytes, d.usable_memory_bytes)),
        ]  # fmt: skip
    return found


#: Pictures by the question they are of.
PICTURES: Mapping[str, Callable[[Any], list[tuple[str, str]]]] = {
    "plan": plan_pictures, "fit": fit_pictures, "explain": lambda e: [("roofline", roofline.explained(e))],
    "cost": money_pictures, "train": train_pictures, "compare": rooflines,
    "capacity": lambda d: [("knee", knee.knee(d))],
}  # fmt: skip

"""What an assistant can ask: a few questions, their options read from the command line, answers with sources."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ridgewise.app.rest import questions
from ridgewise.errors import RequestError

#: When to use a tool, in the assistant's terms; what each answers is said by its command.
HINTS: Mapping[str, str] = {
    "plan": "Use it first for 'what hardware do I need to …'. users is people with access, not requests at once.",
    "fit": "Use it for 'does it fit on …': a waterfall of memory per device and the smallest change that makes it fit.",
    "estimate": "Use it for 'how fast is MODEL on DEVICE': one deployment, one load.",
    "check": "Use it when hardware is already chosen: mistakes with what they cost and what cures them.",
    "compare": "Use it for 'A or B': one model on several devices, side by side.",
    "explain": "Use it for 'why': every operator, formula, input and coefficient of an estimate.",
    "capacity": "Use it when latency percentiles are promised (slo_ttft='p95=1s'): it simulates; takes seconds.",
    "cost": "Use it for 'buy, rent or API': money over years, break-even, what would change it.",
    "train": "Use it for training on named hardware: layout, memory, days, failures, money.",
}
#: Options shown of a plan where nothing is said: an assistant reads every word.
TOP = 3
#: Rows of a search at most.
ROWS = 20


@dataclass(frozen=True, slots=True)
class Told:
    """An answer: the document of the command with ``sources`` beside it, and the same in words."""

    document: dict[str, Any]
    words: str


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: its schemas, and what answers."""

    name: str
    about: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    answer: Callable[[Mapping[str, Any], Path | None], Told]


@cache
def tools() -> dict[str, Tool]:
    """Every tool, by name."""
    asked = {name: _question(questions.QUESTIONS[name]) for name in HINTS}
    return {**asked, "search_catalogue": SEARCH}


def _question(question: questions.Question) -> Tool:
    """A question of the command line as a tool."""
    inputs = question.asked.model_json_schema()
    inputs.pop("title", None)
    return Tool(
        question.name, f"{question.about}\n\n{HINTS[question.name]}", inputs, _outputs(question),
        lambda given, root: _answered(question, given, root),
    )  # fmt: skip


def _outputs(question: questions.Question) -> dict[str, Any]:
    """The schema of an answer: the published one, and its sources."""
    from pydantic import TypeAdapter

    from ridgewise.report.provenance import CitedDocument

    kinds = question.document_types()
    made = TypeAdapter(kinds[0]).json_schema()
    cited = TypeAdapter(list[CitedDocument]).json_schema()
    made["$defs"] = {**made.get("$defs", {}), **cited.pop("$defs", {})}
    made["properties"] = {**made["properties"], "sources": cited}
    if len(kinds) > 1:  # one of several documents: each has its own keys
        return {"type": "object", "properties": {"sources": cited}, "$defs": made["$defs"]}
    return made


def _answered(question: questions.Question, given: Mapping[str, Any], root: Path | None) -> Told:
    """Check, ask, and put the sources beside the answer."""
    from ridgewise.app import reporting
    from ridgewise.report.document import as_json

    wanted = dict(given)
    if question.name == "plan":
        wanted.setdefault("top", TOP)
    flags = questions.checked(question, wanted).flags()
    for name in questions.MODELS:
        if flags.get(name):
            allowed(str(flags[name]), name, root)
    found, further = question.answer(flags)
    sources = json.loads(json.dumps([asdict(one) for one in reporting.sourced(found, TOP)]))
    document = json.loads(as_json(found, **further)) | {"sources": sources}
    return Told(document, _words(found, further, document))


def _words(found: Any, further: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """The answer as a memo where there is one, else as the document."""
    from ridgewise.app import reporting
    from ridgewise.report.memo_markdown import markdown

    try:
        return markdown(reporting.made(found, None, further.get("cost")))
    except RequestError:
        return json.dumps(document, ensure_ascii=False)


def allowed(name: str, where: str, root: Path | None) -> None:
    """Refuse names that would read this machine's files or the network: only the catalogue's, and files under ``root``.

    RequestError says what may stand there.
    """
    from ridgewise.app.home import own, there

    path = Path(name)
    if ":" in name or name.startswith(("~", "\\")):
        from ridgewise.models.read import find

        find(name, own("models"))  # an alias such as qwen3:30b may hold a colon
        return
    if not path.is_absolute() and ".." not in path.parts and not there(path):
        return
    if root is None or not path.resolve().is_relative_to(root.resolve()):
        what = "files of this machine are read only under --root" if root is None else f"is not under {root.name}"
        raise RequestError(what, where, ("a name of search_catalogue",))


def _search(given: Mapping[str, Any], root: Path | None) -> Told:
    """Models, devices and engines whose names hold every word."""
    from ridgewise.app.rest import catalogue
    from ridgewise.engines import load_engines

    unknown = sorted(set(given) - {"search", "what"})
    if unknown:
        raise RequestError(f"unknown option {unknown[0]!r}", "search_catalogue", ("search", "what"))
    words, what = str(given.get("search") or "")[:100], str(given.get("what") or "all")
    if what not in ("all", "models", "hardware", "engines"):
        raise RequestError(f"{what!r} is not in the catalogue", "what", ("models", "hardware", "engines"))
    models = catalogue.models(words) if what in ("all", "models") else []
    devices = catalogue.hardware(words, None) if what in ("all", "hardware") else []
    engines = [
        {"id": engine.id, "name": engine.name, "about": engine.about}
        for engine in load_engines().values()
        if what in ("all", "engines")
        and all(word in f"{engine.id} {engine.name}".casefold() for word in words.casefold().split())
    ]
    document = {
        "schema_version": 1, "command": "search_catalogue",
        "models": [catalogue.card(name) for name in models[:ROWS]], "models_total": len(models),
        "hardware": [catalogue.line(device) for device in devices[:ROWS]], "hardware_total": len(devices),
        "engines": engines[:ROWS], "engines_total": len(engines),
    }  # fmt: skip
    return Told(document, json.dumps(document, ensure_ascii=False))


SEARCH = Tool(
    "search_catalogue",
    "Names of models, hardware and engines as every other tool takes them. Use it when a name was not understood.",
    {
        "type": "object",
        "properties": {
            "search": {"type": "string", "maxLength": 100, "description": "words that a name must hold: qwen3 30b"},
            "what": {"enum": ["all", "models", "hardware", "engines"], "default": "all"},
        },
        "additionalProperties": False,
    },
    {
        "type": "object",
        "properties": {
            "models": {"type": "array", "items": {"type": "object"}},
            "hardware": {"type": "array", "items": {"type": "object"}},
            "engines": {"type": "array", "items": {"type": "object"}},
        },
    },
    _search,
)

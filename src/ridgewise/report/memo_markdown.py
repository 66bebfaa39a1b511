"""A memo as Markdown, without its pictures: for chats, tickets and assistants."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.report.cost import SourceDocument
from ridgewise.report.lines import piped
from ridgewise.report.memo import Grid, Memo, Part, Picture, Points, Reference, Words


def markdown(memo: Memo) -> str:
    """The whole memo."""
    lines = [f"# {memo.title}", "", memo.made]
    for section in memo.sections:
        body = [line for part in section.parts for line in _part(part)]
        if body:
            lines += ["", f"## {section.title}", "", *body]
    return "\n".join(lines).rstrip() + "\n"


def _part(part: Part) -> Iterator[str]:
    match part:
        case Words(text, strong):
            yield from (f"**{text}**" if strong else text, "")
        case Points(lines):
            yield from (*(f"- {line}" for line in lines), "")
        case Grid(headers, rows):
            yield from (*piped(headers, rows), "")
        case Reference(cited):
            links = "; ".join(_link(source) for source in cited.sources)
            yield f"- `{cited.key}` {part.words}" + (f": {links}" if links else "")
        case Picture():
            return


def _link(source: SourceDocument) -> str:
    dated = f" ({source.date})" if source.date else ""
    name = source.title or source.key
    return f"[{name}]({source.url}){dated}" if source.url else f"{name}{dated}"

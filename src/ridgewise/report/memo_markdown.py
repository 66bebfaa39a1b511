"""A memo as Markdown, without its pictures: for chats, tickets and assistants."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.report.cost import SourceDocument
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
            yield from (_row(headers), _row(("---",) * len(headers)), *(_row(row) for row in rows), "")
        case Reference(cited):
            dated = f", as of {cited.as_of}" if cited.as_of else ""
            value = f": {cited.value}" if cited.value else ""
            links = "; ".join(_link(source) for source in cited.sources)
            yield f"- `{cited.key}` {cited.what}{value} ({cited.kind}{dated})" + (f": {links}" if links else "")
        case Picture():
            return


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", "<br>") for cell in cells) + " |"


def _link(source: SourceDocument) -> str:
    dated = f" ({source.date})" if source.date else ""
    name = source.title or source.key
    return f"[{name}]({source.url}){dated}" if source.url else f"{name}{dated}"

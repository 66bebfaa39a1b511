"""A memo as one HTML file that needs nothing else: no script, no font, no file beside it."""

from __future__ import annotations

from html import escape

from ridgewise.report.cost import SourceDocument
from ridgewise.report.memo import Grid, Memo, Part, Picture, Points, Reference, Words

STYLE = """
:root { color-scheme: light dark; --ink: #1c2328; --soft: #5c6770; --line: #d7dde2; --page: #fff; --mark: #0b6e69; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8eb; --soft: #9aa5ad; --line: #38424a; --page: #14191d; --mark: #4cc2b8; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 58rem; padding: 2.5rem 1.25rem 4rem; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; padding-top: .8rem; border-top: 1px solid var(--line); }
.made, figcaption, .cited { color: var(--soft); font-size: .85rem; }
.answer { font-size: 1.3rem; font-weight: 600; color: var(--mark); margin: .3rem 0 .8rem; }
ul { padding-left: 1.2rem; margin: .4rem 0; } li { margin: .25rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .88rem; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem .4rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; }
figure { margin: 1rem 0; } figure svg { max-width: 100%; height: auto; display: block; }
a { color: var(--mark); } code { font-size: .82rem; }
@media print { body { max-width: none; padding: 0; font-size: 11pt; } h2 { break-after: avoid; }
  figure, tr { break-inside: avoid; } :root { --ink: #000; --page: #fff; --soft: #444; --line: #bbb; --mark: #064; } }
"""


def html(memo: Memo) -> str:
    """The whole page."""
    body = "\n".join(
        f"<section><h2>{escape(section.title)}</h2>\n" + "\n".join(_part(part) for part in section.parts) + "</section>"
        for section in memo.sections
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(memo.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<h1>{escape(memo.title)}</h1>\n<p class="made">{escape(memo.made)}</p>\n{body}\n</main>\n</body>\n</html>\n'
    )


def _part(part: Part) -> str:
    match part:
        case Words(text, strong):
            return f'<p class="answer">{escape(text)}</p>' if strong else f"<p>{escape(text)}</p>"
        case Points(lines):
            return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"
        case Grid(headers, rows):
            head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in headers)
            body = "".join("<tr>" + "".join(f"<td>{_cell(cell)}</td>" for cell in row) + "</tr>" for row in rows)
            return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        case Picture(svg, caption):
            return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"
        case Reference(cited):
            links = "; ".join(_link(source) for source in cited.sources)
            about = escape(part.words) + (f": {links}" if links else "")
            return f'<p class="cited"><code>{escape(cited.key)}</code> {about}</p>'
    raise TypeError(f"no way to set {type(part).__name__}")


def _cell(text: str) -> str:
    words = escape(text).replace("\n", "<br>")
    return words if not text.startswith("https://") or ";" in text else f'<a href="{escape(text)}">{words}</a>'


def _link(source: SourceDocument) -> str:
    dated = f" ({escape(source.date)})" if source.date else ""
    name = escape(source.title or source.key)
    safe = source.url.startswith(("https://", "http://"))
    return f'<a href="{escape(source.url)}">{name}</a>{dated}' if safe else f"{name}{dated}"

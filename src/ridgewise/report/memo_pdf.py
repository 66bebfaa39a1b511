"""A memo as PDF, set by Typst (extra ``pdf``): one wheel, no LaTeX, no fonts of the machine."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ridgewise.errors import RequestError
from ridgewise.report.cost import SourceDocument
from ridgewise.report.memo import Grid, Memo, Part, Picture, Points, Reference, Words

PREAMBLE = """
#set page(paper: "a4", margin: (x: 2cm, y: 2.2cm), numbering: "1 / 1")
#set text(font: "Libertinus Serif", size: 10.5pt, lang: "en")
#set par(justify: false)
#show heading.where(level: 2): it => block(above: 1.6em, below: 1em, sticky: true)[
  #line(length: 100%, stroke: .5pt + luma(190)) #v(-.2em) #text(12.5pt, it.body)]
#show link: set text(fill: rgb("#0b6e69"))
"""
#: Columns beyond this many make the letters of a table smaller.
WIDE = 5


def pdf(memo: Memo) -> bytes:
    """The document; RequestError where the extra is not installed."""
    try:
        import typst
    except ImportError:
        raise RequestError("needs the extra 'pdf'", "--report", ("pip install 'ridgewise[pdf]'", "FILE.html")) from None
    files = {f"{number}.svg": _plain(picture.svg).encode() for number, picture in enumerate(memo.pictures)}
    made: bytes = typst.compile({"main.typ": typeset(memo).encode(), **files})  # type: ignore[call-overload]
    return made


def typeset(memo: Memo) -> str:
    """The memo in Typst's language."""
    numbers = iter(range(1000))
    title = _text(memo.title)
    lines = [f"#set document(title: {title})", PREAMBLE, f"#text(20pt, weight: 600)[#{title}]", ""]
    lines += [f"#text(9pt, fill: luma(90))[#{_text(memo.made)}]"]
    for section in memo.sections:
        lines += ["", f"#heading(level: 2)[#{_text(section.title)}]"]
        lines += [line for part in section.parts for line in _part(part, numbers)]
    return "\n".join(lines) + "\n"


def _part(part: Part, numbers: Iterator[int]) -> Iterator[str]:
    match part:
        case Words(text, strong):
            yield f'#text(14pt, weight: 600, fill: rgb("#0b6e69"))[#{_text(text)}]\n' if strong else f"#{_text(text)}\n"
        case Points(lines):
            yield "#list(" + ", ".join(f"[#{_text(line)}]" for line in lines) + ")"
        case Grid(headers, rows):
            cells = [f"[*#{_text(cell)}*]" for cell in headers]
            cells += [f"[#{_text(_breakable(cell))}]" for row in rows for cell in row]
            size = 8 if len(headers) > WIDE else 9
            look = "stroke: (x: none, y: .4pt + luma(200)), inset: (x: 3pt, y: 4pt)"
            yield (
                f"#text({size}pt, table(columns: {len(headers)}, {look}, align: left, "
                f"table.header({', '.join(cells[: len(headers)])}), {', '.join(cells[len(headers) :])}))"
            )
        case Picture(_, caption):
            number = next(numbers)
            yield (
                f'#figure(image("{number}.svg", width: 82%, alt: {_text(caption)}), '
                f"caption: [#{_text(caption)}], supplement: none, numbering: none)"
            )
        case Reference(cited):
            about = f" {part.words}" + (": " if cited.sources else "")
            links = " #[; ] ".join(_link(source) for source in cited.sources)
            yield f"#block(below: .6em)[#set text(8.5pt)\n#raw({_text(cited.key)})#{_text(about)} {links}]"


def _link(source: SourceDocument) -> str:
    dated = f" ({source.date})" if source.date else ""
    name = _text((source.title or source.key) + dated)
    return f"#link({_text(source.url)}, {name})" if source.url.startswith(("https://", "http://")) else f"#{name}"


def _text(words: str) -> str:
    """Words as a string of Typst: nothing in them is markup."""
    return '"' + words.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _breakable(cell: str) -> str:
    """Addresses may break after a stroke."""
    return re.sub(r"(?<=[/;])(?=\S)", "\u200b", cell) if "://" in cell else cell


def _plain(svg: str) -> str:
    """A picture with the letters that are there."""
    return re.sub(r"font-family=(\"[^\"]*\"|'[^']*')", 'font-family="DejaVu Sans Mono"', svg)

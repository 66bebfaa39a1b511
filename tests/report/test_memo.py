"""Memos: the same parts in three forms, whole by themselves, with every source."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import ridgewise
from ridgewise.app.main import main
from ridgewise.report.memo import Picture
from ridgewise.report.memo_html import html
from ridgewise.report.memo_markdown import markdown

QUESTIONS = {
    "plan": ["plan", "Qwen3-30B-A3B", "--users", "100", "--country", "DE"],
    "estimate": ["estimate", "Llama-3.1-8B", "L40S", "--concurrency", "8"],
    "capacity": ["capacity", "Llama-3.1-8B", "--users", "100", "--hardware", "L40S"],
    "train": ["train", "Llama-3.1-8B", "--hardware", "H100 SXM", "--goal", "lora", "--tokens", "20M"],
    "cost": ["cost", "Llama-3.1-8B", "--users", "20"],
    "nothing": ["plan", "DeepSeek-V3", "--users", "50", "--budget", "500"],
}


class Page(HTMLParser):
    """Tags that were not closed, and addresses that would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "img", "iframe", "object", "embed"):
            self.fetched.append(tag)
        if tag == "link" or given.get("src"):
            self.fetched.append(str(given))
        if tag not in ("meta", "br", "path", "rect", "circle", "line", "stop", "polygon", "polyline", "ellipse"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        return

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()


@pytest.mark.parametrize("name", QUESTIONS)
def test_html_stands_alone(name: str, tmp_path: Path) -> None:
    path = tmp_path / "memo.html"
    main([*QUESTIONS[name], "--report", str(path)])
    text = path.read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert not page.fetched and not page.open
    assert "Answer</h2>" in text
    assert not re.search(r"\b(nan|inf|None)\b", re.sub(r"<[^>]*>", " ", text.split("</style>")[1]))


def test_a_plan_says_what_a_signer_asks(tmp_path: Path) -> None:
    path = tmp_path / "memo.md"
    assert main([*QUESTIONS["plan"], "--report", str(path)]) == 0
    text = path.read_text(encoding="utf-8")
    for title in ("Question", "Answer", "What to expect", "Alternatives", "Money", "What would change the answer",
                  "Assumed", "Sources"):  # fmt: skip
        assert f"## {title}" in text
    assert "](https://" in text.split("## Sources")[1]
    assert " to " in text.split("## What to expect")[1].split("##")[0], "figures have their interval"


@pytest.mark.parametrize("name", QUESTIONS)
def test_pdf_is_set(name: str, tmp_path: Path) -> None:
    pytest.importorskip("typst", reason="typst is not installed (extra 'pdf')")
    path = tmp_path / "memo.pdf"
    main([*QUESTIONS[name], "--report", str(path)])
    assert path.read_bytes().startswith(b"%PDF-")


def test_words_are_never_markup(tmp_path: Path) -> None:
    pytest.importorskip("typst", reason="typst is not installed (extra 'pdf')")
    from dataclasses import replace

    from ridgewise.report.memo_pdf import pdf

    nasty = '<script>alert(1)</script> #panic("x") $x$ \\ " *a* `b` | c'
    made = ridgewise.memo(ridgewise.plan("Llama-3.1-8B", top=1))
    memo = replace(made, title=nasty, sections=(replace(made.sections[0], title=nasty),))
    assert "<script>" not in html(memo)
    assert pdf(memo).startswith(b"%PDF-")


def test_another_ending_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "Llama-3.1-8B", "--report", str(tmp_path / "memo.doc")]) == 2
    said = capsys.readouterr()
    assert "memo.html" in said.err and not said.out, "nothing is computed for a file that cannot be"


def test_a_notebook_shows_it_whole() -> None:
    made = ridgewise.memo(ridgewise.plan("Llama-3.1-8B", top=2))
    assert made._repr_html_().startswith("<iframe srcdoc=")
    assert all(isinstance(one, Picture) and one._repr_svg_().startswith("<svg") for one in made.pictures)
    assert made.pictures and "Llama" in markdown(made)

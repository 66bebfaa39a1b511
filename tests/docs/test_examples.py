"""What the documentation shows is what happens: console and Python blocks are run."""

from __future__ import annotations

import pytest
from pages import PAGES, console

REFRESH = "python docs/refresh.py rewrites the outputs"


def _with(language: str) -> list[str]:
    return [name for name, text in PAGES.items() if any(b.language == language for b in console.blocks(text))]


@pytest.mark.parametrize("page", _with("console"))
def test_console_examples_show_the_real_output(page: str) -> None:
    with console.scratch() as place:
        for block in console.blocks(PAGES[page]):
            if block.title:
                console.lay(block, place)
            if block.language == "console":
                for written, expected in console.commands(block.body):
                    actual = console.run(written, place)
                    assert console.matches(expected, actual), f"{page}: {written}\n{REFRESH}; it printed:\n{actual}"


@pytest.mark.parametrize("page", _with("python"))
def test_python_examples_run(page: str) -> None:
    names: dict[str, object] = {}
    with console.scratch():
        for block in console.blocks(PAGES[page]):
            if block.language == "python":
                above = "\n" * PAGES[page][: block.start].count("\n")  # so that a failure names the line of the page
                exec(compile(above + block.body, page, "exec"), names)


def test_every_block_has_a_language() -> None:
    bare = [f"{name}: {b.body[:40]!r}" for name, text in PAGES.items() for b in console.blocks(text) if not b.language]
    assert not bare


def test_an_ellipsis_stands_for_anything_and_nothing_else_does() -> None:
    assert console.matches("a\n…\nd", "a\nb\nc\nd")
    assert console.matches("speed … tokens/s", "speed 12 tokens/s")
    assert not console.matches("a\nb", "a\nc")
    assert not console.matches("a", "a\nb")

"""A changed fact, coefficient or rule shows which answers it moves."""

from __future__ import annotations

import difflib

from tests.answers.snapshot import FILE, render


def test_reference_answers_have_not_moved_unnoticed() -> None:
    recorded, now = FILE.read_text(encoding="utf-8").splitlines(), render().splitlines()
    moved = [
        line for line in difflib.unified_diff(recorded, now, "recorded", "now", lineterm="", n=0) if line[:2] != "@@"
    ]
    assert not moved, "answers moved (refresh with `make answers` if they should):\n" + "\n".join(moved)

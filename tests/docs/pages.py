"""The scripts beside the documentation, importable from the tests."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs"))

import console  # noqa: E402
import make_glossary  # noqa: E402
import make_schemas  # noqa: E402
import make_tables  # noqa: E402

PAGES = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in console.pages()}
__all__ = ["PAGES", "ROOT", "console", "make_glossary", "make_schemas", "make_tables"]

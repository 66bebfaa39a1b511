"""The page about measurements lists every format and every schema as they are."""

from __future__ import annotations

from pathlib import Path

from ridgewise.evidence import KINDS
from ridgewise.evidence.importers import IMPORTERS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "measurements.md").read_text(encoding="utf-8")


def test_formats() -> None:
    for importer in IMPORTERS:
        assert f"| `{importer.name}` | {importer.about} |\n" in PAGE, importer.name


def test_schemas() -> None:
    for kind in KINDS.values():
        metrics = ", ".join(f"`{name}` ({unit})" for name, unit in kind.metrics.items()) or "one column each"
        known, needs = (", ".join(f"`{name}`" for name in names) for names in (kind.signature, kind.required))
        row = f"| `{kind.name}` | {kind.about} | {known} | {needs} | {metrics} |\n"
        assert row in PAGE, row

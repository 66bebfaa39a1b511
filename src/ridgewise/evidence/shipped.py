"""The measurements that come with Ridgewise: rows whose licences let them be passed on."""

from __future__ import annotations

from ridgewise.evidence.tables import Table, parse_table, table_text
from ridgewise.facts.catalog import catalog_path


def shipped() -> list[Table]:
    """Every table of ``catalog/measurements``, by file name."""
    folder = catalog_path("measurements")
    paths = sorted([*folder.glob("*.csv"), *folder.glob("*.csv.gz")])
    return [parse_table(table_text(path), f"measurements/{path.name}") for path in paths]

"""Measurements: what tools print, read into one schema per kind, kept with their source."""

from ridgewise.evidence.tables import KINDS, Kind, Row, Table, read_table

__all__ = ["KINDS", "Kind", "Row", "Table", "read_table"]

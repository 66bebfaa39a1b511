"""Where does this number come from? Figures with sources, and the sheets that hold them."""

from ridgewise.facts.catalog import catalog_path, load_sources, source
from ridgewise.facts.figure import Figure, Source
from ridgewise.facts.names import NameIndex, normal

__all__ = ["Figure", "NameIndex", "Source", "catalog_path", "load_sources", "normal", "source"]

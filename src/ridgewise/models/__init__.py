"""Models: what an architecture is, and the readers that build one from a file."""

from ridgewise.models.architecture import Architecture, Feed, LayerGroup, Mixer

__all__ = ["Architecture", "Feed", "LayerGroup", "Mixer"]

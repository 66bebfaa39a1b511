"""Does it fit? Weights, caches, activations, gradients, optimiser and engine overhead, per device."""

from ridgewise.memory.footprint import Footprint, cache_bytes, inference, weight_bytes
from ridgewise.memory.training import training

__all__ = ["Footprint", "cache_bytes", "inference", "training", "weight_bytes"]

"""Can it be trained, on what, how long: memory, step time and layout search."""

from ridgewise.training.estimate import TrainingEstimate, flops_per_token, unsupported

__all__ = ["TrainingEstimate", "flops_per_token", "unsupported"]

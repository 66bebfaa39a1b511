"""Inference: what one user feels, and what many users get in the steady state."""

from ridgewise.serving.estimate import Setup, Speed, largest_batch, service, single, step_time

__all__ = ["Setup", "Speed", "largest_batch", "service", "single", "step_time"]

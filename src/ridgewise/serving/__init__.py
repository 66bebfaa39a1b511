"""Inference: what one user feels, and what many users get in the steady state."""

from ridgewise.serving.estimate import Speed, service, single, step_time
from ridgewise.serving.setup import Setup

__all__ = ["Setup", "Speed", "service", "single", "step_time"]

"""Demand: what a forward pass asks for, in FLOPs, bytes and messages. Knows no machine."""

from ridgewise.work.forward import Work, forward
from ridgewise.work.plan import Plan
from ridgewise.work.step import Slice, Step, decode, prefill, training

__all__ = ["Plan", "Slice", "Step", "Work", "decode", "forward", "prefill", "training"]

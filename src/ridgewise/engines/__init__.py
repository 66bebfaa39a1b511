"""Engines: which devices they run on, which weight formats they take, how they use several devices."""

from ridgewise.engines.engine import Backend, Engine, engine, load_engines

__all__ = ["Backend", "Engine", "engine", "load_engines"]

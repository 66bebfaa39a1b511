"""Engines: which devices they run on, which weight formats they take, how they use several devices."""

from ridgewise.engines.engine import Backend, Engine, Limit, engine, kin, load_engines

__all__ = ["Backend", "Engine", "Limit", "engine", "kin", "load_engines"]

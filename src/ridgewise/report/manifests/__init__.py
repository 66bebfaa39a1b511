"""Configurations that start what a plan describes: one file per target, found by its name.

A file defines ``NAME`` (what ``--to`` takes), ``ABOUT`` (one line), ``ENGINES`` (whose plans it can express; empty:
those of every engine that has a container image) and ``write(served)``, which returns the whole text. Names
of options and keys are those of the release that the file names, checked against its own parser or schema.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from ridgewise.errors import RequestError, nearest
from ridgewise.report.manifests._served import Served

__all__ = ["Served", "able", "manifest", "targets"]


@cache
def targets() -> dict[str, ModuleType]:
    """Every target of a deployment, by name."""
    files = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))
    found = [import_module(f"{__name__}.{stem}") for stem in files]
    return {module.NAME: module for module in found}


def able(module: ModuleType) -> tuple[str, ...]:
    """Ids of the engines whose plans a target expresses."""
    return module.ENGINES or tuple(
        engine for other in targets().values() if hasattr(other, "IMAGES") for engine in other.ENGINES
    )


def manifest(name: str, served: Served) -> str:
    """The text of one target; RequestError where there is none of that name, or it cannot express the plan."""
    known = targets()
    if name not in known:
        raise RequestError(f"no target {name!r}", "--to", nearest(name, known) or tuple(known))
    module, engine = known[name], served.setup.engine
    if engine.id not in able(module):
        fitting = tuple(other for other, one in known.items() if engine.id in one.ENGINES)
        what = f"the plan is for {engine.name} in {served.setup.plan.format.name}, which {name} does not start"
        raise RequestError(what, "--to", (*(f"--engine {one}" for one in able(module)), *fitting))
    return str(module.write(served))

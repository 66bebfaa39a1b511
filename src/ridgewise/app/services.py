"""``ridgewise simulate`` and ``ridgewise capacity`` as functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ridgewise.errors import RequestError, nearest

if TYPE_CHECKING:
    from ridgewise.report.capacity import CapacityDocument
    from ridgewise.report.simulation import SimulationDocument

LOAD = ("rate", "users", "active", "think", "turns", "system_prompt", "arrivals", "prompt", "output", "seed",
        "slo_ttft", "slo_tpot", "slo_e2e", "engine", "quant", "kv_bits", "tp", "policy")  # fmt: skip
ONE = ("trace", "trace_format", "speed", "requests", "pp", "memory", "free", "draft", "draft_tokens", "acceptance",
       "replicas", "router", "decode_replicas", "link", "scale_target", "scale_from", "start_delay", "fail", "repair",
       "table", "perfetto")  # fmt: skip
ANY = ("hardware", "busy", "tariff", "country", "prices", "host_price", "top")


def _checked(flags: dict[str, Any], known: Iterable[str], where: str) -> dict[str, Any]:
    """Flags as the command line would give them; RequestError names an unknown one."""
    names = tuple(known)
    wrong = [name for name in flags if name not in names]
    if wrong:
        raise RequestError(f"unknown flag {wrong[0]!r}", where, nearest(wrong[0], names) or names[:6])
    made = dict(flags)
    for name in ("policy", "fail"):
        if isinstance(made.get(name), str):
            made[name] = [made[name]]
    return made


def simulate(model: str, hardware: str, **flags: Any) -> SimulationDocument:
    """What users of one system feel. ``flags`` are those of ``ridgewise simulate``, with underscores: ``rate``,
    ``users`` or ``trace``, ``replicas``, ``slo_ttft="p95=1s"`` …; the answer is its JSON document as an object.
    Raises :class:`ridgewise.errors.RequestError` for what is unknown or cannot be."""
    from ridgewise.app.simulating import simulated, write

    found, run = simulated(model, hardware, _checked(flags, (*LOAD, *ONE), "simulate"))
    if run is not None:
        write(run, flags)
    return found


def capacity(model: str, **flags: Any) -> CapacityDocument:
    """How much hardware a load needs. ``flags`` are those of ``ridgewise capacity``, with underscores."""
    from ridgewise.app.planning import named
    from ridgewise.app.simulating import sized

    return sized(model, named(_checked(flags, (*LOAD, *ANY), "capacity")))

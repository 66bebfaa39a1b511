"""How engines choose what a step computes: one file per engine, found by its name.

A policy is data. What engines do differently is a handful of rules, which the loop reads:

    mixed        chunks of prompts ride in the decode steps (else prompts come first, in steps of their own)
    chunked      prompts may be cut to fit the token budget of a step
    reserve_all  a request is admitted when its whole answer has room (else it grows, and the last admitted is put
                 back when room runs out)
    whole        a batch begins and ends as a whole
    reserve      share of the answers still to come of running requests that admission keeps free; it falls by
                 ``reserve_less`` a step down to ``reserve_least``
    prefix       what an answered request leaves in the cache serves the next one that begins alike
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Annotated

from ridgewise.engines import Engine
from ridgewise.errors import RequestError, nearest
from ridgewise.units import parse


@dataclass(frozen=True, slots=True)
class Policy:
    """The scheduler of an engine.

    sequences, tokens   most sequences at once, most tokens of a step; 0: the engine's own default on the device
    block               tokens of a cache block
    """

    name: str
    engines: tuple[str, ...]
    about: str
    sources: tuple[str, ...]
    sequences: Annotated[int, "1"] = 0
    tokens: Annotated[int, "tokens"] = 0
    block: Annotated[int, "tokens"] = 16
    mixed: bool = True
    chunked: bool = True
    reserve_all: bool = False
    whole: bool = False
    prefix: bool = True
    reserve: Annotated[float, "ratio"] = 0.0
    reserve_least: Annotated[float, "ratio"] = 0.0
    reserve_less: Annotated[float, "ratio"] = 0.0


@cache
def load_policies() -> Mapping[str, Policy]:
    """Every policy by name: one module each beside this one."""
    modules = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]
    return {module.POLICY.name: module.POLICY for module in modules}


def policy_of(engine: Engine) -> Policy:
    """The policy of an engine: its own, else continuous batching where it was made to serve, else slots."""
    for policy in load_policies().values():
        if engine.id in policy.engines:
            return policy
    return load_policies()["vllm" if engine.service else "llamacpp"]


#: Settings a user may give, with what they set: name → (field, unit or "yes/no").
SETTINGS: Mapping[str, tuple[str, str]] = {
    "max_num_seqs": ("sequences", "1"), "slots": ("sequences", "1"), "max_num_batched_tokens": ("tokens", "tokens"),
    "block": ("block", "tokens"), "mixed": ("mixed", ""), "chunked": ("chunked", ""), "prefix": ("prefix", ""),
    "reserve_all": ("reserve_all", ""), "reserve": ("reserve", "ratio"),
}  # fmt: skip
_YES, _NO = ("on", "yes", "true", "1"), ("off", "no", "false", "0")


def changed(policy: Policy, settings: Mapping[str, str], where: str = "--policy") -> Policy:
    """A policy with a user's settings; RequestError names what is unknown or out of range."""
    new: dict[str, float | bool | int] = {}
    for name, text in settings.items():
        key = name.strip().replace("-", "_")
        if key not in SETTINGS:
            raise RequestError(f"unknown setting {name!r}", where, nearest(key, SETTINGS) or tuple(SETTINGS)[:6])
        field, unit = SETTINGS[key]
        if not unit:
            if text.casefold() not in (*_YES, *_NO):
                raise RequestError(f"{key} is on or off, not {text!r}", where, (f"{key}=on", f"{key}=off"))
            new[field] = text.casefold() in _YES
            continue
        value = parse(text, unit, where)
        whole = field in ("sequences", "tokens", "block")
        least, most = (1.0, 1e6) if whole else (0.0, 1.0)
        if not least <= value <= most or (whole and value != int(value)):
            raise RequestError(f"{key}={text} is out of range", where, (f"{key}={int(least) or 1}",))
        new[field] = int(value) if whole else value
    made = replace(policy, **new)  # type: ignore[arg-type]
    return replace(made, reserve_least=min(made.reserve_least, made.reserve))


def settings(policy: Policy) -> dict[str, float | bool | str]:
    """The rules of a policy for a report."""
    left_out = ("engines", "about", "sources")
    return {field.name: getattr(policy, field.name) for field in fields(policy) if field.name not in left_out}

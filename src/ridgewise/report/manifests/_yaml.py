"""Plain values as YAML: mappings, lists, words and numbers, nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

#: Words that stand without quotes and are still read as words.
PLAIN = re.compile(r"[A-Za-z/][\w./-]*")
TAKEN = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def yaml(value: object) -> str:
    """The text of a document."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _entry(f"{_scalar(key)}:", item)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            first, *rest = _lines(item) if _holds(item) else (_scalar(item),)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)


def _entry(head: str, item: object) -> Iterator[str]:
    if isinstance(item, str) and "\n" in item:
        yield f"{head} |"
        yield from (f"  {line}" for line in item.rstrip("\n").split("\n"))
    elif _holds(item):
        yield head
        yield from (f"  {line}" for line in _lines(item))
    else:
        yield f"{head} {_scalar(item)}"


def _holds(item: object) -> bool:
    return isinstance(item, Mapping | list | tuple) and len(item) > 0


def _scalar(item: object) -> str:
    if isinstance(item, str) and PLAIN.fullmatch(item) and item.casefold() not in TAKEN:
        return item
    return json.dumps(item, ensure_ascii=False)

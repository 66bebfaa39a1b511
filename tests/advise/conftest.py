"""Asking a planning question as the command line does, each question answered once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from ridgewise.advise import Answer, Question, answer
from ridgewise.app.request import from_flags, question
from ridgewise.hardware import load_devices

Ask = Callable[..., Answer]


def asked(model: str, **flags: object) -> Question:
    """The question behind a model and flags."""
    given = {key: list(value) if isinstance(value, tuple) else value for key, value in flags.items()}
    return question(from_flags(None, {"model": model, **given}))


@cache
def _answered(model: str, flags: tuple[tuple[str, object], ...]) -> Answer:
    return answer(asked(model, **dict(flags)), tuple(load_devices().values()))


@pytest.fixture(scope="session")
def ask() -> Ask:
    """``ask("Llama-3.1-8B", users="1")``: the whole answer."""
    return lambda model, **flags: _answered(model, tuple(sorted(flags.items())))


@pytest.fixture(scope="session")
def pose() -> Callable[..., Question]:
    """``pose("Llama-3.1-8B", users="1")``: the question alone."""
    return asked

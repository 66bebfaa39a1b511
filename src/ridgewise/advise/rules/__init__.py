"""The mistakes to catch: one file per rule, each a function from a question and its options to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ridgewise.advise.finding import Finding
from ridgewise.advise.option import Option
from ridgewise.advise.question import Question
from ridgewise.advise.rules import compute_not_memory, concurrency, impossible_training, overkill, single_machines

Rule = Callable[[Question, Sequence[Option]], Iterator[Finding]]

RULES: tuple[Rule, ...] = (
    overkill.check,
    impossible_training.check,
    compute_not_memory.check,
    concurrency.check,
    single_machines.check,
)


def findings(question: Question, options: Sequence[Option]) -> list[Finding]:
    """Everything the rules say about a question and its ranked options."""
    return [finding for rule in RULES for finding in rule(question, options)]


__all__ = ["RULES", "Rule", "findings"]

"""The three questions, the candidates, the ranking, the mistakes, and reasons people can act on."""

from ridgewise.advise.answer import Answer, answer
from ridgewise.advise.finding import Finding
from ridgewise.advise.option import Option
from ridgewise.advise.question import PRIORITIES, Priority, Question

__all__ = ["PRIORITIES", "Answer", "Finding", "Option", "Priority", "Question", "answer"]

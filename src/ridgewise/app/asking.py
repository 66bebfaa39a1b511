"""The questions of the command line as functions: ``ridgewise.plan``, ``fit``, ``compare``, ``explain``, ``check``,
and ``memo``, which makes any answer a document to sign.

Flags are those of the commands, with underscores, as numbers or words. Every answer shows itself in a notebook and
turns into a data frame (``.to_frame()``). RequestError for what is unknown or cannot be names the flag and the nearest
valid value.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from ridgewise.advise.explaining import Explanation
    from ridgewise.advise.fitting import FitAnswer
    from ridgewise.report.checking import CheckDocument
    from ridgewise.report.comparison import ComparisonDocument
    from ridgewise.report.document import PlanDocument
    from ridgewise.report.memo import Memo


def _asked(name: str, **given: Any) -> Any:
    """One question, checked as every face checks it."""
    from ridgewise.app.rest import questions

    flags = questions.checked(questions.QUESTIONS[name], given).flags()
    return questions.answer(name, flags)[0]


def plan(model: str, **flags: Any) -> PlanDocument:
    """What hardware does it need? ``flags`` are those of ``ridgewise plan``: users, prompt, slo_ttft, budget …"""
    return cast("PlanDocument", _asked("plan", model=model, **flags))


def fit(model: str, hardware: str, **flags: Any) -> FitAnswer:
    """Does it fit? ``flags`` are those of ``ridgewise fit``: context, concurrency, quant, kv_bits, tp …"""
    return cast("FitAnswer", _asked("fit", model=model, hardware=hardware, **flags))


def compare(model: str, hardware: Sequence[str] = (), **flags: Any) -> ComparisonDocument:
    """One model on several machines; without any, one of each class."""
    return cast("ComparisonDocument", _asked("compare", model=model, hardware=list(hardware), **flags))


def explain(model: str, hardware: str, **flags: Any) -> Explanation:
    """Every number of an estimate: operators, formulas, inputs with sources, coefficients with evidence."""
    return cast("Explanation", _asked("explain", model=model, hardware=hardware, **flags))


def check(model: str, hardware: Sequence[str] | str, **flags: Any) -> CheckDocument:
    """What is wrong with the hardware that is meant, with what it costs and what cures it."""
    named = [hardware] if isinstance(hardware, str) else list(hardware)
    return cast("CheckDocument", _asked("check", model=model, hardware=named, **flags))


def memo(answer: Any, path: str | Path | None = None) -> Memo:
    """The memo of an answer, which a notebook shows whole; ``path``: written there too (.html, .pdf, .md)."""
    from ridgewise.advise.training import Training
    from ridgewise.app import reporting
    from ridgewise.app.home import write_whole

    if isinstance(answer, Training):
        from ridgewise.report.training import document

        answer = document(answer)
    found = reporting.made(answer)
    if path is not None:
        write_whole(Path(path), reporting.form_of(Path(path))(found))
    return found

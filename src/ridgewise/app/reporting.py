"""``--report FILE``: an answer as the memo of whoever signs, in the form that the file's name ends with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ridgewise.app.home import own, write_whole
from ridgewise.errors import RequestError

if TYPE_CHECKING:
    from ridgewise.advise.explaining import Explanation
    from ridgewise.report.cost import CostDocument
    from ridgewise.report.memo import Answer, Memo
    from ridgewise.report.provenance import CitedDocument

#: Options of a plan whose facts a memo cites.
CITED = 3


def forms() -> Mapping[str, Callable[[Memo], str | bytes]]:
    """Ending of a file → what sets a memo in that form."""
    from ridgewise.report.memo_html import html
    from ridgewise.report.memo_markdown import markdown
    from ridgewise.report.memo_pdf import pdf

    return {".html": html, ".htm": html, ".pdf": pdf, ".md": markdown, ".markdown": markdown}


def form_of(path: Path) -> Callable[[Memo], str | bytes]:
    """What sets a memo for this file; RequestError for an ending that is none."""
    known = forms()
    if path.suffix.casefold() not in known:
        wanted = tuple(f"{path.stem or 'memo'}{ending}" for ending in (".html", ".pdf", ".md"))
        raise RequestError(f"{path.name} ends with no form of a report", "--report", wanted)
    return known[path.suffix.casefold()]


def _kinds() -> tuple[type, ...]:
    """The answers that a memo is made of."""
    from ridgewise.report.capacity import CapacityDocument
    from ridgewise.report.cost import CostDocument, InfeasibleDocument
    from ridgewise.report.document import PlanDocument
    from ridgewise.report.estimate import EstimateDocument
    from ridgewise.report.training import TrainingDocument

    return PlanDocument, EstimateDocument, CapacityDocument, TrainingDocument, CostDocument, InfeasibleDocument


def sourced(answer: Any, options: int = CITED) -> tuple[CitedDocument, ...]:
    """The facts behind an answer, of a plan those of the first options."""
    from ridgewise.hardware.sheets import load_devices
    from ridgewise.report.document import PlanDocument
    from ridgewise.report.provenance import cited, keys

    shown = replace(answer, options=answer.options[:options]) if isinstance(answer, PlanDocument) else answer
    return cited(keys(asdict(shown)), load_devices(own("hardware")), answer.model)


def made(answer: Any, explained: Explanation | None = None, money: CostDocument | None = None) -> Memo:
    """The memo of an answer, dated today."""
    import datetime

    from ridgewise import __version__
    from ridgewise.report.memo import memo

    if not isinstance(answer, _kinds()):
        raise RequestError("no memo is made of this answer yet", "--report", ("--json",))
    said = f"Ridgewise {__version__}, {datetime.date.today().isoformat()}"
    return memo(cast("Answer", answer), said, sourced(answer), explained, money)


def write(path: Path, answer: Any, explained: Explanation | None = None, money: CostDocument | None = None) -> None:
    """Write the memo of an answer, whole or not at all."""
    write_whole(path, form_of(path)(made(answer, explained, money)))

"""``ridgewise check``: an idea, as flags or as a plan file, held against every rule."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgewise.app.home import own
from ridgewise.errors import RequestError

if TYPE_CHECKING:
    from ridgewise.report.checking import CheckDocument

FORMATS = ("text", "json", "sarif", "github")


def run(flags: Mapping[str, Any], file: Path | None, form: str, *, rules: bool) -> int:
    """Check and print; 1 where an error is found."""
    from ridgewise.report import checking
    from ridgewise.report.document import as_json

    if form not in FORMATS:
        raise RequestError(f"no format {form!r}", "--format", FORMATS)
    if rules:
        document = checking.rules_document()
        print(as_json(document)) if form == "json" else checking.show_rules(document)
        return 0
    found = checked(flags, file)
    if form == "json":
        print(as_json(found))
    elif form == "sarif":
        print(checking.as_text(checking.sarif(found, file.as_posix() if file else "")))
    elif form == "github":
        for line in checking.github(found, file.as_posix() if file else ""):
            print(line)
    else:
        checking.show(found)
    return 0 if found.feasible else 1


def checked(flags: Mapping[str, Any], file: Path | None = None) -> CheckDocument:
    """What the rules say about the hardware that flags and a plan file name; flags are those of ``ridgewise check``,
    with underscores. Raises RequestError for what is unknown, and where no hardware is named."""
    from ridgewise.advise import checking
    from ridgewise.app.request import from_flags, question
    from ridgewise.hardware.sheets import load_devices
    from ridgewise.report.checking import check_document

    ignored = flags.get("ignore") or ()
    given = {name: value for name, value in flags.items() if value not in (None, [], {}) and name != "ignore"}
    request = from_flags(file, given)
    if not request.model:
        example = "ridgewise check Llama-3.1-8B --hardware '2x RTX 3090'"
        raise RequestError("name a model and the hardware, or a plan file", "check", (example, "--rules"))
    asked = question(request, lenient=True)
    if not asked.hardware:
        raise RequestError("name the hardware of the idea", "--hardware", ("--hardware '2x RTX 3090'",))
    skipped = tuple(dict.fromkeys((*request.ignore, *ignored)))
    found = checking.checked(asked, tuple(load_devices(own("hardware")).values()), skipped)
    return check_document(found, skipped)

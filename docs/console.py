"""Runs the console examples of the documentation and writes their real output back.

A block is run when its fence is ``console`` and its lines start with ``$ ``. A comment above the fence may
say which parts of a long output are shown; everything left out is marked "…":

    <!-- show: first, rank:3, Why -->

Parts are separated by empty lines in the output. "first" is the first one; any other word picks the part
whose first line starts with it; ":3" keeps three entries of it (table rows, or lines with a dot).

Files of a page (fences with a title, such as ``toml title="plan.toml"``) are laid in a scratch folder, in
which the commands run with a home of their own, so nothing of the user's is read or written.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WIDTH = "120"
ELLIPSIS = "…"
SHOW = re.compile(r"<!-- show: (.*?) -->\s*\n\Z")
FENCE = re.compile(r"^(?P<fence>```+)(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=fence)[ ]*$", re.M | re.S)
TITLE = re.compile(r'title="([^"]+)"')
_memory: dict[str, tuple[str, int]] = {}


@dataclass(frozen=True)
class Block:
    """One fenced block: language, body, its place in the page, the title and the show comment."""

    language: str
    body: str
    start: int
    end: int
    title: str = ""
    show: tuple[str, ...] = ()


def pages() -> list[Path]:
    """The README, the guides beside it and every page under docs/."""
    beside = [ROOT / name for name in ("README.md", "CONTRIBUTING.md")]
    return [path for path in [*beside, *sorted((ROOT / "docs").rglob("*.md"))] if path.is_file()]


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    for match in FENCE.finditer(text):
        info = match["info"].strip()
        title = TITLE.search(info)
        shown = SHOW.search(text[: match.start()])
        yield Block(
            language=info.split()[0] if info else "",
            body=match["body"],
            start=match.start("body"),
            end=match.end("body"),
            title=title[1] if title else "",
            show=tuple(part.strip() for part in shown[1].split(",")) if shown else (),
        )


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder to run in, with a home of its own and a fixed width; everything is put back afterwards."""
    before, folder = dict(os.environ), Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        os.environ.update(RIDGEWISE_HOME=str(place / ".home"), COLUMNS=WIDTH, LINES="50", TERM="dumb")
        for switch in ("FORCE_COLOR", "TTY_COMPATIBLE", "CLICOLOR_FORCE"):
            os.environ.pop(switch, None)
        os.chdir(place)
        try:
            yield place
        finally:
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(before)


def commands(body: str) -> list[tuple[str, str]]:
    """(command as written, expected output) for every ``$ `` line of a block."""
    found: list[tuple[str, list[str]]] = []
    continued = False
    for line in body.splitlines():
        if line.startswith("$ ") or continued:
            written = line if not continued else f"{found[-1][0]}\n{line}"
            if continued:
                found[-1] = (written, found[-1][1])
            else:
                found.append((written, []))
            continued = line.endswith("\\")
        elif found:
            found[-1][1].append(line)
    return [(written, "\n".join(lines)) for written, lines in found]


def run(written: str, place: Path) -> str:
    """The output of one command line, as a terminal shows it."""
    plain = written.removeprefix("$ ").replace("\\\n", " ")
    command, _, query = plain.partition(" | jq ")
    words = shlex.split(command)
    if words[0] == "cat":
        return (place / words[1]).read_text(encoding="utf-8").rstrip()
    if words[:2] == ["echo", "$?"]:
        return str(_memory["last"][1])
    if words[:2] == ["make", "plan"]:
        given = dict(word.split("=", 1) for word in words[2:])
        words = ["ridgewise", "plan", *shlex.split(given.get("ARGS", default_arguments()))]
    if words[0] != "ridgewise":
        raise ValueError(f"cannot run {written!r}: examples run ridgewise, make plan, cat and echo $?")
    output, code = call(words[1:], place)
    _memory["last"] = ("", code)
    return pick(output, shlex.split(query)[-1]) if query else output


def call(arguments: list[str], place: Path) -> tuple[str, int]:
    """Output and exit code of one call; calls that touch no file of the page are remembered."""
    writes = "add" in arguments[:2] or "--save" in arguments
    local = writes or any((place / word).exists() for word in arguments) or (place / ".home").exists()
    key = shlex.join(arguments)
    if not local and key in _memory:
        return _memory[key]
    from ridgewise.app.main import main

    if writes:
        forget()
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        code = main(arguments)
    text = stream.getvalue().replace(str(place / ".home"), "~/.local/share/ridgewise")
    output = "\n".join(line.rstrip() for line in text.rstrip().splitlines())
    if not local:
        _memory[key] = (output, code)
    return output, code


def forget() -> None:
    """Drop what the process has read, so that files added to the home are seen."""
    for name, module in list(sys.modules.items()):
        if name.startswith("ridgewise."):
            for held in list(vars(module).values()):
                if callable(getattr(held, "cache_clear", None)):
                    held.cache_clear()


def document(arguments: list[str]) -> Any:
    """The JSON answer of a call."""
    with scratch() as place:
        return json.loads(call([*arguments, "--json"], place)[0].splitlines()[-1])


def default_arguments() -> str:
    """What ``make plan`` passes when it is given nothing."""
    found = re.search(r"^ARGS \?= (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert found
    return found[1]


def pick(output: str, query: str) -> str:
    """What ``jq QUERY`` prints, for plain paths such as ``.options[0].ttft_s``; long fractions are cut."""
    value = json.loads(output.splitlines()[-1])
    for key, place in re.findall(r"\.(\w+)|\[(\d+)\]", query):
        value = value[key] if key else value[int(place)]
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return re.sub(r"(\d+\.\d{2})\d{6,}", rf"\1{ELLIPSIS}", text)


def shown(output: str, show: tuple[str, ...]) -> str:
    """The parts of an output that a page shows, with "…" for what is left out."""
    if not show:
        return output
    kept: list[str] = []
    wanted = {part.partition(":")[0]: part.partition(":")[2] for part in show}
    for place, part in enumerate(re.split(r"\n\s*\n", output)):
        start = next((w for w in wanted if (w == "first" and place == 0) or part.startswith(w)), None)
        if start is None:
            if not kept or not kept[-1].endswith(ELLIPSIS):
                kept.append(ELLIPSIS)
        else:
            kept.append(entries(part, int(wanted[start])) if wanted[start] else part)
    return "\n\n".join(kept)


def entries(part: str, count: int) -> str:
    """The first line and ``count`` entries of a part: rows of a table, or lines with a dot."""
    head, *rest = part.splitlines()
    dotted = any(line.startswith("  ·") for line in rest)
    starts = [i for i, line in enumerate(rest) if (line.startswith("  ·") if dotted else line[:1].strip())]
    if len(starts) <= count:
        return part
    return "\n".join([head, *rest[: starts[count]], "  " + ELLIPSIS if dotted else ELLIPSIS])


def lay(block: Block, place: Path) -> None:
    """Write a titled block as the file it shows."""
    path = place / block.title
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.body, encoding="utf-8")


def matches(expected: str, actual: str) -> bool:
    """Is the output the expected one? "…" stands for anything; on a line of its own for any lines."""
    pattern = ""
    for line in (line.rstrip() for line in expected.splitlines() if line.strip()):
        if line.strip() == ELLIPSIS:
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*".join(re.escape(part) for part in line.split(ELLIPSIS)) + r"\n"
    flat = "".join(f"{line.rstrip()}\n" for line in actual.splitlines() if line.strip())
    return re.fullmatch(pattern, flat) is not None

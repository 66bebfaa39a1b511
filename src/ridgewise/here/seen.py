"""What the system shows: files it offers and programs that answer, live or as recorded from another machine."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path
from typing import Protocol

from ridgewise.errors import RequestError
from ridgewise.facts.catalog import read_bytes

#: Most bytes of a file or an answer, longest wait for an answer [s].
LIMIT, WAIT = 1 << 20, 6.0
_MARK = re.compile(r"^=== (system|file|run) ?(.*)$")


class Seen(Protocol):
    """The seam to the system. What is not there is empty, never an error."""

    @property
    def system(self) -> str:
        """Linux, Darwin or Windows."""
        ...

    def text(self, path: str) -> str:
        """A small text file."""
        ...

    def paths(self, pattern: str) -> list[str]:
        """Paths that match a pattern with ``*``, sorted."""
        ...

    def run(self, *command: str) -> str:
        """What a program prints; it never waits for input and is ended after ``WAIT``."""
        ...

    @property
    def silent(self) -> tuple[str, ...]:
        """Programs that are there and failed, or did not answer in time."""
        ...


class Live:
    """This machine. Answers are kept, so that a question is asked once; ``recorded`` writes them down."""

    def __init__(self, wait: float = WAIT) -> None:
        self._wait = wait
        self._files: dict[str, str] = {}
        self._answers: dict[tuple[str, ...], str] = {}
        self._silent: list[str] = []
        self._there: set[str] = set()
        self.system = platform.system()

    def ask(self, commands: Sequence[tuple[str, ...]]) -> None:
        """Run several programs at the same time: detection takes as long as the slowest."""
        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(lambda command: self.run(*command), commands))

    def text(self, path: str) -> str:
        if path not in self._files:
            try:
                with open(path, "rb") as handle:  # noqa: PTH123 - files of /proc and /sys, read once
                    self._files[path] = handle.read(LIMIT).decode("utf-8", "replace")
            except (OSError, ValueError):
                self._files[path] = ""
        return self._files[path]

    def paths(self, pattern: str) -> list[str]:
        root = Path("/")
        try:
            found = sorted(str(path) for path in root.glob(pattern.lstrip("/")))
        except OSError:
            found = []
        for path in found:
            if os.path.isfile(path):  # noqa: PTH113
                self._there.add(path)
                self.text(path)
        return found

    def run(self, *command: str) -> str:
        if command in self._answers:
            return self._answers[command]
        found = ""
        if shutil.which(command[0]):
            try:
                done = subprocess.run(
                    command, capture_output=True, stdin=subprocess.DEVNULL, timeout=self._wait, check=False
                )
                found = done.stdout[:LIMIT].decode("utf-8", "replace") if done.returncode == 0 else ""
                if done.returncode != 0:
                    self._silent.append(f"{command[0]} failed: {_first(done.stderr or done.stdout)}")
            except subprocess.TimeoutExpired:
                self._silent.append(f"{command[0]} did not answer within {self._wait:g} s")
            except OSError as error:
                self._silent.append(f"{command[0]} cannot be run: {error.strerror}")
        self._answers[command] = found
        return found

    @property
    def silent(self) -> tuple[str, ...]:
        return tuple(sorted(set(self._silent)))

    def recorded(self) -> str:
        """Everything that was seen, as :func:`recording` reads it. It holds no names of users and no serial numbers."""
        parts = [f"=== system {self.system}\n"]
        parts += [
            f"=== file {path}\n{_ended(text)}"
            for path, text in sorted(self._files.items())
            if text or path in self._there
        ]
        parts += [
            f"=== run {' '.join(command)}\n{_ended(text)}" for command, text in sorted(self._answers.items()) if text
        ]
        return "".join(parts)


class Recorded:
    """Another machine, as it was written down."""

    def __init__(self, text: str, place: str = "") -> None:
        self._held: dict[tuple[str, str], list[str]] = {}
        self.system, self.silent = "Linux", tuple[str, ...]()
        held: list[str] = []
        for line in text.splitlines(keepends=True):
            mark = _MARK.match(line.rstrip("\n"))
            if mark is None:
                held.append(line)
            elif mark[1] == "system":
                self.system = mark[2]
            else:
                held = self._held.setdefault((mark[1], mark[2]), [])
        if not self._held:
            raise RequestError("is no recording of a machine", place, ("ridgewise doctor --record FILE",))

    def text(self, path: str) -> str:
        return "".join(self._held.get(("file", path), ()))

    def paths(self, pattern: str) -> list[str]:
        deep = pattern.count("/") + 1
        found = {"/".join(path.split("/")[:deep]) for kind, path in self._held if kind == "file"}
        return sorted(path for path in found if fnmatch(path, pattern))

    def run(self, *command: str) -> str:
        return "".join(self._held.get(("run", " ".join(command)), ()))


def recording(path: Path) -> Recorded:
    """A recording from a file."""
    return Recorded(read_bytes(path, 8 * LIMIT).decode("utf-8", "replace"), str(path))


def _ended(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"


def _first(printed: bytes) -> str:
    lines = [line.strip() for line in printed.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[0][:200] if lines else "no message"

"""Programs that are started and always ended: a keeper stands between us and each of them.

The keeper is a small Python process that starts the program and waits for the end of its own standard input. That
comes when we close it, and also when we are killed: whatever happens to us, the program ends.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

#: The keeper: ends its program at the end of its input, and ends with its program.
KEEPER = """
import subprocess, sys, threading
p = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
def watch():
    try:
        while sys.stdin.buffer.read(1):
            pass
    except BaseException:
        pass
    p.terminate()
    try:
        p.wait(3)
    except subprocess.TimeoutExpired:
        p.kill()
threading.Thread(target=watch, daemon=True).start()
while True:
    try:
        sys.exit(p.wait())
    except KeyboardInterrupt:
        p.terminate()
"""
#: Longest wait for a program to end after it was told to [s].
GRACE = 8.0
#: Most characters of a program's output that are kept.
TAIL = 4000


class Child:
    """A running program, ended at the latest when the context is left. What it prints is kept for messages."""

    def __init__(self, command: Sequence[str]) -> None:
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        self._process = subprocess.Popen(
            [sys.executable, "-c", KEEPER, *command], stdin=subprocess.PIPE, stdout=self._log, stderr=subprocess.STDOUT
        )

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    def busy(self) -> float | None:
        """Seconds of processor time the program has used; None where the system does not tell."""
        total, ticks = 0.0, None
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == self._process.pid:
                ticks = os.sysconf("SC_CLK_TCK")
                total += float(fields[11]) + float(fields[12])
        return total / ticks if ticks else None

    def printed(self) -> str:
        """The end of what the program printed."""
        if self._log.closed:
            return ""
        self._log.seek(0, 2)
        self._log.seek(max(self._log.tell() - TAIL, 0))
        return self._log.read().decode("utf-8", "replace")

    def stop(self) -> None:
        """End the program and wait for that; once is enough, more do no harm."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()

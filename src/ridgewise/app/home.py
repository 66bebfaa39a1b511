"""Where a user's own catalogue lives: ``RIDGEWISE_HOME``, else the platform's data directory."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ridgewise.errors import RequestError


def home() -> Path:
    """The folder of the user's own sheets, models and, later, measurements."""
    named = os.environ.get("RIDGEWISE_HOME")
    if named:
        return Path(named)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "ridgewise"
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "ridgewise"
    return Path(os.environ.get("XDG_DATA_HOME", str(Path.home() / ".local" / "share"))) / "ridgewise"


def own(kind: str) -> Path | None:
    """The user's folder of ``hardware`` or ``models``, if it exists."""
    folder = home() / kind
    return folder if folder.is_dir() else None


def keep(kind: str, name: str, text: str) -> Path:
    """Write one file of the user's catalogue: whole or not at all."""
    folder = home() / kind
    path = folder / name
    scratch = path.with_name(f".{name}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise RequestError(f"cannot be written: {error.strerror or error}", str(path)) from None
    return path

"""Where a user's own catalogue lives: ``RIDGEWISE_HOME``, else the platform's data directory."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
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


def there(path: Path) -> bool:
    """Is there something at a path? What is no path at all is not there."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def keep(kind: str, name: str, text: str) -> Path:
    """Write one file of the user's catalogue, whole or not at all."""
    path = home() / kind / name
    write_whole(path, text, parents=True)
    return path


def write_whole(path: Path, content: str | bytes, *, parents: bool = False) -> None:
    """Write a file whole or not at all, and never in the place of a device, a folder or a pipe."""
    scratch: Path | None = None
    try:
        if path.exists() and not path.is_file():
            raise RequestError("cannot be written: it is no ordinary file", str(path))
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f".{path.name}.part")
        scratch.write_bytes(content.encode() if isinstance(content, str) else content)
        scratch.replace(path)
    except (OSError, ValueError) as error:
        if scratch is not None:
            with suppress(OSError, ValueError):
                scratch.unlink(missing_ok=True)
        reason = error.strerror if isinstance(error, OSError) else None
        raise RequestError(f"cannot be written: {reason or error}", str(path)) from None

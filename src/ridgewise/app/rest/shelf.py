"""Models that may be asked about: the catalogue's, and files that were handed in; never a path of the server."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ridgewise.app.home import own
from ridgewise.app.rest.questions import MODELS, Flags
from ridgewise.errors import RequestError

#: How handed-in files are named in a question.
PREFIX = "upload:"
#: Bytes of a file that are kept at most: configurations are small, a GGUF's header holds its vocabulary.
LARGEST = 48 << 20
#: Files kept at once; the oldest goes first.
FILES = 64
HUB = re.compile(r"hub:[\w.-]{1,96}/[\w.-]{1,96}")
SAFE = re.compile(r"[^\w.+ -]+")


@dataclass
class Shelf:
    """``hub``: may names of the Hugging Face Hub be read?"""

    hub: bool = False
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="ridgewise-")))

    def known(self, name: str, where: str = "model") -> str:
        """What the functions take for a name: a catalogue id, the file that was handed in, or a Hub name."""
        from ridgewise.models.read import load_catalogue

        if name.startswith(PREFIX):
            return str(self._kept(name))
        if name.startswith("hub:"):
            if not self.hub:
                raise RequestError("names of the Hub are not read by this server", where, ("ridgewise serve --hub",))
            if not HUB.fullmatch(name):
                raise RequestError(f"{name!r} is no name of the Hub", where, ("hub:ORG/NAME",))
            return name
        try:
            return load_catalogue(own("models")).entry(name).id
        except RequestError as error:
            raise RequestError(error.what, where, error.nearest) from None

    def resolved(self, flags: Flags) -> Flags:
        """The flags with every model named as the functions take it."""
        named = {
            flag: self.known(str(flags[flag]), flag)
            for flag in MODELS
            if flags.get(flag) and not (flag == "draft" and flags[flag] == "mtp")
        }
        return {**flags, **named}

    def _kept(self, name: str) -> Path:
        token = name.removeprefix(PREFIX)
        folder = self.folder / token
        if not re.fullmatch(r"[0-9a-f]{16}", token) or not folder.is_dir():
            raise RequestError(f"{name!r} is not here: hand the file in first", "model", ("POST /v1/uploads",))
        found = sorted(folder.iterdir())[0]
        return found / "config.json" if found.is_dir() else found

    def name_of(self, model: str) -> str:
        """How people call what stands in a question."""
        if not model.startswith(PREFIX):
            return model
        path = self._kept(model)
        return path.parent.name if path.name == "config.json" else path.stem

    def add(self, content: bytes, name: str, size: int = 0) -> dict[str, Any]:
        """Keep a ``config.json`` or the beginning of a GGUF file of ``size`` bytes, if it can be read as a model.

        The same content has the same name, so that a link to it works wherever the file was handed in.
        """
        from ridgewise.models.read import load_model

        if len(content) > LARGEST:
            raise RequestError(f"is larger than {LARGEST >> 20} MiB", "file")
        gguf = content[:4] == b"GGUF"
        stem = SAFE.sub("", Path(name).name.removesuffix(".json").removesuffix(".gguf")).strip(" .")[:60]
        token = hashlib.sha256(content + stem.encode()).hexdigest()[:16]
        folder = self.folder / token
        fresh = not folder.exists()
        if gguf:
            path = folder / f"{stem or 'model'}.gguf"
        else:
            path = folder / (stem if stem not in ("", "config") else "own model") / "config.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if gguf and len(content) < size < 1 << 44:
            with path.open("r+b") as handle:
                handle.truncate(size)  # a hole stands for the weights, which nobody reads
        try:
            arch = load_model(path).arch
        except RequestError as error:
            if fresh:
                shutil.rmtree(folder, ignore_errors=True)
            where = error.where.replace(str(path), Path(name).name or "file").replace(str(path.parent), "file")
            raise RequestError(error.what.replace(str(path), "the file"), where or "file", error.nearest) from None
        for old in sorted(self.folder.iterdir(), key=lambda kept: kept.stat().st_mtime)[:-FILES]:
            shutil.rmtree(old, ignore_errors=True)
        return {"schema_version": 1, "model": f"{PREFIX}{token}", "name": arch.name, "family": arch.family,
                "parameters_total": arch.parameters_total}  # fmt: skip

    def close(self) -> None:
        """Forget everything that was handed in."""
        shutil.rmtree(self.folder, ignore_errors=True)

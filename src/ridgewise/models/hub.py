"""Repositories of the Hugging Face Hub: headers by HTTP range, never a whole weight file.

Needs the ``hub`` extra (``pip install "ridgewise[hub]"``) and the network. A name is ``hub:org/name`` or
``hub:org/name@revision``; whatever revision is asked for, all files are read at the commit it stands for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from io import RawIOBase
from typing import Any, BinaryIO, cast

from ridgewise.errors import RequestError
from ridgewise.models import gguf, safetensors
from ridgewise.models.stored import Model

PREFIX = "hub:"
MOST_TEXT = 8 << 20  # bytes of a configuration
TIMEOUT = 30.0  # seconds for one request
_NAME = re.compile(
    r"^hub:([A-Za-z0-9_][\w.\-]{0,95}/[A-Za-z0-9_][\w.\-]{0,95})(/[\w.\-/]+\.gguf)?(?:@([\w.\-/]{1,200}))?$"
)

Fetch = Callable[[str, int, int], bytes]


class Ranged(RawIOBase):
    """A remote file that fetches exactly the bytes it is asked for."""

    def __init__(self, fetch: Fetch, name: str) -> None:
        super().__init__()
        self._fetch = fetch
        self._name = name
        self._at = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move; only positions from the start are used."""
        self._at = offset
        return self._at

    def read(self, count: int = -1) -> bytes:
        """Fetch ``count`` bytes."""
        if count <= 0:
            return b""
        data = self._fetch(self._name, self._at, count)[:count]
        self._at += len(data)
        return data


class Repository:
    """One repository at one commit. ``sizes``: bytes of its files by name."""

    def __init__(self, name: str, commit: str, sizes: dict[str, int], fetch: Fetch) -> None:
        self.name = name
        self.commit = commit
        self.sizes = sizes
        self.fetch = fetch

    def where(self, file: str) -> str:
        """How a file is named in messages."""
        return f"hub:{self.name}@{self.commit[:12]}/{file}"

    def text(self, file: str, most: int = MOST_TEXT) -> str:
        """A small text file."""
        size = self.sizes[file]
        if size > most:
            raise RequestError(f"file is larger than {most >> 20} MiB", self.where(file))
        try:
            return self.fetch(file, 0, size).decode("utf-8-sig") if size else ""
        except UnicodeDecodeError:
            raise RequestError("is not UTF-8 text", self.where(file)) from None

    def handle(self, file: str) -> BinaryIO:
        """A weight file, of which only what is asked for is fetched."""
        return cast(BinaryIO, Ranged(self.fetch, file))


def load_hub(name: str) -> Model:
    """The model of ``hub:org/name[@revision]`` or ``hub:org/name/file.gguf[@revision]``."""
    match = _NAME.match(name)
    if not match or ".." in name:
        raise RequestError(f"{name!r} is no repository name", "model", ("hub:org/name", "hub:org/name@revision"))
    return model_of(repository(match[1], match[3]), (match[2] or "").lstrip("/"))


def model_of(repo: Repository, file: str = "") -> Model:
    """The model a repository holds: safetensors with their configuration, or one named GGUF file."""
    if file:
        return _gguf(repo, file)
    if "config.json" not in repo.sizes:
        files = tuple(name for name in sorted(repo.sizes) if name.endswith(".gguf"))[:4]
        hints = tuple(f"hub:{repo.name}/{name}" for name in files)
        raise RequestError("the repository holds no config.json" + (": name one of its files" if hints else ""),
                           f"hub:{repo.name}", hints)  # fmt: skip
    from ridgewise.models.hf import read_config
    from ridgewise.models.read import parse_json

    config = parse_json(repo.text("config.json"), repo.where("config.json"))
    if "hf_quant_config.json" in repo.sizes and "quantization_config" not in config:
        extra = parse_json(repo.text("hf_quant_config.json"), repo.where("hf_quant_config.json"))
        config = {**config, "hf_quant_config": extra}
    arch = read_config(config, repo.name)
    weights = _weights(repo)
    return safetensors.model_from(weights, arch, config) if weights else Model(arch)


def _weights(repo: Repository) -> safetensors.Weights | None:
    if safetensors.INDEX in repo.sizes:
        where = repo.where(safetensors.INDEX)
        index = safetensors.parse_index(repo.text(safetensors.INDEX, safetensors.MOST_INDEX).encode(), where)
        names = safetensors.shard_names(index, where)
    else:
        names = safetensors.main_files(name for name in repo.sizes if re.fullmatch(r"[^/]+\.safetensors", name))
    missing = [name for name in names if name not in repo.sizes]
    if missing:
        raise RequestError(f"shard {missing[0]} is missing ({len(missing)} of {len(names)})", f"hub:{repo.name}")
    parts = [safetensors.read_header(repo.handle(name), repo.sizes[name], repo.where(name)) for name in names]
    return safetensors.joined(parts, f"hub:{repo.name}") if parts else None


def _gguf(repo: Repository, file: str) -> Model:
    from ridgewise.models.gguf_model import model_from

    if file not in repo.sizes:
        known = tuple(name for name in sorted(repo.sizes) if name.endswith(".gguf"))[:4]
        raise RequestError(f"the repository holds no {file}", f"hub:{repo.name}", known)
    names = gguf.part_names(file)
    missing = [name for name in names if name not in repo.sizes]
    if missing:
        raise RequestError(f"part {missing[0]} is missing", f"hub:{repo.name}")
    parts = [gguf.read_header(repo.handle(name), repo.sizes[name], repo.where(name)) for name in names]
    return model_from(gguf.joined(parts), f"{repo.name}/{file}")


# The network.


def repository(name: str, revision: str | None = None) -> Repository:
    """Look a repository up; RequestError where the extra, the network or the repository is missing."""
    try:
        import huggingface_hub as hub
    except ImportError:
        raise RequestError(
            'reading the Hub needs huggingface_hub: pip install "ridgewise[hub]"', f"hub:{name}"
        ) from None
    info = _answered(
        name, lambda: hub.HfApi().model_info(name, revision=revision, files_metadata=True, timeout=TIMEOUT)
    )
    commit = str(info.sha or "")
    if not re.fullmatch(r"[0-9a-f]{40}", commit):
        raise RequestError("the Hub names no commit for this revision", f"hub:{name}")
    sizes = {entry.rfilename: entry.size for entry in info.siblings or () if type(entry.size) is int}

    def fetch(file: str, begin: int, count: int) -> bytes:
        url = hub.hf_hub_url(name, file, revision=commit)
        return bytes(_answered(name, lambda: _range(hub, url, begin, count)))

    return Repository(name, commit, sizes, fetch)


def _range(hub: Any, url: str, begin: int, count: int) -> bytes:
    """``count`` bytes of a file from ``begin``; a server that ignores ranges is not followed to the end."""
    headers = {
        **hub.utils.build_hf_headers(),
        "Range": f"bytes={begin}-{begin + count - 1}",
        "Accept-Encoding": "identity",
    }
    with hub.get_session().stream("GET", url, headers=headers, follow_redirects=True, timeout=TIMEOUT) as answer:
        hub.utils.hf_raise_for_status(answer)
        if answer.status_code != 206 and begin:
            raise OSError("the server does not send ranges")
        data = bytearray()
        for piece in answer.iter_bytes():
            data += piece
            if len(data) >= count:
                break
        return bytes(data[:count])


def _answered(name: str, ask: Callable[[], Any]) -> Any:
    """What the Hub answers; every failure of library or network is a RequestError."""
    try:
        return ask()
    except RequestError:
        raise
    except Exception as error:  # the library's own errors, of its HTTP client, of the operating system
        text = " ".join(str(error).split())[:200]
        raise RequestError(f"the Hub did not answer: {type(error).__name__}: {text}", f"hub:{name}") from None

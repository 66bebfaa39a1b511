"""Models of a local Ollama store: a name, its manifest, its files.

Layout (server/modelpath.go, types/model/name.go in ollama): ``manifests/<host>/<namespace>/<model>/<tag>``
holds JSON with layers; ``blobs/sha256-<digest>`` the files. The weights are a GGUF file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ridgewise.errors import RequestError, nearest
from ridgewise.models.gguf import read_gguf
from ridgewise.models.stored import Model

PREFIX = "ollama:"
MOST_MANIFEST = 1 << 20  # bytes
MOST_LAYERS = 256
_HOST, _NAMESPACE, _TAG = "registry.ollama.ai", "library", "latest"
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,79}")
_DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")
_MODEL, _PROJECTOR = "application/vnd.ollama.image.model", "application/vnd.ollama.image.projector"


def store() -> Path:
    """The folder of the store: ``OLLAMA_MODELS``, else ``~/.ollama/models``."""
    stated = os.environ.get("OLLAMA_MODELS", "").strip()
    return Path(stated) if stated else Path.home() / ".ollama" / "models"


def manifest_path(name: str, root: Path) -> Path:
    """Where the manifest of ``[host/][namespace/]model[:tag]`` lies; a name that leaves the store is refused."""
    plain = name.removeprefix(PREFIX)
    path, colon, tag = plain.rpartition(":")
    path, tag = (path, tag) if colon and "/" not in tag else (plain, _TAG)
    parts = path.split("/")
    if len(parts) > 3:
        raise RequestError(f"{plain!r} is no name of an Ollama model", "model", ("ollama:llama3.1:8b",))
    whole = [*(_HOST, _NAMESPACE)[: 3 - len(parts)], *parts, tag]
    for part in whole:
        if not _PART.fullmatch(part.replace(":", "_") if part is whole[0] else part) or ".." in part:
            raise RequestError(f"{plain!r} is no name of an Ollama model", "model", ("ollama:llama3.1:8b",))
    return root.joinpath("manifests", *whole)


def holds(name: str) -> bool:
    """True where the local store has a model of that name."""
    try:
        return ":" in name and manifest_path(name, store()).is_file()
    except (RequestError, OSError, ValueError, RuntimeError):
        return False


def load_ollama(name: str) -> Model:
    """The model of an Ollama name, read from the local store."""
    root = store()
    path = manifest_path(name, root)
    if not path.is_file():
        plain = name.removeprefix(PREFIX)
        known = _known(root)
        what = f"the Ollama store has no {plain!r}" if known else "no Ollama store here, or it is empty"
        raise RequestError(what, str(root), nearest(plain, known) or tuple(known[:4]))
    layers = _layers(path)
    main = _blob(layers, _MODEL, root, path)
    if main is None:
        raise RequestError("names no model file", str(path))
    from ridgewise.models.gguf_model import model_from

    model = model_from(read_gguf(main), name.removeprefix(PREFIX), main)
    projector = _blob(layers, _PROJECTOR, root, path)
    return model if projector is None else _with_projector(model, projector)


def _layers(path: Path) -> list[Mapping[str, Any]]:
    from ridgewise.models.read import parse_json

    try:
        if path.stat().st_size > MOST_MANIFEST:
            raise RequestError(f"file is larger than {MOST_MANIFEST >> 20} MiB", str(path))
        text = path.read_bytes().decode("utf-8")
    except (OSError, ValueError) as error:
        raise RequestError(f"cannot be read: {error}", str(path)) from None
    layers = parse_json(text, str(path)).get("layers")
    if not isinstance(layers, list) or len(layers) > MOST_LAYERS or not all(isinstance(x, dict) for x in layers):
        raise RequestError("is no list of layers", f"{path}: layers")
    return layers


def _blob(layers: list[Mapping[str, Any]], kind: str, root: Path, manifest: Path) -> Path | None:
    """The file of the first layer of a kind, complete as the manifest states."""
    layer = next((layer for layer in layers if layer.get("mediaType") == kind), None)
    if layer is None:
        return None
    digest = layer.get("digest")
    match = _DIGEST.fullmatch(digest) if isinstance(digest, str) else None
    if match is None:
        raise RequestError(f"{digest!r:.60} is no digest", f"{manifest}: layers")
    blob = root / "blobs" / f"sha256-{match[1]}"
    if not blob.is_file():
        raise RequestError(f"the file {blob.name[:19]}… of the model is missing: pull it again", str(manifest))
    size, stated = blob.stat().st_size, layer.get("size")
    if type(stated) is int and stated != size:
        raise RequestError(f"{size} bytes where the manifest states {stated}: pull it again", str(blob))
    return blob


def _with_projector(model: Model, path: Path) -> Model:
    """The vision projector beside the model, counted apart."""
    from ridgewise.models.stored import with_extra

    file = read_gguf(path)
    elements = sum(tensor.elements for tensor in file.tensors)
    assert model.format is not None
    arch = replace(model.arch, extra={**model.arch.extra, "projector": elements})
    return replace(model, arch=arch, format=with_extra(model.arch, arch, model.format, file.tensor_bytes))


def _known(root: Path) -> list[str]:
    """Names in the store, as Ollama lists them; at most 1,000."""
    found = []
    for path in sorted((root / "manifests").glob("*/*/*/*"))[:1_000]:
        host, space, model, tag = path.relative_to(root / "manifests").parts
        where = "" if (host, space) == (_HOST, _NAMESPACE) else f"{space}/" if host == _HOST else f"{host}/{space}/"
        found.append(f"{where}{model}:{tag}")
    return found

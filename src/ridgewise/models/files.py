"""Model files given by name: what they are, and how their weights are stored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ridgewise.errors import RequestError
from ridgewise.models import hub, ollama
from ridgewise.models.stored import Model

WEIGHTS = (".gguf", ".safetensors")
_PROJECTORS = ("mmproj",)


def stored_model(name: str | Path) -> Model | None:
    """The model of a GGUF or safetensors file, a folder of them, ``ollama:`` or ``hub:``; None for other names."""
    text, path = str(name), Path(name)
    if text.startswith(hub.PREFIX):
        return hub.load_hub(text)
    if text.startswith(ollama.PREFIX):
        return ollama.load_ollama(text)
    if _is(path, Path.is_dir):
        return _folder(path)
    if _is(path, Path.is_file):
        return _file(path)
    if path.suffix.lower() in WEIGHTS:
        raise RequestError("no such file", text)
    return ollama.load_ollama(text) if ollama.holds(text) else None


def _is(path: Path, kind: Callable[[Path], bool]) -> bool:
    try:
        return kind(path)
    except (OSError, ValueError):
        return False


def _file(path: Path) -> Model | None:
    match path.suffix.lower():
        case ".gguf":
            return _gguf(path)
        case ".safetensors":
            return _safetensors(path)
    return None


def _gguf(path: Path) -> Model:
    from ridgewise.models.gguf import read_gguf
    from ridgewise.models.gguf_model import model_from

    return model_from(read_gguf(path), path.stem, path)


def _safetensors(path: Path) -> Model:
    """One file; the whole folder where the file is a shard of it."""
    from ridgewise.models import safetensors

    folder = path.parent
    if not (folder / "config.json").is_file():
        raise RequestError("needs the model's config.json beside it: weights do not say how heads are cut", str(path))
    if safetensors.is_shard(path.name) or (folder / safetensors.INDEX).is_file():
        found = _folder(folder)
        if found is not None:
            return found
    return _with_config(safetensors.read_file(path), folder, path)


def _folder(path: Path) -> Model | None:
    """A folder with a configuration and safetensors, or one with a GGUF file alone."""
    from ridgewise.models import safetensors

    if (path / "config.json").is_file():
        weights = safetensors.read_folder(path)
        return _with_config(weights, path, path) if weights else None
    files = sorted(file for file in path.glob("*.gguf") if not file.name.startswith(_PROJECTORS))
    return _gguf(_only(files, path)) if files else None


def _only(files: list[Path], folder: Path) -> Path:
    """The one GGUF model of a folder; the parts of a split file are one."""
    from ridgewise.models.gguf import part_names

    models = list(dict.fromkeys(part_names(file.name)[0] for file in files))
    if len(models) > 1:
        raise RequestError(f"holds {len(models)} GGUF models: name one", str(folder), tuple(models[:4]))
    return folder / models[0]


def _with_config(weights: object, folder: Path, path: Path) -> Model:
    from ridgewise.models import safetensors
    from ridgewise.models.read import load_path, read_json

    assert isinstance(weights, safetensors.Weights)
    return safetensors.model_from(weights, load_path(folder), read_json(folder / "config.json"), path)

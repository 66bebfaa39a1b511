"""The one entry point: a catalogue name, a file or a folder becomes an Architecture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from ridgewise.errors import RequestError
from ridgewise.facts import NameIndex, Source
from ridgewise.facts.catalog import catalog_path, read_bytes, read_toml
from ridgewise.models.architecture import Architecture
from ridgewise.models.hf import read_config
from ridgewise.models.stored import Model

LIMIT = 8 << 20
META = "_catalogue"
_FIRST = f'{{"{META}": '
ACCEPTED = "a config.json, a folder holding one, a GGUF or safetensors file, ollama:NAME, or a catalogue name"


@dataclass(frozen=True, slots=True)
class Entry:
    """One model of the catalogue: where its file is, how far to trust it, what else it is called.

    version      the commit or release of the source
    kind         "checkpoint" (the publisher's file), "copied" (a copy in public code), "library-default"
                 (defaults of a library, matched to the model) or "reduced" (shape fields only)
    max_context  the published longest context, where the file holds a library's default instead
    hub_total    elements of the published files: may count MTP modules, copies of tied heads, scales
    agreed       the total two independent counts agree on
    """

    id: str
    path: Path
    kind: str = "checkpoint"
    aliases: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    version: str = ""
    max_context: int | None = None
    hub_total: int | None = None
    agreed: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Catalogue:
    """Models by id, and the names they answer to."""

    entries: Mapping[str, Entry]
    index: NameIndex = field(repr=False)

    def entry(self, name: str) -> Entry:
        """The entry an id, alias or file name means; RequestError with the nearest names."""
        plain = name.removesuffix(".json").replace("__", "/")
        return self.entries[self.index.resolve(plain, "model")]


def load_model(name: str | Path, extra: Path | None = None) -> Model:
    """The model of a name as ``load`` takes it; where files hold it, with the format of their bytes."""
    return _stored(name, extra) or Model(load(name, extra))


def load(name: str | Path, extra: Path | None = None) -> Architecture:
    """The architecture of a catalogue model (id, alias), a ``config.json``, a folder holding one, a GGUF or
    safetensors file, ``ollama:NAME`` or ``hub:ORG/NAME``.

    ``extra``: a folder of the user's own catalogue files, which add to the shipped ones and override them.
    """
    stored = _stored(name, extra)
    if stored is not None:
        return stored.arch
    path = Path(name)
    if _is_file(path) or _is_file(path / "config.json"):
        return load_path(path)
    if _is_folder(path) and not _known(str(name), extra):
        return load_path(path)
    try:
        entry = find(str(name), extra)
    except RequestError as error:
        raise _lost(str(name), error) from None
    return _from_entry(entry, read_json(entry.path))


def _lost(name: str, error: RequestError) -> RequestError:
    """Why a name is no model: what is written like a path is a file that is not there."""
    written = name.startswith(("/", "./", "../", "~")) or name.lower().endswith((".json", ".gguf", ".safetensors"))
    return RequestError("no such file", name, error.nearest) if written else error


def _stored(name: str | Path, extra: Path | None) -> Model | None:
    """The model where weight files hold it; None for configurations and catalogue names."""
    text, path = str(name), Path(name)
    folder = _is_folder(path)
    if not (folder or ":" in text or path.suffix.lower() in (".gguf", ".safetensors")):
        return None
    if folder and not _is_file(path / "config.json") and _known(text, extra):
        return None
    from ridgewise.models.files import stored_model

    return stored_model(name)


def find(name: str, extra: Path | None = None) -> Entry:
    """The catalogue entry of a name. An exact id is looked up by its file, without reading the others."""
    if extra is None:
        entry = _direct(name)
        if entry is not None:
            return entry
    return load_catalogue(extra).entry(name)


def load_path(path: Path) -> Architecture:
    """The architecture of a configuration file, or of a folder as published."""
    if _is_folder(path):
        return _load_folder(path)
    if path.suffix.lower() in (".gguf", ".safetensors", ".bin", ".pt", ".onnx"):
        raise RequestError(f"weight files are not read here: give {ACCEPTED}", str(path))
    config = read_json(path)
    if META in config:
        return _from_entry(_entry(path, config[META]), config)
    return _read_file(path, config, path.resolve().parent.name if path.name == "config.json" else path.stem)


def _read_file(path: Path, config: dict[str, Any], name: str) -> Architecture:
    """The architecture of one file; what is wrong with it is said of the file."""
    try:
        return read_config(config, name)
    except RequestError as error:
        raise RequestError(error.what, f"{path}{error.where.removeprefix(name)}", error.nearest) from None


def _load_folder(path: Path) -> Architecture:
    for name in ("config.json", "model_index.json"):
        if _is_file(path / name):
            config = read_json(path / name)
            break
    else:
        raise RequestError(f"holds no config.json: give {ACCEPTED}", str(path))
    quantised = path / "hf_quant_config.json"
    if _is_file(quantised) and "quantization_config" not in config:
        config = {**config, "hf_quant_config": read_json(quantised)}
    if "_diffusers_version" in config and ("transformer" in config or "unet" in config):
        config = _with_parts(path, config)
    return _read_file(path, config, path.resolve().name)


def _with_parts(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    """A diffusers pipeline: the configurations of its denoiser in place of the class names."""
    for part in ("transformer", "unet"):
        if _is_file(path / part / "config.json"):
            config = {**config, part: read_json(path / part / "config.json")}
    return config


def read_json(path: Path) -> dict[str, Any]:
    """One JSON object: bounded, UTF-8, no key twice."""
    try:
        text = read_bytes(path, LIMIT).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RequestError("is not UTF-8 text", str(path)) from None
    return parse_json(text, str(path))


def parse_json(text: str, where: str) -> dict[str, Any]:
    """One JSON object from text."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            counts: dict[str, int] = {}
            for key, _ in pairs:
                counts[key] = counts.get(key, 0) + 1
            twice = next(key for key, count in counts.items() if count > 1)
            raise RequestError(f"names {twice!r} twice", where)
        return found

    try:
        data = json.loads(text, object_pairs_hook=unique)
    except RecursionError:
        raise RequestError("is nested too deeply", where) from None
    except ValueError as error:
        raise RequestError(f"is not valid JSON: {error}", where) from None
    if not isinstance(data, dict):
        raise RequestError("is not a JSON object", where)
    return data


def catalogue_models(extra: Path | None = None) -> tuple[Entry, ...]:
    """Every model of the catalogue, by id, without building architectures."""
    return tuple(load_catalogue(extra).entries.values())


@cache
def load_catalogue(extra: Path | None = None) -> Catalogue:
    """The shipped catalogue, and a folder of the user's own files over it."""
    entries = {entry.id: entry for folder in _folders(extra) for entry in _listed(folder)}
    entries = dict(sorted(entries.items(), key=lambda item: item[0].casefold()))
    return Catalogue(entries, NameIndex("model", _names(entries)))


@cache
def model_sources() -> dict[str, Source]:
    """The sources the model catalogue cites, by key."""
    sheet = read_toml(catalog_path("models", "sources.toml"))
    return {key: Source(key=key, **entry) for key, entry in sheet.items()}


def _folders(extra: Path | None) -> list[Path]:
    if extra is not None and not _is_folder(extra):
        raise RequestError("no such folder", str(extra))
    return [catalog_path("models")] + ([extra] if extra is not None else [])


def _listed(folder: Path) -> list[Entry]:
    return [_entry(path, _meta(path)) for path in sorted(folder.glob("*.json"))]


def _meta(path: Path) -> Any:
    """The catalogue key of a file; where it stands first, the rest is not parsed."""
    try:
        text = path.read_text("utf-8") if path.stat().st_size <= LIMIT else ""
        if text.startswith(_FIRST):
            return json.JSONDecoder().raw_decode(text, len(_FIRST))[0]
    except (OSError, ValueError, RecursionError):
        pass
    return read_json(path).get(META, {})


def _entry(path: Path, meta: Any) -> Entry:
    """An entry from its catalogue key; a file without one is named after itself."""
    from ridgewise.models.fields import Fields

    if not isinstance(meta, Mapping):
        raise RequestError("is not an object", f"{path}: {META}")
    f = Fields(meta, f"{path}: {META}")
    return Entry(
        id=f.text("id", path.stem.replace("__", "/")),
        path=path,
        kind=f.text("kind", "checkpoint"),
        aliases=tuple(f.items("aliases", str)),
        source=tuple(f.items("source", str)),
        version=f.text("commit"),
        max_context=f.optional("max_context", most=10**12),
        hub_total=f.optional("hub_total", most=10**15),
        agreed=f.optional("parameters_agreed", most=10**15),
        note=f.text("note"),
    )


def _names(entries: Mapping[str, Entry]) -> dict[str, tuple[str, ...]]:
    """The aliases of every id: the listed ones, and the part after the slash where no other id lists it."""
    listed = {alias.casefold() for entry in entries.values() for alias in entry.aliases}
    names = {}
    for identity, entry in entries.items():
        tail = identity.rpartition("/")[2]
        own = () if tail.casefold() in listed or tail == identity else (tail,)
        names[identity] = (*entry.aliases, *own)
    return names


def _direct(name: str) -> Entry | None:
    """The entry of an exact id of the shipped catalogue."""
    stem = name.removesuffix(".json").replace("/", "__")
    path = catalog_path("models", f"{stem}.json")
    if "__" in stem and _is_file(path):
        return _entry(path, _meta(path))
    return None


def _known(name: str, extra: Path | None) -> bool:
    try:
        find(name, extra)
    except RequestError:
        return False
    return True


def _from_entry(entry: Entry, config: dict[str, Any]) -> Architecture:
    """The architecture of a catalogue file, with what its entry says of it."""
    config = {key: value for key, value in config.items() if key != META}
    arch = read_config(config, entry.id)
    said = [_SAID[entry.kind]] if entry.kind in _SAID else []
    if entry.max_context:
        arch = replace(arch, max_context=entry.max_context)
    elif entry.kind == "library-default" and arch.causal and arch.max_context:
        said.append(_UNKNOWN_CONTEXT.format(arch.max_context))
        arch = replace(arch, max_context=0)
    said += [part for part in (entry.note, _gap(arch, entry)) if part]
    return replace(arch, reduced=arch.reduced or entry.kind == "reduced", assumptions=(*said, *arch.assumptions))


_SAID = {
    "copied": "Read from a copy of the configuration in public code.",
    "library-default": "Read from the defaults of a library, not from the published configuration.",
    "reduced": "Read from a reduced sheet, not from the published configuration.",
}
_UNKNOWN_CONTEXT = "Its longest context is not known here: {:,} tokens are the library's default, held against nothing."
_GAP = 0.005


def published_totals(arch: Architecture) -> tuple[int, ...]:
    """The totals a publisher may state: with or without the modules apart, a tied head twice, or the
    copies of embedding and head stored with multi-token-prediction modules."""
    copies = 3 if arch.extra.get("mtp") else 1 if arch.tied else 0
    apart, table = (0, sum(arch.extra.values())), arch.vocab * arch.hidden
    return tuple(arch.parameters_total + part + n * table for part in apart for n in range(copies + 1))


def _gap(arch: Architecture, entry: Entry) -> str:
    """A sentence where the count is off the published total by more than half a per cent."""
    published = entry.hub_total
    if not published:
        return ""
    gap = min((total / published - 1 for total in published_totals(arch)), key=abs)
    return f"The count differs from the published total by {100 * gap:+.2f} %." if abs(gap) > _GAP else ""


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False

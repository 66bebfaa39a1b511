"""Ollama: a store laid out as Ollama lays it out, and manifests that lie."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from tests.models import gguf_files as files

from ridgewise.errors import RequestError
from ridgewise.models import ollama
from ridgewise.models.formats import model_bytes
from ridgewise.models.gguf import read_gguf
from ridgewise.models.read import load, load_model

MODEL, PROJECTOR = "application/vnd.ollama.image.model", "application/vnd.ollama.image.projector"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "store"
    (root / "blobs").mkdir(parents=True)
    monkeypatch.setenv("OLLAMA_MODELS", str(root))
    return root


def blob(root: Path, path: Path, kind: str = MODEL) -> dict[str, Any]:
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    path.rename(root / "blobs" / f"sha256-{digest}")
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}


def manifest(root: Path, place: str, layers: Any) -> Path:
    path = root / "manifests" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"schemaVersion": 2, "layers": layers}))
    return path


@pytest.fixture
def stored(store: Path, tmp_path: Path) -> Path:
    layer = blob(store, files.llama(tmp_path / "a.gguf"))
    manifest(store, "registry.ollama.ai/library/tiny/1b", [{"mediaType": "text/plain", "digest": "x"}, layer])
    manifest(store, "registry.ollama.ai/library/tiny/latest", [layer])
    manifest(store, "registry.ollama.ai/someone/tiny/q4", [layer])
    manifest(store, "hf.co/org/Model-GGUF/Q4_K_M", [layer])
    return store


@pytest.mark.parametrize(
    "name",
    ["ollama:tiny:1b", "ollama:tiny", "ollama:tiny:latest", "tiny:1b", "ollama:someone/tiny:q4",
     "ollama:hf.co/org/Model-GGUF:Q4_K_M", "ollama:registry.ollama.ai/library/tiny:1b"],
)  # fmt: skip
def test_names_lead_to_the_file(stored: Path, name: str) -> None:
    model = load_model(name)
    assert model.arch.layers == 2
    assert model.arch.name == name.removeprefix("ollama:")
    assert model.path is not None and model.path.parent == stored / "blobs"
    assert model.format is not None and model.format.id == "gguf:Q4_K_M"
    assert round(model_bytes(model.arch, model.format)) == read_gguf(model.path).tensor_bytes
    assert load(name) == model.arch


def test_a_projector_is_counted_apart_with_its_bytes(store: Path, tmp_path: Path) -> None:
    main = files.llama(tmp_path / "a.gguf")
    size = read_gguf(main).tensor_bytes
    vision = files.write(tmp_path / "b.gguf", "clip", {}, {"v.patch.weight": ((64, 32), "F16"), "v.b": ((7,), "F32")})
    layers = [blob(store, main), blob(store, vision, PROJECTOR)]
    manifest(store, "registry.ollama.ai/library/seeing/latest", layers)
    model = load_model("ollama:seeing")
    assert model.arch.extra["projector"] == 64 * 32 + 7
    assert model.format is not None
    assert round(model_bytes(model.arch, model.format)) == size + 64 * 32 * 2 + 28


def test_an_unknown_name_lists_the_nearest(stored: Path) -> None:
    with pytest.raises(RequestError, match=r"the Ollama store has no 'tinny:1b'.*nearest: tiny:1b"):
        load("ollama:tinny:1b")


def test_an_empty_store_is_said(store: Path) -> None:
    with pytest.raises(RequestError, match="no Ollama store here, or it is empty"):
        load("ollama:tiny")


def test_the_catalogue_answers_where_the_store_does_not(store: Path) -> None:
    assert load_model("deepseek-v3:671b").path is None


@pytest.mark.parametrize(
    "name",
    ["ollama:../../etc/passwd", "ollama:a/../../b:c", "ollama:tiny:../../x", "ollama:/etc/passwd", "ollama:",
     "ollama:a b", "ollama:a/b/c/d", "ollama:tiny:", "ollama:..:..", "ollama:a\x00b", "ollama:.hidden"],
)  # fmt: skip
def test_names_that_leave_the_store_are_refused(stored: Path, name: str) -> None:
    with pytest.raises(RequestError, match="is no name of an Ollama model"):
        load(name)
    assert not ollama.holds(name.removeprefix("ollama:"))


GOOD = f"sha256:{'0' * 64}"
LIES: dict[str, tuple[Any, str]] = {
    "digest that leads out": ([{"mediaType": MODEL, "digest": "sha256:../../../etc/passwd"}], "is no digest"),
    "digest with a tail": ([{"mediaType": MODEL, "digest": GOOD + "/../x"}], "is no digest"),
    "digest as number": ([{"mediaType": MODEL, "digest": 5}], "is no digest"),
    "file that is missing": ([{"mediaType": MODEL, "digest": GOOD}], "is missing: pull it again"),
    "no model": ([{"mediaType": "text/plain", "digest": GOOD}], "names no model file"),
    "no list": ({"a": 1}, "is no list of layers"),
    "no objects": ([1, 2], "is no list of layers"),
    "too many": ([{}] * 1000, "is no list of layers"),
}


@pytest.mark.parametrize("name", LIES)
def test_manifests_that_lie(store: Path, name: str) -> None:
    layers, message = LIES[name]
    manifest(store, "registry.ollama.ai/library/bad/latest", layers)
    with pytest.raises(RequestError, match=message):
        load("ollama:bad")


@pytest.mark.parametrize(
    ("raw", "message"),
    [(b"{", "not valid JSON"), (b"[]", "not a JSON object"), (b"\xff", "cannot be read"),
     (b" " * ((1 << 20) + 1), "larger than 1 MiB"),
     (b'{"layers": 1, "layers": 2}', "names 'layers' twice")],
)  # fmt: skip
def test_manifests_that_are_no_manifests(store: Path, raw: bytes, message: str) -> None:
    manifest(store, "registry.ollama.ai/library/bad/latest", []).write_bytes(raw)
    with pytest.raises(RequestError, match=message):
        load("ollama:bad")


def test_a_download_cut_short_is_said(store: Path, tmp_path: Path) -> None:
    layer = blob(store, files.llama(tmp_path / "a.gguf"))
    manifest(store, "registry.ollama.ai/library/cut/latest", [layer | {"size": layer["size"] + 1}])
    with pytest.raises(RequestError, match="where the manifest states"):
        load("ollama:cut")


def test_the_default_store_is_in_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("OLLAMA_MODELS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ollama.store() == tmp_path / ".ollama" / "models"

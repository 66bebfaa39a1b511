"""safetensors: against the library's own writer, against configurations, and against files that lie."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.watched import Watched

from ridgewise.errors import RequestError
from ridgewise.models import hub
from ridgewise.models.formats import model_bytes
from ridgewise.models.read import load, load_model
from ridgewise.models.safetensors import (
    DTYPES,
    INDEX,
    MOST_HEADER,
    Weights,
    read_file,
    read_header,
    stored_parameters,
)

Shapes = dict[str, tuple[str, tuple[int, ...]]]

CONFIG: dict[str, Any] = {
    "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 128, "vocab_size": 256, "max_position_embeddings": 2048,
    "torch_dtype": "bfloat16",
}  # fmt: skip


def encode(shapes: Shapes, metadata: dict[str, str] | None = None) -> bytes:
    """A file of zeros, written by hand from the format's description."""
    table: dict[str, Any] = {"__metadata__": metadata or {"format": "pt"}}
    end = 0
    for name, (dtype, shape) in shapes.items():
        size = DTYPES[dtype]
        for n in shape:
            size *= n
        table[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [end, end + size // 8]}
        end += size // 8
    header = json.dumps(table).encode()
    return struct.pack("<Q", len(header)) + header + bytes(end)


def llama(linear: Any = None, *, layers: int = 2, head: bool = True) -> Shapes:
    """The tensors of CONFIG; ``linear`` says how a matrix is stored."""
    store = linear or (lambda name, rows, columns: {f"{name}.weight": ("BF16", (rows, columns))})
    shapes: Shapes = {"model.embed_tokens.weight": ("BF16", (256, 64)), "model.norm.weight": ("BF16", (64,))}
    for i in range(layers):
        at = f"model.layers.{i}"
        shapes |= {f"{at}.{n}_layernorm.weight": ("BF16", (64,)) for n in ("input", "post_attention")}
        for name, rows, columns in (
            ("self_attn.q_proj", 64, 64), ("self_attn.k_proj", 32, 64), ("self_attn.v_proj", 32, 64),
            ("self_attn.o_proj", 64, 64), ("mlp.gate_proj", 128, 64), ("mlp.up_proj", 128, 64),
            ("mlp.down_proj", 64, 128),
        ):  # fmt: skip
            shapes |= store(f"{at}.{name}", rows, columns)
    return shapes | ({"lm_head.weight": ("BF16", (256, 64))} if head else {})


def folder(path: Path, shapes: Shapes, config: dict[str, Any] | None = None, shards: int = 1) -> Path:
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(json.dumps(CONFIG | (config or {})))
    if shards == 1:
        (path / "model.safetensors").write_bytes(encode(shapes))
        return path
    names = sorted(shapes)
    where = {name: f"model-{i % shards + 1:05d}-of-{shards:05d}.safetensors" for i, name in enumerate(names)}
    for file in set(where.values()):
        (path / file).write_bytes(encode({n: shapes[n] for n in names if where[n] == file}))
    (path / INDEX).write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": where}))
    return path


def exact(path: Path, weights: int | None = None) -> Any:
    """The model of a folder, after checking that its format gives the bytes of its files."""
    model = load_model(path)
    held = sum(read_file(file).tensor_bytes for file in path.glob("*.safetensors")) if weights is None else weights
    assert model.format is not None
    assert round(model_bytes(model.arch, model.format)) == held
    return model


# The library as oracle.


def test_header_equals_the_library(tmp_path: Path) -> None:
    numpy = pytest.importorskip("safetensors.numpy", reason="the safetensors package is not installed")
    import numpy as np

    path = tmp_path / "a.safetensors"
    numpy.save_file({"a": np.zeros((3, 5), np.float32), "b": np.ones((7,), np.int64)}, path, {"format": "np"})
    ours = read_file(path)
    assert {t.name: (t.dtype, t.shape) for t in ours.tensors} == {"a": ("F32", (3, 5)), "b": ("I64", (7,))}
    assert ours.header_bytes + ours.tensor_bytes == ours.file_bytes == path.stat().st_size
    assert ours.metadata == {"format": "np"}
    assert ours.bytes_by_dtype == {"F32": 60, "I64": 56}


def test_no_byte_beyond_the_header_is_read() -> None:
    data = encode(llama())
    watched = Watched(data)
    assert read_header(watched, len(data), "x").header_bytes == watched.reached < len(data)


# Folders.


@pytest.mark.parametrize("shards", [1, 3])
def test_a_folder_agrees_with_its_configuration(tmp_path: Path, shards: int) -> None:
    model = exact(folder(tmp_path / "m", llama(), shards=shards))
    assert model.arch.assumptions == ()
    assert model.format.default == model.format.head == model.format.small == 16
    assert (
        model.arch
        == load(tmp_path / "m")
        == load(tmp_path / "m" / "config.json").__class__(
            **{f: getattr(model.arch, f) for f in model.arch.__dataclass_fields__ if f != "kinds"}
        )
    )


def test_one_file_is_read_with_the_configuration_beside_it(tmp_path: Path) -> None:
    folder(tmp_path, llama())
    assert load_model(tmp_path / "model.safetensors").arch.parameters_total == load(tmp_path).parameters_total
    (tmp_path / "config.json").unlink()
    with pytest.raises(RequestError, match=r"needs the model's config\.json beside it"):
        load(tmp_path / "model.safetensors")


def test_a_shard_stands_for_all(tmp_path: Path) -> None:
    path = folder(tmp_path / "m", llama(), shards=2)
    assert load_model(path / "model-00002-of-00002.safetensors").format == load_model(path).format


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    path = folder(tmp_path / "m", llama(), shards=3)
    (path / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(RequestError, match=r"shard model-00002-of-00003\.safetensors is missing \(1 of 3\)"):
        load(path)
    (path / INDEX).unlink()
    with pytest.raises(RequestError, match=r"shard model-00002-of-00003\.safetensors is missing"):
        load(path)


def test_configuration_and_index_without_weights_are_enough(tmp_path: Path) -> None:
    path = folder(tmp_path / "m", llama(), shards=2)
    for file in path.glob("*.safetensors"):
        file.unlink()
    model = load_model(path)
    assert model.format is None and model.arch.layers == 2


def test_a_tensor_of_the_index_that_no_file_holds(tmp_path: Path) -> None:
    path = folder(tmp_path / "m", llama(), shards=2)
    index = json.loads((path / INDEX).read_text())
    index["weight_map"]["model.ghost"] = "model-00001-of-00002.safetensors"
    (path / INDEX).write_text(json.dumps(index))
    with pytest.raises(RequestError, match=r"tensor 'model\.ghost' is in none of the files"):
        load(path)


@pytest.mark.parametrize(
    "name", ["../secret.safetensors", "/etc/x.safetensors", "a/b.safetensors", "x.bin", "C:\\x.safetensors"]
)
def test_an_index_never_leads_out_of_its_folder(tmp_path: Path, name: str) -> None:
    path = folder(tmp_path / "m", llama(), shards=2)
    (path / INDEX).write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(RequestError, match="no plain name of a safetensors file"):
        load(path)


def test_a_tensor_in_two_shards_is_refused(tmp_path: Path) -> None:
    path = folder(tmp_path / "m", llama(), shards=2)
    (path / INDEX).unlink()
    for file in path.glob("*.safetensors"):
        file.write_bytes(encode(llama()))
    with pytest.raises(RequestError, match="is in several shards"):
        load(path)


def test_consolidated_copies_are_not_counted_twice(tmp_path: Path) -> None:
    path = folder(tmp_path / "m", llama())
    before = load_model(path).format
    (path / "consolidated.safetensors").write_bytes(encode(llama()))
    assert load_model(path).format == before


# Quantised checkpoints: packed weights, scales, zero points.


def _gptq(name: str, rows: int, columns: int) -> Shapes:
    return {
        f"{name}.qweight": ("I32", (columns // 8, rows)), f"{name}.qzeros": ("I32", (columns // 32, rows // 8)),
        f"{name}.scales": ("F16", (columns // 32, rows)), f"{name}.g_idx": ("I32", (columns,)),
    }  # fmt: skip


def _awq(name: str, rows: int, columns: int) -> Shapes:
    return {
        f"{name}.qweight": ("I32", (columns, rows // 8)), f"{name}.qzeros": ("I32", (columns // 32, rows // 8)),
        f"{name}.scales": ("F16", (columns // 32, rows)),
    }  # fmt: skip


def _packed(name: str, rows: int, columns: int) -> Shapes:
    return {
        f"{name}.weight_packed": ("I32", (rows, columns // 8)), f"{name}.weight_scale": ("BF16", (rows, columns // 32)),
        f"{name}.weight_shape": ("I64", (2,)), f"{name}.weight_zero_point": ("I32", (rows // 8, columns // 32)),
    }  # fmt: skip


def _nvfp4(name: str, rows: int, columns: int) -> Shapes:
    return {
        f"{name}.weight": ("U8", (rows, columns // 2)), f"{name}.weight_scale": ("F8_E4M3", (rows, columns // 16)),
        f"{name}.weight_scale_2": ("F32", ()), f"{name}.input_scale": ("F32", ()),
    }  # fmt: skip


def _fp8(name: str, rows: int, columns: int) -> Shapes:
    return {f"{name}.weight": ("F8_E4M3", (rows, columns)), f"{name}.weight_scale_inv": ("F32", (1, 1))}


def _int8(name: str, rows: int, columns: int) -> Shapes:
    return {f"{name}.weight": ("I8", (rows, columns)), f"{name}.weight_scale": ("BF16", (rows, 1))}


def _nf4(name: str, rows: int, columns: int) -> Shapes:
    return {
        f"{name}.weight": ("U8", (rows * columns // 2, 1)), f"{name}.weight.absmax": ("U8", (rows * columns // 64,)),
        f"{name}.weight.nested_absmax": ("F32", (1,)), f"{name}.weight.quant_map": ("F32", (16,)),
        f"{name}.weight.nested_quant_map": ("F32", (256,)),
        f"{name}.weight.quant_state.bitsandbytes__nf4": ("U8", (80,)),
    }  # fmt: skip


def _mlx(name: str, rows: int, columns: int) -> Shapes:
    return {
        f"{name}.weight": ("U32", (rows, columns // 8)), f"{name}.scales": ("F16", (rows, columns // 32)),
        f"{name}.biases": ("F16", (rows, columns // 32)),
    }  # fmt: skip


QUANTISED: dict[str, tuple[Any, dict[str, Any]]] = {
    "gptq": (_gptq, {"quant_method": "gptq", "bits": 4, "group_size": 32}),
    "awq": (_awq, {"quant_method": "awq", "bits": 4, "group_size": 32}),
    "compressed-tensors": (_packed, {"quant_method": "compressed-tensors", "config_groups": {
        "group_0": {"weights": {"num_bits": 4, "type": "int"}}}}),
    "nvfp4": (_nvfp4, {"quant_method": "modelopt", "quant_algo": "NVFP4"}),
    "fp8": (_fp8, {"quant_method": "fp8"}),
    "int8": (_int8, {"quant_method": "compressed-tensors", "config_groups": {
        "group_0": {"weights": {"num_bits": 8, "type": "int"}}}}),
    "nf4": (_nf4, {"quant_method": "bitsandbytes", "load_in_4bit": True}),
}  # fmt: skip


@pytest.mark.parametrize("method", QUANTISED)
def test_packed_weights_are_counted_unpacked(tmp_path: Path, method: str) -> None:
    linear, quantised = QUANTISED[method]
    model = exact(folder(tmp_path / "m", llama(linear), {"quantization_config": quantised}))
    assert model.arch.assumptions == ()  # parameters of the files equal those of the configuration
    assert model.format.head == model.format.embedding == 16
    assert model.format.default < 16


def test_mlx_weights_are_counted_unpacked(tmp_path: Path) -> None:
    path = folder(tmp_path / "m", llama(_mlx), {"quantization": {"group_size": 32, "bits": 4}})
    weights = read_file(path / "model.safetensors")
    assert stored_parameters(weights, 4) == load(path / "config.json").parameters_total
    assert exact(path).format.default == 5.0  # 4 bits, and a scale and a bias of 16 bits for each 32


def test_gptq_at_eight_bits(tmp_path: Path) -> None:
    def eight(name: str, rows: int, columns: int) -> Shapes:
        return {f"{name}.qweight": ("I32", (columns // 4, rows)), f"{name}.scales": ("F16", (columns // 32, rows))}

    quantised = {"quant_method": "gptq", "bits": 8, "group_size": 32}
    model = exact(folder(tmp_path / "m", llama(eight), {"quantization_config": quantised}))
    assert model.arch.assumptions == ()
    assert model.format.default == 8.5


def test_mxfp4_experts(tmp_path: Path) -> None:
    config = {"model_type": "gpt_oss", "num_local_experts": 4, "num_experts_per_tok": 2, "attention_bias": True,
              "intermediate_size": 64, "quantization_config": {"quant_method": "mxfp4"}}  # fmt: skip
    shapes: Shapes = {name: entry for name, entry in llama().items() if ".mlp." not in name}
    for i in range(2):
        at = f"model.layers.{i}"
        shapes |= {
            f"{at}.self_attn.{n}_proj.bias": ("BF16", (w,)) for n, w in (("q", 64), ("k", 32), ("v", 32), ("o", 64))
        }
        shapes |= {
            f"{at}.self_attn.sinks": ("BF16", (4,)),
            f"{at}.mlp.router.weight": ("BF16", (4, 64)),
            f"{at}.mlp.router.bias": ("BF16", (4,)),
            f"{at}.mlp.experts.gate_up_proj_blocks": ("U8", (4, 128, 2, 16)),
            f"{at}.mlp.experts.gate_up_proj_scales": ("U8", (4, 128, 2)),
            f"{at}.mlp.experts.gate_up_proj_bias": ("BF16", (4, 128)),
            f"{at}.mlp.experts.down_proj_blocks": ("U8", (4, 64, 2, 16)),
            f"{at}.mlp.experts.down_proj_scales": ("U8", (4, 64, 2)),
            f"{at}.mlp.experts.down_proj_bias": ("BF16", (4, 64)),
        }
    model = exact(folder(tmp_path / "m", shapes, config))
    assert model.arch.assumptions == ()
    assert model.format.roles == {"expert": 4.25, "router": 16.0}


# Where files and configuration differ.


def test_a_copy_of_the_tied_head_is_not_loaded(tmp_path: Path) -> None:
    path = folder(tmp_path / "m", llama(), {"tie_word_embeddings": True})
    copy = 256 * 64 * 2
    model = exact(path, read_file(path / "model.safetensors").tensor_bytes - copy)
    assert model.arch.assumptions == (f"The files hold a copy of the tied head ({copy:,} bytes), which is not loaded.",)


def test_a_difference_in_parameters_is_said(tmp_path: Path) -> None:
    model = exact(folder(tmp_path / "m", llama() | {"model.layers.0.self_attn.q_proj.bias": ("BF16", (64,))}))
    assert any("+64" in sentence and "bytes are those of the files" in sentence for sentence in model.arch.assumptions)


def test_tables_computed_at_start_are_no_parameters(tmp_path: Path) -> None:
    shapes = llama() | {"model.layers.0.self_attn.rotary_emb.inv_freq": ("F32", (8,))}
    path = folder(tmp_path / "m", shapes)
    assert exact(path, read_file(path / "model.safetensors").tensor_bytes - 32).arch.assumptions == ()


# Files that lie.


def head(table: Any, data: int = 0) -> bytes:
    raw = table if isinstance(table, bytes) else json.dumps(table).encode()
    return struct.pack("<Q", len(raw)) + raw + bytes(data)


def entry(dtype: Any = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


LIES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is truncated: no complete safetensors header"),
    "seven bytes": (b"\0" * 7, "is truncated"),
    "Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    "longer than the limit": (struct.pack("<Q", MOST_HEADER + 1), "states a header of 100000001 bytes"),
    "longest length": (b"\xff" * 8, r"states a header of \d+ bytes"),
    "longer than the file": (struct.pack("<Q", 1000) + b"{}", "a header of 1000 bytes in a file of 10"),
    "no object": (head(b"[1]"), "does not begin with"),
    "not UTF-8": (head(b'{"\xff": 1}'), "is not UTF-8"),
    "broken": (head(b'{"a": '), "is not valid"),
    "deep": (head(b'{"a":' + b"[" * 200_000), "nested too deeply|is not valid"),
    "huge integer": (head(b'{"a":' + b"9" * 10_000 + b"}"), "is not valid"),
    "NaN": (head(b'{"a": NaN}'), "NaN is not a number"),
    "twice": (head(b'{"a": 1, "a": 2}'), "names 'a' twice"),
    "metadata": (head({"__metadata__": {"a": 1}}), "__metadata__: is no table of texts"),
    "no fields": (head({"a": {}}), "is not described by dtype"),
    "further fields": (head({"a": entry() | {"x": 1}}, 8), "is not described by dtype"),
    "unknown type": (head({"a": entry("F9")}, 8), "tensor type 'F9' is not known"),
    "type as list": (head({"a": entry(["F32"])}, 8), "is not known"),
    "negative size": (head({"a": entry(shape=(-2,))}, 8), "is no list of sizes"),
    "size as text": (head({"a": entry(shape=("2",))}, 8), "is no list of sizes"),
    "truth as size": (head({"a": entry(shape=(True,), offsets=(0, 4))}, 4), "is no list of sizes"),
    "size overflow": (head({"a": entry(shape=(1 << 62, 1 << 62))}, 8), "do not hold shape"),
    "huge size": (head({"a": entry(shape=(1 << 64,))}, 8), "is no list of sizes"),
    "dimensions": (head({"a": entry(shape=(1,) * 40)}, 8), "is no list of sizes"),
    "backwards": (head({"a": entry(offsets=(8, 0))}, 8), "are no begin and end"),
    "one offset": (head({"a": entry(offsets=(8,))}, 8), "are no begin and end"),
    "wrong size": (head({"a": entry(offsets=(0, 4))}, 4), "4 bytes do not hold shape"),
    "out of range": (head({"a": entry()}, 4), "offset out of range"),
    "overlap": (head({"a": entry(), "b": entry(offsets=(4, 12))}, 12), "tensor 'b': overlaps another tensor"),
    "hole": (head({"a": entry(), "b": entry(offsets=(16, 24))}, 24), "leaves 8 bytes unused"),
    "rest": (head({"a": entry()}, 9), "the tensors end at byte 8 of 9"),
    "long name": (head({"a" * 2000: entry()}, 8), "a name of 2000 characters"),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_every_lie_is_a_named_error(name: str) -> None:
    data, message = LIES[name]
    with pytest.raises(RequestError, match=message):
        read_header(io.BytesIO(data), len(data), "x.safetensors")


def test_every_truncation_is_said() -> None:
    data = encode(llama(layers=1))
    for size in range(0, len(data), 7):
        with pytest.raises(RequestError, match="truncated"):
            read_header(io.BytesIO(data[:size]), size, "x")


@settings(max_examples=300, deadline=1000)
@given(data=st.data())
def test_changed_bytes_give_an_answer_or_a_named_error(data: st.DataObject) -> None:
    sound = encode({"a": ("F32", (2, 2)), "b.weight": ("I8", (3,))})
    raw = bytearray(sound)
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(raw) - 16))
        piece = data.draw(st.binary(min_size=1, max_size=5))
        raw[place : place + len(piece)] = piece
    watched = Watched(bytes(raw))
    try:
        found = read_header(watched, len(raw), "x")
        assert found.header_bytes + found.tensor_bytes == found.file_bytes
    except RequestError as error:
        assert str(error)
    assert watched.reached <= 8 + int.from_bytes(raw[:8], "little")


# The Hub, without the network.


def fake(files: dict[str, bytes]) -> tuple[hub.Repository, list[tuple[str, int, int]]]:
    asked: list[tuple[str, int, int]] = []

    def fetch(name: str, begin: int, count: int) -> bytes:
        asked.append((name, begin, count))
        return files[name][begin : begin + count]

    return hub.Repository("org/name", "0" * 40, {name: len(data) for name, data in files.items()}, fetch), asked


def test_a_repository_is_read_by_ranges_of_its_headers(tmp_path: Path) -> None:
    path = folder(tmp_path / "m", llama(), shards=2)
    files = {file.name: file.read_bytes() for file in path.iterdir()}
    repo, asked = fake(files)
    model, local = hub.model_of(repo), load_model(path)
    assert model.format == local.format
    assert model.arch.parameters_total == local.arch.parameters_total
    fetched = {name: sum(count for asked_name, _, count in asked if asked_name == name) for name in files}
    for name, data in files.items():
        if name.endswith(".safetensors"):
            assert fetched[name] == 8 + int.from_bytes(data[:8], "little")


def test_a_repository_without_a_shard_or_configuration() -> None:
    repo, _ = fake({"config.json": json.dumps(CONFIG).encode(), INDEX: b'{"weight_map": {"a": "x.safetensors"}}'})
    with pytest.raises(RequestError, match=r"shard x\.safetensors is missing"):
        hub.model_of(repo)
    with pytest.raises(RequestError, match=r"name one of its files.*hub:org/name/a\.gguf"):
        hub.model_of(fake({"a.gguf": b""})[0])


@pytest.mark.parametrize("name", ["hub:", "hub:a", "hub:a/../b", "hub:a/b/c/../d.gguf", "hub:-a/b", "hub:a/b@"])
def test_names_that_are_no_repository(name: str) -> None:
    with pytest.raises(RequestError, match="is no repository name"):
        load(name)


def test_failures_of_the_network_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> Any:
        raise ConnectionError("no route\nto host")

    library = pytest.importorskip("huggingface_hub", reason="huggingface_hub (hub extra) is not installed")
    monkeypatch.setattr(library.HfApi, "model_info", refused)
    with pytest.raises(RequestError, match="hub:org/name: the Hub did not answer: ConnectionError: no route to host"):
        load("hub:org/name")


class _Ranges(BaseHTTPRequestHandler):
    """A server of the bytes 0 to 255 over and over; ``/whole`` ignores ranges, ``/none`` is missing."""

    def do_GET(self) -> None:
        body = bytes(range(256)) * 40
        first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
        whole = self.path == "/whole"
        self.send_response(404 if self.path == "/none" else 200 if whole else 206)
        part = body if whole else body[first : last + 1]
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(part)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_ranges_over_http() -> None:
    library = pytest.importorskip("huggingface_hub", reason="huggingface_hub (hub extra) is not installed")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Ranges)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    at = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        assert hub._range(library, f"{at}/file", 10, 5) == bytes(range(10, 15))
        assert hub._range(library, f"{at}/whole", 0, 5) == bytes(range(5))
        with pytest.raises(OSError, match="does not send ranges"):
            hub._range(library, f"{at}/whole", 10, 5)
        with pytest.raises(RequestError, match="the Hub did not answer"):
            hub._answered("org/name", lambda: hub._range(library, f"{at}/none", 0, 5))
    finally:
        server.shutdown()
        server.server_close()


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(RequestError, match=r"pip install \"ridgewise\[hub\]\""):
        load("hub:org/name")


def test_totals_by_type() -> None:
    data = encode({"a": ("F32", (4,)), "b": ("BF16", (100,)), "c": ("F32", (2,))})
    found = read_header(io.BytesIO(data), len(data), "x")
    assert isinstance(found, Weights)
    assert found.bytes_by_dtype == {"BF16": 200, "F32": 24}

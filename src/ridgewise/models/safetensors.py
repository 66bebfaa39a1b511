"""safetensors: headers only, of one file, a folder of shards, or a repository of the Hub.

Layout (safetensors/README.md): eight bytes with the length of a JSON header (at most 100 MB, as in the format's
own limit), the header, then the data. The configuration says what the model is; the files say how many bytes
it takes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from ridgewise.errors import RequestError
from ridgewise.models import quantisation
from ridgewise.models.architecture import Architecture
from ridgewise.models.fields import Fields
from ridgewise.models.formats import Format, load_formats, native_format
from ridgewise.models.stored import EMBEDDING, EXPERT, EXTRA, HEAD, SMALL, Model, exact_format

MOST_HEADER = 100_000_000  # bytes: MAX_HEADER_SIZE of the format
MOST_TENSORS = 100_000  # in one file; DeepSeek-V3 has about 92,000 in 163 files
#: Marks of JSON that a header of so many tensors can need: what it costs to parse is known before parsing.
MOST_MARKS = {b"{": 200_000, b"[": 300_000, b":": 600_000, b",": 2_500_000}
MOST_SHARDS = 2_000
MOST_INDEX = 64 << 20  # bytes
MOST_DIMS = 16
INDEX_MARKS = {b"{": 1_000, b"[": 1_000, b":": 1_000_000, b",": 1_000_000}
_FIELDS = {"dtype", "shape", "data_offsets"}
MOST_NAME = 1_024
INDEX = "model.safetensors.index.json"

#: Bits per element (``Dtype`` in safetensors/src/tensor.rs).
DTYPES = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32,
    "F32": 32, "F64": 64, "I64": 64, "U64": 64, "C64": 64,
}  # fmt: skip
_WHOLE = ("BOOL", "U8", "I8", "I16", "U16", "I32", "U32", "I64", "U64")


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int

    @property
    def elements(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True)
class Weights:
    """The tensors of a file or of all shards of a model."""

    tensors: tuple[Tensor, ...]
    header_bytes: int
    file_bytes: int
    where: str = ""
    shards: int = 1
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def tensor_bytes(self) -> int:
        return sum(tensor.bytes for tensor in self.tensors)

    @property
    def bytes_by_dtype(self) -> dict[str, int]:
        """Bytes by tensor type, largest first."""
        held: dict[str, int] = {}
        for tensor in self.tensors:
            held[tensor.dtype] = held.get(tensor.dtype, 0) + tensor.bytes
        return dict(sorted(held.items(), key=lambda item: -item[1]))


# Headers.


def read_header(handle: BinaryIO, size: int, where: str) -> Weights:
    """The header of an open file of ``size`` bytes; nothing beyond it is read."""
    start = handle.read(8) if size >= 8 else b""
    if len(start) < 8:
        raise RequestError("is truncated: no complete safetensors header", where)
    length = int.from_bytes(start, "little")
    if start.startswith(b"version "):
        raise RequestError("is a Git LFS pointer, not the model: fetch the file itself", where)
    if length > MOST_HEADER:
        raise RequestError(f"states a header of {length} bytes; at most {MOST_HEADER} are read", where)
    if length > size - 8:
        raise RequestError(f"is truncated: a header of {length} bytes in a file of {size}", where)
    text = _exactly(handle, length, where)
    tensors, metadata = parse_header(text, size - 8 - length, where)
    return Weights(tensors, 8 + length, size, where, metadata=metadata)


def _exactly(handle: BinaryIO, count: int, where: str) -> bytes:
    pieces = []
    while count > 0:
        piece = handle.read(count)
        if not piece:
            raise RequestError("is truncated: it ends inside its header", where)
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def parse_header(raw: bytes, data: int, where: str) -> tuple[tuple[Tensor, ...], dict[str, str]]:
    """The tensors of a header in front of ``data`` bytes."""
    if not raw.startswith(b"{"):
        raise RequestError("is not a safetensors file: its header does not begin with '{'", where)
    table = _json(raw, where)
    metadata = table.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise RequestError("is no table of texts", f"{where}: __metadata__")
    if len(table) > MOST_TENSORS:
        raise RequestError(f"states {len(table)} tensors; at most {MOST_TENSORS:,} are read", where)
    entries = [_entry(name, entry, where) for name, entry in table.items()]
    _check_places(entries, data, where)
    return tuple(tensor for tensor, _, _ in entries), metadata


def _json(raw: bytes, where: str, marks: Mapping[bytes, int] = MOST_MARKS) -> dict[str, Any]:
    """One JSON object without a key twice; how much there is to parse is bounded first."""
    for mark, most in marks.items():
        if raw.count(mark) > most:
            raise RequestError(f"its JSON has more than {most:,} {mark.decode()!r}: no table of tensors", where)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    raise RequestError(f"names {_shown(key)} twice", where)
                seen.add(key)
        return found

    try:
        table = json.loads(raw.decode("utf-8"), object_pairs_hook=unique, parse_constant=_no_constant)
    except RecursionError:
        raise RequestError("its JSON is nested too deeply", where) from None
    except UnicodeDecodeError:
        raise RequestError("its JSON is not UTF-8", where) from None
    except ValueError as error:
        raise RequestError(f"its JSON is not valid: {error}", where) from None
    if not isinstance(table, dict):
        raise RequestError("is not a JSON object", where)
    return table


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _entry(name: str, entry: Any, where: str) -> tuple[Tensor, int, int]:
    """A tensor with the begin and end of its data."""
    fault = _fault(name, entry)
    if fault:
        raise RequestError(fault, f"{where}: tensor {_shown(name)}")
    begin, end = entry["data_offsets"]
    return Tensor(name, entry["dtype"], tuple(entry["shape"]), end - begin), begin, end


def _fault(name: str, entry: Any) -> str:
    """What is wrong with the description of one tensor; empty where nothing is."""
    if len(name) > MOST_NAME:
        return f"a name of {len(name)} characters; at most {MOST_NAME} are read"
    if not isinstance(entry, dict) or entry.keys() != _FIELDS:
        return "is not described by dtype, shape and data_offsets"
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        return f"tensor type {_shown(dtype)} is not known"
    if not _sizes(shape) or len(shape) > MOST_DIMS:
        return f"shape {_shown(shape)} is no list of sizes"
    if not _sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        return f"data offsets {_shown(offsets)} are no begin and end"
    if prod(shape) * DTYPES[dtype] != 8 * (offsets[1] - offsets[0]):
        return f"{offsets[1] - offsets[0]} bytes do not hold shape {_shown(shape)} of {dtype}"
    return ""


def _sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 1 << 63 for item in value)


def _check_places(entries: list[tuple[Tensor, int, int]], data: int, where: str) -> None:
    """Tensors follow each other without holes and fill the data exactly, as the format demands."""
    end = 0
    for tensor, begin, stop in sorted(entries, key=lambda entry: entry[1:]):
        if begin != end:
            what = "overlaps another tensor" if begin < end else f"leaves {begin - end} bytes unused before it"
            raise RequestError(what, f"{where}: tensor {_shown(tensor.name)}")
        if stop > data:
            raise RequestError(
                f"offset out of range: its data end at byte {stop} of {data}; the file is truncated",
                f"{where}: tensor {_shown(tensor.name)}",
            )
        end = stop
    if end != data:
        raise RequestError(f"the tensors end at byte {end} of {data} bytes of data", where)


# Files and folders.

Opener = Callable[[str], tuple[BinaryIO, int]]


def read_file(path: Path) -> Weights:
    """The header of one local file."""
    try:
        size = path.stat().st_size
        with path.open("rb", buffering=0) as handle:
            return read_header(handle, size, str(path))
    except FileNotFoundError:
        raise RequestError("no such file", str(path)) from None
    except (OSError, ValueError) as error:
        raise RequestError(f"cannot be read: {error}", str(path)) from None


def read_folder(folder: Path) -> Weights | None:
    """The headers of all shards of a folder; None where it holds no safetensors at all."""
    path = folder / INDEX
    index = _index(path) if path.is_file() else None
    if index is not None:
        shards = shard_names(index, str(path))
        held = [name for name in shards if (folder / name).is_file()]
        if not held:
            return None
        missing = [name for name in shards if name not in held]
    else:
        held = main_files([path.name for path in folder.glob("*.safetensors")])
        missing = _numbered_gaps(held)
    if missing:
        raise RequestError(f"shard {missing[0]} is missing ({len(missing)} of {len(held) + len(missing)})", str(folder))
    if not held:
        return None
    found = joined([read_file(folder / name) for name in held], str(folder))
    if index is not None:
        _check_index(index, found, str(path))
    return found


def _index(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MOST_INDEX:
            raise RequestError(f"file is larger than {MOST_INDEX >> 20} MiB", str(path))
        return parse_index(path.read_bytes(), str(path))
    except OSError as error:
        raise RequestError(f"cannot be read: {error}", str(path)) from None


def parse_index(raw: bytes, where: str) -> dict[str, Any]:
    """The index of a sharded model."""
    return _json(raw, where, INDEX_MARKS)


def shard_names(index: Mapping[str, Any], where: str) -> list[str]:
    """The files an index names: plain names beside it, never a path."""
    table = index.get("weight_map")
    if not isinstance(table, dict) or not table or not all(isinstance(name, str) for name in table.values()):
        raise RequestError("is no table of tensor to file", f"{where}: weight_map")
    names = sorted(set(table.values()))
    if len(names) > MOST_SHARDS:
        raise RequestError(f"names {len(names)} files; at most {MOST_SHARDS:,} are read", f"{where}: weight_map")
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,200}", name) or not name.endswith(".safetensors"):
            raise RequestError(f"{_shown(name)} is no plain name of a safetensors file", f"{where}: weight_map")
    return names


def _check_index(index: Mapping[str, Any], found: Weights, where: str) -> None:
    """Every tensor of the index is in the files."""
    held = {tensor.name for tensor in found.tensors}
    missing = sorted(set(index["weight_map"]) - held)
    if missing:
        raise RequestError(f"tensor {_shown(missing[0])} is in none of the files", f"{where}: weight_map")


_SHARD = re.compile(r"^(.+)-(\d{5})-of-(\d{5})\.safetensors$")


def is_shard(name: str) -> bool:
    """True for the name of one of several numbered files."""
    return _SHARD.match(name) is not None


def main_files(names: Iterable[str]) -> list[str]:
    """The files of the model itself: shards or ``model.safetensors`` before consolidated copies and adapters."""
    known = sorted(names)
    for pattern in (r"model(-\d{5}-of-\d{5})?\.safetensors", r"(?!consolidated|adapter).*"):
        chosen = [name for name in known if re.fullmatch(pattern, name)]
        if chosen:
            return chosen
    return known


def _numbered_gaps(names: list[str]) -> list[str]:
    """Shards that the numbers in the names call for and that are not there."""
    gaps: list[str] = []
    for name in names:
        match = _SHARD.match(name)
        if match and int(match[3]) <= MOST_SHARDS:
            stem, count = match[1], int(match[3])
            wanted = (f"{stem}-{i:05d}-of-{count:05d}.safetensors" for i in range(1, count + 1))
            gaps += [other for other in wanted if other not in names and other not in gaps]
    return gaps


def joined(parts: list[Weights], where: str) -> Weights:
    """Several shards as one; a tensor in two of them is refused."""
    tensors: dict[str, Tensor] = {}
    for part in parts:
        for tensor in part.tensors:
            if tensor.name in tensors:
                raise RequestError(f"tensor {_shown(tensor.name)} is in several shards", part.where)
            tensors[tensor.name] = tensor
    return Weights(
        tuple(tensors.values()), sum(part.header_bytes for part in parts),
        sum(part.file_bytes for part in parts), where, len(parts), parts[0].metadata if parts else {},
    )  # fmt: skip


# What the tensors are.

#: Tensors that serve another: scales, zero points, indices, shapes. Bytes, but no parameters.
_SERVING = re.compile(
    r"(?:[._](?:scale|scales|scale_inv|scale_2|zero_point|zeros|qzeros|g_idx|perm|weight_shape|SCB|absmax|"
    r"nested_absmax|quant_map|nested_quant_map|global_scale|input_scale|output_scale|k_scale|v_scale|act_scale|"
    r"weight_format|zp)|quant_state\.\w+)$"
)
#: Tables computed at start, which older files hold all the same. Neither parameters nor loaded.
_BUFFERS = re.compile(r"(?:inv_freq|rotary_emb\.(?:cos|sin)\w*|masked_bias|attn\.bias|position_ids|\.causal_mask)$")
_EMBEDDING = re.compile(
    r"(?:^|\.)(?:embed_tokens|wte|wpe|tok_embeddings|word_embeddings|embed_in|embeddings?|embed_positions|"
    r"position_embeddings|token_type_embeddings|shared|embed_tokens_per_layer)\.weight"
)
_HEAD = re.compile(r"(?:^|\.)(?:lm_head|embed_out|output|output_layer)\.(?:q?weight\w*|[sS]cales?|biases|qzeros)")
_EXPERTS = re.compile(r"(?:^|\.)(?:experts|switch_mlp|local_experts)\.")
_ROUTER = re.compile(r"(?:\.|^)(?:mlp|block_sparse_moe|feed_forward|mixer|moe)\.(?:gate|router)(?:\.\w+)*$")
_OTHER = re.compile(
    r"(?:^|\.)(?:vision\w*|visual|image\w*|multi_modal_projector|mm_projector|audio\w*|speech\w*|merger|resampler|"
    r"mtp|nextn|mm_input_projection\w*|embed_vision|embed_audio|aligner|connector)\."
)
_LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks?)\.(\d+)\.")


def place_of(tensor: Tensor, layers: int, causal: bool) -> str:
    """Where the bytes of a tensor belong: a place or role of a weight format."""
    name = tensor.name
    layer = _LAYER.search(name)
    if _OTHER.search(name) or (layer and causal and int(layer[1]) >= layers):
        return EXTRA
    if _EMBEDDING.search(name) and not layer:
        return EMBEDDING
    if _HEAD.search(name) and not layer:
        return HEAD
    small = sum(size > 1 for size in tensor.shape) < 2 and not _SERVING.search(name)
    if small and tensor.dtype not in _WHOLE:
        return SMALL
    if _EXPERTS.search(name) and "shared_expert" not in name:
        return SMALL if name.endswith("_bias") else EXPERT
    return "router" if _ROUTER.search(name) else "default"


def parameters_of(tensor: Tensor, bits: int, names: frozenset[str]) -> int:
    """Weights a tensor holds: packed integers unpacked, scales and zero points none.

    ``bits``: width of quantised weights; ``names``: of all tensors, to tell packed ones by their scales.
    """
    name, count = tensor.name, tensor.elements
    stem, _, last = name.rpartition(".")
    if _SERVING.search(name) or _BUFFERS.search(name) or (last == "biases" and f"{stem}.scales" in names):
        return 0
    width = DTYPES[tensor.dtype]
    if name.endswith(("weight_packed", "qweight")):
        return count * width // bits if tensor.dtype in ("I32", "U32", "I64") else count * width // 4
    if name.endswith("_blocks"):
        return count * width // 4
    if tensor.dtype == "U8" and last == "weight":
        packed = {f"{name}_scale", f"{name}.absmax", f"{stem}.weight_scale_2"} & names
        return count * width // (bits if bits < width else 4) if packed else count
    if tensor.dtype == "U32" and f"{stem}.scales" in names:
        return count * width // bits
    return count


def stored_parameters(weights: Weights, bits: int = 4) -> int:
    """Weights held by all tensors together."""
    names = frozenset(tensor.name for tensor in weights.tensors)
    return sum(parameters_of(tensor, bits, names) for tensor in weights.tensors)


def model_from(weights: Weights, arch: Architecture, config: Mapping[str, Any], path: Path | None = None) -> Model:
    """The architecture with what the files say beside it, and the format the files have."""
    bits = _bits(config)
    held: dict[str, int] = {}
    copies: list[Tensor] = []
    for tensor in weights.tensors:
        place = place_of(tensor, arch.layers, arch.causal)
        if _BUFFERS.search(tensor.name):
            continue
        if place == HEAD and arch.tied:
            copies.append(tensor)
            continue
        held[place] = held.get(place, 0) + tensor.bytes
    notes = [*_said(weights, arch, bits, copies)]
    base = replace(
        _base(arch, weights), id=f"file:{arch.dtype}", note="bits per element averaged over the tensors of the files"
    )
    told = replace(arch, assumptions=(*arch.assumptions, *notes))
    return Model(told, exact_format(told, held, base), path)


def _base(arch: Architecture, weights: Weights) -> Format:
    """The catalogue's format of the checkpoint; where it has none, that of the type with most bytes."""
    try:
        base = native_format(arch)
    except RequestError:
        widest = next(iter(weights.bytes_by_dtype), "BF16")
        base = load_formats()[{"F16": "fp16", "F32": "fp32", "F8_E4M3": "fp8"}.get(widest, "bf16")]
    return replace(base, name=f"{base.name} (files)")


def _bits(config: Mapping[str, Any]) -> int:
    """Width of quantised weights, by the configuration; 4 where it does not say."""
    stored = quantisation.quantisation(Fields(config, "config.json"))
    if stored is None and isinstance(config.get("quantization"), Mapping):
        stored = config["quantization"]  # MLX
    found = re.findall(r"'(?:bits|num_bits|w_bit)': (\d+)", str(stored)[:100_000]) if stored else []
    widths = [int(text) for text in found if int(text) in (1, 2, 3, 4, 6, 8)]
    return widths[0] if widths else 4


def _said(weights: Weights, arch: Architecture, bits: int, copies: list[Tensor]) -> list[str]:
    """Sentences where files and configuration differ."""
    said = []
    if copies:
        size = sum(tensor.bytes for tensor in copies)
        said.append(f"The files hold a copy of the tied head ({size:,} bytes), which is not loaded.")
    stored = stored_parameters(weights, bits) - sum(tensor.elements for tensor in copies)
    counted = arch.parameters_total + sum(arch.extra.values())
    if stored not in (counted, arch.parameters_total):
        near = min((counted, arch.parameters_total), key=lambda total: abs(stored - total))
        said.append(
            f"The files hold {stored:,} parameters, the configuration gives {near:,} ({stored - near:+,}): "
            "bytes are those of the files."
        )
    return said


def _shown(value: object) -> str:
    text = repr(value[:100] if isinstance(value, str | list) else value)
    return text if len(text) <= 60 else text[:57] + "…"

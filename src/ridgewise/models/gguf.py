"""GGUF: the header of a model file, bounded, and never a byte beyond it.

Layout (ggml/docs/gguf.md): magic, version, counts; key-value pairs; tensor descriptions; padding to the
alignment; tensor data. Numbers in the header say how many bytes must still follow, so the reader asks for
large pieces without ever asking for more than the header.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import BinaryIO

from ridgewise.errors import RequestError
from ridgewise.models.ggml import FILE_TYPES, REMOVED, TYPES

MAGIC = b"GGUF"
VERSIONS = (2, 3)

#: Limits, each far above any published file.
MOST_HEADER = 512 << 20  # bytes; the largest published vocabularies and templates take about 20 MiB
MOST_PAIRS = 65_536
MOST_TENSORS = 100_000  # DeepSeek-V3 has 1,086; one tensor per expert, as older files have, about 50,000
MOST_STRINGS = 4_000_000  # in all arrays of one file; a 256k vocabulary with its merges has 0.8 million
MOST_KEY = 65_535  # bytes, as the format says
MOST_NAME = 256  # bytes; the format says 64
MOST_STRING = 64 << 20  # bytes
MOST_DEPTH = 3  # arrays in arrays; the format allows them, no writer uses them
MOST_DIMS = 4  # GGML_MAX_DIMS
MOST_ALIGNMENT = 1 << 20
MOST_SPLITS = 1_000

#: Kept in ``metadata``; longer values are passed over and only counted in ``lengths``.
KEPT_STRING = 4_096
KEPT_ITEMS = 10_000
KEPT_BYTES = 8 << 20  # of all kept values together

_BLOCK = 1 << 20
_ARRAY_COST = 40  # a nested array takes as long to read past as so many strings
_LEAST_PAIR, _LEAST_TENSOR = 13, 24
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _ARRAY = 8, 9
_SHARD = re.compile(r"^(.*)-(\d{5})-of-(\d{5})\.gguf$", re.IGNORECASE)

Scalar = int | float | bool | str
Value = Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor: ``shape`` with the contiguous dimension first, ``offset`` from the start of the data."""

    name: str
    shape: tuple[int, ...]
    type: str
    offset: int
    bytes: int

    @property
    def elements(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True)
class GGUFFile:
    """The header of a GGUF file (or of all parts of a split one).

    metadata      the values: scalars, short strings, arrays of numbers with at most 10,000 items
    lengths       items of every array and bytes of every long string, kept or passed over
    header_bytes  up to the end of the tensor descriptions; ``file_bytes`` the whole file
    """

    version: int
    architecture: str
    metadata: Mapping[str, Value]
    tensors: tuple[Tensor, ...]
    header_bytes: int
    file_bytes: int
    lengths: Mapping[str, int] = field(default_factory=dict)
    big_endian: bool = False
    where: str = ""

    @property
    def tensor_bytes(self) -> int:
        """Bytes of all tensors, without padding."""
        return sum(tensor.bytes for tensor in self.tensors)

    @property
    def quantisation(self) -> str:
        """The name of the mix ("Q4_K_M"): as the file states it, else the type that holds most bytes."""
        stated = self.metadata.get("general.file_type")
        if type(stated) is int and stated in FILE_TYPES:
            return FILE_TYPES[stated]
        held: dict[str, int] = {}
        for tensor in self.tensors:
            held[tensor.type] = held.get(tensor.type, 0) + tensor.bytes
        return max(held, key=lambda name: held[name]) if held else "F32"


def read_gguf(path: Path) -> GGUFFile:
    """The header of a local file; of a split file all parts, whichever is named."""
    names = part_names(path.name)
    for number, name in enumerate(names, 1):
        if len(names) > 1 and not path.with_name(name).is_file():
            raise RequestError(f"part {number} of {len(names)} is missing: {name}", str(path))
    return joined([_read_one(path.with_name(name)) for name in names])


def _read_one(path: Path) -> GGUFFile:
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise RequestError("is no regular file", str(path))
        with path.open("rb", buffering=0) as handle:
            return read_header(handle, size, str(path))
    except FileNotFoundError:
        raise RequestError("no such file", str(path)) from None
    except (OSError, ValueError) as error:
        raise RequestError(f"cannot be read: {error}", str(path)) from None


def part_names(name: str) -> list[str]:
    """The names of all parts of a split file; of any other file its own."""
    match = _SHARD.match(name)
    if not match or not 1 < int(match[3]) <= MOST_SPLITS:
        return [name]
    count, ending = int(match[3]), name[match.end(3) :]
    return [f"{match[1]}-{number:05d}-of-{match[3]}{ending}" for number in range(1, count + 1)]


def joined(parts: Sequence[GGUFFile]) -> GGUFFile:
    """The parts of a split file as one; the metadata are those of the first."""
    head = parts[0]
    if len(parts) == 1:
        return head
    seen: set[str] = set()
    for part in parts:
        twice = seen & {tensor.name for tensor in part.tensors}
        if twice:
            raise RequestError(f"tensor {_shown(min(twice))} is in several parts", part.where)
        seen |= {tensor.name for tensor in part.tensors}
    stated = head.metadata.get("split.tensors.count")
    if type(stated) is int and stated != len(seen):
        raise RequestError(f"the parts hold {len(seen)} tensors where {stated} are stated", head.where)
    return replace(
        head,
        tensors=tuple(tensor for part in parts for tensor in part.tensors),
        header_bytes=sum(part.header_bytes for part in parts),
        file_bytes=sum(part.file_bytes for part in parts),
    )


def read_header(handle: BinaryIO, size: int, where: str) -> GGUFFile:
    """The header of an open file of ``size`` bytes."""
    cursor = _Cursor(handle, size, where)
    version = _version(cursor)
    tensors, pairs = cursor.number("Q"), cursor.number("Q")
    _within(cursor, tensors, MOST_TENSORS, _LEAST_TENSOR, "tensors")
    _within(cursor, pairs, MOST_PAIRS, _LEAST_PAIR, "metadata pairs")
    metadata, lengths = _metadata(cursor, pairs, tensors)
    found = _tensors(cursor, tensors)
    end = cursor.offset
    alignment = _alignment(metadata, where)
    _check_places(found, -(-end // alignment) * alignment, alignment, size, where)
    name = metadata.get("general.architecture", "")
    return GGUFFile(
        version=version,
        architecture=name if isinstance(name, str) else "",
        metadata=metadata,
        tensors=tuple(found),
        header_bytes=end,
        file_bytes=size,
        lengths=lengths,
        big_endian=cursor.order == ">",
        where=where,
    )


class _Cursor:
    """A position in the header. ``ahead``: bytes that certainly follow what is taken next."""

    def __init__(self, handle: BinaryIO, size: int, where: str) -> None:
        self.size = size
        self.where = where
        self.order = "<"
        self.ahead = 0
        self.budget = MOST_STRINGS
        self.room = KEPT_BYTES
        self._handle = handle
        self._chunk = b""
        self._at = 0
        self._read = 0

    @property
    def offset(self) -> int:
        return self._read - len(self._chunk) + self._at

    @property
    def left(self) -> int:
        return self.size - self.offset

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        end = self._at + count
        if end > len(self._chunk):
            self._fill(end - len(self._chunk))
            end = count
        taken = self._chunk[self._at : end]
        self._at = end
        return taken

    def skip(self, count: int) -> None:
        """Pass over ``count`` bytes without reading those not read yet."""
        held = len(self._chunk) - self._at
        if count <= held:
            self._at += count
            return
        self._allow(count - held)
        self._read += count - held
        self._handle.seek(self._read)
        self._chunk, self._at = b"", 0

    def number(self, code: str) -> int:
        """One integer."""
        form = self.order + code
        value: int = struct.unpack(form, self.take(struct.calcsize(form)))[0]
        return value

    def text(self, most: int, what: str) -> str:
        """One short UTF-8 string."""
        count = self.number("Q")
        if count > most:
            raise self.refuse(f"{what} of {count} bytes; at most {most} are read")
        try:
            return self.take(count).decode("utf-8")
        except UnicodeDecodeError:
            raise self.refuse(f"{what} is not UTF-8") from None

    def skip_texts(self, count: int) -> None:
        """Pass over ``count`` strings: lengths are read in bulk, no string is built."""
        self.spend(count)
        after, unpack = self.ahead, struct.Struct(self.order + "Q").unpack_from
        while count:
            self.ahead = after + 8 * (count - 1)
            if len(self._chunk) - self._at < 8:
                self._fill(8 - (len(self._chunk) - self._at))
            chunk, at = self._chunk, self._at
            last = len(chunk) - 8
            while at <= last and count:
                end = at + 8 + unpack(chunk, at)[0]
                at, count = end, count - 1
            self._at = min(at, len(chunk))
            if at > len(chunk):  # the last string reaches beyond what is read
                if at - len(chunk) > MOST_STRING:
                    raise self.refuse(f"a string of over {at - len(chunk)} bytes; at most {MOST_STRING} are read")
                self._beyond(at - len(chunk), after + 8 * count)
        self.ahead = after

    def _beyond(self, count: int, ahead: int) -> None:
        """Pass over the end of a string, reading on where more is certain to follow."""
        self.ahead = ahead
        if count > _BLOCK:
            self.skip(count)
        else:
            self.take(count)

    def spend(self, count: int) -> None:
        """Count strings and arrays: what a file can make the reader do is bounded."""
        self.budget -= count
        if self.budget < 0:
            raise self.refuse(f"arrays hold more than {MOST_STRINGS:,} strings, or too many arrays")

    def keeps(self, size: int) -> bool:
        """Whether a value of so many bytes may still be kept."""
        self.room -= size
        return self.room >= 0

    def refuse(self, what: str) -> RequestError:
        return RequestError(what, self.where)

    def _fill(self, missing: int) -> None:
        self._allow(missing)
        wanted = min(missing + min(self.ahead, _BLOCK), self.size - self._read)
        pieces = [self._chunk[self._at :]]
        while missing > 0:
            piece = self._handle.read(wanted)
            if not piece:
                raise self.refuse("is truncated: it ends inside its header")
            pieces.append(piece)
            self._read += len(piece)
            missing, wanted = missing - len(piece), wanted - len(piece)
        self._chunk, self._at = b"".join(pieces), 0

    def _allow(self, more: int) -> None:
        if self._read + more > self.size:
            raise self.refuse(f"is truncated: its header goes beyond the end of the file ({self.size} bytes)")
        if self._read + more > MOST_HEADER:
            raise self.refuse(f"its header is larger than {MOST_HEADER >> 20} MiB")


def _version(cursor: _Cursor) -> int:
    """Check the magic, find the byte order from the version, and return the version."""
    if cursor.size < 24:
        start = cursor.take(min(4, cursor.size))
        raise cursor.refuse("is truncated: no complete GGUF header" if MAGIC.startswith(start) else _stranger(start))
    start = cursor.take(4)
    if start != MAGIC:
        raise cursor.refuse(_stranger(start))
    version = cursor.number("I")
    if version & 0xFFFF == 0:
        cursor.order = ">"
        version = int.from_bytes(version.to_bytes(4, "little"), "big")
    if version not in VERSIONS:
        raise cursor.refuse(f"GGUF version {version} is not supported; versions 2 and 3 are")
    return version


def _stranger(start: bytes) -> str:
    known = {
        b"vers": "is a Git LFS pointer, not the model: fetch the file itself",
        b"PK\x03\x04": "is a PyTorch archive, which is never opened: give a GGUF or safetensors file",
        b"tjgg": "is an older ggml file: convert it to GGUF",
        b"lmgg": "is an older ggml file: convert it to GGUF",
        b"fmgg": "is an older ggml file: convert it to GGUF",
    }
    return known.get(start, f"is not a GGUF file: it begins with {start!r}")


def _within(cursor: _Cursor, count: int, most: int, least_bytes: int, what: str) -> None:
    if count > most:
        raise cursor.refuse(f"states {count} {what}; at most {most:,} are read")
    if count * least_bytes > cursor.left:
        raise cursor.refuse(f"is truncated: {count} {what} do not fit into {cursor.size} bytes")


def _metadata(cursor: _Cursor, pairs: int, tensors: int) -> tuple[dict[str, Value], dict[str, int]]:
    metadata: dict[str, Value] = {}
    lengths: dict[str, int] = {}
    seen: set[str] = set()
    place = cursor.where
    for number in range(pairs):
        cursor.where = f"{place}: metadata pair {number}"
        rest = (pairs - number - 1) * _LEAST_PAIR + tensors * _LEAST_TENSOR
        cursor.ahead = rest + 5
        key = cursor.text(MOST_KEY, "a key")
        if key in seen:
            raise cursor.refuse(f"names {_shown(key)} twice")
        seen.add(key)
        cursor.where = f"{place}: {_shown(key)}"
        cursor.ahead = rest
        value, length = _value(cursor, cursor.number("I"), 0)
        if value is not None:
            metadata[key] = value
        if length is not None:
            lengths[key] = length
    cursor.where = place
    return metadata, lengths


def _value(cursor: _Cursor, kind: int, depth: int) -> tuple[Value | None, int | None]:
    """A value where it is small, and the length of a string or array; both read past."""
    if kind in _SCALARS:
        return _numbers(cursor, kind, 1)[0], None
    if kind == _TEXT:
        return _long_text(cursor)
    if kind == _ARRAY:
        return _array(cursor, depth + 1)
    raise cursor.refuse(f"value type {kind} is not one of GGUF's")


def _long_text(cursor: _Cursor) -> tuple[str | None, int]:
    count = cursor.number("Q")
    if count > MOST_STRING:
        raise cursor.refuse(f"a string of {count} bytes; at most {MOST_STRING} are read")
    if count <= KEPT_STRING and cursor.keeps(count):
        return cursor.take(count).decode("utf-8", "replace"), count
    cursor.skip(count)
    return None, count


def _array(cursor: _Cursor, depth: int) -> tuple[Value | None, int]:
    if depth > MOST_DEPTH:
        raise cursor.refuse(f"arrays are nested more than {MOST_DEPTH} deep")
    kind, count = cursor.number("I"), cursor.number("Q")
    if kind in _SCALARS:
        width = struct.calcsize("<" + _SCALARS[kind])
        _fits(cursor, count, width)
        if depth == 1 and count <= KEPT_ITEMS and cursor.keeps(8 * count):
            return _numbers(cursor, kind, count), count
        cursor.skip(count * width)
    elif kind == _TEXT:
        _fits(cursor, count, 8)
        cursor.skip_texts(count)
    elif kind == _ARRAY:
        _fits(cursor, count, 12)
        cursor.spend(_ARRAY_COST * count)
        for _ in range(count):
            _array(cursor, depth + 1)
    else:
        raise cursor.refuse(f"value type {kind} is not one of GGUF's")
    return None, count


def _fits(cursor: _Cursor, count: int, width: int) -> None:
    if count * width > cursor.left:
        raise cursor.refuse(f"an array of {count} items goes beyond the end of the file")


def _numbers(cursor: _Cursor, kind: int, count: int) -> tuple[Scalar, ...]:
    code = _SCALARS[kind]
    raw = cursor.take(count * struct.calcsize("<" + code))
    if code == "?" and raw.strip(b"\x00\x01"):
        raise cursor.refuse("a truth value is neither 0 nor 1")
    values: tuple[Scalar, ...] = struct.unpack(f"{cursor.order}{count}{code}", raw)
    if code in "fd" and any(math.isnan(value) for value in values if isinstance(value, float)):
        raise cursor.refuse("is not a number (NaN)")
    return values


def _tensors(cursor: _Cursor, count: int) -> list[Tensor]:
    found: dict[str, Tensor] = {}
    place = cursor.where
    for number in range(count):
        cursor.where = f"{place}: tensor {number}"
        rest = (count - number - 1) * _LEAST_TENSOR
        cursor.ahead = rest + 4 + 4 + 8
        name = cursor.text(MOST_NAME, "a name")
        cursor.where = f"{place}: tensor {_shown(name)}"
        if name in found:
            raise cursor.refuse("is listed twice")
        cursor.ahead = rest
        found[name] = _tensor(cursor, name)
    cursor.where = place
    return list(found.values())


def _tensor(cursor: _Cursor, name: str) -> Tensor:
    dims = cursor.number("I")
    if dims > MOST_DIMS:
        raise cursor.refuse(f"has {dims} dimensions; at most {MOST_DIMS} are read")
    shape = struct.unpack(f"{cursor.order}{dims}Q", cursor.take(8 * dims))
    kind, offset = struct.unpack(f"{cursor.order}IQ", cursor.take(12))
    if kind not in TYPES:
        raise cursor.refuse(
            f"type {REMOVED[kind]} was removed from ggml: make the file anew" if kind in REMOVED
            else f"tensor type {kind} is not one of ggml's"
        )  # fmt: skip
    if not all(shape):
        raise cursor.refuse("has a dimension of zero")
    elements = prod(shape)
    if elements >= 1 << 63:
        raise cursor.refuse(f"has {elements} elements: its dimensions overflow")
    made = TYPES[kind]
    if (shape[0] if shape else 1) % made.block:
        raise cursor.refuse(f"rows are no multiple of {made.block}, the block of {made.name}")
    return Tensor(name, shape, made.name, offset, elements // made.block * made.bytes)


def _alignment(metadata: Mapping[str, Value], where: str) -> int:
    value = metadata.get("general.alignment", 32)
    if type(value) is not int or not 0 < value <= MOST_ALIGNMENT or value & (value - 1):
        raise RequestError(f"{_shown(value)} is no power of two up to {MOST_ALIGNMENT}", f"{where}: general.alignment")
    return value


def _check_places(tensors: list[Tensor], start: int, alignment: int, size: int, where: str) -> None:
    """Every tensor aligned, inside the file, and none over another."""
    previous, end = "", 0
    for tensor in sorted(tensors, key=lambda tensor: tensor.offset):
        place = f"{where}: tensor {_shown(tensor.name)}"
        if tensor.offset % alignment:
            raise RequestError(f"offset {tensor.offset} is not aligned to {alignment} bytes", place)
        if tensor.offset < end:
            raise RequestError(f"overlaps tensor {_shown(previous)}", place)
        previous, end = tensor.name, tensor.offset + tensor.bytes
        if start + end > size:
            raise RequestError(f"offset out of range: it ends at byte {start + end} of {size}", place)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"

"""``ridgewise import`` and ``ridgewise measurements``: the user's own measurements."""

from __future__ import annotations

import json as jsonlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

from ridgewise.app.anchors import STORE
from ridgewise.app.home import home, own, write_whole
from ridgewise.errors import RequestError, nearest
from ridgewise.evidence.completion import FLAGS, column_of, complete, content_hash, set_columns
from ridgewise.evidence.importers import IMPORTERS, LIMIT, Found, importer_of
from ridgewise.evidence.store import Added, Store, table_text_of
from ridgewise.evidence.tables import KINDS, Row, Table, kind_of, parse_table, table_text
from ridgewise.facts.catalog import read_bytes
from ridgewise.report.measurements import (
    DumpDocument,
    Group,
    ImportDocument,
    ImportedFile,
    ListDocument,
    RowDocument,
    counted,
    print_imported,
    print_measurements,
)

SCHEMA_VERSION = 1

#: The format that Ridgewise writes itself.
OURS = "table"
#: Kinds whose precision is a format of weights as they are served.
SERVED = ("local", "serving", "energy", "local-memory", "vllm-memory")


@dataclass(frozen=True, slots=True)
class Given:
    """What the user adds to files: flags by name, columns by name, and whose measurements they are."""

    flags: Mapping[str, str]
    columns: Mapping[str, str]
    source: str = "user"


@dataclass(slots=True)
class Imported:
    """One file as read."""

    place: str
    content: str
    format: str
    rows: dict[str, list[Row]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def store_at(path: Path | None) -> Store:
    """The store the user names, else the one in the user's data folder."""
    return Store(path if path is not None else home() / STORE)


def import_files(
    files: Sequence[Path], form: str | None, flags: Mapping[str, str | None], pairs: Sequence[str], source: str,
    store: Path | None, *, json: bool,
) -> int:  # fmt: skip
    """Read every file, and only then keep the rows of each."""
    given = Given({name: value for name, value in flags.items() if value is not None}, _pairs(pairs), _key(source))
    read = [_file(path, form, given) for path in files]
    kept = store_at(store)
    done = tuple(_document(one, kept.add_file(one.rows, Path(one.place).name, one.content)) for one in read)
    document = ImportDocument(SCHEMA_VERSION, "import", str(kept.path), done)
    if json:
        _print(document)
    else:
        print_imported(document)
    return 0


def _document(one: Imported, added: Added) -> ImportedFile:
    rows = [row for held in one.rows.values() for row in held]
    return ImportedFile(
        one.place, one.format, {kind: len(held) for kind, held in one.rows.items()}, len(rows),
        added.new, added.known, added.replaced, sum(row.get("use") == "score" for row in rows),
        dict(Counter(_reason(row) for row in rows if row.get("use") == "context")), tuple(one.notes),
    )  # fmt: skip


def _reason(row: Row) -> str:
    """Why a row is context; which row of the run is scored instead does not matter here."""
    reason = row.get("use_reason", "")
    return reason.partition(": ")[0] if reason.startswith("another metric of a scored run: ") else reason


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        column, equals, value = text.partition("=")
        if not equals or not column.strip() or not value.strip():
            raise RequestError(f"{text!r} is no column=value", "--set", ("--set tp=2",))
        found[column.strip()] = value.strip()
    return found


def _key(source: str) -> str:
    if not source or len(source) > 40 or not all(c.isascii() and (c.isalnum() or c in "._-") for c in source):
        raise RequestError(f"{source!r} is no key: letters, digits, '.', '_', '-'", "--source")
    return source


def _file(path: Path, form: str | None, given: Given) -> Imported:
    """One file: a table in one of the schemas, or what a tool printed."""
    place = str(path)
    text = table_text(path) if path.suffix == ".gz" else _text(path)
    if form == OURS or (form is None and _is_table(text, place)):
        return _table(text, place, given)
    if form is not None and form not in [importer.name for importer in IMPORTERS]:
        names = [OURS, *(importer.name for importer in IMPORTERS)]
        raise RequestError(f"unknown format {form!r}", "--format", nearest(form, names) or tuple(names))
    importer = importer_of(text, place, form)
    found = importer.read(text, place)
    kinds = tuple(dict.fromkeys(one.kind for one in found))
    columns = set_columns(given.columns, kinds)
    made = Imported(place, _hash(text), importer.name)
    resolved = _Names(given, made.notes)
    for one in found:
        cells = {**one.cells, **{name: value for name, value in columns.items() if value}}
        made.rows.setdefault(one.kind, []).append(_row(Found(one.kind, cells), place, given, resolved))
    return made


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _text(path: Path) -> str:
    content = read_bytes(path, LIMIT)
    coding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(coding)
    except UnicodeDecodeError as error:
        raise RequestError(f"is not UTF-8 text (byte {error.start})", str(path)) from None
    if not text.strip():
        raise RequestError("is empty", str(path))
    if "\0" in text:
        raise RequestError("holds a NUL character: not a text file", str(path))
    return text


def _is_table(text: str, place: str) -> bool:
    header = text[: 1 << 16].partition("\n")[0].strip()
    try:
        kind_of(tuple(cell.strip().strip('"') for cell in header.split(",")), place)
    except RequestError:
        return False
    return True


def _table(text: str, place: str, given: Given) -> Imported:
    """A table in one of the schemas: accepted as it is, blank cells filled with what the user adds."""
    table = parse_table(text, place, strict=True)
    kind = table.kind.name
    columns = set_columns(given.columns, (kind,))
    for flag, value in given.flags.items():
        column = column_of(flag, kind)
        if column is not None:
            columns.setdefault(column, _catalogued(flag, value))
    rows: list[Row] = []
    for row in table:
        filled = dict(row)
        for column, value in [*columns.items(), ("source_key", given.source)]:
            filled[column] = filled.get(column) or value
        if kind != "matmul" and not filled.get("row_id"):
            filled["row_id"] = f"{filled['source_key']}-{content_hash(kind, filled)[:12]}"
        rows.append(filled)
    return Imported(place, _hash(text), OURS, {kind: rows})


def _catalogued(flag: str, value: str) -> str:
    """A device or a model by the catalogue's name; a model that is none of its own keeps the user's."""
    from ridgewise.hardware import device
    from ridgewise.models.read import find

    if flag == "device":
        return device(value, "--device", own("hardware")).id
    try:
        return find(value, own("models")).id if flag == "model" else value
    except RequestError:
        return value


def _row(found: Found, place: str, given: Given, names: _Names) -> Row:
    """A found figure with the user's flags, its device and model by their catalogue names."""
    kind, cells = found.kind, dict(found.cells)
    for flag in ("engine", "precision"):
        column = column_of(flag, kind)
        if column is not None and flag in given.flags:
            cells[column] = given.flags[flag]
    reasons = [*names.device(kind, cells, place), *names.model(kind, cells, place), *names.precision(kind, cells)]
    return complete(kind, cells, place, given.source, tuple(reasons))


class _Names:
    """Names of devices and models, resolved once each; only exact names and aliases count."""

    def __init__(self, given: Given, notes: list[str]) -> None:
        self._given, self._notes = given, notes
        self._models: dict[tuple[str, ...], tuple[dict[str, str], list[str]]] = {}
        self._devices: dict[str, str] = {}

    def device(self, kind: str, cells: dict[str, str], place: str) -> list[str]:
        """Fill in the device's id; RequestError where a printed name is none of the catalogue's."""
        from ridgewise.hardware import device

        column = column_of("device", kind) or "device_id"
        flag, label = self._given.flags.get("device"), cells.get("device_label", "")
        name = flag or cells.get(column, "") or label
        if not name:
            return [] if kind != "local-memory" else ["the device is not stated"]
        if name not in self._devices:
            where = "--device" if flag else f"{place}, device"
            try:
                self._devices[name] = device(name, where, own("hardware")).id
            except RequestError as error:
                if flag:
                    raise
                what = f"the device it names is not one of the catalogue's: add --device ({error.what})"
                raise RequestError(what, where, error.nearest) from None
        if kind == "local-memory":
            cells[column] = self._devices[name] if flag else label
        else:
            cells[column] = self._devices[name]
        return []

    def model(self, kind: str, cells: dict[str, str], place: str) -> list[str]:
        """Fill in the model's id, configuration and size, and say why a row of it cannot be scored."""
        flag = self._given.flags.get("model")
        printed = tuple(dict.fromkeys(filter(None, (cells.get("model_id"), cells.get("model_label")))))
        key = (flag,) if flag else printed
        if not key:
            return []
        if key not in self._models:
            self._models[key] = self._resolved(flag, key, bool(cells.get("model_id")), place)
        filled, reasons = self._models[key]
        for column, value in filled.items():
            if column == "model_id" or not cells.get(column):
                cells[column] = value
        if kind in ("serving", "energy") or kind.startswith("training"):
            cells["active_params_b"] = cells.get("active_params_b") or cells.get("params_active_b", "")
        if kind.startswith("training") and filled.get("arch"):
            cells["family"] = "llm-moe" if filled["arch"] == "moe" else cells.get("family") or "llm-dense"
        return reasons

    def _resolved(
        self, flag: str | None, names: tuple[str, ...], has_id: bool, place: str
    ) -> tuple[dict[str, str], list[str]]:  # fmt: skip
        from ridgewise.evidence.importers.reading import plain
        from ridgewise.models.read import find, load
        from ridgewise.validation.models import ENDINGS

        if flag and (Path(flag).exists() or flag.endswith((".json", ".gguf", ".safetensors"))):
            arch, known = load(flag, own("models")), {"model_id": Path(flag).stem, "config_file": Path(flag).name}
        else:
            for name in _spellings(names, ENDINGS):
                try:
                    entry = find(name, own("models"))
                except RequestError:
                    continue
                arch, known = load(entry.id, own("models")), {"model_id": entry.id, "config_file": entry.path.name}
                break
            else:
                if not flag and not has_id:
                    what = f"says only {names[-1]!r} of the model, which is no name of the catalogue: add --model"
                    raise RequestError(what, f"{place}, model")
                self._notes.append(f"{names[0]}: not in the catalogue; add it with models add, or name it with --model")
                return {"model_id": names[0]}, ["the model is not in the catalogue"]
        known |= {"params_b": plain(round(arch.parameters_total / 1e9, 6)), "arch": "moe" if arch.moe else "dense"}
        if arch.moe:
            known["params_active_b"] = plain(round(arch.parameters_active / 1e9, 6))
        return known, []

    def precision(self, kind: str, cells: dict[str, str]) -> list[str]:
        """Whether the weight format is one whose size is known."""
        from ridgewise.models.formats import load_formats
        from ridgewise.models.precision import precision

        column = column_of("precision", kind) or "precision"
        name = cells.get(column, "")
        if kind not in SERVED or not name or not precision(name)[1]:
            return []
        if "precision" in self._given.flags:
            raise RequestError(f"unknown weight format {name!r}", "--precision", nearest(name, load_formats()))
        return [f"the weight format {name!r} is not known"]


def _spellings(names: Sequence[str], endings: Sequence[str]) -> list[str]:
    """Names as printed; without folders; without the mark of a format."""
    found = []
    for name in names:
        for form in (name, name.rstrip("/").rpartition("/")[2]):
            found += [form, *(form.removesuffix(end) for end in endings if form.endswith(end))]
    return [name for name in dict.fromkeys(found) if name]


def list_measurements(store: Path | None, kind: str | None, device: str | None, *, json: bool) -> int:
    """What the store holds: one line per kind, device, model, engine and format."""
    kept = store_at(store)
    tables = _selected(kept, kind, device)
    groups: dict[tuple[str, ...], list[Row]] = {}
    for table in tables:
        name = table.kind.name
        for row in table:
            key = (name, *(row.get(column_of(flag, name) or "", "") for flag in FLAGS))
            groups.setdefault(key, []).append(row)
    found = tuple(
        Group(
            key[0], key[1], key[2], key[3], key[4], len(rows), sum(row.get("use") == "score" for row in rows),
            tuple(sorted({row["metric"] for row in rows if row.get("metric")})),
        )
        for key, rows in groups.items()
    )  # fmt: skip
    if json:
        _print(ListDocument(SCHEMA_VERSION, "measurements list", str(kept.path), found))
    elif found:
        print_measurements(found)
    else:
        print(f"no measurements in {kept.path}: add some with ridgewise import FILE")
    return 0


def show_measurement(row_id: str, store: Path | None, *, json: bool) -> int:
    """One row in full, by its id or the beginning of it."""
    kept = store_at(store)
    found = [
        (table.kind, row, table.row_id(i))
        for table in kept.rows()
        for i, row in enumerate(table)
        if table.row_id(i).startswith(row_id)
    ]
    exact = [entry for entry in found if entry[2] == row_id] or found
    if len(exact) != 1:
        every = [table.row_id(i) for table in kept.rows() for i, _ in enumerate(table)]
        choices = tuple(entry[2] for entry in exact[:8]) or nearest(row_id, every)
        raise RequestError(f"{len(exact) or 'no'} rows are called {row_id!r}", str(kept.path), choices)
    kind, row, name = exact[0]
    origin = kept.origins().get(name, "")
    held = {column: cell for column, cell in row.items() if cell}
    if json:
        _print(RowDocument(SCHEMA_VERSION, "measurements show", kind.name, origin, held))
        return 0
    print(f"{name}: {kind.about}, from {origin}")
    width = max(map(len, held))
    for column, cell in held.items():
        print(f"  {column:<{width}}  {cell}")
    return 0


def dump_measurements(store: Path | None, kind: str | None, device: str | None, out: Path | None, *, json: bool) -> int:
    """Rows of one kind as a table in its schema, which validate and import read."""
    kept = store_at(store)
    tables = _selected(kept, kind, device)
    if len(tables) > 1:
        kinds = tuple(table.kind.name for table in tables)
        raise RequestError("a table holds one kind of measurement: choose one", "--kind", kinds)
    if not tables:
        raise RequestError("holds no such measurements", str(kept.path), tuple(t.kind.name for t in kept.rows()))
    text = table_text_of(tables[0])
    if out is not None:
        write_whole(out, text)
    if json:
        rows = tuple({column: cell for column, cell in row.items() if cell} for row in tables[0])
        where = str(out) if out is not None else ""
        _print(DumpDocument(SCHEMA_VERSION, "measurements dump", tables[0].kind.name, where, rows))
    elif out is not None:
        print(f"{counted(len(tables[0].rows), 'row')} written to {out}")
    else:
        print(text, end="")
    return 0


def _selected(kept: Store, kind: str | None, device: str | None) -> list[Table]:
    """The store's tables, of one kind and one device where asked."""
    if kind is not None and kind not in KINDS:
        raise RequestError(f"unknown kind {kind!r}", "--kind", nearest(kind, KINDS) or tuple(KINDS))
    tables = kept.rows(kind)
    if device is None:
        return tables
    from ridgewise.hardware import device as named

    wanted = named(device, "--device", own("hardware"))
    names = {name.casefold() for name in (wanted.id, wanted.name, *wanted.aliases)}
    found = []
    for table in tables:
        rows = tuple(
            row for row in table if (row.get("device_id") or row.get("device_label") or "").casefold() in names
        )
        if rows:
            found.append(Table(table.kind, rows, table.place))
    return found


def _print(document: ImportDocument | ListDocument | RowDocument | DumpDocument) -> None:
    print(jsonlib.dumps(asdict(document), ensure_ascii=False, allow_nan=False))

"""llama-bench of llama.cpp: JSON, JSON lines, CSV or the markdown table."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from typing import Any

from ridgewise.errors import RequestError
from ridgewise.evidence.importers.ggml import device_line, file_type, from_file_name
from ridgewise.evidence.importers.reading import (
    FIGURES,
    NUMBER,
    Found,
    Importer,
    figure,
    first_object,
    lines_of,
    nothing,
    objects,
    plain,
    positive,
    stated,
)

GIB, MIB = 2.0**30, 2.0**20
TEST = re.compile(r"(?:pp(\d+))?\+?(?:tg(\d+))?(?: @ d(\d+))?")
SIZES = {"GiB": 1.0, "MiB": MIB / GIB, "KiB": 2.0**10 / GIB}
COUNTS = {"B": 1.0, "M": 1e-3}


def recognises(text: str, path: str) -> bool:
    """By the fields every version prints."""
    if {"n_prompt", "n_gen", "avg_ts"} <= set(first_object(text)):
        return True
    if re.match(r"build_commit,|\"?build_commit\"?,", text):
        return "avg_ts" in text[:4096]
    return re.search(r"^\| *model +\| +size \| +params \| backend .*\| +t/s \|", text, re.M) is not None


def read(text: str, place: str) -> list[Found]:
    """Prompt and generation rates; combined tests ("pp512+tg128") have no rate of either and are left out."""
    if text.lstrip()[:1] in ("{", "["):
        entries: list[tuple[Mapping[str, Any], str]] = [
            (entry, f"{place}, test {i}") for i, entry in enumerate(objects(text, place), 1)
        ]
        found = [row for entry, where in entries for row in _entry(entry, where)]
    elif text.startswith(("build_commit", '"build_commit')):
        found = [row for entry, where in _csv(text, place) for row in _entry(entry, where)]
    else:
        found = _table(text, place)
    if not found:
        raise nothing("test of prompt processing or generation alone", place)
    return found


def _csv(text: str, place: str) -> list[tuple[Mapping[str, Any], str]]:
    reader = csv.DictReader(io.StringIO(text))
    found: list[tuple[Mapping[str, Any], str]] = []
    try:
        for row in reader:
            where = f"{place}, line {reader.line_num}"
            if None in row or None in row.values():
                raise RequestError("has another number of cells than the header", where)
            found.append((row, where))
    except csv.Error as error:
        raise RequestError(f"not a CSV table: {error}", f"{place}, line {reader.line_num}") from None
    if len(found) > FIGURES:
        raise RequestError(f"more than {FIGURES:,} rows", place)
    return found


def _entry(entry: Mapping[str, Any], where: str) -> list[Found]:
    def number(name: str) -> float | None:
        return figure(entry.get(name), f"{where}, {name}")

    prompt, output = number("n_prompt") or 0.0, number("n_gen") or 0.0
    speed = positive(entry.get("avg_ts"), f"{where}, avg_ts")
    if speed is None or (prompt > 0) == (output > 0):
        return []
    backend = str(entry.get("backends") or _old_backend(entry) or "").split(",")[0].strip()
    on_cpu = (backend.upper() in ("CPU", "BLAS", "") and "gpu_info" in entry) or not number("n_gpu_layers")
    apart = (number("n_cpu_moe") or 0) > 0 or str(entry.get("tensor_buft_overrides") or "none") != "none"
    graphics = _devices(str(entry.get("gpu_info") or ""))
    if on_cpu:
        label, count = str(entry.get("cpu_info") or ""), 1
    else:
        label, count = (graphics[0] if graphics else ""), max(len(graphics), 1)
    unlike = len(set(graphics)) > 1 and not on_cpu
    build = f"{entry.get('build_commit', '')} ({entry.get('build_number', '')})".replace("()", "").strip()
    size, params = positive(entry.get("model_size"), where), positive(entry.get("model_n_params"), where)
    keys, values = str(entry.get("type_k") or "f16"), str(entry.get("type_v") or "f16")
    flash = str(entry.get("flash_attn", "")).casefold()
    kind, quant = str(entry.get("model_type") or ""), file_type(str(entry.get("model_type") or ""))
    stem, named = from_file_name(str(entry.get("model_filename") or ""))
    return [_row(
        prompt, output, speed, stated(
            date=str(entry.get("test_time") or "")[:10], device_label=label, n_devices=float(count),
            compute_unit="hybrid" if apart else "cpu" if on_cpu else "gpu",
            parallelism=_parallelism(apart, count, str(entry.get("split_mode") or "layer")),
            engine_version=build, backend="cpu" if on_cpu else backend.casefold(),
            model_label=stem or kind, precision_raw=kind,
            precision=named if named.startswith("UD-") else quant or named,
            params_b=params and params / 1e9, weight_gib=size and size / GIB,
            kv_dtype="" if keys == values == "f16" else keys if keys == values else f"k:{keys},v:{values}",
            stdev=number("stddev_ts"), ubatch=number("n_ubatch"),
            flash_attention={"true": "1", "1": "1", "on": "1", "false": "0", "0": "0", "off": "0"}.get(flash, ""),
            context_depth=plain(number("n_depth") or 0.0), offload="partial" if apart else "full",
            notes=f"threads {entry.get('n_threads')}" if on_cpu else "",
            use_reason="unlike devices" if unlike else "",
        ),
    )]  # fmt: skip


def _row(prompt: float, output: float, speed: float, cells: Mapping[str, str]) -> Found:
    metric = "prefill_tok_s" if prompt > 0 else "decode_tok_s"
    lengths = {"prompt_tokens": plain(prompt), "gen_tokens": plain(output)}
    return Found("local", {
        "engine": "llama.cpp", "n_runs": "1", "batch": "1", "derived": "0",
        **cells, **lengths, "metric": metric, "value": plain(speed),
    })  # fmt: skip


def _devices(info: str) -> list[str]:
    """The GPUs listed, with commas or, by builds of 2024, with strokes between equal names."""
    names = [name.strip() for name in info.split(",") if name.strip()]
    if len(names) == 1 and len(set(names[0].split("/"))) == 1:
        return names[0].split("/")
    return names


def _old_backend(entry: Mapping[str, Any]) -> str:
    """Builds of 2023 and 2024 have a column for each back end."""
    columns = {"cuda": "CUDA", "hip": "ROCm", "metal": "Metal", "vulkan": "Vulkan", "sycl": "SYCL"}
    return next((columns[name] for name in columns if str(entry.get(name, "")).casefold() in ("1", "true")), "")


def _parallelism(apart: bool, count: int, split: str) -> str:
    return "cpu-offload" if apart else "single" if count == 1 or split == "none" else split


def _table(text: str, place: str) -> list[Found]:
    header: list[str] = []
    found: list[Found] = []
    label, count = device_line(text)
    build = re.search(r"^build: (\w+ \(\d+\))", text, re.M)
    for i, line in enumerate(lines_of(text), 1):
        if not line.startswith("|"):
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if cells[0] == "model":
            header = cells
        elif header and not cells[0].startswith("---"):
            if len(cells) != len(header):
                raise RequestError(f"{len(cells)} cells under {len(header)} columns", f"{place}, line {i}")
            row = dict(zip(header, cells, strict=True))
            common = stated(engine_version=build[1] if build else "")
            found += _line(row, label, count, common, f"{place}, line {i}")
        if len(found) > FIGURES:
            raise RequestError(f"more than {FIGURES:,} tests", place)
    return found


def _line(row: Mapping[str, str], label: str, count: int, common: Mapping[str, str], where: str) -> list[Found]:
    test = TEST.fullmatch(row.get("test", ""))
    speed = re.match(NUMBER + r"(?: ± ?" + NUMBER + ")?$", row.get("t/s", ""))
    if test is None:
        raise RequestError(f"{row.get('test', '')!r} is no test", f"{where}, test", ("pp512", "tg128", "pp512 @ d4096"))
    if speed is None:
        raise RequestError(f"{row.get('t/s', '')!r} is no rate", f"{where}, t/s")
    prompt, output = float(test[1] or 0), float(test[2] or 0)
    rate = positive(speed[1], f"{where}, t/s")
    if (prompt > 0) == (output > 0) or rate is None:
        return []
    backend = row.get("backend", "").split(",")[0]
    layers = figure(row.get("ngl"), f"{where}, ngl")
    on_cpu = backend.upper() in ("CPU", "BLAS") or layers == 0
    split = row.get("sm", "layer")
    apart = row.get("ncmoe", "0") not in ("0", "") or row.get("ot", "") not in ("", "none")
    keys, values = row.get("type_k", "f16"), row.get("type_v", "f16")
    devices = 1 if on_cpu or split == "none" else count
    return [_row(prompt, output, rate, {**common, **stated(
        device_label="" if on_cpu else label, n_devices=float(devices) if label or on_cpu else None,
        compute_unit="hybrid" if apart else "cpu" if on_cpu else "gpu", parallelism=_parallelism(apart, devices, split),
        backend="cpu" if on_cpu else backend.casefold(), model_label=row["model"],
        precision=file_type(row["model"]), precision_raw=row["model"],
        weight_gib=_scaled(row.get("size", ""), SIZES, f"{where}, size"),
        params_b=_scaled(row.get("params", ""), COUNTS, f"{where}, params"),
        kv_dtype="" if keys == values == "f16" else keys if keys == values else f"k:{keys},v:{values}",
        stdev=figure(speed[2], where), ubatch=figure(row.get("n_ubatch"), where) or 512.0,
        flash_attention=row.get("fa", "").replace("auto", ""), context_depth=plain(float(test[3] or 0)),
        offload="partial" if apart else "full",
        notes=f"threads {row['threads']}" if on_cpu and "threads" in row else "",
    )})]  # fmt: skip


def _scaled(text: str, units: Mapping[str, float], where: str) -> float | None:
    value, _, unit = text.partition(" ")
    if not text:
        return None
    if unit not in units:
        raise RequestError(f"{text!r} has no known unit", where, tuple(units))
    number = positive(value, where)
    return number * units[unit] if number else None


IMPORTER = Importer("llama-bench", "llama-bench of llama.cpp: JSON, JSONL, CSV, markdown", recognises, read)

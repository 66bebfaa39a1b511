"""Whatever a file holds: rows of finite figures in known columns, or a RequestError that names the file."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgewise.errors import RequestError
from ridgewise.evidence import KINDS
from ridgewise.evidence.columns import COLUMNS
from ridgewise.evidence.importers import IMPORTERS

SAMPLES = {path.name: path.read_text(encoding="utf-8") for path in (Path(__file__).parent / "samples").iterdir()}
QUICK = settings(max_examples=60, deadline=None)
#: What numbers, texts and marks are replaced with.
JUNK = [
    "", "0", "-1", "1e999", "NaN", "Infinity", "null", "true", "9" * 400, "1.2.3", "{}", "[]", '"x"', ",", "|", "\n",
    "\t", ":", "=", "GiB", "½", "٣", "\x1b[31m", "\\ud800", "-", "+", "1_0", "0x10",
]  # fmt: skip


def checked(text: str) -> None:
    """Every importer on this text, whether it claims it or not."""
    for importer in IMPORTERS:
        importer.recognises(text, "f")
        try:
            found = importer.read(text, "f")
        except RequestError as error:
            assert error.what and error.where.startswith("f") and len(str(error)) < 2_000, (importer.name, error)
            continue
        assert found, importer.name
        for one in found:
            assert set(one.cells) <= set(COLUMNS[one.kind]), importer.name
            assert all(isinstance(cell, str) and cell.isprintable() for cell in one.cells.values()), importer.name
            columns = ("value",) if KINDS[one.kind].metrics else KINDS[one.kind].figures
            assert all(math.isfinite(float(one.cells[c])) for c in columns if c in one.cells), importer.name


def mutated(text: str, seed: int) -> str:
    """A sample with some of its words replaced, doubled, dropped or cut off."""
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.choice([0, 1, 3, 10, 200]))
        what = chance.choice(["junk", "drop", "double", "cut"])
        piece = {"junk": chance.choice(JUNK), "drop": "", "double": text[start:end] * 2, "cut": ""}[what]
        text = text[:start] + piece + ("" if what == "cut" and chance.random() < 0.3 else text[end:])
    return text


@settings(QUICK, max_examples=250)
@given(st.sampled_from(sorted(SAMPLES)), st.integers(0, 2**32))
def test_a_mutated_sample(name: str, seed: int) -> None:
    checked(mutated(SAMPLES[name], seed))


def with_leaf(document: Any, seed: int, value: Any) -> Any:
    """A document with one value somewhere in it replaced."""
    chance = random.Random(seed)
    at = document
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = chance.choice(keys)
        if not isinstance(at[key], dict | list) or not at[key] or chance.random() < 0.15:
            at[key] = value
            return document
        at = at[key]


JSONS = sorted(name for name in SAMPLES if name.endswith(".json"))
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just([]), st.just({}),
    st.just(10**400), st.just("\ud800"), st.just([{}]), st.just({"a": [1]}), st.just("1,234.5"),
)  # fmt: skip


@settings(QUICK, max_examples=250)
@given(st.sampled_from(JSONS), st.integers(0, 2**32), VALUES)
def test_a_document_with_a_wrong_value(name: str, seed: int, value: Any) -> None:
    checked(json.dumps(with_leaf(json.loads(SAMPLES[name]), seed, value)))


@QUICK
@given(st.text(max_size=200) | st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3)).map(json.dumps))
def test_any_text(text: str) -> None:
    checked(text)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"benchmarks": ' + "[" * 50_000, "[" + "9" * 5000])
def test_deep_and_long_documents_are_refused(text: str) -> None:
    checked(text)


@pytest.mark.parametrize(
    "line",
    ["(" * 60_000, "a " * 60_000, "1" * 120_000, "_" * 120_000, "Device 0: " * 12_000, "[rank0]:" * 15_000,
     "load_tensors: " * 8_000, "from x.gguf " * 10_000, "ggml_vulkan: 0 = " * 7_000, "memory: " * 15_000],
)  # fmt: skip
def test_long_lines_take_no_long_time(line: str) -> None:
    """Patterns are linear: none backtracks over a whole line again and again."""
    checked(line)
    checked("step:  1 tps: 3\n" + line)

"""``ridgewise import`` and ``ridgewise measurements``: what is added, what is refused and how it is said."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgewise.app.main import main
from ridgewise.evidence import read_table
from ridgewise.facts import catalog_path
from ridgewise.report.document import schema
from ridgewise.report.measurements import DumpDocument, ImportDocument, ListDocument, RowDocument

SAMPLES = Path(__file__).parent / "samples"


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        found = json.loads(self.out.rstrip("\n").rpartition("\n")[2])
        assert isinstance(found, dict)
        return found


def said(*arguments: str) -> Said:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(arguments))
    assert "Traceback" not in out.getvalue() + err.getvalue()
    return Said(code, out.getvalue(), err.getvalue())


Command = Callable[..., Said]


@pytest.fixture
def run(tmp_path: Path) -> Command:
    """A command on a store of its own."""
    return lambda *arguments: said(*arguments, "--store", str(tmp_path / "m.sqlite"))


def sample(name: str) -> str:
    return str(SAMPLES / name)


def rows(run: Command, kind: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(run("measurements", "dump", "--kind", kind).out)))


def test_a_benchmark_is_imported_once(run: Command) -> None:
    first = run("import", sample("llama-bench.json"), "--json")
    assert first.code == 0
    (document,) = first.document["files"]
    assert (document["format"], document["rows"], document["new"], document["score"]) == ("llama-bench", 2, 2, 2)
    again = run("import", sample("llama-bench.json"), "--json").document["files"][0]
    assert (again["new"], again["known"]) == (0, 2)
    decode = rows(run, "local")[1]
    assert (decode["device_id"], decode["model_id"]) == ("nvidia-rtx-4090", "meta-llama/Llama-3.1-8B-Instruct")
    assert decode["config_file"] == "meta-llama__Llama-3.1-8B-Instruct.json"
    assert (decode["use"], decode["ship"], decode["source_key"], decode["unit"]) == ("score", "no", "user", "tok/s")


@pytest.mark.parametrize(
    ("arguments", "where", "what"),
    [
        (["llama-bench.md"], "model", "add --model"),
        (["ollama-verbose.txt"], "device_id", "add --device"),
        (["ollama-verbose.txt", "--device", "RTX 4090"], "precision", "add --precision"),
        (["vllm-bench-serve.json", "--device", "H100 SXM", "--precision", "bf16"], "n_devices", "--set n_devices"),
        (["guidellm.json", "--device", "H100 SXM", "--precision", "bf16", "--set", "tp=1"], "engine", "add --engine"),
        (["nvidia-smi.csv"], "model_id", "add --model"),
        (["vllm-startup.log"], "device_id", "add --device"),
        (["ollama-verbose.txt", "--device", "RTX 4091"], "--device", "unknown device"),
        (["ollama-verbose.txt", "--device", "RTX 4090", "--precision", "nonsense"], "--precision", "unknown weight"),
        (["llama-bench.json", "--set", "depth=3"], "--set", "no column 'depth'"),
        (["llama-bench.json", "--set", "value=3"], "--set", "no column 'value'"),
        (["llama-bench.json", "--set", "batch=many"], "--set, batch", "not a number"),
        (["llama-bench.json", "--set", "batch"], "--set", "no column=value"),
        (["llama-bench.json", "--source", "a b"], "--source", "is no key"),
        (["llama-bench.json", "--format", "lama"], "--format", "unknown format"),
        (["llama-bench.json", "--format", "ollama"], "llama-bench.json", "holds no rate"),
        (["absent.json"], "absent.json", "no such file"),
        (["README.md"], "README.md", "no known format"),
    ],
)  # fmt: skip
def test_what_lacks_is_named_with_its_flag(run: Command, arguments: list[str], where: str, what: str) -> None:
    refused = run("import", sample(arguments[0]), *arguments[1:], "--json")
    error = refused.document["error"]
    assert refused.code == 2 and what in error["what"] and where in error["where"], error
    assert run("measurements", "list", "--json").document["measurements"] == []


def test_nothing_is_kept_when_one_file_of_several_is_refused(run: Command) -> None:
    assert run("import", sample("llama-bench.json"), sample("README.md")).code == 2
    assert run("measurements", "list", "--json").document["measurements"] == []


def test_flags_complete_a_serving_result(run: Command) -> None:
    flags = ["--device", "H100 SXM", "--precision", "bf16", "--set", "tp=1", "--source", "mine"]
    document = run("import", sample("vllm-bench-serve.json"), *flags, "--json").document["files"][0]
    assert (document["score"], document["context"]) == (12, {})
    row = rows(run, "serving")[0]
    assert (row["weight_dtype"], row["n_devices"], row["tp"], row["source_key"]) == ("bf16", "1", "1", "mine")
    assert row["row_id"].startswith("mine-")


def test_what_cannot_be_scored_is_context_and_says_why(run: Command) -> None:
    flags = ["--device", "H100 SXM", "--precision", "bf16", "--set", "tp=1"]
    document = run("import", sample("vllm-bench-latency.json"), *flags, "--model", "Qwen3-8B", "--json").document
    assert document["files"][0]["context"] == {"not stated: input_tokens, output_tokens, batch": 2}
    lengths = ["--set", "batch=8", "--set", "input_tokens=32", "--set", "output_tokens=128"]
    scored = run("import", sample("vllm-bench-latency.json"), *flags, "--model", "Qwen3-8B", *lengths, "--json")
    assert scored.document["files"][0]["score"] == 2
    assert scored.document["files"][0]["replaced"] == 2  # the same measurement, better described
    assert len(rows(run, "serving")) == 2


def test_a_model_of_nobody_is_kept_as_context(run: Command) -> None:
    flags = ["--device", "RTX 4090", "--model", "me/unheard-of", "--precision", "q4_k_m"]
    document = run("import", sample("ollama-verbose.txt"), *flags, "--json").document["files"][0]
    assert document["score"] == 0 and "the model is not in the catalogue" in next(iter(document["context"]))
    assert document["notes"] and "models add" in document["notes"][0]


def test_a_training_log_gives_speed_and_memory(run: Command) -> None:
    flags = ["--device", "H100 SXM", "--model", "Meta-Llama-3-8B"]
    document = run("import", sample("megatron.log"), *flags, "--json").document["files"][0]
    assert document["kinds"] == {"training": 2, "training-memory": 1} and document["score"] == 2
    row = rows(run, "training")[0]
    assert (row["calibration"], row["family"], row["unit"]) == ("absolute", "llm-dense", "s")
    memory = rows(run, "training-memory")[0]
    assert memory["value_gib_low"] == memory["value_gib_high"] == memory["value"] == "50"


def test_our_own_tables_are_accepted_as_they_are(run: Command, tmp_path: Path) -> None:
    run("import", sample("llama-bench.json"))
    out = tmp_path / "mine.csv"
    assert run("measurements", "dump", "--kind", "local", "--out", str(out)).code == 0
    again = run("import", str(out), "--json").document["files"][0]
    assert (again["format"], again["new"], again["known"]) == ("table", 0, 2)
    assert len(read_table(out, strict=True).rows) == 2
    least = tmp_path / "least.csv"
    least.write_text("device_id,compute_unit,parallelism,metric,value\n,gpu,single,decode_tok_s,12\n")
    assert run("import", str(least), "--device", "RTX 4090").code == 0
    assert [row["device_id"] for row in rows(run, "local") if row["value"] == "12"] == ["nvidia-rtx-4090"]
    least.write_text("device_id,compute_unit,parallelism,metric,value\n,gpu,single,speed,12\n")
    assert "unknown metric 'speed'" in run("import", str(least)).err


def test_text_of_another_coding_is_read_or_named(run: Command, tmp_path: Path) -> None:
    path = tmp_path / "power.csv"
    path.write_bytes((SAMPLES / "nvidia-smi.csv").read_text().encode("utf-16"))  # as PowerShell redirects
    assert run("import", str(path), "--model", "Qwen3-8B", "--engine", "vllm", "--precision", "bf16").code == 0
    for content, what in ((b"\xe9t\xe9", "not UTF-8"), (b"a\0b", "NUL"), (b" \n", "is empty")):
        path.write_bytes(content)
        assert what in run("import", str(path)).err


def test_list_show_and_dump(run: Command, tmp_path: Path) -> None:
    assert "no measurements" in run("measurements", "list").out
    run("import", sample("llama-bench.json"), sample("llama.cpp-load.log"))
    listed = run("measurements", "list", "--json").document["measurements"]
    assert [(one["kind"], one["rows"]) for one in listed] == [("local-memory", 3), ("local", 4)]
    assert "nvidia-rtx-4090" in run("measurements", "list").out
    few = run("measurements", "list", "--device", "RTX 4090", "--kind", "local", "--json").document["measurements"]
    assert len(few) == 1
    assert run("measurements", "list", "--device", "RTX 3070", "--json").document["measurements"] == []
    name = rows(run, "local")[0]["row_id"]
    shown = run("measurements", "show", name[:12], "--json").document
    assert shown["row"]["row_id"] == name and shown["origin"] == "llama-bench.json"
    assert "12427" in run("measurements", "show", name).out
    several = run("measurements", "dump", "--json")
    assert several.code == 2 and several.document["error"]["nearest"] == ["local-memory", "local"]
    assert run("measurements", "show", "nothing").code == 2
    assert run("measurements", "dump", "--kind", "energy").code == 2
    assert run("measurements", "list", "--kind", "lokal").code == 2
    dumped = run("measurements", "dump", "--kind", "local", "--json").document
    assert len(dumped["rows"]) == 4 and dumped["out"] == ""


def test_every_shipped_table_can_be_imported(run: Command) -> None:
    paths = sorted(catalog_path("measurements").glob("*.csv*"))
    first = run("import", *map(str, paths), "--json").document["files"]
    assert all(file["new"] == file["rows"] for file in first) and sum(file["rows"] for file in first) > 10_000
    printed = run("import", *map(str, paths)).out
    assert ", 0 new" in printed and len(printed.splitlines()) < 60  # the commonest reasons, not all


def test_documents_keep_their_schemas(run: Command) -> None:
    imported = run("import", sample("llama-bench.json"), "--json").document
    listed = run("measurements", "list", "--json").document
    name = rows(run, "local")[0]["row_id"]
    shown, dumped = run("measurements", "show", name, "--json").document, run("measurements", "dump", "--json").document
    for document, kind in (
        (imported, ImportDocument), (listed, ListDocument), (shown, RowDocument), (dumped, DumpDocument),
    ):  # fmt: skip
        jsonschema.validate(document, schema(kind))
        assert document["schema_version"] == 1


def test_the_store_lives_in_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIDGEWISE_HOME", str(tmp_path / "home"))
    assert said("import", sample("llama-bench.json")).code == 0
    assert (tmp_path / "home" / "measurements.sqlite").is_file()


def test_a_foreign_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("do not touch " * 100)
    refused = said("import", sample("llama-bench.json"), "--store", str(path), "--json")
    assert refused.code == 2 and refused.document["error"]["where"] == str(path)
    assert path.read_text() == "do not touch " * 100


FLAGS = ["--device", "--model", "--engine", "--precision", "--set", "--source", "--format", "--kind"]
WORDS = st.sampled_from(
    ["RTX 4090", "Qwen3-8B", "vllm", "q4_k_m", "tp=1", "batch=-1", "=", "a=b", "user", "table", "llama-bench", "",
     "\x00", "../..", "1e999", "a" * 3000, "local", sample("llama-bench.json"), sample("megatron.log")]
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["import", "list", "show", "dump"]), st.lists(WORDS, max_size=2),
    st.lists(st.tuples(st.sampled_from(FLAGS), WORDS), max_size=4),
)  # fmt: skip
def test_any_words_are_answered(
    tmp_path_factory: pytest.TempPathFactory, command: str, words: list[str], flags: list[tuple[str, str]]
) -> None:
    store = str(tmp_path_factory.getbasetemp() / "fuzz.sqlite")
    group = ["import"] if command == "import" else ["measurements", command]
    answer = said(*group, *words, *(word for flag in flags for word in flag), "--store", store, "--json")
    assert answer.code in (0, 2) and ("error" in answer.document) == (answer.code == 2)

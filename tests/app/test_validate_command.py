"""``ridgewise validate``: what it reads, what it writes, what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ridgewise.app.main import main
from ridgewise.facts.catalog import catalog_path

HEADER = "row_id,device_label,n_gpus,placement,engine,model_id,config_file,precision,weight_gib,context,kv_type,"
HEADER += "attention_impl,batch,ubatch,flash_attention,per_device,use,source_key,metric,value,unit\n"
KV = "a,,1,gpu,llama.cpp,meta-llama/Meta-Llama-3-8B,,Q4_K_M,,8192,f16,,2048,512,1,,score,s,kv_buffer_mib,1000,MiB\n"
LOST = "b,,1,gpu,llama.cpp,nobody/nothing,,Q4_K_M,,8192,f16,,2048,512,1,,score,s,kv_buffer_mib,500,MiB\n"
GUESS = LOST.replace("b,", "c,", 1)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text(HEADER + KV + LOST, encoding="utf-8")
    return path


def answer(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert main([*map(str, arguments), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def written(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_every_row_is_written_once_in_order(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "rows.csv"
    answer(capsys, "validate", table, "--rows", out)
    first, second = written(out)
    assert out.read_text(encoding="utf-8").startswith("row_id,measured,predicted,low,high,tier,reason\n")
    # 32 layers · 8 heads · 2 · 128 values · 2 B · 8,192 tokens = 1 GiB.
    assert (first["row_id"], float(first["measured"]), float(first["predicted"])) == ("a", 1000.0, 1024.0)
    assert float(first["low"]) <= 1024.0 <= float(first["high"])
    assert (second["row_id"], second["predicted"]) == ("b", "")
    assert second["reason"].startswith("unsupported: ")


def test_scores_say_how_far_off_and_how_many(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "validate", table)
    schema = json.loads(catalog_path("schemas", "validation.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(found, schema)
    (regime,) = (r for r in found["regimes"] if r["regime"] == "all")
    assert (regime["n"], regime["n_predicted"]) == (2, 1)
    assert regime["ape_median"] == pytest.approx(0.024)
    assert set(regime["baselines"]) == {"datasheet_roofline", "constant_efficiency"}
    assert found["totals"]["share_predicted"] == 0.5


def test_the_measured_value_does_not_enter_its_prediction(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    made = []
    for value in ("1000", "7", "123456"):
        table.write_text(HEADER + KV.replace(",1000,", f",{value},"), encoding="utf-8")
        assert main(["validate", str(table), "--rows", str(out)]) == 0
        made.append({key: cell for key, cell in written(out)[0].items() if key != "measured"})
    assert made[0] == made[1] == made[2]


def test_a_size_alone_is_a_guess_and_says_so(tmp_path: Path) -> None:
    path, out = tmp_path / "mine.csv", tmp_path / "rows.csv"
    path.write_text(HEADER.replace("precision", "params_b,precision") + GUESS.replace(",Q4_K_M", ",8,Q4_K_M"))
    assert main(["validate", str(path), "--rows", str(out)]) == 0
    (row,) = written(out)
    assert row["tier"] == "assumed"
    assert 400 < float(row["predicted"]) < 3000


def test_files_of_several_kinds_go_together(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "validate", table, catalog_path("measurements", "vllm-memory.csv"))
    assert {r["kind"] for r in found["regimes"]} == {"local-memory", "vllm-memory"}


def test_a_run_is_simulated_from_arrivals_and_lengths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    meta = {"device_id": "nvidia-h100-sxm", "model_id": "meta-llama/Llama-3.1-8B-Instruct", "engine": "vllm", "tp": 1}
    (tmp_path / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    lines = ["arrival_s,input_tokens,output_tokens,ttft_s,tpot_s,e2e_s"]
    lines += [f"{i / 4},{200 + i},{50 + i},0.05,0.01,1.0" for i in range(20)]
    (tmp_path / "requests.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = answer(capsys, "validate", "--run", tmp_path)
    assert found["measured"]["ttft_s"]["mean"] == pytest.approx(0.05)
    assert set(found["predicted"]) == {"ttft_s", "tpot_s", "e2e_s"}
    assert set(found["predicted"]["tpot_s"]) == {"mean", "p50", "p90", "p95", "p99"}
    assert 0.003 < found["predicted"]["tpot_s"]["p50"] < 0.03
    bare = [line.rsplit(",", 3)[0] for line in lines]
    (tmp_path / "requests.csv").write_text("\n".join(bare) + "\n", encoding="utf-8")
    again = answer(capsys, "validate", "--run", tmp_path)
    assert again["predicted"] == found["predicted"] and again["measured"] == {}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", "none of the measurement schemas"),
        (HEADER + KV.replace(",1000,", ",many,"), "line 2, value"),
        (HEADER + KV.replace(",1000,", ",nan,"), "line 2, value"),
        (HEADER + KV.replace("\n", ",x\n"), "line 2"),
        (HEADER.replace("value", "metric") + KV, "stands twice"),
        (HEADER + "\0", "NUL"),
    ],
)
def test_a_malformed_table_is_named(text: str, named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text, encoding="utf-8")
    assert main(["validate", str(path), "--json"]) == 2
    said = capsys.readouterr()
    assert named in said.err and "Traceback" not in said.err
    assert json.loads(said.out.splitlines()[-1])["error"]["what"]


def test_what_cannot_be_is_refused(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["validate", str(tmp_path / "none.csv")],
        ["validate", str(tmp_path)],
        ["validate", str(table), "--configs", str(tmp_path / "none")],
        ["validate", "--rows", str(tmp_path / "rows.csv")],
        ["validate", "--run", str(tmp_path)],
        ["validate", "--kind", "nothing"],
        ["validate", str(table), "--rows", str(tmp_path / "no" / "rows.csv")],
        ["calibrate"],
        ["calibrate", "--out", str(tmp_path), "--check", str(tmp_path)],
        ["calibrate", "--out", str(tmp_path), "--kind", "nothing"],
        ["calibrate", "--out", str(tmp_path), "--extra", str(tmp_path / "none")],
    ):
        assert main(arguments) == 2, arguments
        assert "Traceback" not in capsys.readouterr().err


def test_another_unit_is_not_compared(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    table.write_text(HEADER + KV.replace(",MiB", ",GiB"), encoding="utf-8")
    assert main(["validate", str(table), "--rows", str(out)]) == 0
    assert written(out)[0]["reason"].startswith("unsupported: kv_buffer_mib in 'GiB'")


def test_measurements_are_never_overwritten(table: Path) -> None:
    before = table.read_text(encoding="utf-8")
    assert main(["validate", str(table), "--rows", str(table)]) == 2
    assert table.read_text(encoding="utf-8") == before


@pytest.mark.parametrize("columns", ["80", "120"])
def test_no_number_of_the_table_is_cut(
    columns: str, table: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from rich.console import Console

    from ridgewise.app import judging
    from ridgewise.report import validation

    drawn = Console(width=int(columns), force_terminal=True, color_system=None, highlight=False)
    validation.table(judging._files([table], None, None), drawn)
    out = capsys.readouterr().out
    assert "…" not in out and "kv_buffer_mib" in out
    assert all(len(line) <= int(columns) for line in out.splitlines())


def test_rows_of_known_publications_are_said_to_flatter(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "validate", catalog_path("measurements", "vllm-memory.csv"))
    assert found["totals"]["seen"] == found["totals"]["scored"] == 4

"""Configurations carry the plan's numbers, and their targets' own parsers and schemas take them."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from ridgewise.app.exporting import exported
from ridgewise.app.main import main
from ridgewise.errors import RequestError
from ridgewise.report.manifests import targets

OPTIONS = Path(__file__).parent / "options"
#: A deployment for every engine.
CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "vllm": ("Llama-3.1-70B", "H100 SXM", {"tp": 4, "quant": "fp8", "kv_bits": "fp8", "context": "16384"}),
    "sglang": ("Qwen3-30B-A3B", "H100 SXM", {"tp": 2, "engine": "sglang", "concurrency": "50"}),
    "tensorrt-llm": ("Llama-3.1-8B", "L40S", {"engine": "tensorrt-llm", "kv_bits": "fp8"}),
    "llama.cpp": ("Llama-3.1-8B", "RTX 4090", {"concurrency": "4", "kv_bits": "q8_0", "context": "4096"}),
}


def text(target: str, case: str, **more: Any) -> str:
    model, hardware, flags = CASES[case]
    found = exported(model, hardware, target, {**flags, **more})
    assert found.feasible, found.reason
    return found.text


def options(script: str) -> dict[str, str]:
    """Options of the last command of a script, with their values."""
    lines = script.replace("\\\n", " ").splitlines()
    words = shlex.split(lines[-1])
    found: dict[str, str] = {}
    for place, word in enumerate(words):
        if word.startswith("--"):
            after = words[place + 1] if place + 1 < len(words) else ""
            found[word] = "" if after.startswith("--") else after
    return found


@pytest.mark.parametrize("engine", CASES)
def test_every_option_is_one_of_the_release(engine: str) -> None:
    known = {line for line in (OPTIONS / f"{engine}.txt").read_text().splitlines() if not line.startswith("#")}
    assert set(options(text(engine, engine))) <= known


def test_vllm_carries_the_plan() -> None:
    given = options(text("vllm", "vllm"))
    assert given["--tensor-parallel-size"] == "4"
    assert given["--max-model-len"] == "16384"
    assert given["--kv-cache-dtype"] == "fp8"
    assert given["--quantization"] == "fp8"
    assert given["--gpu-memory-utilization"] == "0.9"


@pytest.mark.parametrize("engine", CASES)
def test_bare_commands_listen_on_this_machine_and_containers_do_not(engine: str) -> None:
    assert options(text(engine, engine))["--host"] == "127.0.0.1"
    assert "0.0.0.0" in text("compose", engine) and "127.0.0.1" not in text("kubernetes", engine)


def test_told_limits_are_kept() -> None:
    given = options(text("vllm", "vllm", max_sequences="32", utilization="80%"))
    assert (given["--max-num-seqs"], given["--gpu-memory-utilization"]) == ("32", "0.8")


def test_experts_shared_out_are_data_parallel_attention() -> None:
    found = exported("DeepSeek-V3", "H200 SXM", "vllm", {"engine": "vllm", "tp": 1, "ep": 8})
    given = options(found.text)
    assert (given["--tensor-parallel-size"], given["--data-parallel-size"]) == ("1", "8")
    assert "--enable-expert-parallel" in given


def test_llama_cpp_shares_its_context_out() -> None:
    given = options(text("llama.cpp", "llama.cpp"))
    assert (given["--ctx-size"], given["--parallel"], given["--cache-type-k"]) == (str(4 * 4096), "4", "q8_0")


def test_ollama_and_lm_studio_carry_the_same() -> None:
    modelfile = text("ollama", "llama.cpp").splitlines()
    assert "PARAMETER num_ctx 4096" in modelfile
    assert any("OLLAMA_KV_CACHE_TYPE=q8_0" in line and "OLLAMA_NUM_PARALLEL=4" in line for line in modelfile)
    instructions = {line.split()[0] for line in modelfile if line and not line.startswith("#")}
    assert instructions == {"FROM", "PARAMETER"}
    fields = {one["key"]: one["value"] for one in json.loads(text("lmstudio", "llama.cpp"))["load"]["fields"]}
    assert fields["llm.load.contextLength"] == 4096
    assert fields["llm.load.llama.kCacheQuantizationType"] == {"checked": True, "value": "q8_0"}


def documents(target: str, case: str, **more: Any) -> list[dict[str, Any]]:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    return [one for one in yaml.safe_load_all(text(target, case, **more)) if one]


@pytest.mark.parametrize("case", CASES)
def test_kubernetes_takes_the_deployment(case: str) -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    found = documents("kubernetes", case, replicas=2)
    for one in found:
        validate.validate(one, "1.30", strict=True)
    spec = found[0]["spec"]
    limits = spec["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert spec["replicas"] == 2
    assert limits["nvidia.com/gpu"] == (CASES[case][2].get("tp") or 1)


def test_kserve_is_a_pod_with_its_own_name() -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    service = documents("kserve", "vllm", replicas=3)[0]
    predictor = service["spec"]["predictor"]
    own = {name: predictor.pop(name) for name in ("minReplicas", "maxReplicas", "containerConcurrency")}
    assert own["minReplicas"] == own["maxReplicas"] == 3
    assert predictor["containers"][0]["name"] == "kserve-container"
    validate.validate(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": predictor}, "1.30", strict=True
    )


def test_compose_takes_the_file() -> None:
    spec = pytest.importorskip("compose_spec", reason="compose-spec is not installed")
    spec.PyCompose.from_yaml(text("compose", "vllm", replicas=2)).validate()
    services = documents("compose", "vllm", replicas=2)[0]["services"]
    ids = [one["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"] for one in services.values()]
    assert ids == [["0", "1", "2", "3"], ["4", "5", "6", "7"]]


def test_skypilot_names_the_accelerator() -> None:
    task = documents("skypilot", "vllm", replicas=2)[0]
    assert task["resources"]["accelerators"] == {"H100": 4}
    assert task["service"]["replicas"] == 2
    assert "--tensor-parallel-size 4" in task["run"]


def test_trtllm_yaml_is_in_the_script() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    script = text("tensorrt-llm", "tensorrt-llm")
    settings = yaml.safe_load(script.split("<<'END'\n")[1].split("\nEND\n")[0])
    assert settings["kv_cache_config"] == {"dtype": "fp8", "free_gpu_memory_fraction": 0.9}


@pytest.mark.parametrize("target", CASES)
def test_scripts_are_shell(target: str) -> None:
    assert subprocess.run(["sh", "-n"], input=text(target, target), text=True, check=False).returncode == 0


def test_every_target_says_what_it_is() -> None:
    assert all(module.ABOUT and callable(module.write) for module in targets().values())


def test_a_plan_becomes_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "Qwen3-30B-A3B", "--users", "100", "--hardware", "H100 SXM", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    assert main(["export", str(tmp_path / "plan.json"), "--to", "vllm"]) == 0
    given, best = options(capsys.readouterr().out), plan["options"][0]
    assert given["--tensor-parallel-size"] == str(best["layout"]["tp"])
    assert given["--max-model-len"] == f"{plan['workload']['context_tokens']:.0f}"
    assert int(given["--max-num-seqs"]) == int(best["batch_limit_requests"] / best["layout"]["replicas"])


def test_a_plan_file_becomes_a_command(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text('model = "Llama-3.1-8B"\n[workload]\nusers = 50\n[candidates]\nhardware = ["L40S"]\n')
    assert options(exported(str(path), None, "vllm", {}).text)["--dtype"] == "bfloat16"


def test_a_training_plan_becomes_settings(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text('model = "Llama-3.1-8B"\n[workload]\ngoal = "lora"\n[candidates]\nhardware = ["H100 SXM"]\n')
    assert "base_model: meta-llama/Meta-Llama-3.1-8B" in exported(str(path), None, "axolotl", {}).text
    with pytest.raises(RequestError, match="starts no training"):
        exported(str(path), None, "vllm", {})


@pytest.mark.parametrize(
    ("plan", "hardware", "target", "flags", "said"),
    [
        ("Llama-3.1-8B", "RTX 4090", "vlm", {}, "nearest: vllm"),
        ("Llama-3.1-8B", "RTX 4090", "vllm", {}, "llama.cpp"),
        ("Llama-3.1-8B", None, "vllm", {}, "needs its hardware"),
        ("a" * 5000, None, "vllm", {}, "is no plan"),
        ("a\0b", None, "vllm", {}, "is no plan"),
        ("Llama-3.1-8B", "RTX 4090", "axolotl", {}, "plan of a training"),
        ("Llama-3.1-8B", "Gaudi 3", "kubernetes", {"engine": "vllm"}, "no container image"),
        ("Llama-3.1-8B", "RTX 4090", "kubernetes", {"ngl": 10, "quant": "q4_k_m"}, "parts in RAM"),
        ("Llama-3.1-405B", "H100 SXM", "kubernetes", {"engine": "vllm", "tp": 8, "pp": 2}, "starts one node"),
        ("Llama-3.1-8B", "RTX PRO 4000 Blackwell", "skypilot", {"engine": "vllm"}, "has no name"),
    ],
)
def test_what_cannot_be_is_said(plan: str, hardware: str | None, target: str, flags: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError) as error:
        exported(plan, hardware, target, flags)
    assert said in str(error.value)


def test_what_does_not_fit_is_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "Llama-3.1-70B", "H100 SXM", "--to", "vllm", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["feasible"] and "too little per device" in found["reason"]


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"command": "plan"}', '{"command": "train"}', '{"command": "cost"}']
)
def test_a_broken_plan_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(content)
    with pytest.raises(RequestError):
        exported(str(path), None, "vllm", {})


def test_llama_cpp_starts_with_it(tmp_path: Path) -> None:
    """A real server on random weights has the places and the context that the exported command says: started by the
    command itself where ``llama-server`` is found, else by its numbers through the Python package."""
    from ridgewise.here.llama_server import LlamaServer, free_port
    from ridgewise.here.random_gguf import write
    from ridgewise.models.read import load

    pytest.importorskip("gguf", reason="the gguf package (test extra) is not installed")
    weights = write(tmp_path / "m.gguf", load("Qwen3-0.6B"), "q4_0")
    words = shlex.split(text("llama.cpp", "llama.cpp", weights=str(weights)).replace("\\\n", " ").splitlines()[-1])
    if shutil.which("llama-server") is None:
        pytest.importorskip("xllamacpp", reason="neither llama-server nor xllamacpp (extra 'bench') is installed")
        given = options(shlex.join(words))
        numbers = {"context": int(given["--ctx-size"]), "slots": int(given["--parallel"])}
        with LlamaServer(Path(given["--model"]), 2, ubatch=int(given["--ubatch-size"]), **numbers) as server:
            assert places(f"{server.url}/slots") == [4096] * 4
        return
    port = free_port()
    words[words.index("--port") + 1] = str(port)
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
        try:
            for _ in range(120):
                try:
                    assert places(f"http://127.0.0.1:{port}/slots") == [4096] * 4
                    return
                except OSError:
                    assert started.poll() is None, "the server did not start"
                    time.sleep(0.5)
            pytest.fail("the server never answered")
        finally:
            started.terminate()


def places(url: str) -> list[int]:
    """Tokens of every place of a running server."""
    with urlopen(url, timeout=2) as answer:
        return [slot["n_ctx"] for slot in json.load(answer)]

"""What is made and measured here: random weights, rounds, the sheet, programs that end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from ridgewise.errors import RequestError
from ridgewise.hardware.sheets import device_from
from ridgewise.here import random_gguf
from ridgewise.here.child import Child
from ridgewise.here.contention import Figure, settled
from ridgewise.here.machine import Cpu, Here, Ram
from ridgewise.here.probe import bandwidth, product, steps
from ridgewise.here.sheet import sheet
from ridgewise.models.architecture import Architecture
from ridgewise.models.formats import model_bytes
from ridgewise.models.hf import read_config
from ridgewise.models.read import load, load_model


def tiny(**more: object) -> Architecture:
    """A decoder of a few hundred thousand parameters."""
    config = {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 256, "num_hidden_layers": 3,
        "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 512, "vocab_size": 1024,
        "max_position_embeddings": 2048, "tie_word_embeddings": False, **more,
    }  # fmt: skip
    return read_config(config, "tiny")


@pytest.mark.parametrize("mix", random_gguf.MIXES)
def test_random_weights_are_a_gguf_file_of_that_architecture(mix: str, tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    arch = tiny()
    path = random_gguf.write(tmp_path / "tiny.gguf", arch, mix)
    model = load_model(str(path))
    assert model.arch.parameters_total == arch.parameters_total and model.format is not None
    assert model_bytes(model.arch, model.format) == random_gguf.size(arch, mix)
    assert model.arch.dtype == mix
    oracle = gguf.GGUFReader(path)
    assert sum(int(tensor.n_bytes) for tensor in oracle.tensors) == random_gguf.size(arch, mix)
    types = {tensor.name: tensor.tensor_type.name for tensor in oracle.tensors}
    assert types["output.weight"] == {"f16": "F16", "q8_0": "Q8_0"}.get(mix, "Q6_K")


def test_random_weights_have_sane_scales(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    import numpy as np

    for mix in random_gguf.MIXES:
        for tensor in gguf.GGUFReader(random_gguf.write(tmp_path / f"{mix}.gguf", tiny(), mix)).tensors:
            values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
            assert np.isfinite(values).all() and float(np.std(values)) < 2


def test_experts_are_written_and_other_graphs_refused(tmp_path: Path) -> None:
    moe = load("Mixtral-8x7B-Instruct-v0.1")
    names = {shape.name: shape for shape in random_gguf.shapes(moe, "q4_0")}
    assert names["blk.0.ffn_up_exps.weight"].experts == 8
    with pytest.raises(RequestError, match="cannot be made with random weights"):
        random_gguf.shapes(load("DeepSeek-V3"), "q4_0")
    with pytest.raises(RequestError, match="no rule for the format 'q3_k'"):
        random_gguf.write(tmp_path / "x.gguf", tiny(), "q3_k")


def test_a_full_disk_is_named_and_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gguf = pytest.importorskip("gguf")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gguf.GGUFWriter, "write_tensor_data", full)
    with pytest.raises(RequestError, match="No space left on device"):
        random_gguf.write(tmp_path / "x.gguf", tiny(), "q8_0")
    assert not list(tmp_path.iterdir())


def test_rounds_that_others_disturbed_do_not_count() -> None:
    quiet = settled("x", "B/s", [(100.0, 1.0), (101.0, 0.99), (99.0, 0.98), (10.0, 0.2), (12.0, 0.3)])
    assert (quiet.value, quiet.rounds, quiet.kept) == (100.0, 3, True)
    loud = settled("x", "B/s", [(50.0, 0.5), (20.0, 0.2), (30.0, 0.3)])
    assert (loud.value, loud.rounds, loud.kept) == (50.0, 1, False)
    assert settled("x", "FLOP/s", [(50.0, 0.5), (20.0, 0.2), (30.0, 0.3)], alone=True).value == 100.0


def test_bandwidth_and_products_are_measured() -> None:
    assert steps(1) == [1] and steps(6) == [1, 2, 4, 6] and steps(8) == [1, 2, 4, 8]
    for count in (1, 2):
        found = bandwidth("read", count, 8 << 20, 0.05)
        assert found.unit == "B/s" and 1e8 < found.value < 1e13 and found.rounds >= 1
    flops = product("float32", 256, 1, 0.05)
    assert flops is not None and 1e7 < flops.value < 1e14


def test_the_sheet_is_a_device_of_the_catalogue() -> None:
    here = Here(cpu=Cpu("Some CPU", "AMD", cores=8, l3=32 * 2.0**20), ram=Ram(64 * 2.0**30, 60 * 2.0**30, 2))
    figures = [
        Figure("memory, read, 1 thread", "B/s", 30e9, 0.0, 5, 1.0, True),
        Figure("memory, read, 8 threads", "B/s", 77e9, 0.0, 5, 1.0, True),
        Figure("product, fp32, 8 threads", "FLOP/s", 1.2e12, 0.0, 5, 1.0, True),
    ]
    found = device_from(tomllib.loads(sheet(here, figures, "2026-11-25")), "sheet")
    assert found.bandwidth == pytest.approx(100e9) and found.figures["bandwidth"].kind == "derived"
    assert found.number("peak_fp32") == 1.2e12 and found.number("memory_channels") == 2
    assert found.memory == 64 * 2.0**30


def test_a_program_ends_with_its_context_and_with_us() -> None:
    with Child([sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]) as child:
        end = time.monotonic() + 20
        while "up" not in child.printed() and time.monotonic() < end:
            time.sleep(0.05)
        assert child.code is None
    assert child.code is not None

    script = (
        "import sys, time; from ridgewise.here.child import Child\n"
        "c = Child([sys.executable, '-c', 'import os, time; print(os.getpid(), flush=True); time.sleep(600)'])\n"
        "while not c.printed().strip(): time.sleep(0.05)\n"
        "print(c.printed().strip(), flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    end = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists(), "killed with us"

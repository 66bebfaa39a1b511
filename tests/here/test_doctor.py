"""Machines as their tools describe them: what is found, and what the catalogue calls it."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from ridgewise.app.main import main
from ridgewise.errors import RequestError
from ridgewise.here.detect import detect, live
from ridgewise.here.match import matched
from ridgewise.here.seen import Live, Recorded, recording

MACHINES = Path(__file__).parent / "machines"
GIB = 2.0**30

#: Machine → (device or "" where unknown, unit, how many, free memory of one [GiB], to 0.1).
KNOWN = {
    "h100x8": [("nvidia-h100-sxm", "gpu", 8, 78.4), ("intel-xeon-8480plus", "cpu", 2, 1955.0)],
    "rtx4090": [("nvidia-rtx-4090", "gpu", 1, 22.5), ("amd-ryzen-7950x", "cpu", 1, 47.7)],
    "rtx3060-8gb": [("", "gpu", 1, 7.6), ("", "cpu", 1, 8.6)],
    "a100-mig": [("nvidia-a100-sxm4-80gb", "gpu", 2, 2.9), ("amd-epyc-7763", "cpu", 2, 953.7)],
    "gb10": [("nvidia-dgx-spark-gb10", "gpu", 1, 112.5)],
    "mi300x": [("amd-mi300x", "gpu", 2, 191.7), ("amd-epyc-9654", "cpu", 2, 2098.1)],
    "rx7900xtx": [("amd-rx-7900-xtx", "gpu", 1, 22.9), ("", "cpu", 1, 22.9)],
    "strix-halo": [("amd-ryzen-ai-max-395", "gpu", 1, 96.2), ("", "npu", 1, None)],
    "m3-max-40c": [("apple-m3-max-40c", "gpu", 1, 84.2)],
    "m4-32gb": [("apple-m4", "gpu", 1, 21.3)],
    "m2-ultra-raised": [("apple-m2-ultra", "gpu", 1, 145.2)],
    "pi5": [("raspberry-pi-5-8gb", "cpu", 1, 6.6)],
    "container": [("", "cpu", 1, 8.0)],
    "unbound-card": [("nvidia-l4", "gpu", 1, None), ("amd-epyc-7763", "cpu", 1, 476.8)],
    "epyc-vm": [("", "cpu", 1, 20.4)],
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_recorded_machine_is_what_it_is(name: str) -> None:
    found = matched(detect(recording(MACHINES / f"{name}.txt")))
    shown = [(one.device, one.unit, one.count, None if one.free is None else round(one.free / GIB, 1)) for one in found]
    assert shown == KNOWN[name]
    assert all(one.device or one.reason for one in found), "what is not recognised says why"


def test_every_recording_is_known_here() -> None:
    others = {path.stem for path in MACHINES.glob("*.txt")} - set(KNOWN)
    assert others == {"arc-b580", "lunar-lake"}


def test_an_integrated_part_is_not_the_processor_and_a_card_is_known_by_its_pci_id() -> None:
    found = {one.label: one for one in matched(detect(recording(MACHINES / "arc-b580.txt")))}
    assert found["Intel device 8086:e20b"].device == "intel-arc-b580"
    assert found["Intel device 8086:7d55"].device == ""
    assert [one.unit for one in found.values() if one.device.endswith("npu")] == ["npu"]


def test_a_renderer_in_software_is_no_device() -> None:
    here = detect(recording(MACHINES / "lunar-lake.txt"))
    assert [gpu.name for gpu in here.gpus] == ["Intel(R) Arc(tm) Graphics (LNL)"]
    assert next(one.device for one in matched(here)) == "intel-core-ultra-7-258v-igpu"


def test_links_modules_limits_and_sensors_are_read() -> None:
    eight = detect(recording(MACHINES / "h100x8.txt"))
    assert len(eight.links) == 28 and {(link.kind, link.lanes) for link in eight.links} == {("NVLink", 18)}
    assert (eight.cpu.sockets, eight.cpu.cores, eight.cpu.threads) == (2, 112, 224)
    assert "AMX INT8" in eight.cpu.isa and len(eight.cpu.numa) == 2
    desktop = detect(recording(MACHINES / "rtx4090.txt"))
    assert (desktop.ram.channels, desktop.ram.rate, desktop.ram.kind) == (2, 5.2e9, "DDR5")
    assert (desktop.gpus[0].power, desktop.gpus[0].power_limit, desktop.gpus[0].pcie) == (21.45, 450.0, "PCIe 4.0 x16")
    pod = detect(recording(MACHINES / "container.txt"))
    assert (pod.limits.cpus, pod.limits.memory) == (3.5, 8 * GIB)
    assert pod.limits.around == "kubepods, virtual machine (Amazon EC2)"
    assert pod.ram.free == 8 * GIB, "a container's limit is what is free in it"
    board = detect(recording(MACHINES / "pi5.txt"))
    assert [(s.name, s.value) for s in board.sensors] == [("cpu_thermal", 51.0)]


def test_unified_memory_says_what_limits_it() -> None:
    strix = detect(recording(MACHINES / "strix-halo.txt")).gpus[0]
    assert strix.unified and strix.limit.startswith("carve-out 0.5 GiB (firmware) + GTT 96 GiB")
    small, large = (detect(recording(MACHINES / f"{name}.txt")).gpus[0] for name in ("m4-32gb", "m3-max-40c"))
    assert small.total == pytest.approx(32 * GIB * 2 / 3) and large.total == pytest.approx(128 * GIB * 3 / 4)
    raised = detect(recording(MACHINES / "m2-ultra-raised.txt")).gpus[0]
    assert raised.total == 180000 * 2.0**20 and "iogpu.wired_limit_mb" in raised.limit


@pytest.mark.parametrize("name", ["rx7900xtx", "mi300x"])
def test_a_card_of_its_own_stays_one_in_a_machine_with_much_memory(name: str) -> None:
    text = (MACHINES / f"{name}.txt").read_text(encoding="utf-8")
    mapped = re.sub(r"(mem_info_gtt_total\n)\d+", rf"\g<1>{int(1e12)}", text)
    assert mapped != text
    assert detect(Recorded(mapped)).gpus == detect(Recorded(text)).gpus


@pytest.mark.parametrize(
    ("name", "own", "other", "unit"),
    [("strix-halo", "395 w/ Radeon 8060S", "385 w/ Radeon 8050S", "gpu"), ("lunar-lake", "7 258V", "5 226V", "npu")],
)
def test_a_smaller_cut_of_a_processor_is_not_taken_for_the_largest(name: str, own: str, other: str, unit: str) -> None:
    text = (MACHINES / f"{name}.txt").read_text(encoding="utf-8")
    assert own in text
    known, cut = (
        next(one for one in matched(detect(Recorded(held))) if one.unit == unit)
        for held in (text, text.replace(own, other))
    )
    assert cut.device == "" and "is of this processor" in cut.reason
    assert known.device


def test_this_machine_is_read_soon_and_the_same_from_its_recording() -> None:
    start = time.process_time()
    seen = live()
    here = detect(seen)
    assert time.process_time() - start < 2
    assert here.cpu.threads >= 1 and here.ram.total >= here.ram.free > 0
    assert detect(Recorded(seen.recorded())) == here or here.silent


def test_a_tool_that_hangs_or_fails_is_ended_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, body in (("slow-smi", "exec sleep 60"), ("sick-smi", "echo driver mismatch >&2; exit 9")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    seen = Live(wait=0.3)
    start = time.monotonic()
    assert seen.run("slow-smi") == seen.run("sick-smi") == seen.run("absent-smi") == ""
    assert time.monotonic() - start < 10
    assert seen.silent == ("sick-smi failed: driver mismatch", "slow-smi did not answer within 0.3 s")


def test_the_command_shows_one_screen_and_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--from", str(MACHINES / "rtx4090.txt")]) == 0
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) <= 24
    assert "NVIDIA GeForce RTX 4090 is nvidia-rtx-4090 in the catalogue" in shown
    assert "What runs well here, on nvidia-rtx-4090" in shown and "Llama-3.1-8B" in shown
    assert "Llama-3.3-70B" not in shown, "what does not fit the free memory does not run well"
    assert main(["doctor", "--json", "--from", str(MACHINES / "h100x8.txt")]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["devices"][0]["device"] == "nvidia-h100-sxm" and document["devices"][0]["count"] == 8
    assert document["runs"][0]["model"] == "Llama-3.3-70B"


def test_what_is_no_recording_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_bytes(b"\xff\xfehello")
    assert main(["doctor", "--from", str(tmp_path / "notes.txt")]) == 2
    assert "is no recording of a machine" in capsys.readouterr().err
    with pytest.raises(RequestError, match="no such file"):
        recording(tmp_path / "absent.txt")


@pytest.mark.parametrize("name", [path.stem for path in MACHINES.glob("*.txt")])
def test_a_recording_cut_anywhere_never_breaks(name: str) -> None:
    text = (MACHINES / f"{name}.txt").read_text()
    for place in range(40, len(text), max(len(text) // 12, 1)):
        matched(detect(Recorded(text[:place])))

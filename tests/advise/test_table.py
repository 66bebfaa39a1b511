"""Deployments side by side say what each says alone, and what is held against other limits is not timed again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ridgewise.advise import Question, inference
from ridgewise.advise.inference import Deployments, candidates
from ridgewise.advise.table import Table, mean_context, reserved
from ridgewise.hardware import load_devices
from ridgewise.serving import service, single
from ridgewise.serving.estimate import footprint, memory_batch, most_sequences
from ridgewise.workloads import Service, SingleUser

Pose = Callable[..., Question]
CARDS = (
    "RTX 4090", "RTX 3060 12GB", "RX 7900 XTX", "Arc B580", "M3 Ultra", "Strix Halo", "EPYC 9654", "H100 SXM",
    "A100 SXM4 80GB", "MI300X", "TPU v5p", "Jetson Orin Nano Super",
)  # fmt: skip
QUESTIONS = {
    "one user": ("Llama-3.1-8B", {"users": "1"}),
    "one user of a mixture, long prompt": ("gpt-oss-20b", {"users": "1", "prompt": "20k", "context": "64k"}),
    "a service": ("Llama-3.1-8B", {"users": "300"}),
    "a service of a mixture with a latent": ("DeepSeek-V3", {"users": "2000", "prompt": "5000"}),
    "requests in flight": ("gemma-3-27b-it", {"users": "50", "concurrency": "24"}),
    "llama.cpp for many": ("Llama-3.1-8B", {"users": "900", "engine": "llama.cpp"}),
}


def deployed(question: Question) -> Table:
    table, _ = Deployments().of(question, question.hardware)
    table.ask(range(len(table.rows)))
    return table


@pytest.mark.parametrize("name", list(QUESTIONS))
def test_every_row_says_what_its_deployment_says_alone(pose: Pose, name: str) -> None:
    model, flags = QUESTIONS[name]
    table = deployed(pose(model, hardware=CARDS, **flags))
    assert len(table.rows) > 12
    for place, row in enumerate(table.rows):
        work, setup = table.work, row.setup
        alone = service(setup, work) if isinstance(work, Service) else single(setup, work)
        found = table.speed(place)
        assert (found.tier, found.key, found.peak, found.ttft is None) == (
            alone.tier, alone.key, alone.peak, alone.ttft is None,
        )  # fmt: skip
        for figure in ("ttft", "tpot", "total", "concurrency", "slow_ttft", "slow_tpot"):
            assert getattr(found, figure) == pytest.approx(getattr(alone, figure), rel=1e-9), (setup.device.id, figure)
        assert table.times["slow_tpot"][place] == pytest.approx(alone.slow_tpot, rel=1e-9)
        sequences, context = 1.0, work.context
        if isinstance(work, Service):
            sequences = max(float(reserved(work, alone.concurrency / setup.replicas)), 1.0)
            context = float(mean_context(work, sequences))
        foot = footprint(setup, sequences, context)
        assert table.foot.total[place] == pytest.approx(float(foot.total), rel=1e-9)
        assert table.usable[place] == pytest.approx(float(foot.usable), rel=1e-9)
        limit = min(float(memory_batch(setup, context)), most_sequences(setup)) * setup.replicas
        assert table.batch_limit[place] == pytest.approx(limit, rel=1e-9)


def test_other_limits_and_priorities_time_nothing_anew(pose: Pose, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = pose("Llama-3.1-8B", users="300", hardware=CARDS)
    work = asked.workload
    assert isinstance(work, Service)
    deployments = Deployments()
    first = list(candidates(asked, asked.hardware, deployments))

    def again(*_: object) -> None:
        raise AssertionError("timed again")

    monkeypatch.setattr(Table, "_draw_curves", again)
    for changed in (
        replace(asked, priority="cost"),
        replace(asked, budget=10_000.0),
        replace(asked, max_power=800.0),
        replace(asked, workload=replace(work, slo_tpot=0.01)),
        replace(asked, workload=replace(work, context=2048.0)),
        replace(asked, workload=replace(work, users=40.0, think=5.0)),
    ):
        other = list(candidates(changed, asked.hardware, deployments))
        assert {option.device.id for option in other} == {option.device.id for option in first}


def test_of_one_user_only_what_is_looked_at_is_timed(pose: Pose) -> None:
    """A memory limit needs no speed: of a catalogue of layouts no more than the machines shown are timed."""
    asked, deployments = pose("Llama-3.1-8B", users="1"), Deployments()
    devices = [device for device in load_devices().values() if device.status == "available"]
    options = list(candidates(asked, devices, deployments))
    table, _ = deployments.of(asked, devices)
    assert isinstance(table.work, SingleUser)
    timed = int(np.isfinite(table.times["tpot"]).sum())
    assert len(options) <= timed < 0.5 * len(table.rows)


def test_nothing_that_does_is_left_out_by_the_order_in_which_layouts_are_looked_at(pose: Pose) -> None:
    """Every option is the best of the rows its device was tried in; a device none of whose rows does has no other."""
    asked = pose("Llama-3.1-70B", users="200", slo_tpot="40ms", hardware=CARDS)
    deployments = Deployments()
    table, ladders = deployments.of(asked, asked.hardware)
    judged = inference.Judged(asked, table, range(len(table.rows)), deployments)
    options = {(o.device.id, o.configuration): o for o in candidates(asked, asked.hardware, deployments)}
    for device, configurations in ladders.items():
        for tried in configurations:
            rows = [row for ladder in tried for rung in ladder.rungs.values() for part in rung for row in part]
            if not rows:
                continue
            option = options[device.id, table.rows[rows[0]].configuration]
            able = [row for row in rows if judged.able[row]]
            assert option.feasible == bool(able)
            if able:
                least = min(table.rows[row].setup.count for row in able)
                assert option.count >= least

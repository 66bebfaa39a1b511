"""The thesis: training and inference want different machines, and confusing them costs money.

The same model and the same candidates are asked once to train and once to infer; the order turns round, for the
stated reason, and the answer says what the mistaken purchase would have cost.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ridgewise.advise import Answer, Finding

MODEL = "Llama-3.1-8B"
CANDIDATES = ("H100 SXM", "RTX 4090", "Strix Halo", "M3 Ultra")
H100 = "nvidia-h100-sxm"


@pytest.fixture
def to_infer(ask: Callable[..., Answer]) -> Answer:
    return ask(MODEL, users="1", hardware=CANDIDATES)


@pytest.fixture
def to_train(ask: Callable[..., Answer]) -> Answer:
    return ask(MODEL, goal="train", tokens="100B", deadline="1y", hardware=CANDIDATES)


@pytest.fixture
def to_tune(ask: Callable[..., Answer]) -> Answer:
    return ask(MODEL, goal="qlora", hardware=CANDIDATES)


def places(found: Answer) -> list[str]:
    return [option.device.id for option in found.options]


def overkill(found: Answer) -> Finding:
    return next(finding for finding in found.findings if finding.rule == "overkill")


def test_the_order_turns_round(to_infer: Answer, to_train: Answer, to_tune: Answer) -> None:
    """For one user the data-centre board comes last; to train, the others come last or not at all."""
    feasible = list(dict.fromkeys(option.device.id for option in to_infer.options if option.feasible))
    assert set(feasible) >= {H100, "nvidia-rtx-4090", "amd-ryzen-ai-max-395", "apple-m3-ultra"}
    assert feasible[-1] == H100
    for learning in (to_train, to_tune):
        assert learning.pick is not None and learning.pick.device.id == H100
        assert places(learning)[0] == H100
    common = [name for name in places(to_infer) if name in places(to_tune)]
    assert len(common) >= 3
    assert common != [name for name in places(to_tune) if name in common]


def test_the_stated_reason_is_the_phase(to_infer: Answer, to_train: Answer, to_tune: Answer) -> None:
    assert to_infer.verdict.phase == "inference"
    assert to_infer.verdict.decides == "memory capacity and bandwidth"
    assert "training-class compute is not needed" in to_infer.verdict.text
    assert to_train.verdict.phase == to_tune.verdict.phase == "training"
    assert "compute" in to_train.verdict.decides and "compute" in to_tune.verdict.decides
    assert "faster hardware directly shortens the run" in to_train.verdict.text
    assert to_infer.pick is not None and to_train.pick is not None
    assert to_infer.pick.speed is not None and to_infer.pick.speed.bound == "memory"
    assert to_train.pick.run is not None and to_train.pick.run.bound == "compute"


def test_one_decode_step_stays_below_the_ridge_point_of_every_candidate(to_infer: Answer) -> None:
    """One token does about 2 FLOP per weight; at 4 to 5 bits that is 3 to 4 FLOP per byte, against ridge points of 100
    and more: none of them computes at its peak."""
    for option in to_infer.options:
        ridge = option.device.ridge("fp16")
        assert option.speed is not None and ridge is not None
        assert option.speed.intensity < 5 < ridge


def test_the_money_saved_against_the_mistaken_purchase_is_stated(to_infer: Answer) -> None:
    """An H100 SXM comes in a node of eight: near $290,000 against a machine of a few thousand."""
    pick, finding = to_infer.pick, overkill(to_infer)
    mistaken = next(option for option in to_infer.options if option.device.id == H100)
    assert pick is not None and pick.cost.buy is not None and mistaken.cost.buy is not None
    assert finding.saves == pytest.approx(mistaken.cost.buy - pick.cost.buy)
    assert finding.saves is not None and 150_000 < finding.saves < 400_000
    assert finding.level == "warning"
    assert pick.name in finding.remedy and "keep $" in finding.remedy
    assert "decoding" in finding.text


def test_the_mistaken_purchase_is_not_one_when_training(to_train: Answer, to_tune: Answer) -> None:
    for found in (to_train, to_tune):
        assert all(finding.rule != "overkill" for finding in found.findings)


def test_inference_class_machines_are_told_that_they_cannot_train_it(to_train: Answer) -> None:
    """8B in full keeps 128 GB of states: four cards of 24 GB do not, and unified machines have no published run."""
    rules = ("impossible-training", "no-training")
    caught = [finding for finding in to_train.findings if finding.rule in rules]
    named = " ".join(finding.text for finding in caught)
    for name in ("RTX 4090", "Strix Halo", "M3 Ultra"):
        assert name in named
    assert "H100" not in named
    for option in to_train.options:
        assert option.feasible == (option.device.id == H100)


def test_the_training_machine_is_as_large_as_the_run_asks_for(to_train: Answer) -> None:
    """6 · 8e9 · 1e11 = 4.8e21 FLOP (5e21 with attention); within a year, at 40 % of 989 TFLOP/s, that is half an H100's
    year: memory, not time, asks for more than one (128 GB of states)."""
    pick = to_train.pick
    assert pick is not None and pick.run is not None
    assert 2 <= pick.count <= 8
    assert 20 * 86400 < pick.run.seconds * pick.count < 220 * 86400


def test_the_same_holds_in_the_whole_catalogue(ask: Callable[..., Answer]) -> None:
    """Unasked, one user is sent to a desktop or unified machine and a pretraining to the data centre."""
    infer, train = ask(MODEL, users="1"), ask(MODEL, goal="train", tokens="1T")
    assert infer.pick is not None and train.pick is not None
    assert infer.pick.device.kind in {"gpu-consumer", "unified"}
    assert train.pick.device.kind in {"gpu-datacenter", "tpu", "accelerator"}
    kinds = [option.device.kind for option in infer.options if option.feasible]
    assert kinds.index("gpu-consumer") < kinds.index("gpu-datacenter")


def test_training_ranks_by_compute_and_decoding_by_bandwidth(ask: Callable[..., Answer]) -> None:
    """An L40S has five times the matrix rate of an RTX 3090 (362 against 71 TFLOP/s) and less bandwidth (864 against
    936 GB/s): it tunes faster and decodes the same file slower."""
    pair = ("L40S", "RTX 3090")
    tune = {o.device.id: o.run.seconds for o in ask(MODEL, goal="qlora", hardware=pair).options if o.run}
    talk = {o.device.id: o.speed.each for o in ask(MODEL, users="1", quant="q4_k_m", hardware=pair).options if o.speed}
    assert tune["nvidia-l40s"] < tune["nvidia-rtx-3090"]
    assert talk["nvidia-l40s"] < talk["nvidia-rtx-3090"]

"""A user's own measurements move their own device, and no other."""

from __future__ import annotations

import pytest
from tests.validation.test_judge import Toy, fitted, rows

from ridgewise.evidence import KINDS, Table
from ridgewise.timing.coefficients import Block
from ridgewise.validation import anchor, judge


@pytest.fixture
def shipped() -> Block:
    return fitted(rows())[1]


def own(device: str, share: float, count: int, source: str = "user") -> Table:
    made = tuple(
        {"source_key": source, "device_id": device, "model_id": f"own{i}", "size": str(i), "metric": "speed",
         "value": repr(100 * share / i), "use": "score"}
        for i in range(1, count + 1)
    )  # fmt: skip
    return Table(KINDS["local"], made)


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anchor, "domain_of", lambda kind: Toy())


def test_a_new_device_is_learnt_and_its_evidence_shown(shipped: Block) -> None:
    before = shipped.at({"device": "mine"})["share"]
    after = anchor.anchored({"toy": shipped}, [own("mine", 0.3, 8)])["toy"]
    assert before > 0.5
    assert after.at({"device": "mine"})["share"] == pytest.approx(0.3, rel=0.1)
    assert "mine|engine" in after.seen["device"] and "mine|engine" not in shipped.seen["device"]
    assert after.rows == shipped.rows + 8


def test_other_devices_stay(shipped: Block) -> None:
    after = anchor.anchored({"toy": shipped}, [own("mine", 0.3, 8)])["toy"]
    for device in ("fast", "slow", "odd", "unknown"):
        assert after.at({"device": device}) == shipped.at({"device": device})


def test_a_known_device_moves_by_what_it_was_unsure(shipped: Block) -> None:
    one = anchor.anchored({"toy": shipped}, [own("slow", 0.4, 1)])["toy"]
    many = anchor.anchored({"toy": shipped}, [own("slow", 0.4, 30)])["toy"]
    first = shipped.at({"device": "slow"})["share"]
    assert first > one.at({"device": "slow"})["share"] > many.at({"device": "slow"})["share"] > 0.4


def test_no_scored_row_changes_nothing(shipped: Block) -> None:
    context = Table(KINDS["local"], tuple({**row, "use": "context"} for row in own("mine", 0.3, 4)))
    assert anchor.anchored({"toy": shipped}, [context])["toy"] == shipped
    assert judge.digest([]) == judge.digest([])

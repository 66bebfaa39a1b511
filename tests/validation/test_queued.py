"""Open arrivals of measured rows: simulated, deterministic, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from tests.validation.test_serving import row

from ridgewise.validation.domain import Cases, predicted
from ridgewise.validation.domains.queued import SERVING


def said(*rows: dict[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """What is said of rows, and what the formula makes of them, with coefficients before any evidence."""
    ready = SERVING.prepare(rows, "serving")
    assert not ready.unsupported, ready.unsupported
    cases: Cases = ready.cases[0]
    coefficients = {s.name: np.full(len(rows), s.prior) for s in SERVING.specs(cases.block)}
    return np.exp(predicted(SERVING, cases, coefficients)), np.exp(SERVING.predict(cases, coefficients))


def arriving(rate: str, metric: str = "ttft_ms", stat: str = "mean", **changes: str) -> dict[str, str]:
    return row(load="open_loop", request_rate=rate, num_requests="400", metric=metric, stat=stat, **changes)


def test_a_quiet_system_answers_like_the_formula() -> None:
    """Where nothing waits, mean times are the formula's: one deployment, one step formula."""
    found, formula = said(arriving("0.5", "tpot_ms"), arriving("0.5", "e2e_ms"))
    assert found == pytest.approx(formula, rel=0.05)


def test_a_queue_shows_in_the_tail_first() -> None:
    quiet, busy = (said(arriving(rate), arriving(rate, stat="p99"))[0] for rate in ("0.5", "6"))
    assert quiet[1] > quiet[0]
    assert busy[1] / quiet[1] > busy[0] / quiet[0] > 1.0


def test_beyond_the_most_the_wait_grows_with_the_requests() -> None:
    few = arriving("200") | {"num_requests": "400"}
    many = arriving("200") | {"num_requests": "1600"}
    found, _ = said(few, many)
    assert found[1] > 3.0 * found[0]


def test_a_published_setting_counts() -> None:
    found, _ = said(arriving("6"), arriving("6", max_num_seqs="8"))
    assert found[1] > 5.0 * found[0]


@pytest.mark.parametrize(
    "other",
    [
        row(load="burst", metric="ttft_ms", num_requests="200"),
        row(load="open_loop", metric="output_tok_s", slo_ttft_ms="2000", slo_tpot_ms="200"),
        arriving("5", max_num_seqs="many"),
        arriving("5", stat="p42"),
    ],
    ids=["burst", "promised", "a setting that is no number", "an unknown statistic"],
)
def test_everything_else_keeps_its_formula(other: dict[str, str]) -> None:
    found, formula = said(other)
    assert found == pytest.approx(formula)


def test_one_row_is_one_answer_whatever_stands_beside_it() -> None:
    one, other = arriving("4"), arriving("9")
    assert said(one)[0][0] == said(other, one)[0][1]

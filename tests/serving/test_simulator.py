"""The service step by step: laws, and cases small enough to follow by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgewise.serving.simulator import Limits, Request, serve
from ridgewise.work import Step


def per_token(step: Step) -> float:
    """10 ms for a step and 1 ms for each token in it."""
    return 0.010 + 0.001 * float(step.tokens)


def test_one_request_is_its_prompt_and_its_answer() -> None:
    # 100 prompt tokens make the first token after 10 + 100 ms; four more follow at 11 ms each.
    (one,) = serve([Request(0.0, 100, 5)], per_token, Limits())
    assert one.ttft == pytest.approx(0.110)
    assert one.e2e == pytest.approx(0.110 + 4 * 0.011)
    assert one.tpot == pytest.approx(0.011)


def test_a_long_prompt_is_read_in_chunks_of_the_token_budget() -> None:
    # 100 tokens at 40 a step: steps of 40, 40 and 20.
    (one,) = serve([Request(0.0, 100, 1)], per_token, Limits(tokens=40))
    assert one.ttft == pytest.approx(3 * 0.010 + 0.100)
    assert one.tpot == 0.0


def test_a_prompt_that_rides_along_slows_the_others() -> None:
    # The second comes while the first decodes: its 50 tokens make one step of the first 10 + 1 + 50 ms long.
    first, second = serve([Request(0.0, 10, 4), Request(0.025, 50, 1)], per_token, Limits())
    assert first.ttft == pytest.approx(0.020)
    assert second.ttft == pytest.approx(0.031 + 0.061 - 0.025)
    assert first.e2e == pytest.approx(0.020 + 0.011 + 0.061 + 0.011)


def test_no_more_sequences_than_allowed_run_at_once() -> None:
    # One at a time: the second starts when the first has ended.
    first, second = serve([Request(0.0, 10, 2)] * 2, per_token, Limits(sequences=1))
    assert second.ttft == pytest.approx(first.e2e + 0.020)


def test_a_full_cache_puts_the_youngest_back() -> None:
    # 30 tokens hold one of the two to its end (10 + 15), not both: the younger is computed anew afterwards.
    both = serve([Request(0.0, 10, 15), Request(0.0, 10, 15)], per_token, Limits(cache=30))
    alone = serve([Request(0.0, 10, 15)], per_token, Limits(cache=30))
    assert both[0].e2e < both[1].e2e
    assert both[1].e2e > 1.5 * alone[0].e2e


requests = st.lists(
    st.builds(Request, st.floats(0, 5), st.integers(1, 400), st.integers(1, 40)), min_size=1, max_size=12
)


@given(requests, st.integers(1, 8), st.integers(16, 512), st.integers(500, 2000))
@settings(deadline=None, max_examples=60)
def test_everyone_is_served_and_nobody_beats_being_alone(
    asked: list[Request], sequences: int, tokens: int, cache: int
) -> None:
    limits = Limits(sequences, tokens, float(cache))
    for one, found in zip(asked, serve(asked, per_token, limits), strict=True):
        (alone,) = serve([one], per_token, limits)
        assert found.output == one.output
        assert found.ttft >= alone.ttft - 1e-9
        assert found.e2e >= alone.e2e - 1e-9


@given(requests)
@settings(deadline=None, max_examples=30)
def test_outside_time_is_added_to_each_request(asked: list[Request]) -> None:
    plain, late = (serve(asked, per_token, Limits(), extra) for extra in (0.0, 0.5))
    for a, b in zip(plain, late, strict=True):
        assert (b.ttft - a.ttft, b.e2e - a.e2e) == (pytest.approx(0.5), pytest.approx(0.5))

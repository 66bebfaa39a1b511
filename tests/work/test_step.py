"""A step counts tokens, attended pairs and cache reads: closed forms against counting one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgewise.work import Slice, decode, prefill, training

tokens = st.integers(min_value=1, max_value=60)
cached = st.integers(min_value=0, max_value=60)
windows = st.integers(min_value=1, max_value=80)
sequences = st.integers(min_value=1, max_value=5)


def counted(new: int, before: int, sees: int | None = None, chunk: int | None = None) -> int:
    """Pairs by looking at every query in turn (positions from zero, itself included)."""
    pairs = 0
    for query in range(before, before + new):
        first = 0
        if sees is not None:
            first = max(0, query - sees + 1)
        if chunk is not None:
            first = query - query % chunk
        pairs += query - first + 1
    return pairs


@given(tokens, cached, sequences)
def test_full_attention_sees_everything_before_it(new: int, before: int, n: int) -> None:
    assert Slice("prefill", n, new, before).pairs() == n * counted(new, before)


@given(tokens, cached, windows, sequences)
def test_a_sliding_window_sees_its_length(new: int, before: int, window: int, n: int) -> None:
    assert Slice("prefill", n, new, before).pairs(window) == n * counted(new, before, sees=window)


@given(tokens, cached, windows, sequences)
def test_chunked_attention_sees_its_own_chunk(new: int, before: int, chunk: int, n: int) -> None:
    found = Slice("prefill", n, new, before).pairs(chunk, chunked=True)
    assert found == n * counted(new, before, chunk=chunk)


@given(tokens, cached, sequences)
def test_without_causality_every_query_sees_the_whole_sequence(new: int, before: int, n: int) -> None:
    assert Slice("prefill", n, new, before).pairs(causal=False) == n * new * (before + new)


@given(tokens, cached, windows)
def test_a_window_as_long_as_the_sequence_is_no_window(new: int, before: int, extra: int) -> None:
    piece = Slice("prefill", 1, new, before)
    assert piece.pairs(new + before + extra) == piece.pairs()
    assert piece.span(new + before + extra) == piece.span()


@given(tokens, tokens, cached, windows)
def test_reading_a_prompt_in_two_chunks_attends_the_same_pairs(a: int, b: int, before: int, window: int) -> None:
    whole = Slice("prefill", 1, a + b, before)
    first, second = Slice("prefill", 1, a, before), Slice("prefill", 1, b, before + a)
    for sees, chunked in ((None, False), (window, False), (window, True)):
        split = first.pairs(sees, chunked=chunked) + second.pairs(sees, chunked=chunked)
        assert whole.pairs(sees, chunked=chunked) == split


def test_a_prompt_of_four_by_hand() -> None:
    # 1 + 2 + 3 + 4 = 10 pairs; behind a window of two, 1 + 2 + 2 + 2 = 7; in chunks of two, 1 + 2 + 1 + 2 = 6.
    piece = Slice("prefill", 1, 4)
    assert (piece.pairs(), piece.pairs(2), piece.pairs(2, chunked=True)) == (10, 7, 6)


def test_cache_is_read_once_per_sequence_and_pass() -> None:
    # A decode step at 1,000 cached tokens reads them and its own new one; 8 sequences read 8 times that.
    assert decode(1000, 8).slices[0].span() == 8 * 1001
    # Behind a window of 128 only the window is read, its own token included.
    assert decode(1000, 8).slices[0].span(128) == 8 * 128
    # 16 new tokens behind that window need 16 − 1 tokens more: the first of them looks back furthest.
    assert Slice("prefill", 1, 16, 1000).span(128) == 128 + 15


def test_a_mixture_counts_its_parts() -> None:
    step = prefill(512) + decode(2000, 32)
    assert step.tokens == 512 + 32
    assert step.sequences == 33
    assert step.logits == 33  # one distribution per sequence, however many prompt tokens it reads


def test_training_computes_a_distribution_for_every_token() -> None:
    step = training(2048, 4)
    assert step.logits == step.tokens == 8192
    assert step.slices[0].pairs() == pytest.approx(4 * 2048 * 2049 / 2)


@given(st.lists(st.tuples(tokens, cached, sequences), min_size=1, max_size=4))
def test_steps_add(parts: list[tuple[int, int, int]]) -> None:
    steps = [prefill(new, n, before) for new, before, n in parts]
    total = steps[0]
    for step in steps[1:]:
        total = total + step
    assert total.tokens == sum(step.tokens for step in steps)
    assert total.sequences == sum(n for _, _, n in parts)

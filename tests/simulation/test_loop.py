"""The loop against the plain stepper, against itself compiled, and against what queueing theory says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgewise.simulation import loop
from ridgewise.simulation.policies import load_policies
from ridgewise.simulation.replica import Outcomes, Replica
from ridgewise.simulation.request import Requests, requests
from ridgewise.simulation.steptimes import UNBOUNDED
from ridgewise.simulation.system import System
from ridgewise.work import Slice
from tests.simulation.reference import Reference
from tests.simulation.small import plain_times, small


def ran(system: System, asked: Requests, fast: bool = False, log: int = 0) -> tuple[Outcomes, Replica]:
    """One replica, run to the end."""
    outcomes = Outcomes(asked)
    replica = Replica(system, outcomes, fast, log)
    coming = np.flatnonzero(np.isfinite(asked.arrival))
    replica.expect(coming) if asked.closed else replica.push(coming)
    assert not replica.advance(np.inf, 10**7), "it never ends"
    return outcomes, replica


@st.composite
def loads(draw: st.DrawFn) -> Requests:
    """A few requests: open or closed, with or without groups that share a prefix."""
    count = draw(st.integers(1, 14))
    whole = st.lists(st.integers(1, 90), min_size=count, max_size=count)
    prompt, output = draw(whole), draw(st.lists(st.integers(1, 30), min_size=count, max_size=count))
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    arrival = np.sort(random.random(count)) * draw(st.sampled_from([0.0, 0.5, 3.0, 20.0]))
    follower, think = np.full(count, -1), random.random(count) * 0.3
    if draw(st.booleans()):
        users = draw(st.integers(1, 4))
        follower = np.array([i + users if i + users < count else -1 for i in range(count)])
        arrival[users:] = np.nan
    group = random.integers(-1, 3, count) if draw(st.booleans()) else np.full(count, -1)
    return requests(
        arrival, prompt, output, follower=follower, think=think, group=group, shared=random.integers(0, 90, count)
    )


@st.composite
def systems(draw: st.DrawFn) -> System:
    """A small system under any policy, with caches that are often full."""
    name = draw(st.sampled_from(sorted(load_policies())))
    block = draw(st.sampled_from([1, 4, 16])) if name == "vllm" else load_policies()[name].block
    rules: dict[str, object] = {"block": block}
    if name == "sglang":
        rules["reserve_less"] = draw(st.sampled_from([0.001, 0.05, 0.2]))
    if name == "tensorrt-llm":
        rules["chunked"] = draw(st.booleans())
    if name == "vllm":
        rules["mixed"] = draw(st.booleans())
    times = plain_times(
        context=draw(st.sampled_from([0.0, 1e-5])), pair=draw(st.sampled_from([0.0, 1e-6])),
        window=draw(st.sampled_from([UNBOUNDED, 37.0])),
    )  # fmt: skip
    return small(
        name, times, draw(st.integers(1, 7)), draw(st.sampled_from([16, 40, 200])),
        max(draw(st.integers(60, 400)) // block, 1), **rules,
    )  # fmt: skip


@given(systems(), loads())
@settings(deadline=None, max_examples=250)
def test_jumping_over_steps_gives_what_stepping_gives(system: System, asked: Requests) -> None:
    stepped = Reference(system, asked).run()
    outcomes, replica = ran(system, asked)
    served = outcomes.status == loop.SERVED
    assert set(np.flatnonzero(~served)) == stepped.refused
    np.testing.assert_allclose(outcomes.first[served], stepped.first[served], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(outcomes.finish[served], stepped.finish[served], rtol=1e-9, atol=1e-9)
    assert replica.state[loop.STEPS] == stepped.steps
    assert replica.state[loop.PUT_BACK] == stepped.put_back
    assert (outcomes.hit == stepped.hits).all()


@given(systems(), loads())
@settings(deadline=None, max_examples=150)
def test_nothing_is_lost(system: System, asked: Requests) -> None:
    outcomes, replica = ran(system, asked)
    served = outcomes.status == loop.SERVED
    assert replica.state[loop.FREE] == system.blocks
    assert 0 <= replica.state[loop.KEPT] <= system.blocks
    assert replica.state[loop.PEAK] <= system.blocks
    assert replica.real[loop.CONTEXT] == 0
    assert replica.real[loop.LEFT] == pytest.approx(0, abs=1e-6)
    assert not replica.own["phases"].any()
    assert (outcomes.arrival[served] <= outcomes.scheduled[served]).all()
    assert (outcomes.scheduled[served] < outcomes.first[served]).all()
    assert (outcomes.first[served] <= outcomes.finish[served]).all()
    assert (outcomes.status[~served] == loop.TOO_LARGE).all()
    lasting = outcomes.put_back[served] == 0
    read = (asked.prompt - outcomes.hit)[served].sum()
    if lasting.all():  # every prompt token that was not found is read once
        assert replica.state[loop.READ] == read
    else:
        assert replica.state[loop.READ] > read


@pytest.mark.skipif(loop.compiled() is None, reason="numba is not installed")
def test_compiled_is_the_same_to_the_last_digit() -> None:
    random = np.random.default_rng(3)
    count = 400
    for name in load_policies():
        asked = requests(
            np.cumsum(random.exponential(0.15, count)), random.integers(1, 90, count), random.integers(1, 60, count),
            group=random.integers(-1, 9, count), shared=random.integers(0, 60, count),
        )  # fmt: skip
        system = small(name, plain_times(context=1e-5, pair=1e-6), 6, 64, 400 // load_policies()[name].block)
        (plain, one), (fast, other) = ran(system, asked), ran(system, asked, True)
        for column in ("scheduled", "first", "finish", "status", "put_back", "hit"):
            np.testing.assert_array_equal(getattr(plain, column), getattr(fast, column))
        np.testing.assert_array_equal(one.state, other.state)
        np.testing.assert_array_equal(one.real, other.real)
        np.testing.assert_array_equal(one.own["gaps"], other.own["gaps"])


def test_stopping_on_the_way_changes_nothing() -> None:
    random = np.random.default_rng(5)
    asked = requests(np.cumsum(random.exponential(0.2, 60)), random.integers(1, 90, 60), random.integers(1, 40, 60))
    whole, _ = ran(small(), asked)
    outcomes = Outcomes(asked)
    replica = Replica(small(), outcomes, False)
    replica.push(np.arange(60))
    while replica.advance(np.inf, 1):
        pass
    np.testing.assert_array_equal(whole.finish, outcomes.finish)
    outcomes = Outcomes(asked)
    replica = Replica(small(), outcomes, False)
    replica.push(np.arange(60))
    for until in (1.0, 1.5, 7.0, np.inf):
        replica.advance(until)
    np.testing.assert_allclose(whole.finish, outcomes.finish, rtol=1e-12)


def one(prompt: int, output: int, **rules: object) -> Outcomes:
    return ran(small(**rules), requests([0.0], [prompt], [output]))[0]


def test_one_request_is_its_prompt_and_its_answer() -> None:
    # 50 prompt tokens make the first token after 10 + 50 ms; four more follow at 11 ms each.
    found = one(50, 5)
    assert found.first[0] == pytest.approx(0.060)
    assert found.finish[0] == pytest.approx(0.060 + 4 * 0.011)


def test_a_long_prompt_is_read_in_chunks_of_the_token_budget() -> None:
    # 100 tokens at 40 a step: steps of 40, 40 and 20.
    assert one(100, 1, tokens=40).first[0] == pytest.approx(3 * 0.010 + 0.100)


def test_a_prompt_that_rides_along_slows_the_others() -> None:
    # The second comes while the first decodes: its 50 tokens make one step of the first 10 + 1 + 50 ms long.
    found, _ = ran(small(), requests([0.0, 0.025], [10, 50], [4, 1]))
    assert found.first == pytest.approx([0.020, 0.031 + 0.061])
    assert found.finish[0] == pytest.approx(0.020 + 0.011 + 0.061 + 0.011)


def test_with_prompts_first_the_others_stand_still() -> None:
    # The same under SGLang's rule: the prompt's step holds its 50 tokens alone, 10 + 50 ms.
    found, _ = ran(small("sglang"), requests([0.0, 0.025], [10, 50], [4, 1]))
    assert found.first == pytest.approx([0.020, 0.031 + 0.060])
    assert found.finish[0] == pytest.approx(0.020 + 0.011 + 0.060 + 2 * 0.011)


def test_a_static_batch_ends_as_a_whole() -> None:
    # Two start together; the third waits for the longer of them: 10 + 20 ms, then nine steps of two tokens, 12 ms.
    found, _ = ran(small("static", sequences=2), requests([0.0, 0.0, 0.01], [10, 10, 10], [2, 10, 1]))
    assert found.finish[0] == pytest.approx(0.030 + 0.012)
    assert found.scheduled[2] == pytest.approx(0.030 + 9 * 0.012)


def test_no_more_sequences_than_allowed_run_at_once() -> None:
    found, _ = ran(small(sequences=1), requests([0.0, 0.0], [10, 10], [2, 2]))
    assert found.first[1] == pytest.approx(found.finish[0] + 0.020)


def test_a_full_cache_puts_the_last_admitted_back() -> None:
    # 30 tokens hold one of the two to its end (10 + 15), not both: the younger is computed anew afterwards.
    both, replica = ran(small(blocks=30, block=1), requests([0.0, 0.0], [10, 10], [15, 15]))
    assert replica.state[loop.PUT_BACK] == 1
    assert both.put_back.tolist() == [0, 1]
    assert both.finish[1] > both.finish[0]


def test_what_can_never_fit_is_refused_and_the_rest_goes_on() -> None:
    found, _ = ran(small(blocks=30, block=1), requests([0.0, 0.1], [40, 10], [5, 5]))
    assert found.status.tolist() == [loop.TOO_LARGE, loop.SERVED]


def test_a_kept_prefix_is_not_read_again() -> None:
    # The second turn begins with the first one's 47 tokens; whole blocks of 16 of them, 32, are found.
    asked = requests([0.0, 5.0], [40, 60], [8, 2], group=[0, 0], shared=[0, 47])
    found, replica = ran(small(), asked)
    assert found.hit.tolist() == [0, 32]
    assert replica.state[loop.READ] == 40 + 60 - 32
    without, _ = ran(small(prefix=False), asked)
    assert without.hit.tolist() == [0, 0]
    assert found.first[1] == pytest.approx(without.first[1] - 0.032)


def test_several_tokens_a_step_end_sooner() -> None:
    # Three drafted, two made a step on average: the nine after the first take ⌈9/2⌉ steps of 10 + 4 ms.
    found = one(20, 10, gained=2.0, times=plain_times(rows_each=4))
    assert found.finish[0] - found.first[0] == pytest.approx(5 * 0.014)


def md1(load: float, count: int = 40_000) -> tuple[float, float]:
    """Mean wait of requests that are one step of 11 ms each, and what M/D/1 says of it."""
    random = np.random.default_rng(1)
    each = 0.011
    asked = requests(np.cumsum(random.exponential(each / load, count)), np.ones(count), np.ones(count))
    found, _ = ran(small(sequences=1), asked)
    return float((found.scheduled - asked.arrival).mean()), load * each / (2 * (1 - load))


@pytest.mark.parametrize("load", [0.3, 0.7])
def test_one_server_with_equal_jobs_waits_as_pollaczek_and_khinchine_say(load: float) -> None:
    wait, theory = md1(load)
    assert wait == pytest.approx(theory, rel=0.05)


@pytest.mark.parametrize("load", [0.4, 0.7])
def test_sequences_that_share_a_processor_are_slowed_alike(load: float) -> None:
    # A step costs 1 ms per sequence and nothing else, so n sequences each go at 1/n: M/G/1 with processor sharing,
    # whose mean time is that of an empty system over 1 − ρ, whatever the lengths (Kleinrock 1967).
    random = np.random.default_rng(2)
    count = 30_000
    output = random.geometric(1 / 200, count) + 20
    alone = 0.001 * (output.mean() - 1)
    asked = requests(np.cumsum(random.exponential(0.001 * output.mean() / load, count)), np.ones(count), output)
    found, _ = ran(small(sequences=2000, tokens=4000, blocks=10**9, times=plain_times(fixed=0.0)), asked)
    assert (found.finish - found.first).mean() == pytest.approx(alone / (1 - load), rel=0.06)


def test_requests_at_work_are_rate_times_time() -> None:
    random = np.random.default_rng(4)
    count = 5_000
    asked = requests(np.cumsum(random.exponential(0.05, count)), random.integers(1, 60, count), np.full(count, 30))
    found, replica = ran(small(sequences=64, blocks=10**6), asked)
    series = replica.own["series"].reshape(loop.SERIES, loop.BINS)
    inside = series[loop.S_BATCH].sum() / replica.clock
    rate = count / replica.clock
    assert inside == pytest.approx(rate * float((found.finish - found.scheduled).mean()), rel=0.02)
    assert series[loop.S_MADE].sum() == pytest.approx(30 * count - count)  # first tokens are the prompts' own
    assert series[loop.S_READ].sum() == asked.prompt.sum()


def test_it_never_idles_while_somebody_waits() -> None:
    random = np.random.default_rng(6)
    asked = requests(np.zeros(200), random.integers(1, 90, 200), random.integers(1, 60, 200))
    for name in load_policies():
        found, replica = ran(small(name, blocks=4000), asked)
        assert replica.real[loop.BUSY] == pytest.approx(float(found.finish.max()), rel=1e-9)


@given(st.integers(0, 300), st.integers(1, 300), st.sampled_from([1, 7, 64, 100, 1000]), st.booleans())
@settings(deadline=None, max_examples=200)
def test_pairs_and_spans_are_those_of_a_slice(cached: int, new: int, window: int, chunked: bool) -> None:
    piece = Slice("prefill", 1.0, float(new), float(cached))
    assert loop.pairs(cached, new, float(window), int(chunked)) == pytest.approx(piece.pairs(window, chunked=chunked))
    assert loop.span(cached, new, float(window)) == piece.span(window)


@given(st.floats(1e-4, 1.0), st.floats(0.0, 1e-3), st.floats(0.0, 50.0), st.integers(1, 500))
@settings(deadline=None, max_examples=200)
def test_steps_to_is_the_first_that_reaches(seconds: float, slope: float, gap: float, most: int) -> None:
    def total(k: int) -> float:
        return k * seconds + slope * (k * (k - 1) / 2)

    found = loop.steps_to(gap, seconds, slope, most)
    assert found == most or total(found) >= gap
    assert found == 1 or total(found - 1) < gap

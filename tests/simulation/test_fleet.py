"""Replicas behind routers, pools, scaling and failures; what a run is measured by."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from ridgewise.errors import RequestError
from ridgewise.simulation import loop
from ridgewise.simulation.arrivals import People, arrivals, closed_load, open_load
from ridgewise.simulation.fleet import ROUTERS, Failure, Fleet, Run, Scaling, Transfer, run
from ridgewise.simulation.interval import Interval
from ridgewise.simulation.lengths import lengths
from ridgewise.simulation.metrics import LATENCIES, columns, limit, measured, ranges, statistics
from ridgewise.simulation.policies import changed, load_policies
from ridgewise.simulation.request import Requests, requests
from ridgewise.simulation.timeline import table, timeline
from ridgewise.timing.coefficients import Band
from tests.simulation.small import plain_times, small

SYSTEM = small(sequences=32, tokens=512, blocks=2000, times=plain_times(fixed=0.01, token=2e-4, context=1e-7))


def chat(rate: float, count: int = 800, seed: int = 0) -> Requests:
    words = lengths("lognormal:60,0.8", "")
    return open_load(arrivals("poisson"), rate, count, words, lengths("lognormal:40,0.7", ""), seed)


def mean(found: Run, name: str) -> float:
    return float(np.nanmean(columns(found)[name]))


@pytest.mark.parametrize("router", ROUTERS)
def test_every_router_serves_everyone_once(router: str) -> None:
    asked = chat(20.0)
    found = run(Fleet((SYSTEM,) * 3, router), asked, False)
    assert (found.outcomes.status == loop.SERVED).all()
    assert set(found.outcomes.place) == {0, 1, 2}
    assert sum(r.done for r in found.replicas) == len(asked)


def test_one_replica_behind_any_router_is_one_replica() -> None:
    asked = chat(6.0)
    alone = run(Fleet((SYSTEM,)), asked, False).outcomes.finish
    for router in ROUTERS:
        np.testing.assert_allclose(run(Fleet((SYSTEM,), router), asked, False).outcomes.finish, alone, rtol=1e-12)


def test_looking_for_the_least_busy_shortens_queues() -> None:
    asked, few = chat(26.0, 1500), replace(SYSTEM, sequences=4)
    blind, looking = (run(Fleet((few,) * 4, r), asked, False) for r in ("round_robin", "least_outstanding"))
    assert mean(looking, "wait") < 0.8 * mean(blind, "wait")


def test_conversations_stay_where_their_prefix_is() -> None:
    words = lengths("50", "")
    asked = closed_load(People(12, 1.0, 5, 1.0, True), 240, words, words, 0)
    found = run(Fleet((SYSTEM,) * 3, "prefix_affine"), asked, False)
    for user in range(12):
        assert len(set(found.outcomes.place[asked.group == user])) == 1
    assert measured(found).hit > 0.5


def test_requests_go_to_replicas_of_their_model() -> None:
    asked = chat(10.0)
    mixed = replace(asked, model=np.arange(len(asked)) % 2)
    quick = replace(SYSTEM, model=1, times=SYSTEM.times.scaled(0.5))
    found = run(Fleet((SYSTEM, quick, SYSTEM), "least_outstanding"), mixed, False)
    assert (np.isin(found.outcomes.place, (1,)) == (mixed.model == 1)).all()
    tpot = columns(found)["tpot"]
    assert np.nanmean(tpot[mixed.model == 1]) < np.nanmean(tpot[mixed.model == 0])
    with pytest.raises(RequestError, match="no replica serves model 1"):
        run(Fleet((SYSTEM,)), mixed, False)


def test_pools_keep_answers_apart_from_prompts() -> None:
    asked = chat(15.0)
    sent = Transfer(lambda tokens: 1e5 * tokens, 1e9)
    together = run(Fleet((SYSTEM, SYSTEM)), asked, False)
    apart = run(Fleet((SYSTEM,), answers=(SYSTEM,), transfer=sent), asked, False)
    assert (apart.outcomes.status == loop.SERVED).all()
    ones = asked.output == 1
    gap = apart.outcomes.finish - apart.outcomes.first
    assert (gap[~ones] > sent.seconds(asked.prompt.astype(float))[~ones]).all()
    steady, mixed = measured(apart), measured(together)
    assert steady.latencies["itl"]["p99"] / steady.latencies["itl"]["p50"] < mixed.jitter
    with pytest.raises(RequestError, match="open arrivals"):
        one = lengths("9", "")
        run(Fleet((SYSTEM,), answers=(SYSTEM,), transfer=sent), closed_load(People(4), 40, one, one, 0), False)


def test_a_failed_replica_s_requests_begin_anew_elsewhere() -> None:
    asked = chat(20.0)
    whole = run(Fleet((SYSTEM,) * 2, "least_outstanding"), asked, False)
    found = run(Fleet((SYSTEM,) * 2, "least_outstanding", failures=(Failure(10.0, 0, 8.0),)), asked, False)
    assert (found.outcomes.status == loop.SERVED).all()
    assert found.outcomes.put_back.sum() > whole.outcomes.put_back.sum()
    during = (asked.arrival > 10.5) & (asked.arrival < 17.5)
    assert set(found.outcomes.place[during]) == {1}
    assert found.up[0] == pytest.approx(found.end - 8.0)
    assert mean(found, "e2e") > mean(whole, "e2e")


def test_users_of_a_failed_replica_go_to_the_others_and_come_back() -> None:
    asked = closed_load(People(30, 1.0, 1, 2.0), 900, lengths("40", ""), lengths("20", ""), 0)
    whole = run(Fleet((SYSTEM,) * 3), asked, False)
    found = run(Fleet((SYSTEM,) * 3, failures=(Failure(6.0, 1, 8.0),)), asked, False)
    o = found.outcomes
    assert (o.status == loop.SERVED).all()
    assert (o.finish >= o.arrival).all()
    assert 1 in o.place[o.arrival < 5.0]
    away = (o.scheduled > 6.0) & (o.scheduled < 14.0)
    assert set(o.place[away]) == {0, 2}
    back = o.scheduled > 16.0
    assert np.isclose((o.place[back] == 1).mean(), 1 / 3, atol=0.12)
    assert found.up[1] == pytest.approx(found.end - 8.0)
    assert mean(found, "e2e") > mean(whole, "e2e")
    alone = run(Fleet((SYSTEM,), failures=(Failure(6.0, 0, 8.0),)), asked, False)
    assert (alone.outcomes.status == loop.SERVED).all()
    assert not ((alone.outcomes.scheduled > 6.0) & (alone.outcomes.scheduled < 14.0)).any()


def test_when_nobody_is_left_requests_wait_for_the_repair() -> None:
    asked = chat(5.0, 200)
    found = run(Fleet((SYSTEM,), failures=(Failure(10.0, 0, 30.0),)), asked, False)
    assert (found.outcomes.status == loop.SERVED).all()
    late = (asked.arrival > 10.0) & (asked.arrival < 40.0)
    assert (found.outcomes.first[late] > 40.0).all()


def test_replicas_follow_the_load() -> None:
    quiet, busy = chat(2.0, 200), chat(60.0, 2000, 1)
    asked = requests(
        np.concatenate((quiet.arrival, quiet.arrival[-1] + busy.arrival)),
        np.concatenate((quiet.prompt, busy.prompt)), np.concatenate((quiet.output, busy.output)),
    )  # fmt: skip
    scaling = Scaling(1, 20.0, start_delay=5.0, patience=10.0)
    found = run(Fleet((SYSTEM,) * 4, scaling=scaling), asked, False)
    assert (found.outcomes.status == loop.SERVED).all()
    assert set(found.outcomes.place[: len(quiet)]) == {0}
    assert len(set(found.outcomes.place[len(quiet) :])) > 1
    assert sum(found.up) < 4 * found.end
    early = asked.arrival[found.outcomes.place == 1].min()
    assert early >= asked.arrival[len(quiet)] + 5.0


def test_a_fleet_that_cannot_be_is_refused() -> None:
    with pytest.raises(RequestError, match="unknown router"):
        Fleet((SYSTEM,), "random")
    with pytest.raises(RequestError, match="one replica"):
        Fleet(())
    with pytest.raises(RequestError, match="no replica 3"):
        Fleet((SYSTEM,), failures=(Failure(1.0, 3),))


@pytest.mark.parametrize("fast", [False, pytest.param(True, marks=pytest.mark.skipif(
    loop.compiled() is None, reason="numba is not installed"))])  # fmt: skip
def test_runs_repeat_themselves(fast: bool) -> None:
    fleet = Fleet((SYSTEM,) * 3, "least_outstanding", failures=(Failure(10.0, 1, 5.0),))
    one, same = (run(fleet, chat(30.0), fast) for _ in range(2))
    np.testing.assert_array_equal(one.outcomes.finish, same.outcomes.finish)
    np.testing.assert_array_equal(one.outcomes.finish, run(fleet, chat(30.0), False).outcomes.finish)


def test_stopping_leaves_what_was_answered() -> None:
    def stop(done: int, total: int, clock: float) -> None:
        raise KeyboardInterrupt

    found = run(Fleet((SYSTEM,) * 2, "least_outstanding"), chat(20.0, 3000), False, watch=stop)
    figures = measured(found)
    assert found.partial
    assert figures.counted + figures.unfinished == 3000
    heard: list[tuple[int, int, float]] = []
    whole = run(Fleet((SYSTEM,) * 2, "least_outstanding"), chat(20.0, 3000), False, watch=lambda *a: heard.append(a))
    assert not whole.partial
    assert heard[-1][1] == 3000


def test_statistics_are_those_of_the_requests() -> None:
    found = run(Fleet((replace(SYSTEM, overhead=0.02),)), chat(8.0), False)
    figures, o = measured(found), found.outcomes
    assert figures.latencies["ttft"] == statistics(o.first - o.arrival + 0.02)
    assert figures.latencies["wait"]["mean"] == pytest.approx(float((o.scheduled - o.arrival).mean()))
    made = found.asked.output.sum() - len(found.asked)
    gaps = sum(r.own["gaps"].sum() for r in found.replicas)
    assert gaps == made
    between = float((o.finish - o.first).sum())
    assert figures.latencies["itl"]["mean"] == pytest.approx(between / made, rel=0.02)
    assert set(figures.latencies) == set(LATENCIES)
    assert figures.requests == pytest.approx(len(found.asked) / figures.span)


def test_goodput_counts_requests_that_keep_every_limit() -> None:
    found = run(Fleet((SYSTEM,)), chat(14.0), False)
    promises = (limit("ttft", "p95=60ms", ""), limit("tpot", "mean=16ms", ""))
    figures, seen = measured(found, promises), columns(found)
    fine = (seen["ttft"] <= 0.060) & ~(seen["tpot"] > 0.016)
    assert figures.good == pytest.approx(fine.mean())
    assert figures.goodput == pytest.approx(fine.sum() / figures.span)
    kept = Interval(found, figures, None, None, {}).kept(promises)
    assert [one.range[0] for one in kept if one.range] == [
        figures.latencies["ttft"]["p95"],
        figures.latencies["tpot"]["mean"],
    ]


def test_series_hold_what_happened() -> None:
    found = run(Fleet((SYSTEM,) * 2), chat(30.0), False)
    level = measured(found).level
    assert level.made.sum() * level.width == pytest.approx(found.asked.output.sum() - len(found.asked))
    assert level.read.sum() * level.width == pytest.approx(found.asked.prompt.sum())
    waited = float((found.outcomes.scheduled - found.outcomes.arrival).sum())
    assert level.waiting.sum() * level.width == pytest.approx(waited, rel=1e-6)
    at_work = float((found.outcomes.finish - found.outcomes.scheduled).sum())
    assert level.running.sum() * level.width == pytest.approx(at_work, rel=0.01)
    assert level.cache.max() <= 1


def test_intervals_hold_both_ends_and_are_no_narrower_than_the_calibrated_ones() -> None:
    asked, band = chat(12.0), {"ttft": Band(0.5, 2.0), "tpot": Band(0.8, 1.3), "itl": Band(0.8, 1.3)}
    one, slow, quick = (
        measured(run(Fleet((system,)), asked, False)) for system in (SYSTEM, SYSTEM.slower(1.3), SYSTEM.slower(0.8))
    )
    for name, values in ranges(one, slow, quick, band).items():
        for statistic, (value, low, high) in values.items():
            assert low <= value <= high, (name, statistic)
    value, low, high = ranges(one, slow, quick, band)["ttft"]["mean"]
    assert (low, high) == (
        min(value / 2, quick.latencies["ttft"]["mean"]),
        max(2 * value, slow.latencies["ttft"]["mean"]),
    )
    assert ranges(one, slow, quick, band)["e2e"]["p95"][2] == slow.latencies["e2e"]["p95"]


def test_a_table_and_a_timeline_tell_the_same_run() -> None:
    asked = requests([0.0, 0.5, 1.0], [30, 90_000, 20], [5, 5, 1])
    found = run(Fleet((small(blocks=100),)), asked, False, log=1000)
    rows = list(csv.DictReader(io.StringIO("".join(table(found)))))
    assert [row["outcome"] for row in rows] == ["answered", "refused", "answered"]
    assert rows[1]["reason"] == "needs 90005 tokens, capacity 1600"
    assert float(rows[0]["e2e_s"]) == pytest.approx(0.040 + 4 * 0.011)
    assert rows[2]["tpot_s"] == rows[1]["ttft_s"] == ""
    events = json.loads("".join(timeline(found)))["traceEvents"]
    steps = [event for event in events if event["ph"] == "X"]
    assert sum(event["args"]["steps"] for event in steps) == found.replicas[0].state[loop.STEPS]
    assert sum(event["dur"] for event in steps) == pytest.approx(1e6 * found.replicas[0].real[loop.BUSY])
    begun = [event["id"] for event in events if event["ph"] == "b" and event["name"] == "read"]
    assert begun == [1, 3]


@pytest.mark.parametrize("text", ["p42=1s", "p95=never", "p95=0s", "p95=2h", "p95=-1s", "=1s"])
def test_limits_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(RequestError, match="--slo-ttft"):
        limit("ttft", text, "--slo-ttft")


def test_policies_take_the_settings_they_have() -> None:
    vllm = load_policies()["vllm"]
    new = changed(vllm, {"max_num_seqs": "64", "prefix": "off"})
    assert (new.sequences, new.prefix) == (64, False)
    for settings in (
        {"max_num_sequences": "9"},
        {"prefix": "maybe"},
        {"block": "0"},
        {"block": "1.5"},
        {"reserve": "7"},
    ):
        with pytest.raises(RequestError, match="--policy"):
            changed(vllm, settings)

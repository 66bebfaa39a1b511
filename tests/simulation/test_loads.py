"""Arrivals, lengths and traces: the numbers they promise, and what cannot be read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from ridgewise.errors import RequestError
from ridgewise.simulation.arrivals import DAY, People, arrivals, closed_load, open_load
from ridgewise.simulation.fleet import Fleet, run
from ridgewise.simulation.lengths import fitted, lengths, observed
from ridgewise.simulation.metrics import measured
from ridgewise.simulation.request import first, requests, scaled
from ridgewise.simulation.traces import load_forms, read_trace
from tests.simulation.small import small

ONE = lengths("1", "")


@pytest.mark.parametrize("text", ["poisson", "bursty:2", "bursty:0.5", "even", "diurnal:1.8"])
def test_arrivals_come_at_their_rate(text: str) -> None:
    form = arrivals(text)
    rate = 0.5 if form.form == "diurnal" else 5.0
    count = 4 * int(DAY * rate) if form.form == "diurnal" else 40_000
    came = form.draw(rate, count, np.random.default_rng(1))
    assert (np.diff(came) >= 0).all()
    assert count / came[-1] == pytest.approx(rate, rel=0.03)


@pytest.mark.parametrize(("text", "spread"), [("poisson", 1.0), ("bursty:2", 2.0), ("bursty:0.5", 0.5), ("even", 0.0)])
def test_gaps_spread_as_they_say(text: str, spread: float) -> None:
    gaps = np.diff(arrivals(text).draw(3.0, 60_000, np.random.default_rng(2)))
    assert gaps.std() / gaps.mean() == pytest.approx(spread, abs=0.04)


def test_a_day_swings_between_its_low_and_its_peak() -> None:
    came = arrivals("diurnal:1.8").draw(2.0, int(2 * DAY), np.random.default_rng(3))
    by_hour = np.histogram(came, bins=24, range=(0, DAY))[0] / 3600
    assert by_hour[[0, -1]].mean() == pytest.approx(2.0 * 0.2, rel=0.25)
    assert by_hour[11:13].mean() == pytest.approx(2.0 * 1.8, rel=0.05)


@pytest.mark.parametrize(
    ("text", "mean", "spread"),
    [("800", 800, 0), ("uniform:100-300", 200, 0.29), ("lognormal:1024,0.8", 1024, 0.8), ("exponential:300", 300, 1)],
)
def test_lengths_have_the_mean_and_spread_they_say(text: str, mean: float, spread: float) -> None:
    drawn = lengths(text, "--prompt").draw(200_000, np.random.default_rng(4))
    assert drawn.min() >= 1
    assert drawn.mean() == pytest.approx(mean, rel=0.02)
    assert drawn.std() / drawn.mean() == pytest.approx(spread, abs=0.03)


def test_lengths_of_a_trace_are_fitted_or_drawn() -> None:
    seen = lengths("lognormal:700,0.9", "").draw(50_000, np.random.default_rng(5))
    for made in (fitted(seen), observed(seen)):
        drawn = made.draw(50_000, np.random.default_rng(6))
        assert drawn.mean() == pytest.approx(seen.mean(), rel=0.03)
    assert set(observed(seen).draw(1000, np.random.default_rng(7))) <= set(seen)


@pytest.mark.parametrize(
    "text",
    ["x", "lognormal:-3", "uniform:9-3", "uniform:5", "gauss:3", "0", "1e9", "lognormal:5,99", "exponential:nan"],
)
def test_lengths_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(RequestError, match="--prompt"):
        lengths(text, "--prompt")


@pytest.mark.parametrize("text", ["sometimes", "bursty:0", "bursty:99", "diurnal:3", "poisson:2", "bursty:x"])
def test_arrivals_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(RequestError, match="--arrivals"):
        arrivals(text)


def test_a_seed_says_it_all() -> None:
    drawn = lengths("lognormal:100,1", "")
    one, same, other = (open_load(arrivals("poisson"), 3.0, 500, drawn, drawn, seed) for seed in (1, 1, 2))
    for column in ("arrival", "prompt", "output"):
        np.testing.assert_array_equal(getattr(one, column), getattr(same, column))
    assert (one.prompt != other.prompt).any()


def test_people_ask_again_when_they_have_been_answered() -> None:
    people = People(users=40, active_share=0.5, think=10.0)
    made = closed_load(people, 200, ONE, ONE, 0)
    assert people.sessions == 20
    assert len(made) == 200
    begins = np.isfinite(made.arrival)
    assert begins.sum() == 20
    assert (made.arrival[begins] <= 10.0).all()
    assert not made.counted[begins].any()
    followed = made.follower[made.follower >= 0]
    assert len(set(followed)) == len(followed) == 180


def test_people_whose_questions_are_alike_are_not_in_step() -> None:
    asked = closed_load(People(40, 1.0, 1, 0.0), 400, lengths("200", ""), lengths("60", ""), 0)
    firsts = asked.output[~asked.counted]
    assert len(firsts) == 40
    assert len(set(firsts.tolist())) > 20  # met anywhere in their answers
    assert set(asked.output[asked.counted].tolist()) == {60}
    found = measured(run(Fleet((small(sequences=64, tokens=8192, blocks=10_000),)), asked, False))
    # were they in step, each would wait for all the others' prompts: 40 of 200 tokens, 1 ms a token
    assert found.latencies["ttft"]["p50"] < 0.5 * 40 * 200 * 0.001


def test_conversations_grow_and_begin_anew() -> None:
    people = People(users=6, active_share=1.0, turns=4, think=1.0, growing=True)
    made = closed_load(people, 120, lengths("10", ""), lengths("5", ""), 0, system_prompt=100)
    for user in range(6):
        mine = made.prompt.reshape(6, -1)[user]
        shared = made.shared.reshape(6, -1)[user]
        for place in range(1, len(mine)):
            if shared[place]:
                assert mine[place] == mine[place - 1] + 5 + 10  # what was said, and ten words more
                assert shared[place] == mine[place - 1] + 5
            else:
                assert mine[place] == 110
        assert (shared == 0).sum() >= 5


def test_a_load_at_another_speed_or_cut_short() -> None:
    made = requests([0.0, 2.0, 4.0], [1, 2, 3], [1, 1, 1])
    assert scaled(made, 2.0).arrival.tolist() == [0.0, 1.0, 2.0]
    assert first(made, 2).prompt.tolist() == [1, 2]


OWN = "arrival_s,input_tokens,output_tokens\n"
FORMS = {
    "own": OWN + "0.5,10,3\n1.5,20,4\n",
    "mooncake": '{"timestamp": 500, "input_length": 1100, "output_length": 3, "hash_ids": [7, 8, 9]}\n'
    '{"timestamp": 1500, "input_length": 1600, "output_length": 4, "hash_ids": [7, 8, 11, 12]}\n',
    "azure": "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,10,3\n"
    "2023-11-16 18:15:47.6805900,20,4\n",
    "burstgpt": "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    "5,ChatGPT,10,3,13,Conversation log\n5.5,GPT-4,9,0,9,API log\n6,ChatGPT,20,4,24,API log\n",
    "llmservingsim": '{"input_toks": 10, "output_toks": 3, "arrival_time_ns": 500000000}\n'
    '{"input_toks": 20, "output_toks": 4, "arrival_time_ns": 1500000000}\n',
    "vllm": '[{"prompt_len": 10, "output_len": 3, "timestamp": 0.5}, '
    '{"prompt_len": 20, "output_len": 4, "timestamp": 1.5}]',
    "sharegpt": '[{"id": "a", "conversations": [{"from": "human", '
    '"value": "What becomes of a question of 40 signs?!"}, '
    '{"from": "gpt", "value": "An answer..."}]}]',
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_recognised_and_read(form: str, tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_text(FORMS[form], encoding="utf-8")
    made = read_trace(path)
    assert set(FORMS) == set(load_forms())
    assert made.output.tolist() == ([3] if form == "sharegpt" else [3, 4])
    assert made.prompt.tolist() == {"mooncake": [1100, 1600], "sharegpt": [10]}.get(form, [10, 20])
    if form != "sharegpt":
        assert made.arrival.tolist() == pytest.approx([0.0, 1.0])
    if form == "mooncake":  # two whole blocks of 512 are alike
        assert made.group.tolist() == [0, 0]
        assert made.shared.tolist() == [0, 1024]


def test_compressed_traces_and_those_with_sessions_are_read(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv.gz"
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        stream.write("arrival_s,input_tokens,output_tokens,session\n0,10,5,a\n1,8,2,b\n2,30,5,a\n")
    made = read_trace(path)
    assert made.group.tolist() == [0, 1, 0]
    assert made.shared.tolist() == [0, 0, 15]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no request"),
        (OWN, "holds no request"),
        ("arrival_s,input_tokens\n0,5\n", "has no output_tokens"),
        ("when,in,out\n0,5,5\n", "no form of trace"),
        (OWN + "0,0,5\n", "line 2: its prompt has 0 tokens"),
        (OWN + "0,5,0\n", "line 2: its answer has 0 tokens"),
        (OWN + "0,5,-1\n", "line 2: its answer has -1 tokens"),
        (OWN + "0,2.5,1\n", "no whole number"),
        (OWN + "-1,5,5\n", "negative"),
        (OWN + "3,5,5\n2,5,5\n", "line 3: comes before"),
        (OWN + "nan,5,5\n", "no finite number"),
        (OWN + "0,many,5\n", "input_tokens is no number"),
        (OWN + "0,,5\n", "input_tokens is empty"),
        (OWN + "0,5\n", "2 cells for 3 columns"),
        (OWN + "0,5,5\n,5,5\n", "some requests have a time and some have none"),
        (OWN + "0,1e99,5\n", "not 1 to"),
        ("[1, 2]", "is no object"),
        ("[{", "is no JSON"),
        ('{"timestamp": 1, "input_length": 5, "output_length": 5}\n{"timestamp": oops}\n', "line 2: is no JSON"),
        ('{"timestamp": 1, "input_length": 5, "output_length": 5}\n{"timestamp": 2}\n', "line 2: cannot be read"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,5,5\n", "line 2: cannot be read"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RequestError, match=says):
        read_trace(path)


def test_a_form_that_is_named_must_fit(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(FORMS["own"], encoding="utf-8")
    with pytest.raises(RequestError, match="has no TIMESTAMP"):
        read_trace(path, "azure")
    with pytest.raises(RequestError, match="unknown form"):
        read_trace(path, "azur")
    with pytest.raises(RequestError, match="is no file"):
        read_trace(tmp_path / "none")
    path.write_bytes(b"\xff\xfe\x00bad")
    with pytest.raises(RequestError):
        read_trace(path)


def test_a_long_trace_is_cut_where_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    lines = (json.dumps({"timestamp": i, "input_length": 5, "output_length": 5}) for i in range(3000))
    path.write_text("\n".join(lines), encoding="utf-8")
    assert len(read_trace(path, most=1000)) == 1000


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"arrival": []}, "holds no request"),
        ({"arrival": [0.0, -1.0]}, "request 2: it arrives before"),
        ({"arrival": [1.0, 0.5]}, "request 2: comes before"),
        ({"arrival": [0.0, np.nan]}, "no finite time"),
        ({"prompt": [1, 0]}, "a prompt has at least one"),
        ({"output": [1, 0]}, "an answer has at least one"),
        ({"think": [0.0, -1.0]}, "less than no time"),
        ({"prompt": [1, 2, 3]}, "3 values for 2"),
    ],
)
def test_columns_are_checked(columns: dict[str, list[float]], says: str) -> None:
    count = len(columns.get("arrival", [0, 0]))
    whole = {"arrival": [0.0] * count, "prompt": [1] * count, "output": [1] * count, **columns}
    with pytest.raises(RequestError, match=says):
        requests(**whole)  # type: ignore[arg-type]

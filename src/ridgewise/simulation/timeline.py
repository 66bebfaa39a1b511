"""A run for other tools: a row per request as CSV, and a timeline that Perfetto and chrome://tracing show."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from ridgewise.simulation import loop
from ridgewise.simulation.fleet import Run
from ridgewise.simulation.metrics import columns

#: What became of a request, in words.
OUTCOMES = {loop.SERVED: "answered", loop.TOO_LARGE: "refused", loop.WAITING: "waiting", loop.READS: "being read",
            loop.DECODES: "being answered"}  # fmt: skip
COLUMNS = ("request", "arrival_s", "input_tokens", "output_tokens", "replica", "outcome", "ttft_s", "tpot_s", "e2e_s",
           "wait_s", "put_back", "cached_tokens", "reason")  # fmt: skip
#: Runs of steps and requests that a timeline holds at most.
STEPS, REQUESTS = 100_000, 20_000


def table(run: Run) -> Iterator[str]:
    """Lines of the table, the header first; an empty cell is a latency that a request does not have."""
    found, o, asked = columns(run), run.outcomes, run.asked
    yield _line(COLUMNS)
    for i in range(len(asked)):
        status = int(o.status[i])
        reason = refusal(run, i) if status == loop.TOO_LARGE else ""
        times = (found[name][i] for name in ("ttft", "tpot", "e2e", "wait"))
        yield _line((
            i + 1, _number(o.arrival[i]), asked.prompt[i], asked.output[i], o.place[i], OUTCOMES[status],
            *map(_number, times), o.put_back[i], o.hit[i], reason,
        ))  # fmt: skip


def refusal(run: Run, i: int) -> str:
    """Why a request can never run."""
    system = run.fleet.systems[max(int(run.outcomes.place[i]), 0)]
    need = int(run.asked.prompt[i] + run.asked.output[i])
    if need > system.capacity:
        return f"needs {need} tokens, capacity {system.capacity}"
    if need > system.longest:
        return f"needs {need} tokens, a request may have {system.longest}"
    return f"a prompt of {int(run.asked.prompt[i])} tokens in one step, which holds {system.tokens}"


def _line(cells: tuple[Any, ...]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _number(seconds: float) -> str:
    return f"{seconds:.6f}" if np.isfinite(seconds) else ""


def timeline(run: Run) -> Iterator[str]:
    """The timeline as JSON, piece by piece: steps and the cache of each replica, and its requests. Times in µs."""
    yield '{"displayTimeUnit":"ms","traceEvents":[\n'
    first = True
    for event in _events(run):
        yield ("" if first else ",\n") + json.dumps(event, separators=(",", ":"))
        first = False
    yield "\n]}\n"


def _events(run: Run) -> Iterator[dict[str, Any]]:
    for number, replica in enumerate((*run.replicas, *run.answering)):
        yield {"ph": "M", "pid": number, "name": "process_name", "args": {"name": f"replica {number}"}}
        log = replica.own["log"].reshape(-1, loop.LOG)[: int(replica.state[loop.LOGGED])]
        for begin, end, steps, decoding, read, held in log.tolist():
            kind = "decode" if not read else "prefill" if not decoding else "mixed"
            yield {"ph": "X", "pid": number, "tid": 0, "name": kind, "ts": 1e6 * begin, "dur": 1e6 * (end - begin),
                   "args": {"steps": int(steps), "sequences": int(decoding), "prompt_tokens": int(read)}}  # fmt: skip
            share = held / replica.system.blocks
            yield {
                "ph": "C",
                "pid": number,
                "name": "sequences",
                "ts": 1e6 * begin,
                "args": {"decoding": int(decoding)},
            }
            yield {"ph": "C", "pid": number, "name": "cache", "ts": 1e6 * begin, "args": {"held": share}}
    o = run.outcomes
    for i in np.flatnonzero(o.status == loop.SERVED)[:REQUESTS].tolist():
        pid = int(o.place[i])
        size = {"input_tokens": int(run.asked.prompt[i]), "output_tokens": int(run.asked.output[i])}
        spans = (("wait", o.arrival[i], o.scheduled[i]), ("read", o.scheduled[i], o.first[i]),
                 ("answer", o.first[i], o.finish[i]))  # fmt: skip
        for name, begin, end in spans:
            if end > begin:
                common = {"pid": pid, "cat": "request", "id": i + 1, "name": name}
                yield {"ph": "b", "ts": 1e6 * float(begin), "args": size, **common}
                yield {"ph": "e", "ts": 1e6 * float(end), **common}

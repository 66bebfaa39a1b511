"""The Trainer of transformers: trainer_state.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ridgewise.errors import RequestError
from ridgewise.evidence.importers.reading import Found, Importer, first_object, nothing, parsed, plain, positive, stated


def recognises(text: str, path: str) -> bool:
    """By its history and its counters."""
    return {"log_history", "global_step", "max_steps"} <= set(first_object(text))


def read(text: str, place: str) -> list[Found]:
    """Samples and steps per second over the whole run, start-up and evaluation included as the Trainer counts them."""
    state = parsed(text, place)
    history = state.get("log_history") if isinstance(state, Mapping) else None
    if not isinstance(history, list):
        raise RequestError("is no list", f"{place}, log_history")
    ends = [entry for entry in history if isinstance(entry, Mapping) and "train_runtime" in entry]
    if not ends:
        raise nothing("end of training: train_runtime is logged when a run completes", place)
    return _rows(ends[-1], state, place)


def _rows(end: Mapping[str, Any], state: Mapping[str, Any], place: str) -> list[Found]:
    samples = positive(end.get("train_samples_per_second"), f"{place}, train_samples_per_second")
    steps = positive(end.get("train_steps_per_second"), f"{place}, train_steps_per_second")
    each = samples / steps if samples and steps else None
    cells = stated(
        framework="hf-trainer", micro_batch=positive(state.get("train_batch_size"), f"{place}, train_batch_size"),
        global_batch_seqs=float(round(each)) if each else None,
        notes="mean over the whole run, rounded as printed",
    )  # fmt: skip
    rows: list[Found] = []
    if samples:
        rows.append(Found("training", {**cells, "metric": "samples_s", "value": plain(samples)}))
    if steps:
        again = {"use_reason": "another metric of a scored run: samples_s"} if rows else {}
        rows.append(Found("training", {**cells, **again, "metric": "iter_time_s", "value": plain(1.0 / steps)}))
    if not rows:
        raise nothing("speed", place)
    return rows


IMPORTER = Importer("hf-trainer", "trainer_state.json of transformers' Trainer", recognises, read)

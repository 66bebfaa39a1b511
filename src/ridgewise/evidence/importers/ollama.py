"""Ollama's ``run --verbose``: the lines after an answer."""

from __future__ import annotations

import re

from ridgewise.errors import RequestError
from ridgewise.evidence.importers.reading import COLOUR, Found, Importer, figure, first, nothing, plain, stated

LINE = re.compile(
    r"^(?P<what>total duration|prompt eval count|prompt eval rate|eval count|eval rate): +(?P<value>\S+)", re.M
)


def recognises(text: str, path: str) -> bool:
    """By its lines of rates."""
    return bool(re.search(r"^prompt eval rate: ", text, re.M) and re.search(r"^eval rate: ", text, re.M))


def read(text: str, place: str) -> list[Found]:
    """Prompt and generation rates of every answer; the depth of a first answer is its prompt."""
    text = COLOUR.sub("", text)
    label = first(r"^(?:[$>] *)?ollama run (?:--\S+ )*([\w./:-]+)", text)
    cells = stated(engine="ollama", model_label=label, batch="1", n_runs="1", derived="0", n_devices="")
    found: list[Found] = []
    answer: dict[str, float] = {}
    for match in LINE.finditer(text):
        if match["what"] == "total duration":
            answer = {}
            continue
        value = figure(match["value"], f"{place}, {match['what']}")
        if value is None or value < 0:
            raise RequestError(f"{match['value']!r} is no {match['what']}", place)
        answer[match["what"]] = value
        if match["what"] == "eval rate":
            found += _answer(answer, cells)
            answer = {}
    if not found:
        raise nothing("rate", place)
    return found


def _answer(answer: dict[str, float], cells: dict[str, str]) -> list[Found]:
    prompt, output = answer.get("prompt eval count", 0.0), answer.get("eval count", 0.0)
    reading = stated(prompt_tokens=prompt, gen_tokens="0", context_depth="0")
    writing = stated(prompt_tokens="0", gen_tokens=output, context_depth=prompt)
    rows = (
        ("prefill_tok_s", answer.get("prompt eval rate"), reading),
        ("decode_tok_s", answer.get("eval rate"), writing),
    )
    return [
        Found("local", {**cells, **lengths, "metric": metric, "value": plain(rate)})
        for metric, rate, lengths in rows
        if rate
    ]


IMPORTER = Importer("ollama", "the lines of ollama run --verbose", recognises, read)

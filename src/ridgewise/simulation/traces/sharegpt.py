"""ShareGPT conversations: text without times. A question with what was said before is a prompt; its answer follows.

Tokens are guessed from characters, four to a token as in English text; pairs whose answer or question is empty are
left out.
"""

from collections.abc import Iterator
from itertools import pairwise

from ridgewise.simulation.traces import Entry, Form, Record

#: Characters of one token of English text.
CHARACTERS = 4.0


def _tokens(text: str) -> float:
    return float(max(round(len(text) / CHARACTERS), 1)) if text else 0.0


def _entries(record: Record) -> Iterator[Entry]:
    said = 0.0
    turns = record["conversations"]
    for asked, answer in pairwise(turns):
        if asked.get("from") not in ("human", "user") or answer.get("from") not in ("gpt", "assistant", "chatgpt"):
            continue
        new, made = _tokens(str(asked.get("value") or "")), _tokens(str(answer.get("value") or ""))
        if new and made:
            yield Entry(None, said + new, made, session=str(record.get("id") or ""))
        said += new + made


FORM = Form("sharegpt", "ShareGPT conversations", True, ("conversations",), _entries)

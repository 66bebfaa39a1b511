"""Typed, bounded access to one JSON object: every refusal names the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ridgewise.errors import RequestError

MOST_LAYERS = 10_000
MOST = 10**9
MOST_WORDS = 500  # characters of an error, which may quote the file


class Fields:
    """The fields of a configuration. ``assume`` collects what the reader had to assume."""

    def __init__(self, data: Mapping[str, Any], where: str, notes: list[str] | None = None) -> None:
        self.data = data
        self.where = where
        self.notes: list[str] = [] if notes is None else notes

    def assume(self, sentence: str) -> None:
        """Record an assumption once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def refuse(self, what: str, field: str = "") -> RequestError:
        """The error to raise: what is wrong, and in which field of which file."""
        short = what if len(what) <= MOST_WORDS else what[: MOST_WORDS - 1] + "…"
        return RequestError(short, f"{self.where}: {field}" if field else self.where)

    def has(self, name: str) -> bool:
        """True where a field is present and not null."""
        return self.data.get(name) is not None

    def first(self, names: tuple[str, ...]) -> str | None:
        """The first of several spellings that is present and not null."""
        return next((name for name in names if self.has(name)), None)

    def optional(self, *names: str, least: int = 0, most: int = MOST) -> int | None:
        """An integer under the first spelling present, or None."""
        name = self.first(names)
        if name is None:
            return None
        value = self.data[name]
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.refuse(f"{_shown(value)} is not an integer", name)
        if not least <= value <= most:
            raise self.refuse(f"{_shown(value)} is not between {least} and {most}", name)
        return value

    def size(self, *names: str, default: int | None = None, least: int = 1, most: int = MOST) -> int:
        """A required integer (or its default); a missing one is a RequestError naming the field."""
        value = self.optional(*names, least=least, most=most)
        if value is not None:
            return value
        if default is None:
            raise self.refuse("field is missing", " or ".join(names))
        return default

    def flag(self, *names: str, default: bool = False) -> bool:
        """A true/false field."""
        name = self.first(names)
        if name is None:
            return default
        value = self.data[name]
        if not isinstance(value, bool):
            raise self.refuse(f"{_shown(value)} is not true or false", name)
        return value

    def number(self, name: str, default: float) -> float:
        """A real number."""
        if not self.has(name):
            return default
        value = self.data[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MOST:
            raise self.refuse(f"{_shown(value)} is not a number", name)
        return float(value)

    def text(self, name: str, default: str = "") -> str:
        """A short text."""
        if not self.has(name):
            return default
        value = self.data[name]
        if not isinstance(value, str):
            raise self.refuse(f"{_shown(value)} is not text", name)
        return value

    def items(self, name: str, kind: type, length: int | None = None) -> list[Any]:
        """A list of one kind of value, of a given length where one is asked; [] when absent."""
        if not self.has(name):
            return []
        value = self.data[name]
        if not isinstance(value, list) or not all(type(item) is kind for item in value):
            raise self.refuse(f"is not a list of {kind.__name__}", name)
        if length is not None and len(value) < length:
            raise self.refuse(f"lists {len(value)} layers where the model has {length}", name)
        return value[:length] if length is not None else value

    def sub(self, name: str) -> Fields:
        """A nested object."""
        value = self.data.get(name)
        if not isinstance(value, Mapping):
            raise self.refuse("is not an object" if self.has(name) else "field is missing", name)
        return Fields(value, f"{self.where}: {name}", self.notes)

    def subs(self, name: str, length: int | None = None) -> list[Fields]:
        """A list of nested objects."""
        found = self.items(name, dict, length)
        return [Fields(item, f"{self.where}: {name}[{i}]", self.notes) for i, item in enumerate(found)]

    # The sizes every decoder has, under the spellings in use.

    @property
    def hidden(self) -> int:
        return self.size("hidden_size", "n_embd", "n_embed", "d_model", "hidden_dim", "dim", most=10**7)

    @property
    def layers(self) -> int:
        return self.size("num_hidden_layers", "n_layer", "num_layers", "n_layers", most=MOST_LAYERS)

    @property
    def heads(self) -> int:
        return self.size("num_attention_heads", "n_head", "num_heads", "n_heads", most=10**6)

    @property
    def kv_heads(self) -> int:
        heads = self.heads
        kv = self.size(
            "num_key_value_heads",
            "num_kv_heads",
            "n_kv_heads",
            "n_head_kv",
            "num_attention_groups",
            default=heads,
            most=10**6,
        )
        if kv > heads:
            raise self.refuse(f"{kv} key-value heads for {heads} heads", "num_key_value_heads")
        return kv

    @property
    def head_dim(self) -> int:
        given = self.optional("head_dim", "kv_channels", least=0, most=10**6)
        if given:
            return given
        if self.hidden % self.heads:
            raise self.refuse(f"{self.hidden} is not a multiple of {self.heads} heads", "hidden_size")
        return self.hidden // self.heads

    @property
    def inner(self) -> int:
        return self.size(
            "intermediate_size", "ffn_hidden_size", "n_inner", "ffn_dim", "d_ff", "ffn_embed_dim", most=10**7
        )

    @property
    def vocab(self) -> int:
        return self.size("vocab_size", "padded_vocab_size", most=10**8)

    @property
    def context(self) -> int:
        return self.size(
            "max_position_embeddings", "n_positions", "seq_length", "max_sequence_length",
            "model_max_length", "context_length", "max_seq_len", "n_ctx", default=0, least=0, most=10**12,
        )  # fmt: skip


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"

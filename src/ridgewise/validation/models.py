"""The model of a measured row: its configuration file, its printed shape, or its size alone."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ridgewise.errors import RequestError
from ridgewise.evidence import Row
from ridgewise.evidence.tables import number
from ridgewise.models.architecture import Architecture, Feed, LayerGroup, Mixer
from ridgewise.models.read import find, load_catalogue, load_path

#: Endings of repository names that store the same shape in another format.
ENDINGS = (
    "-GGUF", "-FP8-dynamic", "-FP8-Dynamic", "-FP8-KV", "-FP8", "-fp8", "-NVFP4", "-FP4", "-AWQ", "-GPTQ-Int4",
    "-GPTQ-Int8", "-GPTQ", "-quantized.w4a16", "-quantized.w8a8", "-BF16", "-bf16", "-MXFP4", "-4bit", "-8bit",
)  # fmt: skip


def architecture(row: Row, configs: Path | None = None) -> tuple[Architecture, bool]:
    """The architecture of a row, and whether its shape was guessed.

    In this order: the row's ``config_file`` in the catalogue, then in ``configs``, the catalogue's model of the
    row's ``model_id``, and a decoder of common proportions with the row's ``params_b``. RequestError where none
    of them is there.
    """
    file = row.get("config_file", "")
    names = [file] if file else []
    label = row.get("model_id", "")
    if label:
        names += [label, *(label.removesuffix(end) for end in ENDINGS if label.endswith(end))]
    for name in names:
        found = _catalogued(name)
        if found is not None:
            return found, False
        if name == file and configs is not None:
            path = configs / Path(file).name
            if path.is_file():
                return _configured(path), False
    size = number(row, "params_b")
    if size is None:
        raise RequestError(f"no configuration and no size for model {label or file or '?'!r}", "model")
    if not 1e-3 <= size <= 1e5:
        raise RequestError(f"a model of {size:g} billion parameters", "params_b")
    active = number(row, "params_active_b") or number(row, "active_params_b")
    return of_size(size * 1e9, None if active is None else active * 1e9), True


@lru_cache(maxsize=1024)
def _catalogued(name: str) -> Architecture | None:
    """The catalogue's model of that name, or the only one another publisher gives it; a path is no name."""
    plain = name.removesuffix(".json").replace("__", "/")
    try:
        return load_path(find(plain).path)
    except RequestError:
        same = [e for key, e in load_catalogue().entries.items() if key.rpartition("/")[2] == plain.rpartition("/")[2]]
        return load_path(same[0].path) if len(same) == 1 else None


@lru_cache(maxsize=1024)
def _configured(path: Path) -> Architecture:
    return load_path(path)


@lru_cache(maxsize=1024)
def of_size(parameters: float, active: float | None = None) -> Architecture:
    """A decoder of common proportions with so many parameters: grouped-query attention with 8 KV heads of 128,
    a gated feed-forward of 3.5 hidden sizes, a vocabulary of 128,000; a mixture of 128 experts, 8 of them active,
    where fewer parameters are active than there are.
    """
    vocab, head = 128_000, 128
    hidden, layers = 512, 8
    while True:
        per_layer = hidden * (2 * hidden + 2 * 8 * head) + 3 * hidden * int(3.5 * hidden)
        if layers * per_layer + 2 * vocab * hidden >= (active or parameters) or hidden > 65_536:
            break
        hidden += 256
        layers = max(8, round(hidden / 128))
    heads = max(hidden // head, 1)
    mixer = Mixer(
        "full", heads, min(8, heads), head, head,
        weights={"q": hidden * heads * head, "k": hidden * min(8, heads) * head,
                 "v": hidden * min(8, heads) * head, "o": hidden * heads * head},
    )  # fmt: skip
    spare = (active or parameters) - 2 * vocab * hidden
    feed_size = max(int(spare / layers) - sum(mixer.weights.values()), 3 * hidden)
    if active is not None and active < 0.9 * parameters:
        rest = max(parameters - 2 * vocab * hidden - layers * sum(mixer.weights.values()), 3.0 * hidden)
        expert = int(rest / layers / 128 / 3)
        feed = Feed("moe", {"router": 128 * hidden}, dict.fromkeys(("gate", "up", "down"), expert), 128, 8)
    else:
        feed = Feed("dense", dict.fromkeys(("gate", "up", "down"), feed_size // 3))
    return Architecture(
        f"a model of {parameters / 1e9:g} billion parameters", "generic", hidden, vocab,
        (LayerGroup(layers, mixer, feed, 2 * hidden),), vocab * hidden, vocab * hidden,
        assumptions=("the shape is unknown: a decoder of common proportions",),
    )  # fmt: skip

"""The three readers under test: sound seeds, and what every input must lead to.

Whatever the bytes: an answer or a RequestError, within a second, without a read beyond the header.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ridgewise.errors import RequestError
from ridgewise.facts.catalog import catalog_path
from ridgewise.models import gguf, safetensors
from ridgewise.models.describe import describe
from ridgewise.models.formats import model_bytes
from ridgewise.models.gguf_model import model_from
from ridgewise.models.hf import read_config
from ridgewise.models.read import parse_json
from tests.models import gguf_files, test_gguf, test_safetensors
from tests.models.watched import Watched


@dataclass(frozen=True)
class Reader:
    """One reader: its name, sound inputs, and a check that raises where the promise is broken."""

    name: str
    seeds: tuple[bytes, ...]
    check: Callable[[bytes], str]


def check_gguf(data: bytes) -> str:
    """Read a GGUF header, build its model, and compare the bytes."""
    watched = Watched(data)
    try:
        found = gguf.read_header(watched, len(data), "x.gguf")
        assert watched.reached == found.header_bytes, "a byte beyond the header was read"
        model = model_from(found)
        assert model.format is not None
        assert abs(model_bytes(model.arch, model.format) - found.tensor_bytes) < 1 + 1e-9 * found.tensor_bytes
        describe(model.arch)
    except RequestError as error:
        return _said(error)
    return "read"


def check_safetensors(data: bytes) -> str:
    """Read a safetensors header and give its tensors a place."""
    watched = Watched(data)
    try:
        found = safetensors.read_header(watched, len(data), "x.safetensors")
        assert found.header_bytes + found.tensor_bytes == found.file_bytes
        safetensors.model_from(found, _plain(), test_safetensors.CONFIG)
    except RequestError as error:
        return _said(error)
    finally:
        assert watched.reached <= 8 + int.from_bytes(data[:8], "little"), "a byte beyond the header was read"
    return "read"


def check_config(data: bytes) -> str:
    """Read a configuration and describe the model."""
    try:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            return "not UTF-8"
        arch = read_config(parse_json(text, "config.json"), "fuzz")
        assert arch.parameters_total > 0
        describe(arch)
    except RequestError as error:
        return _said(error)
    return "read"


def _said(error: RequestError) -> str:
    assert error.what, "an error without words"
    assert len(str(error)) < 2_000, "an error as long as its input"
    return "refused"


@cache
def _plain() -> Any:
    return read_config(test_safetensors.CONFIG, "plain")


def readers() -> tuple[Reader, ...]:
    """All readers with their seeds."""
    return (
        Reader("config.json", _config_seeds(), check_config),
        Reader("GGUF", _gguf_seeds(), check_gguf),
        Reader("safetensors", _safetensors_seeds(), check_safetensors),
    )


def _config_seeds() -> tuple[bytes, ...]:
    """Every configuration of the catalogue, its catalogue key removed."""
    seeds = []
    for path in sorted(catalog_path("models").glob("*.json")):
        config = json.loads(path.read_bytes())
        config.pop("_catalogue", None)
        seeds.append(json.dumps(config).encode())
    return tuple(seed for seed in seeds if len(seed) < 20_000)


def _gguf_seeds() -> tuple[bytes, ...]:
    """Small files of several kinds; the data at their end are cut to a few kilobytes where tensors allow."""
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        paths = [
            gguf_files.llama(at / "llama.gguf", layers=1, vocab=6),
            gguf_files.llama(at / "big.gguf", layers=1, vocab=6, big=True),
            test_gguf._deepseek(at / "deepseek.gguf"),
            test_gguf._deepseek(at / "nextn.gguf", nextn=True),
            *(gguf_files.write(at / f"{i}.gguf", *seed) for i, seed in enumerate(_tiny())),
        ]
        return tuple(path.read_bytes() for path in paths)


def _tiny() -> list[tuple[str, dict[str, Any], gguf_files.Table]]:
    """Models a few values wide, so that a mutation is cheap."""
    plain = gguf_files.ends(32, 40, kind="Q8_0", head="F16")
    plain |= gguf_files.attention(0, 32, 32, 16, kind="Q4_0", v_kind="Q5_1", norm=8)
    keys = gguf_files.common(1, 32, 4, 2, feed_forward_length=64)
    windows = keys | {"attention.sliding_window": 16, "attention.key_length": 8, "attention.value_length": 8}
    mamba: gguf_files.Table = gguf_files.ends(32, 40, kind="F16", tied=True) | {
        "blk.0.attn_norm.weight": ((32,), "F32"), "blk.0.ssm_in.weight": ((168, 32), "F16"),
        "blk.0.ssm_conv1d.weight": ((96, 4), "F32"), "blk.0.ssm_a": ((8, 1), "F32"),
        "blk.0.ssm_out.weight": ((32, 64), "F16"),
    }  # fmt: skip
    states = gguf_files.common(1, 32, 0, 0) | {
        "ssm.conv_kernel": 4, "ssm.inner_size": 64, "ssm.state_size": 16, "ssm.time_step_rank": 8, "ssm.group_count": 1,
    }  # fmt: skip
    return [
        ("llama", keys, plain | gguf_files.dense(0, 32, 64, kind="Q4_1", down="Q8_0")),
        ("gemma3", windows, plain | gguf_files.dense(0, 32, 64, kind="MXFP4", down="IQ4_NL")),
        ("qwen3moe", keys | {"expert_count": 4, "expert_used_count": 2}, plain | gguf_files.experts(
            0, 32, 32, 4, kind="Q4_0", down="Q8_0")),
        ("mamba2", states, mamba),
    ]  # fmt: skip


def _safetensors_seeds() -> tuple[bytes, ...]:
    quantised = (test_safetensors.encode(test_safetensors.llama(linear, layers=1)) for linear, _ in
                 test_safetensors.QUANTISED.values())  # fmt: skip
    small = test_safetensors.encode({"a": ("F32", (2, 2)), "b.weight": ("I8", (3,)), "c": ("F4", (4,))}, {"k": "v"})
    return (small, test_safetensors.encode({}), *quantised)

"""Encoders that the catalogue does not hold: elements as published."""

from __future__ import annotations

from typing import Any

import pytest

from ridgewise.errors import RequestError
from ridgewise.models.hf import read_config

BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
DEBERTA = {**BASE, "model_type": "deberta-v2", "vocab_size": 128_100, "max_position_embeddings": 512,
           "type_vocab_size": 0, "position_buckets": 256, "position_biased_input": False, "share_att_key": True,
           "pos_att_type": ["p2c", "c2p"], "norm_rel_ebd": "layer_norm"}  # fmt: skip


@pytest.mark.parametrize(
    ("config", "elements"),
    [
        ({"model_type": "distilbert", "dim": 768, "hidden_dim": 3072, "n_heads": 12, "n_layers": 6,
          "vocab_size": 30_522, "max_position_embeddings": 512}, 66_362_880),
        ({**BASE, "model_type": "mpnet", "vocab_size": 30_527, "max_position_embeddings": 514}, 109_486_464),
        ({**BASE, "model_type": "electra", "embedding_size": 768, "vocab_size": 30_522,
          "max_position_embeddings": 512}, 108_891_648),
        (DEBERTA, 183_831_552),
    ],
    ids=["DistilBERT", "MPNet (all-mpnet-base-v2)", "ELECTRA base", "DeBERTa v3 base"],
)  # fmt: skip
def test_elements_are_those_of_the_published_files(config: dict[str, Any], elements: int) -> None:
    arch = read_config(config, "encoder")
    assert arch.parameters_total == elements and not arch.causal


def test_narrow_tables_are_widened_once() -> None:
    """ELECTRA small: tables of 128, layers of 256 behind one projection."""
    small = {"model_type": "electra", "hidden_size": 256, "num_hidden_layers": 12, "num_attention_heads": 4,
             "intermediate_size": 1024, "embedding_size": 128, "vocab_size": 30_522,
             "max_position_embeddings": 512}  # fmt: skip
    layer = 4 * (256 * 256 + 256) + 2 * 256 * 1024 + 1024 + 256 + 4 * 256
    tables = (30_522 + 512 + 2) * 128 + 2 * 128 + 128 * 256 + 256
    assert read_config(small, "electra").parameters_total == tables + 12 * layer


def test_what_is_not_read_is_refused() -> None:
    with pytest.raises(RequestError, match="conv_kernel_size"):
        read_config({**DEBERTA, "conv_kernel_size": 3}, "deberta")
    apart = read_config({**DEBERTA, "share_att_key": False}, "deberta")
    assert apart.parameters_total == 183_831_552 + 12 * 2 * (768 * 768 + 768)

"""Names match exactly or by alias; nothing is guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgewise.errors import RequestError, nearest
from ridgewise.facts import NameIndex, normal

CARDS = {
    "nvidia-rtx-4070": ("RTX 4070", "GeForce RTX 4070"),
    "nvidia-rtx-4070-ti": ("RTX 4070 Ti",),
    "nvidia-rtx-4090": ("RTX 4090", "the big one"),
    "nvidia-rtx-5090": ("RTX 5090", "the big one"),
}
INDEX = NameIndex("card", CARDS)


@pytest.mark.parametrize(
    "name",
    ["nvidia-rtx-4070", "RTX 4070", "rtx 4070", "RTX_4070", "rtx-4070", "  GeForce  RTX--4070 ", "geforce rtx 4070"],
)
def test_case_and_separators_do_not_count(name: str) -> None:
    assert INDEX.resolve(name) == "nvidia-rtx-4070"


@pytest.mark.parametrize("name", ["4070", "RTX", "RTX 407", "RTX 4070 T", "RTX4070", "nvidia", "", "RTX 4070 Ti Super"])
def test_a_part_of_a_name_is_no_name(name: str) -> None:
    with pytest.raises(RequestError, match="unknown card"):
        INDEX.resolve(name)


def test_an_alias_of_two_belongs_to_neither() -> None:
    with pytest.raises(RequestError, match="names several cards") as caught:
        INDEX.resolve("The Big One", "--hardware")
    assert caught.value.nearest == ("nvidia-rtx-4090", "nvidia-rtx-5090")
    assert caught.value.where == "--hardware"


def test_an_id_beats_another_ones_alias() -> None:
    index = NameIndex("card", {"a": (), "b": ("a",)})
    assert index.resolve("a") == "a"


def test_the_nearest_names_are_ids_and_few() -> None:
    with pytest.raises(RequestError) as caught:
        INDEX.resolve("GeForce RTX 4071")
    assert caught.value.nearest[0] == "nvidia-rtx-4070"
    assert len(caught.value.nearest) <= 4
    assert set(caught.value.nearest) <= set(CARDS)


def test_nothing_near_offers_the_few_there_are_and_none_of_many() -> None:
    with pytest.raises(RequestError) as caught:
        INDEX.resolve("ΩΩΩΩΩΩ")
    assert set(caught.value.nearest) == set(CARDS)
    many = NameIndex("card", {f"card-{n}": () for n in range(500)})
    with pytest.raises(RequestError) as caught:
        many.resolve("ΩΩΩΩΩΩ")
    assert caught.value.nearest == ()


def test_nearest_is_ordered_by_likeness() -> None:
    assert nearest("llama", ("lama", "llama-3", "gemma"))[0] == "lama"


@given(st.text(max_size=40))
def test_the_compared_form_is_stable(name: str) -> None:
    assert normal(normal(name)) == normal(name)


@given(st.text(max_size=40))
def test_any_text_is_an_id_or_a_refusal(name: str) -> None:
    try:
        assert INDEX.resolve(name) in CARDS
    except RequestError as refused:
        assert "card" in refused.what


def test_an_error_is_one_line_with_place_and_hint() -> None:
    assert str(RequestError("unknown card 'x'", "--hardware", ("y", "z"))) == (
        "--hardware: unknown card 'x' (nearest: y, z)"
    )
    assert str(RequestError("no model given")) == "no model given"

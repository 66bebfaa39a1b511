"""Six users: what each is told is of the class and price that experts expect, and the mistakes in the first idea are
caught by their id."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from pages import PAGES, console, make_tables

USERS = make_tables.USERS
IDS = [user.who for user in USERS]
#: Classes that an expert would name, and the ends of the price: USD to buy, or of the run.
EXPECTED = {
    "student": ({"gpu-consumer", "gpu-workstation"}, "purchase_usd", 300, 1000),
    "law": ({"gpu-workstation"}, "purchase_usd", 12_000, 25_000),
    "IT": ({"gpu-workstation"}, "purchase_usd", 8_000, 25_000),
    "lab": ({"gpu-datacenter"}, "cost_usd_run", 10, 80),
    "company": ({"gpu-datacenter", "tpu"}, "cost_usd_run", 60_000, 350_000),
}


def option(arguments: str) -> dict[str, Any]:
    return dict(console.document(shlex.split(arguments))["options"][0])


@pytest.mark.parametrize("word", EXPECTED)
def test_the_first_choice_is_what_an_expert_would_name(word: str) -> None:
    classes, key, low, high = EXPECTED[word]
    (user,) = (user for user in USERS if word in user.who)
    found = option(user.asks)
    assert found["feasible"] and found["device_class"] in classes
    paid = found[key]["value"] if isinstance(found[key], dict) else found[key]
    assert low <= paid <= high


@pytest.mark.parametrize("user", USERS, ids=IDS)
def test_the_mistakes_of_the_first_idea_are_caught(user: Any) -> None:
    found = make_tables.caught(user.idea)
    assert set(user.caught) <= set(found)
    assert "error" in {found[name] for name in user.caught}


#: capacity answers in requests per second, an idea is held against requests in flight.
PLANNED = [user for user in USERS if user.asks.startswith("plan")]


@pytest.mark.parametrize("user", PLANNED, ids=[user.who for user in PLANNED])
def test_what_is_recommended_is_no_mistake(user: Any) -> None:
    """The free choice, asked as an idea, has no error."""
    found = option(user.asks)
    named = f"{found['count']}x {found['device']}"
    idea = f"{user.asks.removeprefix('plan ').replace(' --priority cost', '')} --hardware '{named}'"
    assert "error" not in make_tables.caught(idea).values()


def test_each_is_told_in_the_readme_and_worked_out() -> None:
    for user in USERS:
        assert user.who in PAGES["README.md"]
        assert user.who in PAGES["docs/worked-examples.md"]

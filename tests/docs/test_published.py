"""Pages and schemas that are computed equal what the code computes today."""

from __future__ import annotations

import jsonschema
import pytest
from pages import PAGES, ROOT, console, make_glossary, make_schemas, make_tables

REFRESH = "out of date: run python docs/refresh.py"


@pytest.mark.parametrize("name", make_schemas.schemas())
def test_schemas_equal_their_types(name: str) -> None:
    path = make_schemas.FOLDER / name
    assert path.read_text(encoding="utf-8") == make_schemas.files()[path], REFRESH


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("plan-answer.schema.json", ["plan", "Llama-3.1-8B", "--hardware", "RTX 4090, H100 SXM"]),
        ("plan-answer.schema.json", ["plan", "Llama-3.1-8B", "--goal", "lora", "--hardware", "RTX 4090"]),
        ("fit-answer.schema.json", ["fit", "Llama-3.1-8B", "RTX 4090"]),
        ("explanation.schema.json", ["explain", "Llama-3.1-8B", "RTX 4090"]),
    ],
)
def test_answers_keep_to_their_schemas(name: str, arguments: list[str]) -> None:
    jsonschema.validate(console.document(arguments), make_schemas.schemas()[name])


def test_the_glossary_equals_the_types() -> None:
    assert make_glossary.PAGE.read_text(encoding="utf-8") == make_glossary.page(), REFRESH


@pytest.mark.parametrize("page", [name for name, text in PAGES.items() if make_tables.GENERATED.search(text)])
def test_generated_tables_are_current(page: str) -> None:
    for found in make_tables.GENERATED.finditer(PAGES[page]):
        assert found[0] == make_tables.filled(found[0]), f"{page}, table {found[2]}: {REFRESH}"


COMPARED = make_tables.COMPARED.findall((ROOT / "docs" / "worked-examples.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("arguments", "rows"), COMPARED, ids=[arguments for arguments, _ in COMPARED])
def test_answers_lie_within_what_was_derived_by_hand(arguments: str, rows: str) -> None:
    outside = [(what, shown) for what, inside, shown in make_tables.comparison(arguments, rows) if not inside]
    assert not outside, "outside the range derived by hand"


def test_six_cases_and_six_users_are_worked_out() -> None:
    assert len(COMPARED) == 12

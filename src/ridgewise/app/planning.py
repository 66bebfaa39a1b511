"""``ridgewise plan``: the three questions or the flags, then the answer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgewise.app.home import own
from ridgewise.errors import RequestError
from ridgewise.units import parse

if TYPE_CHECKING:
    from rich.console import Console


def own_prices(entries: Sequence[str]) -> dict[str, str]:
    """``NAME=PRICE`` pairs as a mapping."""
    prices = {}
    for entry in entries:
        name, equals, amount = entry.rpartition("=")
        if not equals or not name.strip():
            raise RequestError(f"{entry!r} is not NAME=PRICE", "--price", ("--price 'RTX 4090=1500'",))
        prices[name.strip()] = amount.strip()
    return prices


def names(entries: Sequence[str]) -> list[str]:
    """Names given by repeating a flag or separated by commas."""
    return [name.strip() for entry in entries for name in entry.split(",") if name.strip()]


def ask(flags: dict[str, Any]) -> dict[str, Any]:
    """The three questions and the model, on a terminal; Enter takes the default."""
    from rich.console import Console
    from rich.prompt import Confirm, Prompt

    console = Console()
    console.print("Three questions, then the answer. Enter takes the default.\n", style="bold")
    model = _until(console, "Which model (name or path of a config.json)", "meta-llama/Llama-3.1-8B-Instruct", _known)
    asked: dict[str, Any] = {**flags, "model": model}
    if Confirm.ask("1. Will you train it yourself?", default=False):
        asked["goal"] = Prompt.ask("   how", choices=["qlora", "lora", "finetune", "train"], default="qlora")
        default = "2T" if asked["goal"] == "train" else "20M"
        asked["tokens"] = _until(console, "   tokens (data times epochs)", default, lambda text: parse(text, "tokens"))
    else:
        text = "2. How many users? (1: yourself alone; more: a service)"
        asked["users"] = _until(console, text, "1", lambda text: parse(text, "1"))
    longterm = Prompt.ask(
        "3. What matters: peak speed, or long-term experience and cost?",
        choices=["speed", "balanced", "cost", "energy"],
        default="balanced",
    )
    return {**asked, "priority": longterm}


def _known(name: str) -> object:
    from ridgewise.models.read import load

    return load(name, own("models"))


def _until(console: Console, text: str, default: str, check: Callable[[str], object]) -> str:
    """Ask again until the answer can be read, saying what is wrong with it."""
    from rich.prompt import Prompt

    while True:
        given = Prompt.ask(text, default=default)
        try:
            check(given)
            return given
        except RequestError as error:
            console.print(f"   {error}", style="red", highlight=False, markup=False)


def run(
    flags: Mapping[str, Any], file: Path | None, save: Path | None, top: int | None, *, json: bool, markdown: bool
) -> int:
    """Answer one planning question; 0 when something is feasible, 1 when nothing is."""
    given = {name: value for name, value in flags.items() if value not in (None, [], {})}
    if json and markdown:
        raise RequestError("--json and --markdown exclude each other", "flags", ("--json", "--markdown"))
    if not given and file is None and sys.stdin.isatty() and sys.stdout.isatty() and not json:
        given = ask(given)

    from ridgewise.advise import answer
    from ridgewise.app.request import from_flags, question, write_plan_file
    from ridgewise.hardware.sheets import load_devices
    from ridgewise.report import document as documents

    request = from_flags(file, given)
    asked, terms = question(request), None
    if request.country or request.horizon:
        from ridgewise.app.costing import money_terms

        asked, terms = money_terms({"country": request.country, "horizon": request.horizon}, asked)
    if save is not None:
        write_plan_file(request, save)
    found = answer(asked, tuple(load_devices(own("hardware")).values()), top)
    document, money = documents.plan_document(found), None
    if terms is not None and document.feasible:
        from ridgewise.advise.costing import costing
        from ridgewise.report import cost

        money = cost.document(costing(asked, found.options, terms))
    if json:
        print(documents.as_json(document, cost=money))
    else:
        from ridgewise.report import text

        print(text.markdown(document)) if markdown else text.print_plan(document)
        if money is not None:
            print(cost.markdown(money)) if markdown else cost.show(money, heading=False)
    failed = not document.feasible or any(f.level == "error" for f in document.findings)
    return 1 if failed else 0

"""``ridgewise plan``: the three questions or the flags, then the answer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgewise.app.home import own
from ridgewise.errors import RequestError
from ridgewise.units import parse

if TYPE_CHECKING:
    from rich.console import Console

    from ridgewise.advise.answer import Answer
    from ridgewise.app.request import PlanFile
    from ridgewise.report.cost import CostDocument
    from ridgewise.report.document import PlanDocument
    from ridgewise.report.insight import InsightDocument


def own_prices(entries: Sequence[str]) -> dict[str, str]:
    """``NAME=PRICE`` pairs as a mapping."""
    prices = {}
    for entry in entries:
        name, equals, amount = entry.rpartition("=")
        if not equals or not name.strip():
            raise RequestError(f"{entry!r} is not NAME=PRICE", "--price", ("--price 'RTX 4090=1500'",))
        prices[name.strip()] = amount.strip()
    return prices


def own_weights(entries: Sequence[str]) -> dict[str, str]:
    """``NAME=POINTS`` pairs as a mapping."""
    weights = {}
    for entry in entries:
        name, equals, points = entry.partition("=")
        if not equals or not name.strip():
            raise RequestError(f"{entry!r} is not NAME=POINTS", "--weight", ("--weight speed=2",))
        weights[name.strip()] = points.strip()
    return weights


def names(entries: Sequence[str]) -> list[str]:
    """Names given by repeating a flag or separated by commas."""
    return [name.strip() for entry in entries for name in entry.split(",") if name.strip()]


def named(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a command as a question holds them: prices and weights by name, lists of names."""
    made = {name: value for name, value in flags.items() if name not in ("price", "weight")}
    if flags.get("price"):
        made["prices"] = own_prices(flags["price"])
    if flags.get("weight"):
        made["weights"] = own_weights(flags["weight"])
    for name in ("hardware", "ignore", "why_not"):
        if flags.get(name):
            many = flags[name]
            made[name] = names([many] if isinstance(many, str) else many)
    return made


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
    flags: Mapping[str, Any], file: Path | None, save: Path | None, top: int | None, report: Path | None = None, *,
    json: bool, markdown: bool,
) -> int:  # fmt: skip
    """Answer one planning question; 0 when something is feasible, 1 when nothing is."""
    given = {name: value for name, value in flags.items() if value not in (None, [], {}, False)}
    if json and markdown:
        raise RequestError("--json and --markdown exclude each other", "flags", ("--json", "--markdown"))
    if "have" in given:
        return _have(given, json=json)
    if not given and file is None and sys.stdin.isatty() and sys.stdout.isatty() and not json:
        given = ask(given)

    found = planned(given, file, top)
    document, money = found.document, found.money
    if save is not None:
        from ridgewise.app.request import write_plan_file

        write_plan_file(found.request, save)
    if report is not None:
        _report(report, found)
    if json:
        from ridgewise.report.document import as_json

        print(as_json(document, cost=money, insight=found.insight))
    else:
        from ridgewise.report import cost, insight, text

        print(text.markdown(document)) if markdown else text.print_plan(document)
        if found.insight is not None:
            print(insight.markdown(found.insight)) if markdown else insight.show(found.insight)
        if money is not None:
            print(cost.markdown(money)) if markdown else cost.show(money, heading=False)
    return 1 if found.failed else 0


def _report(path: Path, found: Planned) -> None:
    """Write the memo of a plan, with the roofline of its first choice."""
    from ridgewise.advise.explaining import explanation
    from ridgewise.app import reporting
    from ridgewise.workloads import Service, SingleUser

    pick, work, behind = found.answer.pick, found.answer.question.workload, None
    if pick is not None and pick.speed is not None and isinstance(work, SingleUser | Service):
        behind = explanation(pick.speed.setup, work.prompt, work.output, max(pick.speed.concurrency, 1.0))
    reporting.write(path, found.document, behind, found.money)


def _have(flags: Mapping[str, Any], *, json: bool) -> int:
    """What hardware that is there serves; 1 where it serves no model well."""
    from ridgewise.app.advising import have
    from ridgewise.app.request import flag_of
    from ridgewise.report.document import as_json
    from ridgewise.report.insight import show_have

    load = ("have", "model", "prompt", "output", "context")
    foreign = [name for name in flags if name not in load]
    if foreign:
        raise RequestError(
            f"{flag_of(foreign[0])} means nothing beside --have", "flags",
            ("--have with --prompt, --output, --context or a model",),
        )  # fmt: skip
    found = have(str(flags["have"]), flags)
    print(as_json(found)) if json else show_have(found)
    return 0 if found.feasible else 1


@dataclass(frozen=True, slots=True)
class Planned:
    """A question as it was understood, its answer in full and as the published document, the money where it was asked
    for (``--country``, ``--horizon``), and what else was (:data:`ridgewise.app.advising.FURTHER`)."""

    request: PlanFile
    answer: Answer
    document: PlanDocument
    money: CostDocument | None
    insight: InsightDocument | None = None

    @property
    def failed(self) -> bool:
        """Nothing does the job, or the rules found an error."""
        return not self.document.feasible or any(f.level == "error" for f in self.document.findings)


def planned(flags: Mapping[str, Any], file: Path | None = None, top: int | None = None) -> Planned:
    """The answer to the question that flags and a plan file ask; ``top``: so many options instead of the best of each
    kind. Raises RequestError for what is unknown or contradicts itself."""
    from ridgewise.advise import answer
    from ridgewise.app import advising
    from ridgewise.app.request import from_flags, question
    from ridgewise.hardware.sheets import load_devices
    from ridgewise.report import cost
    from ridgewise.report.document import plan_document

    request = from_flags(file, {name: value for name, value in flags.items() if name not in advising.FURTHER})
    asked, terms = question(request), None
    if request.country or request.horizon:
        from ridgewise.app.costing import money_terms

        asked, terms = money_terms({"country": request.country, "horizon": request.horizon}, asked)
    found = answer(asked, tuple(load_devices(own("hardware")).values()), top, request.ignore)
    document, money = plan_document(found), None
    if terms is not None and document.feasible:
        from ridgewise.advise.costing import costing

        money = cost.document(costing(asked, found.options, terms))
    return Planned(request, found, document, money, advising.insight(found, flags))

"""A checked idea as a document, for people, as SARIF 2.1.0 and as annotations of GitHub."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich.padding import Padding
from rich.text import Text

from ridgewise.advise.checking import Checked
from ridgewise.advise.finding import LEVELS
from ridgewise.advise.rules import TOPICS, Rule, load_rules
from ridgewise.report.document import SCHEMA_VERSION, FindingDocument, OptionDocument, finding_document, option_document
from ridgewise.report.text import said, screen
from ridgewise.units import count
from ridgewise.units.shown import Shown

#: Where the schema of SARIF is published.
SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


@dataclass(frozen=True, slots=True)
class RuleDocument:
    """One rule: what ``--ignore`` names, the most it says, and the question it asks."""

    rule: str
    level: Literal["error", "warning", "note"]
    topic: str
    title: str
    asks: str
    about: str


@dataclass(frozen=True, slots=True)
class RulesDocument:
    """Every rule."""

    schema_version: int
    command: str
    topics: dict[str, str]
    rules: tuple[RuleDocument, ...]


@dataclass(frozen=True, slots=True)
class IdeaDocument:
    """One piece of hardware: what can be made of it (null: nothing) and what was found."""

    name: str
    device: str
    count: int
    passed: bool
    option: OptionDocument | None
    findings: tuple[FindingDocument, ...]


@dataclass(frozen=True, slots=True)
class CheckDocument(Shown):
    """The answer to a check; ``feasible``: no error."""

    schema_version: int
    command: str
    model: str
    parameters_total: int
    goal: str
    feasible: bool
    ignored: tuple[str, ...]
    rules_checked: int
    ideas: tuple[IdeaDocument, ...]


def rules_document() -> RulesDocument:
    """Every rule, in order of topic and weight."""
    return RulesDocument(SCHEMA_VERSION, "check", TOPICS, tuple(map(_rule, load_rules().values())))


def _rule(rule: Rule) -> RuleDocument:
    return RuleDocument(rule.id, rule.level, rule.topic, rule.title, rule.asks, _about(rule))


def _about(rule: Rule) -> str:
    """What the file of a rule says it is about."""
    return (sys.modules[rule.check.__module__].__doc__ or "").strip()


def check_document(found: Sequence[Checked], ignored: Sequence[str]) -> CheckDocument:
    """The published form."""
    question = found[0].case.question
    return CheckDocument(
        SCHEMA_VERSION, "check", question.arch.name, question.arch.parameters_total, question.workload.goal,
        all(entry.passed for entry in found), tuple(ignored), len(load_rules()) - len(set(ignored)),
        tuple(map(_idea, found)),
    )  # fmt: skip


def _idea(found: Checked) -> IdeaDocument:
    case = found.case
    option = option_document(case.option, 1, case.question.workload) if case.option else None
    return IdeaDocument(
        case.name, case.device.id, case.count, found.passed, option, tuple(map(finding_document, found.findings))
    )


#: How levels stand out on a terminal.
STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}


def show(found: CheckDocument) -> None:
    """Findings by level, with what they cost and what cures them."""
    console = screen()
    console.print(Text(f"{found.model} · {count(found.parameters_total)} parameters", style="bold"))
    for idea in found.ideas:
        console.print()
        console.print(Text(f"{idea.name}: {_verdict(idea)}", style="bold"))
        for finding in idea.findings:
            console.print()
            head = Text(f"{finding.level} ", style=STYLES[finding.level]) + Text(f"{finding.title} [{finding.rule}]")
            console.print(Padding(head, (0, 0, 0, 2)))
            lines = (said(finding), f"costs: {finding.cost}" if finding.cost else "", f"→ {finding.remedy}")
            for line in lines:
                if line.strip("→ "):
                    console.print(Padding(Text(line), (0, 0, 0, 4)))
    console.print()
    ignored = f", {len(found.ignored)} ignored" if found.ignored else ""
    console.print(Text(f"{found.rules_checked} rules checked{ignored} (ridgewise check --rules)"))


def _verdict(idea: IdeaDocument) -> str:
    """How many findings of each level."""
    numbers = {level: sum(f.level == level for f in idea.findings) for level in LEVELS}
    told = ", ".join(f"{n} {level}{'s' * (n > 1)}" for level, n in numbers.items() if n)
    return told or "nothing found against it"


def show_rules(found: RulesDocument) -> None:
    """The rules under their topics."""
    console = screen()
    for topic, about in found.topics.items():
        console.print(Text(about[0].upper() + about[1:], style="bold"))
        for rule in found.rules:
            if rule.topic == topic:
                console.print(Padding(Text(f"{rule.rule} ({rule.level}): {rule.asks}"), (0, 0, 0, 2)))
        console.print()


def _told(finding: FindingDocument) -> str:
    """A finding with its cure, in one line."""
    return said(finding) + (f" → {finding.remedy}" if finding.remedy else "")


def sarif(found: CheckDocument, file: str = "") -> dict[str, Any]:
    """The findings as a log of the Static Analysis Results Interchange Format (OASIS SARIF 2.1.0): ``file`` is the plan
    that was checked; without one the hardware stands as a logical location."""
    from ridgewise import __version__

    rules = list(load_rules().values())
    place = {rule.id: number for number, rule in enumerate(rules)}
    driver = {
        "name": "ridgewise", "version": __version__, "rules": [_sarif_rule(rule) for rule in rules],
    }  # fmt: skip
    results = [_sarif_result(finding, place, file) for idea in found.ideas for finding in idea.findings]
    return {"$schema": SARIF, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _sarif_rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": "".join(part.capitalize() for part in rule.id.split("-")),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.asks},
        "help": {"text": _about(rule) or rule.asks},
        "defaultConfiguration": {"level": rule.level},
        "properties": {"topic": rule.topic},
    }


def _sarif_result(finding: FindingDocument, place: dict[str, int], file: str) -> dict[str, Any]:
    where: dict[str, Any] = {
        "logicalLocations": [{"name": finding.subject, "fullyQualifiedName": finding.subject, "kind": "resource"}]
    }
    if file:
        where["physicalLocation"] = {"artifactLocation": {"uri": file}, "region": {"startLine": 1}}
    further: dict[str, Any] = {"cost": finding.cost, "change": finding.change}
    if finding.number is not None:
        further["number"] = {
            "what": finding.number.what, "value": finding.number.value, "limit": finding.number.limit,
            "unit": finding.number.unit,
        }  # fmt: skip
    return {
        "ruleId": finding.rule, "ruleIndex": place[finding.rule], "level": finding.level,
        "message": {"text": _told(finding)}, "locations": [where], "properties": further,
    }  # fmt: skip


#: What annotations call the levels.
ANNOTATIONS = {"error": "error", "warning": "warning", "note": "notice"}


def github(found: CheckDocument, file: str = "") -> Iterator[str]:
    """The findings as workflow commands of GitHub Actions: one line each."""
    for idea in found.ideas:
        for finding in idea.findings:
            given = {"file": file, "line": "1" if file else "", "title": f"{finding.title} [{finding.rule}]"}
            told = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in given.items() if value)
            yield f"::{ANNOTATIONS[finding.level]} {told}::{_escaped(_told(finding))}"


def _escaped(text: str, further: str = "") -> str:
    """Text as a workflow command takes it: percent, line ends and what separates properties are encoded."""
    for sign in "%\r\n" + further:
        text = text.replace(sign, f"%{ord(sign):02X}")
    return text


def as_text(log: dict[str, Any]) -> str:
    """A log as JSON that people can read."""
    return json.dumps(log, indent=2, ensure_ascii=False, allow_nan=False)

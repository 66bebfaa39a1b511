"""A decision memo: what was asked, what to do, what else there is, how sure that is, and what would change it.

A memo is plain parts in the order in which whoever signs it reads; ``memo_html``, ``memo_pdf`` and ``memo_markdown``
set the same parts. It is made from published documents alone: no number is computed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ridgewise.advise.explaining import Explanation
from ridgewise.report.capacity import CapacityDocument, softly
from ridgewise.report.charts import roofline
from ridgewise.report.charts.field import field
from ridgewise.report.charts.knee import knee
from ridgewise.report.charts.money import spent, swings
from ridgewise.report.charts.scaling import scaling
from ridgewise.report.charts.waterfall import waterfall
from ridgewise.report.cost import CostDocument, InfeasibleDocument
from ridgewise.report.document import Estimate, OptionDocument, PlanDocument
from ridgewise.report.estimate import EstimateDocument
from ridgewise.report.provenance import CitedDocument
from ridgewise.report.text import TIER_TEXT, heading, options_table, two
from ridgewise.report.training import TrainingDocument
from ridgewise.units import count, digits, duration, money, power, share, size, whole


@dataclass(frozen=True, slots=True)
class Words:
    """A paragraph; ``strong``: the answer itself."""

    text: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Points:
    """A list."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table; cells may hold line breaks."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart as SVG, with what it shows in words."""

    svg: str
    caption: str

    def _repr_svg_(self) -> str:
        """The picture itself, for notebooks."""
        return self.svg


@dataclass(frozen=True, slots=True)
class Reference:
    """A fact behind the answer, with links."""

    cited: CitedDocument

    @property
    def words(self) -> str:
        """What it is, its value, its kind and its date."""
        cited = self.cited
        value, dated = f": {cited.value}" if cited.value else "", f", as of {cited.as_of}" if cited.as_of else ""
        return f"{cited.what}{value} ({cited.kind}{dated})"


Part: TypeAlias = Words | Points | Grid | Picture | Reference


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it."""

    title: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Memo:
    """A memo: ``made`` says by which release and when."""

    title: str
    made: str
    sections: tuple[Section, ...]

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Its charts, in order."""
        return tuple(part for section in self.sections for part in section.parts if isinstance(part, Picture))

    def _repr_html_(self) -> str:
        """The memo in a notebook, where it keeps its own style to itself."""
        from html import escape

        from ridgewise.report.memo_html import html

        return f'<iframe srcdoc="{escape(html(self))}" style="width:100%;height:60rem;border:0" title="memo"></iframe>'


Answer: TypeAlias = PlanDocument | EstimateDocument | CapacityDocument | TrainingDocument | CostDocument


def memo(
    answer: Answer | InfeasibleDocument, made: str, sources: Sequence[CitedDocument] = (),
    explained: Explanation | None = None, money_: CostDocument | None = None,
) -> Memo:  # fmt: skip
    """The memo of an answer. ``explained``: what stands behind the first choice; ``money_``: the money of a plan."""
    if isinstance(answer, PlanDocument):
        title, found = f"Hardware for {answer.model}", list(_plan(answer, explained, money_))
    elif isinstance(answer, EstimateDocument):
        title, found = f"{answer.model} on {_times(answer.devices)}{answer.device}", list(_estimate(answer, explained))
    elif isinstance(answer, CapacityDocument):
        title, found = f"Capacity for {answer.model}", list(_capacity(answer))
    elif isinstance(answer, TrainingDocument):
        title, found = f"Training {answer.model}", list(_training(answer))
    elif isinstance(answer, CostDocument):
        title, found = f"Buy, rent or API: {answer.model}", list(_cost(answer))
    else:
        title, found = f"Nothing does the job: {answer.model}", [("Answer", [Words(answer.sentence, True)])]
    if sources:
        found.append(("Sources", [Reference(one) for one in sources]))
    return Memo(title, made, tuple(Section(name, tuple(parts)) for name, parts in found if parts))


Parts: TypeAlias = tuple[str, list[Part]]


def _times(devices: int) -> str:
    return f"{devices} × " if devices > 1 else ""


def _listed(lines: Sequence[str]) -> list[Part]:
    return [Points(tuple(lines))] if lines else []


def _shown(svg: str, caption: str) -> list[Part]:
    return [Picture(svg, caption)] if svg else []


def _around(e: Estimate | None, write: Any) -> tuple[str, str, str]:
    return (write(e.value), f"{write(e.low)} to {write(e.high)}", e.tier) if e else ("unknown", "", "")


def _figures(rows: Sequence[tuple[str, Estimate | None, Any]]) -> list[Part]:
    kept = tuple((name, *_around(e, write)) for name, e, write in rows if e is not None)
    return [Grid(("figure", "value", "80 % interval", "evidence"), kept)] if kept else []


def _plan(plan: PlanDocument, explained: Explanation | None, money_: CostDocument | None) -> Iterator[Parts]:
    work = plan.workload
    asked = [heading(plan)]
    asked += [_said(name, value) for name, value in work.items() if value is not None and name not in SAID]
    asked += [f"most to spend: {money(plan.budget_usd)}"] if plan.budget_usd is not None else []
    asked += [f"most to draw at the wall: {power(plan.max_power_w)}"] if plan.max_power_w is not None else []
    yield (
        "Question",
        [Words(f"What hardware for {plan.model}: goal {plan.goal}, priority {plan.priority}?"), *_listed(asked)],
    )
    best = next((one for one in plan.options if one.feasible), None)
    if best is None:
        yield "Answer", [Words("Nothing among the candidates does the job.", True), *_listed(plan.fixes)]
    else:
        yield "Answer", [Words(f"{best.name}{_how(best)}.", True), Words(plan.verdict), *_listed(plan.why)]
        yield "What to expect", _figures(_expected(best))
    alternatives = options_table(plan)
    pictures = _shown(field("The candidates", plan.options, plan.phase == "training"),
                      "Each figure with its 80 % interval; prices from low to high.")  # fmt: skip
    yield "Alternatives", [*pictures, Grid(alternatives.headers, alternatives.rows), Words(TIER_TEXT)]
    if best is not None:
        yield "Memory", _shown(waterfall(f"{best.name}: memory of one device", best.memory_usable_bytes,
                                         best.memory_parts_bytes), "What fills the memory of one device.")  # fmt: skip
    if explained is not None:
        yield "Why this hardware", _roof(explained)
    if money_ is not None:
        yield from (("Money" if name == "Answer" else f"Money: {name.lower()}", parts)
                    for name, parts in _cost(money_) if name != "Question")  # fmt: skip
    yield "What would change the answer", _listed(plan.changes)
    yield "Caught", _listed([f"{f.level}: {f.text}" + (f" → {f.remedy}" if f.remedy else "") for f in plan.findings])
    yield "Assumed", _listed(plan.assumptions)
    yield "How it was ranked", _listed(plan.ranking)


#: Units that a workload's keys end with, in words.
UNITS = {"_tokens": "tokens", "_s": "s", "_requests": "requests", "_total": "tokens"}
#: Parts of a workload that a memo says elsewhere.
SAID = ("goal",)
#: Keys of a workload in words; the others are read as they are.
WORDS = {
    "users": "people with access",
    "prompt_tokens": "prompt",
    "output_tokens": "answer",
    "context_tokens": "longest context",
    "active_share": "of them in a conversation at the busiest time",
    "think_s": "pause between questions",
    "slo_ttft_s": "first token within",
    "slo_tpot_s": "each further token within",
    "hours_per_day": "hours a day on",
    "busy": "of those hours at work",
    "deadline_s": "done within",
    "tokens_total": "tokens to learn from",
    "length_tokens": "sequence length",
}
#: Keys whose value is a share.
SHARES = ("active_share", "busy")


def _said(name: str, value: Any) -> str:
    """A key of the workload with its value: its unit after it instead of in the name."""
    ending = next((end for end in UNITS if name.endswith(end)), "")
    told = WORDS.get(name, name.removesuffix(ending).replace("_", " "))
    if name in SHARES:
        return f"{told}: {share(float(value))}"
    if ending == "_s":
        return f"{told}: {duration(float(value))}"
    shown = count(value) if isinstance(value, int | float) and value >= 1e6 else (
        f"{value:,g}" if isinstance(value, int | float) else str(value)
    )  # fmt: skip
    return f"{told}: {shown} {UNITS.get(ending, '')}".rstrip()


def _how(option: OptionDocument) -> str:
    layout = option.layout
    parts = [f"{option.engine} with {option.format} weights" if option.engine else "",
             f"tensor parallel {layout.tp}" if layout.tp > 1 else "", f"{layout.pp} stages" if layout.pp > 1 else "",
             f"{layout.replicas} copies" if layout.replicas > 1 else ""]  # fmt: skip
    told = ", ".join(part for part in parts if part)
    return f" ({told})" if told else ""


def _expected(option: OptionDocument) -> list[tuple[str, Estimate | None, Any]]:
    return [
        ("first token (TTFT)", option.ttft_s, duration),
        ("each further token (TPOT)", option.tpot_s, duration),
        ("tokens/s for each user", option.decode_tokens_per_s, two),
        ("tokens/s in all", option.total_tokens_per_s, two),
        ("the run takes", option.run_s, duration),
        ("memory per device", option.memory_bytes, size),
        ("power at the wall", option.power_w, power),
        ("price to buy", option.purchase_usd, money),
        ("rent per hour", option.rent_usd_per_h, money),
    ]


def _roof(found: Explanation) -> list[Part]:
    return _shown(roofline.explained(found), "Left of the ridge point memory is the limit, right of it compute.")


def _estimate(found: EstimateDocument, explained: Explanation | None) -> Iterator[Parts]:
    load = (f"{whole(found.prompt_tokens)} tokens in, {whole(found.output_tokens)} out, "
            f"{whole(found.concurrency_requests)} in flight")  # fmt: skip
    yield "Question", [Words(f"How fast is {found.model} on {_times(found.devices)}{found.device} with {found.engine}, "
                             f"{found.format} weights, {load}?")]  # fmt: skip
    if found.fits:
        yield "Answer", [Words(f"Each user gets {digits(found.user_tokens_per_s.value)} tokens/s "
                               f"after {duration(found.ttft_s.value)}.", True)]  # fmt: skip
    else:
        yield "Answer", [Words(f"It does not fit: {size(-found.memory_left_bytes)} too little per device.", True),
                         *_listed(found.fixes)]  # fmt: skip
    yield "What to expect", _figures([
        ("first token (TTFT)", found.ttft_s, duration), ("each further token (TPOT)", found.tpot_s, duration),
        ("whole answer", found.e2e_s, duration), ("tokens/s for each user", found.user_tokens_per_s, digits),
        ("tokens/s in all", found.output_tokens_per_s, digits), ("requests/s", found.requests_per_s, digits),
        ("power at the wall", found.power_w, power), ("energy per token, J", found.energy_j_per_token, digits),
    ])  # fmt: skip
    held = sum(found.memory_parts_bytes.values()) + found.memory_left_bytes
    yield "Memory", _shown(waterfall("Memory of one device", held, found.memory_parts_bytes), "What fills the memory.")
    if explained is not None:
        yield "Why", _roof(explained)
    yield "Assumed", _listed(found.notes)


def _capacity(found: CapacityDocument) -> Iterator[Parts]:
    yield "Question", [Words(f"How much hardware carries {found.load} of {found.model}?"), *_listed(found.limits)]
    if not found.feasible:
        yield "Answer", [Words("Nothing that was tried keeps the limits.", True), *_listed(found.missed)]
        return
    first = found.systems[0]
    month = f" for {_month(first.cost_usd_per_month)} a month" if first.cost_usd_per_month is not None else ""
    yield "Answer", [Words(f"{first.name}{month}.", True), Words(f"Breaks first: {found.breaks_first}.")]
    yield "Systems", [Grid(
        ("system", "engine", "TTFT", "TPOT", "head-room", "a month", "evidence"),
        tuple((one.name, f"{one.engine} {one.format} TP{one.layout.tp} ×{one.replicas}",
               f"{duration(one.ttft_s.value)}\n{duration(one.ttft_s.low)} to {duration(one.ttft_s.high)}",
               f"{duration(one.tpot_s.value)}\n{duration(one.tpot_s.low)} to {duration(one.tpot_s.high)}",
               f"{100 * one.headroom:.0f} %", _month(one.cost_usd_per_month), one.tier) for one in found.systems),
    )]  # fmt: skip
    yield "As the load grows", [
        *_shown(knee(found), "Latencies with their interval; dashed the limits."),
        Grid(("up to", "devices", "a month"), tuple(
            (f"{digits(step.load)} {found.unit}", whole(step.devices), _month(step.cost_usd_per_month))
            for step in found.growth)),
    ]  # fmt: skip
    yield "When one fails", [Words(found.one_fails)] if found.one_fails else []
    yield "What would change the answer", _listed([softly(one) for one in found.softer] + list(found.settings))
    yield "Assumed", _listed(found.assumptions)
    yield "How to read it", _listed(found.notes)


def _month(amount: float | None) -> str:
    return "no price" if amount is None else money(amount)


def _training(found: TrainingDocument) -> Iterator[Parts]:
    yield "Question", [Words(f"{found.goal} of {found.model} ({found.method}) on {count(found.tokens)} tokens with "
                             f"{_times(found.devices)}{found.device_name}: how long, and at what price?")]  # fmt: skip
    if not found.feasible or found.run_s is None:
        yield "Answer", [Words(f"It cannot be done so: {found.impossible}", True)]
        return
    rent = f" for {money(found.cost_usd_run)}" if found.cost_usd_run is not None else ""
    yield (
        "Answer",
        [Words(f"{duration(found.run_s.value)}{rent} ({found.tenure}).", True), Words(f"Bound by {found.bound}.")],
    )
    yield "What to expect", _figures([
        ("the run takes", found.run_s, duration), ("a step takes", found.step_s, duration),
        ("tokens/s", found.tokens_per_s, digits), ("device hours", found.device_hours, digits),
        ("peak memory per device", found.peak_memory_bytes, size), ("power at the wall", found.power_w, power),
        ("price to buy", found.purchase_usd, money), ("rent per hour", found.rent_usd_per_h, money),
    ])  # fmt: skip
    yield "Layouts", [Grid(
        ("TP × PP × DP", "ZeRO", "recompute", "a step", "MFU", "memory", "fits"),
        tuple((f"{one.tp} × {one.pp} × {one.dp}", str(one.zero_stage), one.recompute, duration(one.step_s),
               f"{100 * one.mfu:.0f} %", size(one.memory_bytes), "yes" if one.fits else "no") for one in found.layouts),
    )]  # fmt: skip
    yield "More or fewer devices", _shown(scaling(found), "Time and rent over the number of devices.")
    yield "Risks", _listed(found.risks)
    yield "How wrong it may be", [Words(found.accuracy)] if found.accuracy else []
    yield "Assumed", _listed(found.notes)


def _cost(found: CostDocument) -> Iterator[Parts]:
    yield "Question", [Words(f"Buy, rent or ask an API for {found.model}, over {found.horizon_months} months?")]
    yield "Answer", [Words(found.sentence, True)]
    yield "Ways to pay", [
        Grid(("way", "what", "today", "a month", "in all", "80 % interval", "evidence"), tuple(
            (one.way, one.what, money(one.upfront_usd), money(one.cost_usd_per_month), money(one.cost_usd.value),
             f"{money(one.cost_usd.low)} to {money(one.cost_usd.high)}", one.cost_usd.tier) for one in found.ways)),
        *_shown(spent(found), "What has been spent, month by month."),
    ]  # fmt: skip
    yield "What would change it", [
        *_shown(swings(found), "Difference a month at both ends of each doubt."),
        *_listed([f"buying costs no more than {one.against} at {digits(one.load_ratio)} times the load "
                  + (f"from month {one.month:.0f} on" if one.month is not None else "never within the horizon")
                  for one in found.break_even]),
    ]  # fmt: skip
    yield "Prices", [Grid(("price", "value", "of", "as of", "where"), tuple(
        (one.what, f"{digits(one.low)} to {digits(one.high)} {one.unit}", one.about, one.as_of,
         "; ".join(source.url or source.title or source.key for source in one.sources))
        for one in found.prices))]  # fmt: skip
    yield "Not known", _listed(found.missing)
    yield "Assumptions", _listed(found.assumptions)

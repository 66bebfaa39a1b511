"""The money of a plan as a document, and for the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ridgewise.advise.costing import Costing, Way
from ridgewise.advise.option import Option
from ridgewise.advise.question import Question
from ridgewise.economics.prices import MILLION, Price
from ridgewise.facts import load_sources
from ridgewise.report.charts.money import WORDS
from ridgewise.report.document import SCHEMA_VERSION, Estimate
from ridgewise.report.text import TIER_MARK, TIER_TEXT
from ridgewise.units import count, digits, money, power, share, whole
from ridgewise.units.shown import Shown

#: Borders between ways that are told; beyond them every further copy makes another.
BORDERS = 3
#: Columns and rows of the picture in a terminal.
COLUMNS, ROWS = 60, 12


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """Where a price was read; ``key`` alone where it is the user's own."""

    key: str
    title: str
    url: str
    date: str


@dataclass(frozen=True, slots=True)
class PriceDocument:
    """A figure that entered, with its range, date and sources."""

    what: str
    about: str
    value: float
    low: float
    high: float
    unit: str
    as_of: str
    stale: bool
    tier: str
    trust: str
    sources: tuple[SourceDocument, ...]
    note: str


@dataclass(frozen=True, slots=True)
class WayDocument:
    """Buying, renting or asking an API, over the horizon; an interval is that of the draws."""

    way: str
    what: str
    upfront_usd: float
    cost_usd: Estimate
    cost_usd_per_month: float
    cost_usd_per_user_month: float | None
    cost_usd_per_million_tokens: float | None
    cost_usd_per_run: float | None
    cheapest_share: float
    cumulated_usd: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class BreakEvenDocument:
    """First month from which buying has cost no more; null: not within the horizon."""

    against: str
    load_ratio: float
    month: float | None


@dataclass(frozen=True, slots=True)
class SpanDocument:
    """Loads over which one way is cheapest."""

    way: str
    load_ratio_low: float
    load_ratio_high: float
    tokens_per_month_low: float
    tokens_per_month_high: float
    users_low: float | None
    users_high: float | None


@dataclass(frozen=True, slots=True)
class RentDocument:
    """One kind of rental terms, for all copies; ``usd_per_h`` with interruptions and hours paid in vain."""

    terms: str
    usd_per_h: float
    cost_usd_per_month: float
    within_horizon: bool
    as_of: str


@dataclass(frozen=True, slots=True)
class MixDocument:
    """Copies held for the base load, hours rented on demand for the peaks."""

    how: str
    held_copies: float
    rented_h_per_month: float
    cost_usd_per_month: float


@dataclass(frozen=True, slots=True)
class SwingDocument:
    """Monthly difference at both ends of one doubt."""

    doubt: str
    low_usd_per_month: float
    high_usd_per_month: float


@dataclass(frozen=True, slots=True)
class CostDocument(Shown):
    """The money of one plan."""

    schema_version: int
    command: str
    model: str
    feasible: bool
    goal: str
    hardware: str
    device: str
    devices: int
    rented_device: str | None
    copies: float
    users: float | None
    horizon_months: int
    country: str | None
    rate_per_year: float
    requests_per_month: float
    input_tokens_per_month: float
    output_tokens_per_month: float
    cached_share: float
    cheapest: str | None
    ways: tuple[WayDocument, ...]
    break_even: tuple[BreakEvenDocument, ...]
    cheapest_by_load: tuple[SpanDocument, ...]
    rents: tuple[RentDocument, ...]
    mix: MixDocument | None
    idle_usd_per_month: float | None
    work_ratio: float
    energy_kwh_per_month: float | None
    carbon_kg_per_month: Estimate | None
    carbon_g_per_million_tokens: float | None
    power_w: float | None
    heat_btu_per_h: float | None
    circuits: int | None
    circuit_volts: float | None
    circuit_amperes: float | None
    rack_units: float | None
    noise_dba: float | None
    capital_usd_per_month: float | None
    depreciation_years: float | None
    depreciation_usd_per_month: float | None
    book_value_usd: float | None
    resale_usd: float | None
    sensitivity_of: str
    sensitivity: tuple[SwingDocument, ...]
    prices: tuple[PriceDocument, ...]
    missing: tuple[str, ...]
    assumptions: tuple[str, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class InfeasibleDocument:
    """Nothing does the job, so nothing has a price: what comes nearest, and by how much it misses."""

    schema_version: int
    command: str
    model: str
    feasible: bool
    nearest: str | None
    shortfalls: tuple[str, ...]
    sentence: str


def infeasible(question: Question, nearest: Option | None) -> InfeasibleDocument:
    """The answer where no option is feasible."""
    missed = nearest.shortfalls if nearest else ("no engine of the catalogue runs it there, or a figure is missing",)
    name = nearest.name if nearest else None
    text = f"{name or 'Nothing'} does not do the job: {'; '.join(missed)}. ridgewise plan names ways out."
    return InfeasibleDocument(SCHEMA_VERSION, "cost", question.arch.name, False, name, missed, text)


def document(found: Costing) -> CostDocument:
    """The published form of a costing."""
    tokens, users, site = found.tokens_in + found.tokens_out, found.users, found.site
    carbon = None
    if found.carbon:
        low, high = found.carbon
        carbon = Estimate((low + high) / 2, low, high, "datasheet", ("grid carbon",))
    best = found.cheapest
    return CostDocument(
        schema_version=SCHEMA_VERSION,
        command="cost",
        model=found.question.arch.name,
        feasible=True,
        goal=found.question.workload.goal,
        hardware=found.pick.name,
        device=found.pick.device.id,
        devices=found.pick.count,
        rented_device=found.rented.device.id if found.rented else None,
        copies=found.copies,
        users=users,
        horizon_months=found.terms.months,
        country="/".join(part for part in found.terms.place[:2] if part) if found.terms.place else None,
        rate_per_year=found.terms.rate,
        requests_per_month=found.requests,
        input_tokens_per_month=found.tokens_in,
        output_tokens_per_month=found.tokens_out,
        cached_share=found.terms.cached,
        cheapest=best.way if best else None,
        ways=tuple(_way(way, found) for way in found.ways),
        break_even=tuple(
            BreakEvenDocument(b.against, b.load, b.month if math.isfinite(b.month) else None) for b in found.break_even
        ),
        cheapest_by_load=tuple(
            SpanDocument(
                s.way, s.low, s.high, s.low * tokens, s.high * tokens,
                s.low * users if users else None, s.high * users if users else None,
            )
            for s in found.spans
        ),
        rents=tuple(RentDocument(r.terms, r.hour, r.month, r.fits, r.price.as_of) for r in found.rents),
        mix=MixDocument(found.mix_of, found.mix.held, found.mix.rented_hours, found.mix.cost) if found.mix else None,
        idle_usd_per_month=found.idle,
        work_ratio=found.work,
        energy_kwh_per_month=found.energy,
        carbon_kg_per_month=carbon,
        carbon_g_per_million_tokens=1000 * carbon.value / (tokens / MILLION) if carbon and tokens else None,
        power_w=found.wall,
        heat_btu_per_h=site.heat if site else None,
        circuits=site.circuits if site else None,
        circuit_volts=site.volts if site else None,
        circuit_amperes=site.amperes if site else None,
        rack_units=site.rack_units if site else None,
        noise_dba=site.noise if site else None,
        capital_usd_per_month=found.books.capital if found.books else None,
        depreciation_years=found.books.life.value if found.books else None,
        depreciation_usd_per_month=found.books.month if found.books else None,
        book_value_usd=found.books.left if found.books else None,
        resale_usd=found.books.resale if found.books else None,
        sensitivity_of=found.swings_of,
        sensitivity=tuple(SwingDocument(s.name, s.low, s.high) for s in found.swings),
        prices=tuple(price_document(price) for price in found.prices),
        missing=found.missing,
        assumptions=found.assumptions,
        sentence=sentence(found),
    )  # fmt: skip


def _way(way: Way, found: Costing) -> WayDocument:
    each = way.per_token * MILLION
    return WayDocument(
        way.way, way.what, way.today, Estimate(way.total, way.low, way.high, way.tier, _basis(way, found)),  # type: ignore[arg-type]
        way.month, way.per_user, each if math.isfinite(each) else None, way.per_run, found.chance.get(way.way, 0.0),
        way.cumulated,
    )  # fmt: skip


def _basis(way: Way, found: Costing) -> tuple[str, ...]:
    """Keys of the sources behind one way."""
    rented = {found.rents[0].price} if found.rents else set()
    behind = {
        "buy": [price for price in found.prices if not price.what.startswith(("rent", "API"))],
        "rent": rented,
        "api": [price for price in found.prices if price.what.startswith("API")],
    }
    return tuple(dict.fromkeys(key for price in behind[way.way] for key in price.sources))


def price_document(price: Price) -> PriceDocument:
    """A price with its sources resolved."""
    known = load_sources()
    cited = tuple(
        SourceDocument(key, known[key].title, known[key].url, known[key].date) if key in known
        else SourceDocument(key, "", "", price.as_of)
        for key in price.sources
    )  # fmt: skip
    return PriceDocument(
        price.what, price.about, price.value, price.low, price.high, price.unit, price.as_of, price.stale, price.tier,
        price.trust, cited, price.note,
    )  # fmt: skip


def sentence(found: Costing) -> str:
    """The decision in one sentence."""
    best = found.cheapest
    if best is None:
        return "No way has a price: " + "; ".join(found.missing)
    others = sorted((way for way in found.ways if way is not best), key=lambda way: way.total)
    beside = " and ".join(f"{money(way.month)} for {WORDS[way.way]}" for way in others)
    over = f"{found.terms.months} months" if found.terms.months > 1 else "one month"
    text = f"Over {over} {WORDS[best.way]} is cheapest: {money(best.month)} a month"
    if not others:
        return f"Only {WORDS[best.way]} has a price: {money(best.month)} a month over {over}."
    text += f" against {beside}"
    months = {b.against: b.month for b in found.break_even if b.load == 1.0 and b.against in ("rent", "api")}
    paid = [f"{WORDS[way]} {_month(month)}" for way, month in months.items()]
    if paid:
        text += f"; buying breaks even with {' and with '.join(paid)}"
    return f"{text}; it stays cheapest in {share(found.chance[best.way])} of the draws over what is uncertain."


def _month(month: float) -> str:
    return f"in month {whole(month)}" if math.isfinite(month) else "not within the horizon"


def picture(found: CostDocument) -> list[str]:
    """What has been spent up to each month, as lines of a terminal; letters are the ways."""
    most = max((max(way.cumulated_usd) for way in found.ways), default=0.0)
    if most <= 0:
        return []
    canvas = [[" "] * COLUMNS for _ in range(ROWS)]
    months = found.horizon_months
    for way in found.ways:
        for at in range(COLUMNS):
            spent = way.cumulated_usd[min(round(at / (COLUMNS - 1) * months), months)]
            row = ROWS - 1 - round(max(spent, 0.0) / most * (ROWS - 1))
            canvas[row][at] = "·" if canvas[row][at] != " " else way.way[0].upper()
    lines = [
        f"{money(most) if row == 0 else money(0) if row == ROWS - 1 else '':>10} │{''.join(line).rstrip()}"
        for row, line in enumerate(canvas)
    ]
    last = f"month {months}"
    named = ", ".join(f"{way.way[0].upper()} {WORDS[way.way]}" for way in found.ways)
    return [
        *lines,
        f"{'':>10} └{'─' * COLUMNS}",
        f"{'':>12}0{last:>{COLUMNS - 1}}",
        f"{'':>12}spent so far: {named}, · both",
    ]


def show(found: CostDocument, *, heading: bool = True) -> None:
    """Print the ways side by side, the picture, what would change the answer, and every price."""
    console = Console(highlight=False)
    if heading:
        many = f"{whole(found.users)} users" if found.users else {"infer": "one user"}.get(found.goal, found.goal)
        console.print(Text(f"{found.model} · {many} · {found.horizon_months} months{_where(found)}", style="bold"))
    else:
        console.print(Text(f"Money over {found.horizon_months} months{_where(found)}", style="bold"))
    console.print(Text(found.sentence))
    console.print()
    console.print(_ways(found))
    for way in found.ways:
        console.print(Text(f"{way.way}: {way.what}"))
    console.print(Text(TIER_TEXT, style="dim"))
    console.print()
    for line in (*picture(found), ""):
        console.print(Text(line))
    _list(console, "What would change the answer", [*_evens(found), *_spans(found), *_rents(found), *_swings(found)])
    _list(console, "Power", list(_power(found)))
    _list(console, "On the books", list(_books(found)))
    _list(console, "Prices", price_lines(found.prices))
    for line in (*source_lines(found.prices), ""):
        console.print(Text(line))
    _list(console, "Missing", found.missing)
    _list(console, "Assumed", found.assumptions)


def _where(found: CostDocument) -> str:
    return f" · {found.country}" if found.country else ""


def _list(console: Console, title: str, lines: Sequence[str]) -> None:
    if lines:
        console.print(Text(title, style="bold"))
        for line in lines:
            console.print(Text(f"  · {line}"))
        console.print()


def _ways(found: CostDocument) -> Table:
    runs = any(way.cost_usd_per_run is not None for way in found.ways)
    each = "per run" if runs else "per user" if found.users else ""
    headers = ("way", "today", "per month", *([each] if each else []), "per Mtok", "in all", "80 %")
    table = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 1))
    for header in headers:
        table.add_column(header, justify="left" if header == "way" else "right", no_wrap=True)
    for way in found.ways:
        one = way.cost_usd_per_run if runs else way.cost_usd_per_user_month
        cells = [money(one)] if each and one is not None else []
        tokens = way.cost_usd_per_million_tokens
        table.add_row(
            way.way, money(way.upfront_usd), money(way.cost_usd_per_month), *cells,
            money(tokens) if tokens is not None else "no tokens",
            f"{money(way.cost_usd.value)} {TIER_MARK[way.cost_usd.tier]}",
            _ends(way.cost_usd),
        )  # fmt: skip
    return table


def _ends(cost: Estimate) -> str:
    """$14,087–19,002; one amount where both ends read the same."""
    low, high = money(cost.low), money(cost.high)
    return low if low == high else f"{low}–{high.replace('$', '')}"


def _evens(found: CostDocument) -> Iterator[str]:
    for against in dict.fromkeys(even.against for even in found.break_even):
        evens = [even for even in found.break_even if even.against == against]
        months = [
            f"{when} at {', '.join(share(even.load_ratio) for even in group)}"
            for when, group in groupby(evens, key=lambda e: f"month {whole(e.month)}" if e.month else "not in time")
        ]
        yield f"buying breaks even with {WORDS[against]}: {', '.join(months)} of the load"


def _spans(found: CostDocument) -> Iterator[str]:
    spans = found.cheapest_by_load
    for one, other in list(pairwise(spans))[:BORDERS]:
        border = f"{count(one.tokens_per_month_high)} tokens a month"
        users = f", {digits(one.users_high, 2)} users" if one.users_high else ""
        yield f"{WORDS[one.way]} is cheapest below {border}{users}; {WORDS[other.way]} above"
    if len(spans) > BORDERS + 1:
        yield "beyond that each further copy turns it once more (--json lists the borders)"


def _rents(found: CostDocument) -> Iterator[str]:
    if len(found.rents) > 1:
        terms = [
            f"{r.terms} {money(r.cost_usd_per_month)}{'' if r.within_horizon else ' (binds longer)'}"
            for r in found.rents
        ]
        yield f"renting per month: {', '.join(terms)}"
    if found.mix and found.mix.rented_h_per_month:
        mix = found.mix
        yield (
            f"cheapest mix: {digits(mix.held_copies)} of {digits(found.copies)} copies {mix.how}, "
            f"{digits(mix.rented_h_per_month)} hours a month on demand: {money(mix.cost_usd_per_month)} a month"
        )
    if found.idle_usd_per_month:
        yield f"hours without work cost {money(found.idle_usd_per_month)} of a month of owning"


def _swings(found: CostDocument) -> Iterator[str]:
    for swing in found.sensitivity[:5]:
        ends = (swing.low_usd_per_month, swing.high_usd_per_month)
        flips = "; it flips the answer" if min(ends) < 0 < max(ends) and " less " in found.sensitivity_of else ""
        yield f"{swing.doubt}: {found.sensitivity_of} {' to '.join(_signed(end) for end in ends)} a month{flips}"


def _signed(dollars: float) -> str:
    return f"−{money(-dollars)}" if dollars < 0 else money(dollars)


def _power(found: CostDocument) -> Iterator[str]:
    if found.energy_kwh_per_month is None or found.power_w is None:
        return
    carbon = found.carbon_kg_per_month
    low, high = (digits(carbon.low), digits(carbon.high)) if carbon else ("", "")
    emitted = f", {low if low == high else f'{low}–{high}'} kg CO₂e" if carbon else ""
    pace = ", at the pace it was planned for" if found.goal == "infer" else ""
    used = f"at work {share(found.work_ratio)} of the hours{pace}: {digits(found.energy_kwh_per_month)}"
    yield f"{used} kWh a month at the meter{emitted}; what an API or a cloud emits is not known"
    if found.heat_btu_per_h and found.circuits:
        yield (
            f"{power(found.power_w)} at work: {digits(found.heat_btu_per_h)} BTU/h of heat, {found.circuits} circuit"
            f"{'s' if found.circuits > 1 else ''} of {found.circuit_volts:g} V and {found.circuit_amperes:g} A"
        )
    known = [f"{digits(found.rack_units)} rack units"] if found.rack_units else []
    known += [f"{digits(found.noise_dba)} dB(A)"] if found.noise_dba else []
    yield ", ".join(known) if known else "rack units and noise: no source knows them for this machine"


def _books(found: CostDocument) -> Iterator[str]:
    if found.depreciation_years is None or not found.depreciation_usd_per_month:
        return
    years, capital = digits(found.depreciation_years), money(found.capital_usd_per_month or 0.0)
    yield f"capital costs {capital} a month: what is bought today less {money(found.resale_usd or 0.0)} at the end"
    written, left = money(found.depreciation_usd_per_month), money(found.book_value_usd or 0.0)
    yield f"written off in equal parts over {years} years it is {written} a month, {left} left at the end"


def price_lines(prices: Sequence[PriceDocument]) -> list[str]:
    """Prices with range, date, evidence and the numbers of their sources, one a line."""
    places = {source.key: number for number, source in enumerate(_cited(prices), start=1)}
    lines = []
    for group in _together(prices):
        price = group[0]
        what = " / ".join([price.what, *(one.what.removeprefix("API ") for one in group[1:])])
        marks = "".join(f"[{places[source.key]}]" for source in price.sources)
        dated = f"{price.as_of}, stale" if price.stale else price.as_of
        trust = f"trust {price.trust}" if price.trust else ""
        about = ", ".join(part for part in (price.about, dated, trust) if part)
        amount = " / ".join(_span(one) for one in group)
        lines.append(f"{what} {amount} {price.unit} {TIER_MARK[price.tier]}: {about} {marks}".rstrip())
    return lines


def _span(price: PriceDocument) -> str:
    low, high = digits(price.low), digits(price.high)
    return low if low == high else f"{low}–{high}"


def _together(prices: Sequence[PriceDocument]) -> Iterator[list[PriceDocument]]:
    """Prices one by one, those of one hosted model together."""
    for (hosted, _, _), group in groupby(prices, key=lambda p: (p.what.startswith("API"), p.about, p.what[:3])):
        if hosted:
            yield list(group)
        else:
            yield from ([price] for price in group)


def _cited(prices: Sequence[PriceDocument]) -> list[SourceDocument]:
    """Sources in the order in which they are first used."""
    return list({source.key: source for price in prices for source in price.sources}.values())


def source_lines(prices: Sequence[PriceDocument]) -> list[str]:
    """Numbered sources: title, date, address."""
    return [
        f"[{number}] {', '.join(part for part in (source.title or source.key, source.date, source.url) if part)}"
        for number, source in enumerate(_cited(prices), start=1)
    ]


def markdown(found: CostDocument) -> str:
    """The ways side by side and what would change the answer, as Markdown."""
    lines = [f"## Money over {found.horizon_months} months{_where(found)}", "", found.sentence, ""]
    lines += [
        "| way | what | today | per month | in all | 80 % | evidence |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for way in found.ways:
        ends = _ends(way.cost_usd)
        cells = (
            way.way,
            way.what,
            money(way.upfront_usd),
            money(way.cost_usd_per_month),
            money(way.cost_usd.value),
            ends,
        )
        lines.append(f"| {' | '.join(cells)} | {way.cost_usd.tier} |")
    lines += ["", *(f"- {line}" for line in (*_evens(found), *_spans(found), *_rents(found))), ""]
    lines += ["| price | value | of | as of | source |", "| --- | --- | --- | --- | --- |"]
    for price in found.prices:
        cited = "; ".join(f"[{s.title}]({s.url})" if s.url else s.title or s.key for s in price.sources)
        lines.append(f"| {price.what} | {_span(price)} {price.unit} | {price.about} | {price.as_of} | {cited} |")
    return "\n".join([*lines, "", *(f"- missing: {line}" for line in found.missing)]).rstrip() + "\n"

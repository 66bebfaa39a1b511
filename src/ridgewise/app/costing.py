"""``ridgewise cost``, the money part of ``plan``, and ``ridgewise hardware prices``."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgewise.app.home import home, own, write_whole
from ridgewise.app.inspecting import number
from ridgewise.economics.prices import HOURLY
from ridgewise.errors import RequestError, nearest

if TYPE_CHECKING:
    from ridgewise.advise.costing import MoneyTerms
    from ridgewise.advise.question import Question
    from ridgewise.economics.prices import ApiPrice, Price
    from ridgewise.hardware import Device, Offer
    from ridgewise.report.cost import CostDocument, InfeasibleDocument

#: Flags of money, beside those of a plan.
FLAGS = (
    "country", "horizon", "rate", "growth", "ramp", "cached", "rent", "api", "api_model", "hosting", "pue", "resale",
    "upkeep", "running", "tax", "carbon", "interruptions", "restart", "profile", "runs", "quotes",
)  # fmt: skip
#: Kinds of a quotes file → unit its price is in, per what ``name`` says.
KINDS = {
    "purchase": "USD per device", "host": "USD", "on-demand": HOURLY, "spot": HOURLY, "reserved-1y": HOURLY,
    "reserved-3y": HOURLY, "electricity": "USD/kWh", "hosting": "USD/kW/month",
    "api-input": "USD per Mtok", "api-output": "USD per Mtok", "api-cached": "USD per Mtok",
}  # fmt: skip
COLUMNS = ("kind", "name", "price", "currency", "as_of")
#: The file of a user's own catalogue whose quotes always count.
QUOTES = "quotes.csv"
SECONDS_PER_MONTH = 2629800.0
#: A year, month or day.
DATE = re.compile(r"20[0-9]{2}(-(0[1-9]|1[0-2])(-([0-2][0-9]|3[01]))?)?")
#: Bytes read of a quotes file at most.
LARGEST = 1 << 20


@dataclass
class Quotes:
    """A user's prices [USD]: per device, of the host, and everything else by what it is of."""

    devices: dict[str, float] = field(default_factory=dict)
    host: float | None = None
    own: dict[str, Price] = field(default_factory=dict)
    api: dict[str, Price] = field(default_factory=dict)


def amount(text: str, where: str, unit: str = "USD") -> tuple[float, str, str]:
    """``25000``, ``25,000 EUR`` or ``0.18 EUR@1.12`` as US dollars, with the date of the rate and the words.

    ``@`` gives the user's own rate, in dollars for one unit. Raises RequestError for what is negative, no number, or of
    a currency without a rate.
    """
    from ridgewise.economics.prices import exchange
    from ridgewise.units import parse

    words = text.strip().replace("@", " @").split()
    rate = float(words.pop()[1:]) if len(words) > 2 and _is_number(words[-1][1:]) and words[-1][0] == "@" else None
    named = len(words) == 2 and words[1].isalpha() and len(words[1]) > 2 and not words[1].endswith("USD")
    currency = words[1].upper() if named else "USD"
    value = parse(words[0] if named else " ".join(words), "USD", where)
    if value < 0 or (rate is not None and rate <= 0):
        raise RequestError(f"{text} is negative", where, (f"0 {unit}",))
    if rate is not None:
        return value * rate, "", f"at your rate of {rate:g} USD"
    found = exchange(currency, where)
    return (value, "", "") if currency == "USD" else (value * found.value, found.as_of, found.sources[0])


def _is_number(text: str) -> bool:
    try:
        return 0 <= float(text) < float("inf")
    except ValueError:
        return False


def read_quotes(path: Path) -> Quotes:
    """Quotes of a CSV file: kind, name, price, currency, as_of, and source if wanted.

    Raises RequestError with file and line for an unknown kind or device, a price that is missing, negative or without a
    date, and a currency without a rate.
    """
    from ridgewise.economics.prices import own as own_price
    from ridgewise.facts.catalog import read_bytes
    from ridgewise.hardware.sheets import device

    try:
        lines = read_bytes(path, LARGEST).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise RequestError(f"cannot be read: {error}", str(path)) from None
    rows = csv.DictReader(lines)
    absent = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    if absent:
        raise RequestError(f"no column {absent[0]!r}", str(path), COLUMNS)
    found = Quotes()
    for row in _readable(rows, path):
        where = f"{path}: line {rows.line_num}"
        kind, name = (row["kind"] or "").strip(), (row["name"] or "").strip()
        if kind not in KINDS:
            raise RequestError(f"unknown kind of price {kind!r}", where, nearest(kind, KINDS) or tuple(KINDS))
        if not (row["price"] or "").strip():
            raise RequestError("a price is missing", where)
        day = (row["as_of"] or "").strip()
        if not DATE.fullmatch(day):
            raise RequestError("a price without a date", where, ("2026-11", "2026-11-25"))
        currency = (row["currency"] or "").strip() or "USD"
        value, _, rate = amount(f"{row['price']} {currency}", where)
        source = (row.get("source") or "").strip() or path.name
        price = own_price(kind, value, KINDS[kind], source, day)
        if rate:
            price = _with_source(price, rate, f"{row['price']} {currency}")
        if kind == "purchase":
            identity = device(name, where, own("hardware")).id
            found.devices[identity] = value
            found.own[f"purchase/{identity}"] = price
        elif kind == "host":
            found.host, found.own["host"] = value, price
        elif kind.startswith("api-"):
            found.api[kind.removeprefix("api-")] = price
        elif kind in ("electricity", "hosting"):
            found.own[kind] = price
        else:
            found.own[f"{kind}/{device(name, where, own('hardware')).id}"] = price
    return found


def _readable(rows: csv.DictReader[str], path: Path) -> Iterator[dict[str, str]]:
    """The rows of a table; RequestError where it is none."""
    try:
        yield from rows
    except csv.Error as error:
        raise RequestError(f"cannot be read: {error}", f"{path}: line {rows.line_num}") from None


def _with_source(price: Price, rate: str, about: str) -> Price:
    from dataclasses import replace

    return replace(price, sources=(*price.sources, rate), about=about)


def money_terms(flags: Mapping[str, Any], question: Question) -> tuple[Question, MoneyTerms]:
    """The question with the user's prices in it, and what the flags say of money; wrong ones are refused by name."""
    from dataclasses import replace

    from ridgewise.advise.costing import MoneyTerms, sector
    from ridgewise.economics import prices
    from ridgewise.workloads import Service, SingleUser

    _fitting(flags, question)
    quotes = Quotes()
    kept = home() / "prices" / QUOTES
    for path in ([kept] if kept.is_file() else []) + ([Path(flags["quotes"])] if flags.get("quotes") else []):
        read = read_quotes(path)
        quotes = Quotes(
            quotes.devices | read.devices, read.host if read.host is not None else quotes.host, quotes.own | read.own,
            quotes.api | read.api,
        )  # fmt: skip

    def ratio(name: str, high: float, low: float = 0.0, default: float = 0.0) -> float:
        text = flags.get(name)
        return default if text is None else number(str(text), "ratio", f"--{name.replace('_', '-')}", low, high)

    given = {**quotes.own, **dict(_by_flag(flags, question))}
    for name, low, high in (("pue", 1.0, 5.0), ("resale", 0.0, 1.0)):
        if flags.get(name) is not None:
            given[name] = prices.own(name, ratio(name, high, low), "ratio")
    if flags.get("carbon"):
        given["carbon"] = prices.own("carbon", number(str(flags["carbon"]), "1", "--carbon", 0, 5000), "g/kWh")
    text = flags.get("country")
    place = prices.country(str(text)) if text else None
    spans, work = profile(flags.get("profile")), question.workload
    if spans and isinstance(work, SingleUser | Service):
        work = replace(work, busy=sum(spans) / len(spans) / max(spans))
    asked = replace(
        question,
        workload=work,
        prices={**quotes.devices, **question.prices},
        host_price=question.host_price if question.host_price is not None else quotes.host,
    )
    if "electricity" not in given and place is not None:
        given["electricity"] = prices.tariff(place, sector(question))
    if "electricity" in given:
        asked = replace(asked, tariff=given["electricity"].value)
    return asked, MoneyTerms(
        place=place, months=months(str(flags.get("horizon") or "36months")), rate=ratio("rate", 1.0),
        tax=ratio("tax", 1.0), growth=ratio("growth", 100.0, -0.99), upkeep=ratio("upkeep", 1.0),
        cached=ratio("cached", 1.0), ramp=months(str(flags["ramp"]), "--ramp") if flags.get("ramp") else 0.0,
        running=given.pop("running").value if "running" in given else 0.0, own=given,
        api=_api(flags.get("api"), quotes.api), api_model=flags.get("api_model"),
        interruptions=_maybe(flags, "interruptions", 0, 1000), restart=_hours(flags.get("restart")),
        profile=spans, runs=_maybe(flags, "runs", 0.01, 1e6) or 1.0, folder=own("prices"),
    )  # fmt: skip


def _by_flag(flags: Mapping[str, Any], question: Question) -> Iterator[tuple[str, Price]]:
    """Prices that flags or the plan file give, over those of quotes."""
    from ridgewise.economics.prices import own as own_price
    from ridgewise.hardware.sheets import device

    def said(what: str, text: str, flag: str, unit: str) -> Price:
        """A price with the rate at which its currency was converted."""
        value, day, rate = amount(text, flag, unit)
        price = own_price(what, value, unit, as_of=day)
        return _with_source(price, rate, text) if rate else price

    texts = {
        device(name, "--hardware", own("hardware")).id: str(text) for name, text in (flags.get("prices") or {}).items()
    }
    for identity, value in question.prices.items():
        yield f"purchase/{identity}", said("purchase", texts.get(identity, f"{value}"), "--price", KINDS["purchase"])
    for name, held in (("tariff", question.tariff), ("host_price", question.host_price)):
        kind = {"tariff": "electricity", "host_price": "host"}[name]
        if held is not None:
            yield kind, said(kind, str(flags.get(name) or held), f"--{name.replace('_', '-')}", KINDS[kind])
    for name, unit in (("hosting", KINDS["hosting"]), ("running", "USD/month")):
        if flags.get(name):
            yield name, said(name, str(flags[name]), f"--{name}", unit)
    for entry in flags.get("rent") or ():
        name, equals, price = entry.rpartition("=")
        terms, colon, rest = name.partition(":")
        kinds = tuple(kind for kind, unit in KINDS.items() if unit == HOURLY)
        if not equals or not name.strip() or (colon and terms not in kinds):
            examples = ("--rent 'H100 SXM=2.10'", "--rent 'spot:H100 SXM=1.20'")
            raise RequestError(f"{entry!r} is not NAME=USD per device and hour", "--rent", examples)
        kind = terms if colon else "on-demand"
        found = device((rest if colon else name).strip(), "--rent", own("hardware"))
        yield f"{kind}/{found.id}", said(f"rent, {kind}", price, "--rent", HOURLY)


#: Flags that mean nothing for a training run, and the one that means nothing for inference.
INFERENCE_ONLY, TRAINING_ONLY = ("profile", "cached", "api", "api_model"), ("runs",)


def _fitting(flags: Mapping[str, Any], question: Question) -> None:
    """Flags that mean nothing for the workload, or contradict each other, are refused."""
    training = question.workload.goal != "infer"
    for name in INFERENCE_ONLY if training else TRAINING_ONLY:
        if flags.get(name) is not None:
            kind = "training" if training else "inference"
            raise RequestError(
                f"means nothing for {kind} (--goal {question.workload.goal})", f"--{name.replace('_', '-')}"
            )
    if flags.get("profile") and flags.get("busy"):
        raise RequestError("the profile says how busy it is", "--busy, --profile", ("--profile 1,1,4,8,8,2",))
    if flags.get("api") and flags.get("api_model"):
        raise RequestError("your own price or another model's, not both", "--api, --api-model", ("--api 0.60/1.70",))


def in_dollars(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The flags of a plan with prices in other currencies turned into dollars."""
    made = dict(flags)
    if flags.get("prices"):
        made["prices"] = {name: amount(text, "--price")[0] for name, text in flags["prices"].items()}
    for name, unit in (("host_price", "USD"), ("tariff", "USD/kWh")):
        if flags.get(name) is not None:
            made[name] = amount(str(flags[name]), f"--{name.replace('_', '-')}", unit)[0]
    return made


def _maybe(flags: Mapping[str, Any], name: str, low: float, high: float) -> float | None:
    text = flags.get(name)
    return None if text is None else number(str(text), "1", f"--{name}", low, high)


def _hours(text: Any) -> float | None:
    return None if text is None else number(str(text), "s", "--restart", 0, 7 * 86400) / 3600


def months(text: str, where: str = "--horizon") -> int:
    """``3y``, ``36months`` as whole months; a number alone has no unit."""
    from ridgewise.units import parse

    if _is_number(text.strip()):
        raise RequestError(f"{text} has no unit", where, (f"{text.strip()}months",))
    found = round(parse(text, "s", where) / SECONDS_PER_MONTH)
    if not 1 <= found <= 240:
        raise RequestError(f"{text} is outside 1 month … 20 years", where, ("3y", "36months"))
    return found


def profile(text: str | None) -> tuple[float, ...]:
    """Loads of equal spans of the hours on, separated by commas: one above 0, none below."""
    if not text:
        return ()
    found = tuple(number(part, "1", "--profile", 0, 1e12) for part in text.split(","))
    if max(found) <= 0:
        raise RequestError("a profile without load", "--profile", ("--profile 1,1,4,8,8,2",))
    return found


def _api(text: str | None, quoted: Mapping[str, Price]) -> ApiPrice | None:
    """``IN/OUT`` or ``IN/OUT/CACHED`` per million tokens; else the quotes', where they hold both."""
    from ridgewise.economics.prices import MILLION, ApiPrice

    if text:
        parts = [amount(part, "--api", "USD per Mtok")[0] / MILLION for part in text.split("/")]
        if len(parts) not in (2, 3):
            raise RequestError(
                f"{text!r} is not IN/OUT per million tokens", "--api", ("--api 0.60/1.70", "--api 3/15/0.30")
            )
        cached = parts[2] if len(parts) == 3 else None
        return ApiPrice("your own", "API price", "", parts[0], parts[1], cached, "", ("given with the question",))
    if not quoted:
        return None
    for part in ("input", "output"):
        if part not in quoted:
            raise RequestError(f"quotes of an API lack the {part} price", QUOTES, (f"api-{part}",))
    first, known = quoted["input"], quoted.get("cached")
    return ApiPrice(
        "your own", "API quote", "", first.value / MILLION, quoted["output"].value / MILLION,
        known.value / MILLION if known else None, first.as_of, first.sources,
    )  # fmt: skip


def costed(flags: Mapping[str, Any], file: Path | None = None) -> CostDocument | InfeasibleDocument:
    """The money of the plan that flags or a file describe, or why nothing does the job."""
    from ridgewise.advise.costing import costing
    from ridgewise.advise.field import Field
    from ridgewise.advise.rank import ranked
    from ridgewise.app.request import from_flags, question
    from ridgewise.hardware.sheets import load_devices
    from ridgewise.report.cost import document, infeasible

    planned = {name: value for name, value in flags.items() if name not in FLAGS or name in ("country", "horizon")}
    request = from_flags(file, in_dollars(planned))
    further = {"country": request.country, "horizon": request.horizon, "busy": request.workload.busy}
    asked, terms = money_terms({**flags, **further}, question(request))
    devices = asked.hardware or tuple(d for d in load_devices(own("hardware")).values() if d.status == "available")
    options = ranked(asked, Field().options(asked, devices))
    if not options or not options[0].feasible:
        return infeasible(asked, options[0] if options else None)
    return document(costing(asked, options, terms))


def run(
    flags: Mapping[str, Any], file: Path | None, plot: Path | None, report: Path | None = None, *, json: bool
) -> int:
    """Print the money of a plan; 1 where nothing does the job or nothing has a price."""
    from ridgewise.report import cost
    from ridgewise.report.document import as_json

    named = str(flags.get("model") or "")
    if named.endswith(".toml") and file is None:  # a plan instead of a model
        flags, file = {**flags, "model": None}, Path(named)
    if not flags.get("model") and file is None:
        raise RequestError("no model given", "cost", ("ridgewise cost Llama-3.1-8B --users 50",))
    answer = costed(flags, file)
    priced = isinstance(answer, cost.CostDocument) and bool(answer.ways)
    if isinstance(answer, cost.CostDocument) and priced and plot is not None:
        from ridgewise.report.charts.money import spent

        write_whole(plot, spent(answer))
    if report is not None:
        from ridgewise.app import reporting

        reporting.write(report, answer)
    if json:
        print(as_json(answer))
    elif isinstance(answer, cost.CostDocument):
        cost.show(answer)
    else:
        print(answer.sentence)
    return 0 if priced else 1


def cost(model: str, hardware: str | None = None, **flags: Any) -> CostDocument | InfeasibleDocument:
    """Buy, rent or API: ``ridgewise cost`` as a function.

    ``flags`` are those of the command, numbers or words; ``price`` a mapping of devices to prices, ``rent`` a list.
    Raises :class:`ridgewise.errors.RequestError` for what is unknown or cannot be.
    """
    from ridgewise.app.request import CandidatesTable, PlanFile, WorkloadTable

    tables = (PlanFile, WorkloadTable, CandidatesTable)
    known = {*FLAGS, "price", *(name for table in tables for name in table.model_fields)}
    if wrong := sorted(set(flags) - known):
        raise RequestError(f"unknown flag {wrong[0]!r}", "cost", nearest(wrong[0], known) or tuple(sorted(known))[:4])
    prices = {name: str(value) for name, value in dict(flags.pop("price", None) or {}).items()}
    given = {name: str(value) if isinstance(value, float | int) else value for name, value in flags.items()}
    return costed({"model": model, "hardware": [hardware] if hardware else [], "prices": prices, **given})


def list_prices(name: str, refresh: bool, *, json: bool) -> int:
    """Every price of a device, or of all; ``refresh`` fetches offers first."""
    from dataclasses import asdict

    from ridgewise.hardware.offers import purchase_offers, rental_offers
    from ridgewise.hardware.sheets import device, load_devices
    from ridgewise.report.cost import price_document, price_lines, source_lines

    devices = (device(name, "hardware", own("hardware")),) if name else tuple(load_devices(own("hardware")).values())
    fetched = fetch() if refresh else None
    prices = {
        found.id: [
            price_document(price)
            for price in _offered((*purchase_offers(found.id), *rental_offers(found.id, own("prices"))))
        ]
        for found in devices
    }
    if json:
        from ridgewise.app.cataloguing import _print_json

        listed = {identity: [asdict(price) for price in rows] for identity, rows in prices.items()}
        _print_json({"fetched_offers": fetched, "prices": listed})
        return 0
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    if fetched is not None:
        console.print(Text(f"{fetched} offers fetched into your catalogue"))
    for identity, rows in prices.items():
        if rows:
            console.print(Text(identity, style="bold"))
            for line in (*price_lines(rows), *source_lines(rows), ""):
                console.print(Text(line))
    without = [identity for identity, rows in prices.items() if not rows]
    if without:
        console.print(Text(f"No sourced price: {', '.join(without)}"))
    return 0


def _offered(offers: Iterable[Offer]) -> Iterator[Price]:
    """Offers as prices, purchases first, the newest first."""
    from ridgewise.economics.prices import Price

    for offer in sorted(offers, key=lambda o: (o.kind == "rent", o.terms, *(-ord(c) for c in o.as_of))):
        unit = f"{offer.currency}/h" if offer.kind == "rent" else offer.currency
        about = ", ".join(p for p in (offer.provider, offer.product, offer.condition, offer.region) if p)
        tier = "assumed" if offer.assumed else "datasheet"
        yield Price(
            f"{offer.kind}, {offer.terms}", (offer.low + offer.high) / 2, offer.low, offer.high, unit, offer.as_of,
            tier, about, offer.sources, offer.note, offer.trust,
        )  # fmt: skip


def fetch() -> int:
    """Today's offers, fetched with gpuhunt and kept in the user's catalogue; how many. RequestError, and nothing
    changed, where the extra is not installed or the network is not there."""
    import datetime
    import logging

    from ridgewise.hardware.offers import FETCHED
    from ridgewise.hardware.sheets import load_devices

    try:
        import gpuhunt
    except ImportError:
        raise RequestError("needs the extra 'prices'", "--refresh", ("pip install 'ridgewise[prices]'",)) from None
    logging.getLogger("gpuhunt").setLevel(logging.CRITICAL)  # what goes wrong is said once, below
    try:
        items = gpuhunt.Catalog().query(min_gpu_count=1)
    except Exception as error:  # whatever a provider's page answers: nothing is kept
        raise RequestError(
            f"no offers could be fetched: {error}", "--refresh", ("the catalogue's own prices stay",)
        ) from None
    rows = offer_rows(items, load_devices(own("hardware")), datetime.date.today().isoformat())
    if not rows:
        raise RequestError("no offers of known devices were fetched", "--refresh", ("the catalogue's own prices stay",))
    from io import StringIO

    text = StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(home() / "prices" / FETCHED, text.getvalue(), parents=True)
    return len(rows)


#: Words after a name that tell forms of one product apart.
FORM = re.compile(r"sxm\d?|pcie|nvl|oam|blackwell|workstation|server|edition|max|q|superchip|hbm\w+|\d+gb")


def offer_rows(items: Iterable[Any], devices: Mapping[str, Device], day: str) -> list[dict[str, Any]]:
    """Offers of gpuhunt as rows of ``offers.csv``. What may be several devices (an H100 is SXM or PCIe) counts only
    where the catalogue knows the instance or the instance's name tells; else it is left out, never guessed."""
    from ridgewise.hardware.offers import price_rows

    known = {(row["provider"], row["instance"]): row["device"] for row in price_rows("cloud.csv")}
    variants = _variants(devices)
    rows = []
    for item in items:
        if not item.price or item.price <= 0 or not item.gpu_count or not item.gpu_name:
            continue
        found = known.get((item.provider, item.instance_name)) or _meant(item, variants, devices)
        if found is None:
            continue
        rows.append({
            "provider": item.provider, "instance": item.instance_name, "device": found, "count": item.gpu_count,
            "region": item.location, "on_demand_usd_h": "" if item.spot else item.price,
            "spot_usd_h": item.price if item.spot else "", "as_of": day, "source": "gpuhunt",
        })  # fmt: skip
    return rows


def _variants(devices: Mapping[str, Device]) -> dict[str, set[str]]:
    """Name without separators → the devices it may mean: those called so, and their other forms."""
    from ridgewise.facts.names import normal

    found: dict[str, set[str]] = {}
    for device in devices.values():
        for called in (device.name, *device.aliases):
            tokens = [
                token for token in normal(called).split("-") if token not in ("nvidia", "amd", "geforce", "instinct")
            ]
            for end in range(1, len(tokens) + 1):
                if all(FORM.fullmatch(token) for token in tokens[end:]):
                    found.setdefault("".join(tokens[:end]), set()).add(device.id)
    return found


def _meant(item: Any, variants: Mapping[str, set[str]], devices: Mapping[str, Device]) -> str | None:
    """The one device of that name and memory, by its form where the instance names one."""
    memory = float(item.gpu_memory or 0)
    fitting = [
        found for found in variants.get(re.sub(r"[\W_]", "", str(item.gpu_name).casefold()), ())
        if abs((devices[found].memory or 0.0) / 2**30 - memory) < 0.08 * memory
    ]  # fmt: skip
    named = [found for found in fitting if any(f"-{form}" in found and form in item.instance_name.casefold()
                                               for form in ("sxm", "pcie", "nvl", "server"))]  # fmt: skip
    chosen = fitting if len(fitting) == 1 else named
    return chosen[0] if len(chosen) == 1 else None

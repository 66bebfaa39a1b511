"""What money is asked for besides devices: tokens of an API, electricity, space, resale; carbon; currencies.

Every figure has its date and source (``catalog/prices``). What is missing is None or a RequestError that names what to
give, never zero; a range stands where sources differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated

import numpy as np

from ridgewise.economics.cost import is_stale
from ridgewise.economics.finance import declining
from ridgewise.errors import RequestError, nearest
from ridgewise.hardware.offers import price_rows

MILLION = 1e6
#: What a rent is per.
HOURLY = "USD/h per device"


@dataclass(frozen=True, slots=True)
class Price:
    """A figure with its range, its date and what stands behind it.

    value     what is reckoned with: the middle where nothing says more
    tier      "measured": the user's own; "datasheet": sourced; "assumed": modelled, estimated or of something similar
    about     what it is the price of: provider, product, region
    sources   keys of the catalogue, or the user's own words
    trust     "A" vendor, retailer or measured, "B" press or reviewer, "C" aggregator or estimate; the least of a range
    """

    what: str
    value: float
    low: float
    high: float
    unit: str
    as_of: str
    tier: str
    about: str = ""
    sources: tuple[str, ...] = ()
    note: str = ""
    trust: str = ""

    @property
    def stale(self) -> bool:
        """Much older than the newest price of the catalogue."""
        return self.as_of[:4].isdigit() and is_stale(self.as_of)


def own(what: str, value: float, unit: str, source: str = "given with the question", as_of: str = "") -> Price:
    """A price of the user's."""
    return Price(what, value, value, value, unit, as_of, "measured", "your own", (source,))


@dataclass(frozen=True, slots=True)
class ApiPrice:
    """Tokens of a hosted model [USD per token]; ``cached`` None: the provider has no price of its own for them.

    model   of the catalogue; empty: weights are not open, or the catalogue has no such configuration
    """

    provider: str
    name: str
    model: str
    input: float
    output: float
    cached: float | None
    as_of: str
    sources: tuple[str, ...]
    note: str = ""
    trust: str = ""

    @property
    def known(self) -> float:
        """Price of a token read before: the full one where no other is asked."""
        return self.input if self.cached is None else self.cached

    def blended(self, prompt: float, output: float, cached: float) -> Annotated[float, "USD/token"]:
        """Price of a token, read or written, of one mix."""
        read = prompt * ((1.0 - cached) * self.input + cached * self.known)
        return (read + output * self.output) / (prompt + output)


@cache
def api_prices() -> tuple[ApiPrice, ...]:
    """Every hosted model of the catalogue."""
    return tuple(
        ApiPrice(
            row["provider"], row["name"], row["model"], float(row["input_usd_mtok"]) / MILLION,
            float(row["output_usd_mtok"]) / MILLION,
            float(row["cached_usd_mtok"]) / MILLION if row["cached_usd_mtok"] else None,
            row["as_of"], _keys(row), row["note"], row["trust"],
        )
        for row in price_rows("api.csv")
    )  # fmt: skip


def api_named(name: str) -> tuple[ApiPrice, ...]:
    """The prices of a hosted model by the provider's name of it, or by ``provider/name``."""
    wanted = name.casefold()
    found = tuple(p for p in api_prices() if wanted in (p.name.casefold(), f"{p.provider}/{p.name}".casefold()))
    if not found:
        known = [p.name for p in api_prices()]
        raise RequestError(f"no price of a hosted model {name!r}", "--api-model", nearest(name, known) or ("--api",))
    return found


@dataclass(frozen=True, slots=True)
class Grid:
    """Carbon of a country's (or state's) electricity [g CO₂e/kWh] over the sources."""

    low: float
    high: float
    as_of: str
    sources: tuple[str, ...]


#: What countries of the tables call themselves or are called, where it is not the name of the tables.
NATIVE = {
    "AT": "Österreich", "BE": "België Belgique", "BG": "България", "BR": "Brasil", "CH": "Schweiz Suisse Svizzera",
    "CN": "Zhongguo 中国", "CY": "Kypros Κύπρος", "CZ": "Česko", "DE": "Deutschland", "DK": "Danmark", "ES": "España",
    "FI": "Suomi", "GB": "UK Britain England", "GR": "Ellada Hellas Ελλάδα", "HU": "Magyarország", "IE": "Éire",
    "IN": "Bharat", "IS": "Ísland", "IT": "Italia", "JP": "Nippon Nihon 日本", "KR": "Hanguk 한국",
    "NL": "Nederland", "NO": "Norge", "PL": "Polska",
    "SE": "Sverige", "SI": "Slovenija", "SK": "Slovensko", "TR": "Türkiye", "TW": "台灣",
}  # fmt: skip


def country(text: str) -> tuple[str, str, str]:
    """Code, state and name of a place: a code (``DE``), a name (``Germany``), a state (``US/Texas``, ``Texas``)."""
    rows = [*price_rows("electricity.csv"), *price_rows("carbon.csv")]
    wanted = text.strip().casefold()
    names: dict[str, tuple[str, str, str]] = {}
    for row in rows:
        place = (row["country"], row["state"], row["name"])
        for name in (
            (f"{row['country']}/{row['state']}", row["state"]) if row["state"] else (row["country"], row["name"])
        ):
            names.setdefault(name.casefold(), place)
    if wanted not in names:
        shown = {name: f"{place[0]}/{place[1]}" if place[1] else place[0] for name, place in names.items()}
        long = {name: code for name, code in shown.items() if len(name) > 3 and "/" not in name}
        long |= {word.casefold(): code for code, words in NATIVE.items() for word in words.split()}
        within = [code for name, code in long.items() if f" {name} " in f" {wanted} "]  # "Federal Republic of Germany"
        close = within or [(long | shown)[name] for name in nearest(text, long if len(wanted) > 3 else shown)]
        full = {code: names[code.casefold()][2] for code in close if "/" not in code}
        told = tuple(dict.fromkeys(word for code in close for word in (code, full.get(code, code))))[:4]
        raise RequestError(f"unknown country {text!r}", "--country", told or ("DE", "US", "FR", "world"))
    return names[wanted]


def tariff(place: tuple[str, str, str], sector: str = "business") -> Price:
    """Electricity of a place [USD/kWh]: of that sector where a price is known, else of the other; sourced before
    modelled, the newest year's range. RequestError where none is known."""
    code, state, name = place
    rows = [r for r in price_rows("electricity.csv") if (r["country"], r["state"]) == (code, state)]
    rows = [r for r in rows if r["sector"] == sector] or rows
    rows = [r for r in rows if r["trust"] != "C"] or rows
    if not rows:
        raise RequestError(f"no electricity price of {state or name} in the catalogue", "--country", ("--tariff 0.20",))
    newest = max(r["as_of"][:4] for r in rows)
    rows = [r for r in rows if r["as_of"][:4] == newest]
    values = [float(r["price_per_kwh"]) * exchange(r["currency"]).value for r in rows]
    keys = dict.fromkeys(key for r in rows for key in (*_keys(r), *_money(r["currency"])))
    local = " and ".join(dict.fromkeys(f"{float(r['price_per_kwh']):g} {r['currency']}" for r in rows))
    notes = "; ".join(dict.fromkeys(r["note"] for r in rows if r["note"]))
    return Price(
        "electricity", (min(values) + max(values)) / 2, min(values), max(values), "USD/kWh",
        max(r["as_of"] for r in rows), "assumed" if rows[0]["trust"] == "C" else "datasheet",
        f"{state or name}, {rows[0]['sector']}, {local}/kWh", tuple(keys), notes,
        max(r["trust"] for r in rows),
    )  # fmt: skip


def grid(place: tuple[str, str, str]) -> Grid | None:
    """Carbon of a place's electricity; None where unknown."""
    for row in price_rows("carbon.csv"):
        if (row["country"], row["state"]) == place[:2]:
            return Grid(float(row["low_g_per_kwh"]), float(row["high_g_per_kwh"]), row["as_of"], _keys(row))
    return None


def exchange(currency: str, where: str = "currency") -> Price:
    """US dollars for one unit of a currency, at the reference rates the catalogue holds."""
    code = currency.strip().upper()
    rows = {row["currency"]: row for row in price_rows("exchange.csv")}
    if code not in rows:
        raise RequestError(f"no dated rate of currency {currency!r}", where, nearest(code, rows) or ("USD", "EUR"))
    found, dollar = rows[code], rows["USD"]
    value = float(dollar["per_eur"]) / float(found["per_eur"])
    return Price(f"{code} in USD", value, value, value, "USD", found["as_of"], "datasheet", "", _keys(found))


def _money(currency: str) -> tuple[str, ...]:
    """Sources of a conversion, where one is made."""
    return exchange(currency).sources if currency != "USD" else ()


def facility(kind: str) -> Price | None:
    """One kind of ``hosting.csv`` ("colocation", "pue", "life"): the middle of what trusted sources say, within the
    range of all; None where nothing is known."""
    rows = [row for row in price_rows("hosting.csv") if row["kind"] == kind]
    if not rows:
        return None
    trusted = [row for row in rows if row["trust"] in "AB"] or rows
    (low, high), (least, most) = (
        (min(float(row["low"]) for row in of), max(float(row["high"]) for row in of)) for of in (trusted, rows)
    )
    return Price(
        kind, (low + high) / 2, least, most, rows[0]["unit"], max(row["as_of"] for row in trusted), "datasheet",
        "; ".join(row["item"] for row in trusted), tuple(dict.fromkeys(key for row in rows for key in _keys(row))),
        "", max(row["trust"] for row in rows),
    )  # fmt: skip


def resale(months: float) -> Price:
    """Share of its price that hardware is sold for at an age: between the lowest and the highest curve of the
    catalogue, straight lines between their ages, level after the last; what a later age still fetches, an earlier one
    does too. Yearly losses that sold prices fit well are curves of their own."""
    held: dict[int, list[dict[str, str]]] = {0: []}
    for row in price_rows("hosting.csv"):
        if row["kind"] == "resale":
            held.setdefault(int(row["age_months"]), []).append(row)
    ages = sorted(held)
    least = [min((float(row["low"]) for row in held[age]), default=1.0) for age in ages]
    most = [max((float(row["high"]) for row in held[age]), default=1.0) for age in ages]
    low, high = np.minimum.accumulate(least), np.maximum.accumulate(most[::-1])[::-1]
    measured = [row for row in price_rows("hosting.csv") if row["kind"] == "resale-rate" and "low" not in row["note"]]
    sold = [float(declining(1.0, -float(row["low"]), months)) for row in measured]
    ends = (min(float(np.interp(months, ages, low)), *sold), max(float(np.interp(months, ages, high)), *sold))
    behind = [*(row for rows in held.values() for row in rows), *measured]
    keys = tuple(dict.fromkeys(key for row in behind for key in _keys(row)))
    newest = max(row["as_of"] for rows in held.values() for row in rows)
    about = f"after {months:g} months"
    return Price("resale", sum(ends) / 2, *ends, "ratio", newest, "assumed", about, keys, trust="C")


def _keys(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(key for key in row["source"].split(";") if key)

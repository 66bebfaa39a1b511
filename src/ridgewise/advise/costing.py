"""Buy, rent or API: the bills of one plan over months, from which month and which load on the answer changes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from ridgewise.advise.inference import READING_SPEED, tpot_limit, ttft_limit
from ridgewise.advise.option import Option, answered_in
from ridgewise.advise.question import Question
from ridgewise.economics import decisions, energy, finance, interruptions, load, ownership, prices, sensitivity
from ridgewise.economics.cost import HOURS_PER_MONTH, SERVER_KINDS, TARIFF, Purchase, purchase, sold, waiting_power
from ridgewise.economics.ownership import WAYS, Case
from ridgewise.economics.power import host_kind
from ridgewise.economics.prices import ApiPrice, Price
from ridgewise.economics.sensitivity import Doubt, DoubtKind
from ridgewise.hardware.offers import Host, hosts, price_rows, purchase_price, rental_price
from ridgewise.models.architecture import Architecture
from ridgewise.models.read import load_model
from ridgewise.serving.outcome import Load, outcome
from ridgewise.units import digits, duration, share, whole
from ridgewise.workloads import FineTuning, Pretraining, Service, SingleUser

#: Loads over what was asked for at which break-even is shown, and the span in which flips are looked for.
SHOWN_LOADS = (0.5, 1.0, 1.5)
SPAN = np.geomspace(1e-3, 1e2, 501)
#: Rental terms that may be told apart, with the months they bind and whether they are paid around the clock.
TERMS = {"on-demand": (0, False), "reserved-1y": (12, True), "reserved-3y": (36, True), "spot": (0, False)}
#: Interruptions of a spot machine per day and hours until it works again: assumed, no source counts them by provider.
INTERRUPTIONS, RESTART = 1.0, 0.25
#: Hours that writing a checkpoint of a run takes: assumed.
CHECKPOINT = 0.05
AMERICA = ("US", "CA")
#: Rows of the Monte-Carlo draw and its seed.
ROWS, SEED = 2000, 1


@dataclass(frozen=True, slots=True)
class MoneyTerms:
    """What the user says of money; None: the catalogue's figure, or nothing where it has none.

    place        country and state
    months       horizon
    rate, tax, growth, ramp, resale, upkeep, running   as in :class:`ridgewise.economics.ownership.Case`
    cached       share of prompt tokens that a provider bills as known
    own          the user's prices by what they are of: "electricity", "hosting", "pue", "resale", "carbon", "host",
                 "purchase/ID", "TERM/ID" for rents
    api          the user's own API price; ``api_model`` another hosted model to compare with
    interruptions, restart   per day, and hours lost by each
    profile      loads of equal spans of the hours on, instead of an assumed curve
    runs         training runs per year
    folder       of the user's fetched offers
    """

    place: tuple[str, str, str] | None = None
    months: int = 36
    rate: float = 0.0
    tax: float = 0.0
    growth: float = 0.0
    ramp: float = 0.0
    upkeep: float = 0.0
    running: float = 0.0
    cached: float = 0.0
    own: Mapping[str, Price] = field(default_factory=dict)
    api: ApiPrice | None = None
    api_model: str | None = None
    interruptions: float | None = None
    restart: float | None = None
    profile: tuple[float, ...] = ()
    runs: float = 1.0
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """One way over the horizon [USD]: what is paid today, the present value with its 80 % range, the level payment.

    what        hardware and terms, or the hosted model
    per_token   levelised, of tokens read and written alike; infinite at no load
    per_run     of a training; ``per_user`` of a service, per month
    cumulated   spent up to month 0, 1, …, in today's worth, the resale at the end
    """

    way: str
    what: str
    today: Annotated[float, "USD"]
    total: Annotated[float, "USD"]
    low: Annotated[float, "USD"]
    high: Annotated[float, "USD"]
    month: Annotated[float, "USD"]
    per_user: Annotated[float, "USD"] | None
    per_token: Annotated[float, "USD/token"]
    per_run: Annotated[float, "USD"] | None
    tier: str
    cumulated: tuple[float, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Rent:
    """Renting a copy under one kind of terms; ``hour`` is what an hour on costs, interruptions and hours that a
    commitment is paid for in vain counted; ``fits``: it binds no longer than the horizon."""

    terms: str
    price: Price
    hour: Annotated[float, "USD/h"]
    month: Annotated[float, "USD"]
    fits: bool


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Month from which buying has cost no more than another way at a load; infinite: not within the horizon.

    against  "rent" or "api"; "rent-lowest" and "api-lowest" at the lowest listed price
    """

    against: str
    load: float
    month: float


@dataclass(frozen=True, slots=True)
class Site:
    """What all copies at work ask of a room; rack units and noise where a system of the catalogue says so.

    circuits    of ``volts`` and ``amperes``, loaded all day
    """

    heat: Annotated[float, "BTU/h"]
    circuits: int
    volts: Annotated[float, "V"]
    amperes: Annotated[float, "A"]
    rack_units: float | None
    noise: Annotated[float, "dB(A)"] | None


@dataclass(frozen=True, slots=True)
class Books:
    """What is bought today on the books: straight line over ``life`` [years], ``left`` at the end of the horizon [USD],
    beside the ``resale`` that is reckoned with; ``capital`` is what both come to per month at the rate given."""

    life: Price
    month: Annotated[float, "USD"]
    left: Annotated[float, "USD"]
    capital: Annotated[float, "USD"]
    resale: Annotated[float, "USD"]


@dataclass(frozen=True, slots=True)
class Costing:
    """Everything about the money of one plan.

    pick        the option that is bought; ``rented`` the one that is rented: the same where somebody rents it out
    rents       terms known for ``rented``, the one reckoned with first
    spans       the cheapest way by load, as multiples of the load asked for
    mix         copies to hold and hours to rent for the peaks; ``mix_of``: how they are held
    copies      deployments at the end of the horizon; requests and tokens per month at the load asked for
    energy, carbon   kWh and kg CO2e of the first month, when bought; ``idle`` what its idle hours cost per month
    work        share of its hours that what is bought is at work in the first month, at the pace it was planned for
    wall        watts of all copies at work; ``site`` what they ask of a room; ``books`` what is written off
    swings      of ``swings_of`` per month, one doubt at a time; ``chance``: share of draws in which a way is cheapest
    prices      every figure that entered; ``missing`` what is not known and what to give
    """

    question: Question
    terms: MoneyTerms
    pick: Option
    rented: Option | None
    ways: tuple[Way, ...]
    rents: tuple[Rent, ...]
    break_even: tuple[BreakEven, ...]
    spans: tuple[decisions.Span, ...]
    mix: decisions.Mix | None
    mix_of: str
    copies: float
    requests: float
    tokens_in: float
    tokens_out: float
    energy: float | None
    carbon: tuple[float, float] | None
    idle: float | None
    work: float
    wall: float | None
    site: Site | None
    books: Books | None
    swings: tuple[sensitivity.Swing, ...]
    swings_of: str
    chance: Mapping[str, float]
    prices: tuple[Price, ...]
    missing: tuple[str, ...]
    assumptions: tuple[str, ...]

    @property
    def cheapest(self) -> Way | None:
        return min(self.ways, key=lambda way: way.total, default=None)

    @property
    def users(self) -> float | None:
        work = self.question.workload
        return work.users if isinstance(work, Service) else None


def costing(question: Question, options: Sequence[Option], terms: MoneyTerms) -> Costing:
    """The money of the first option. Where nobody sells it, the first that is sold is bought; where nobody rents it
    out, the cheapest to rent is rented. ``options`` are ranked, feasible ones first.
    """
    able = [option for option in options if option.feasible] or list(options[:1])
    bought = next((option for option in able if bought_for(question, option) is not None), None)
    money_of = _Money(question, terms, able[0], (bought or able[0]).device.kind in SERVER_KINDS)
    offered = [(option, rents) for option in able if (rents := money_of.rents(option))]
    rented = min(offered, key=lambda pair: (pair[0] is not able[0], pair[1][0].month), default=None)
    return money_of.answer(bought, rented)


def bought_for(question: Question, option: Option) -> Purchase | None:
    """What an option costs to buy, by the user's prices or the catalogue's."""
    own = question.prices.get(option.device.id)
    return purchase(option.device, option.count, option.configuration, own, question.host_price)


def shell_of(option: Option) -> Host | None:
    """The computer around the boards that are bought; None: they are whole computers."""
    kind = host_kind(option.device, sold(option.device, option.count))
    return next((host for host in hosts() if host.kind == kind), None)


def same_shape(arch: Architecture, name: str) -> bool:
    """Is a model of the catalogue as large as this one, in all and per token, with as many layers?"""
    other = load_model(name).arch
    close = (
        math.isclose(getattr(arch, part), getattr(other, part), rel_tol=0.02)
        for part in ("parameters_total", "parameters_active")
    )
    return arch.layers == other.layers and all(close)


def under(case: Case, changed: Mapping[str, Any]) -> Case:
    """The same case with doubts at other multiples of their values. A slower machine works longer for the same load."""
    at = {name: changed.get(name, 1.0) for name in DOUBTS}
    return replace(
        case,
        capacity=case.capacity * at["speed"], busy=case.busy / at["speed"],
        unit_price=case.unit_price * at["purchase price"], resale=np.minimum(case.resale * at["resale"], 1.0),
        tariff=case.tariff * at["electricity"], hosting=case.hosting * at["hosting"], pue=case.pue * at["PUE"],
        working=case.working * at["power"], rent=case.rent * at["rent"],
        price_in=case.price_in * at["API price"], price_out=case.price_out * at["API price"],
        price_cached=case.price_cached * at["API price"],
    )  # fmt: skip


#: What is never known exactly, by the name it is shown under.
DOUBTS = (
    "speed", "purchase price", "resale", "electricity", "hosting", "PUE", "power", "rent", "API price",
)  # fmt: skip


class _Money:
    """The figures behind one answer, each read once."""

    def __init__(self, question: Question, terms: MoneyTerms, pick: Option, housed: bool) -> None:
        """``housed``: what is bought stands in a rack, not at a desk."""
        self.question, self.terms, self.pick = question, terms, pick
        work = question.workload
        self.training = isinstance(work, Pretraining | FineTuning)
        self.missing: list[str] = []
        self.hours, self.busy, self.peak, self.requests = self._demand()
        self.tariff, self.grid = self._tariff(), self._grid()
        self.hosting = self._facility("hosting", "colocation", housed, 0.0, "USD/kW/month", "on your own premises")
        self.pue = self._facility("pue", "pue", housed, 1.0, "ratio", "a room that is not cooled for it")
        self.resale = terms.own.get("resale") or prices.resale(terms.months)
        self.api = self._api()
        self._carried: dict[int, float] = {}

    def _demand(self) -> tuple[float, float, float, float]:
        """Hours on per month, mean load over the peak, requests per second at the peak and per month: what people ask,
        whatever answers them. Of a training a request is a run, whose machines are on only while it lasts."""
        work = self.question.workload
        if isinstance(work, Pretraining | FineTuning):
            runs, busy = self.terms.runs / 12, self.at_work(self.pick)
            return HOURS_PER_MONTH, busy, busy, runs
        hours = work.hours_per_day * HOURS_PER_MONTH / 24
        rate = self.conversations / self.cycle
        return hours, work.busy, rate, rate * work.busy * hours * 3600

    @property
    def conversations(self) -> float:
        """People who ask at the busiest time; requests in flight where the user gives those."""
        work = self.question.workload
        if not isinstance(work, Service):
            return 1.0
        return work.users * work.active_share if work.concurrency is None else work.concurrency

    @property
    def think(self) -> float:
        """Seconds between an answer and the next question; requests in flight leave none."""
        work = self.question.workload
        return work.think if isinstance(work, Service) and work.concurrency is None else 0.0

    @property
    def reading(self) -> float:
        """Tokens per second at which an answer is read: no faster than the limit lets it be written."""
        return min(READING_SPEED, 1.0 / (tpot_limit(self.question) or 1.0 / READING_SPEED))

    @property
    def cycle(self) -> float:
        """Seconds from one question of a person to the next."""
        work = self.question.workload
        assert isinstance(work, SingleUser | Service)
        return float(load.cycle(work.output, self.reading, self.think))

    def at_work(self, option: Option) -> float:
        """Share of its hours an option is at work, all copies together: the load over what it does at the pace it was
        planned for."""
        work = self.question.workload
        if isinstance(work, Pretraining | FineTuning):
            assert option.run is not None
            return option.run.seconds / 3600 * self.terms.runs / 12 / HOURS_PER_MONTH
        assert option.speed is not None
        each = work.output / option.speed.total
        if isinstance(work, SingleUser):  # one after the other: the prompt is read, then the answer written
            each = answered_in(option.speed.ttft or 0.0, option.speed.tpot, work.output)
        return min(self.busy * self.peak * each, 1.0)

    def _tariff(self) -> Price:
        if (own := self.terms.own.get("electricity")) is not None:
            return own
        if self.question.tariff is not None:
            return prices.own("electricity", self.question.tariff, "USD/kWh")
        if self.terms.place is not None:
            return prices.tariff(self.terms.place, sector(self.question))
        about = "no country given (--country)"
        return Price("electricity", TARIFF, TARIFF, TARIFF, "USD/kWh", "", "assumed", about)

    def _grid(self) -> tuple[float, float] | None:
        if (own := self.terms.own.get("carbon")) is not None:
            return own.low, own.high
        found = prices.grid(self.terms.place) if self.terms.place else None
        return (found.low, found.high) if found else None

    def _facility(self, name: str, kind: str, housed: bool, bare: float, unit: str, about: str) -> Price:
        """What a rack costs or wastes; at a desk nothing of it."""
        if (own := self.terms.own.get(name)) is not None:
            return own
        found = prices.facility(kind) if housed else None
        return found or Price(kind, bare, bare, bare, unit, "", "assumed", about)

    def _api(self) -> tuple[ApiPrice, ...]:
        """Hosted prices of the model, or of another the user names; of one of the same shape at last."""
        terms, arch = self.terms, self.question.arch
        if self.training:
            return ()
        if terms.api is not None:
            return (terms.api,)
        if terms.api_model:
            return prices.api_named(terms.api_model)
        open_ = [price for price in prices.api_prices() if price.model]
        found = tuple(price for price in open_ if price.model == arch.name)
        found = found or tuple(price for price in open_ if same_shape(arch, price.model))
        if not found:
            self.missing.append(f"API: no price of a hosted {arch.name} (--api IN/OUT, or --api-model of another)")
        return found

    def _blends(self) -> list[tuple[float, ApiPrice]]:
        """What a token of this mix costs at every provider, cheapest first."""
        work = self.question.workload
        assert isinstance(work, SingleUser | Service)
        blends = [(price.blended(work.prompt, work.output, self.terms.cached), price) for price in self.api]
        return sorted(blends, key=lambda pair: pair[0])

    def rents(self, option: Option) -> tuple[Rent, ...]:
        """Every kind of terms under which an option's devices are rented, the cheapest first that binds no longer than
        the horizon; spot last, as it is taken away."""
        found = []
        for name, (binds, clock) in TERMS.items():
            price = self.terms.own.get(f"{name}/{option.device.id}") or self._listed(option, name)
            if price is None:
                continue
            hour = price.value * self.boards(option)
            if clock:
                hour *= HOURS_PER_MONTH / (self.hours * (self.at_work(option) if self.training else 1.0))
            if name == "spot":
                hour = self._interrupted(hour)
            if not math.isfinite(hour):  # taken away so often that nothing is ever done
                continue
            month = float(ownership.month(replace(self.case(option), rent=hour), "rent"))
            found.append(Rent(name, price, hour, month, binds <= self.terms.months))
        return tuple(sorted(found, key=lambda rent: (rent.terms == "spot", not rent.fits, rent.month)))

    def _listed(self, option: Option, terms: str) -> Price | None:
        offer = rental_price(option.device, terms, self.terms.folder)
        if offer is None:
            return None
        about = ", ".join(part for part in (offer.provider or "several providers", offer.region) if part)
        return Price(
            f"rent, {terms}", offer.middle, offer.low, offer.high, prices.HOURLY, offer.as_of,
            "datasheet", f"{option.device.name}: {about}", offer.sources, offer.note,
            offer.trust,
        )  # fmt: skip

    def _interrupted(self, hour: float) -> float:
        """Price of an hour of work where machines are taken away; runs go on from their last checkpoint."""
        terms = self.terms
        per_hour = (INTERRUPTIONS if terms.interruptions is None else terms.interruptions) / 24
        lost = RESTART if terms.restart is None else terms.restart
        if self.training and per_hour > 0:
            interval = float(interruptions.checkpoint_interval(CHECKPOINT, 1 / per_hour))
            lost = float(interruptions.checkpoint_loss(interval, CHECKPOINT, 1 / per_hour, lost))
        return float(interruptions.effective_price(hour, per_hour, lost))

    def capacity(self, option: Option) -> float:
        """Requests per second of the people whom one copy answers within the limits: those it was planned for at least.
        A machine that does one thing after the other has its hours."""
        if id(option) not in self._carried:
            self._carried[id(option)] = self._capacity(option)
        return self._carried[id(option)]

    def copies(self, option: Option) -> int:
        """Deployments that the option holds: replicas of a service share the load, shards of a run do not."""
        return option.replicas if isinstance(self.question.workload, Service) else 1

    def boards(self, option: Option) -> int:
        """Devices of one copy."""
        return option.count // self.copies(option)

    def unit(self, option: Option) -> int:
        """Devices bought at once: a full host where the option fills hosts, else what one copy takes."""
        bought, shell = sold(option.device, option.count), shell_of(option)
        full = math.ceil(self.boards(option) / shell.boards_max) * shell.boards_max if shell else 0
        return full if full and bought % full == 0 else sold(option.device, self.boards(option))

    def _capacity(self, option: Option) -> float:
        work, speed = self.question.workload, option.speed
        if not isinstance(work, Service) or speed is None:
            return self.peak / self.at_work(option)
        held = max(option.batch_limit or 0.0, speed.concurrency)
        grid = np.geomspace(max(speed.concurrency, 1.0), max(held, 1.0), 64)
        does = outcome(speed.setup, Load(work.prompt, work.output, grid))
        slow_token, slow_first = tpot_limit(self.question), ttft_limit(self.question)
        able = (np.asarray(does.tpot.high) <= slow_token) & (np.asarray(does.ttft.high) <= slow_first)
        people = grid * (1.0 + self.think / np.asarray(does.e2e.value))  # one answered each, the others think
        most, planned = float(np.max(np.where(able, people, 0.0))) / self.cycle, self.copies(option)
        if planned == 1:
            return max(most, self.peak)
        fewer = self.peak / (planned - 1) * (1 - 1e-6)  # the load asked for takes as many copies as planned
        return min(max(most, self.peak) / planned, fewer)

    def case(self, option: Option) -> Case:
        """The numbers behind the bills of an option; its rent is 0 until it is known."""
        terms, work, draw = self.terms, self.question.workload, option.draw
        found = bought_for(self.question, option)
        ends = [self._blends()[place][1] for place in (0, -1)] if self.api else []
        read, written, known = (sum(getattr(end, part) for end in ends) / 2 for part in ("input", "output", "known"))
        prompt, output = (
            (work.tokens, 0.0) if isinstance(work, Pretraining | FineTuning) else (work.prompt, work.output)
        )
        waits = waiting_power(option.device, option.count, draw) if draw and not self.training else 0.0
        copies, unit = self.copies(option), self.unit(option)
        bought = sold(option.device, option.count)
        return Case(
            months=terms.months, rate=terms.rate, tax=terms.tax, load=1.0, growth=terms.growth, ramp=terms.ramp,
            peak=self.peak, capacity=self.capacity(option), planned=float(self.copies(option)),
            requests=self.requests, prompt=prompt, output=output,
            cached=terms.cached, hours=self.hours, busy=self.at_work(option), elastic=self.training,
            unit_price=found.middle * unit / bought if found else 0.0,
            unit_copies=float(max(unit // self.boards(option), 1)), resale=self.resale.value,
            working=draw.wall / copies if draw else 0.0, waiting=waits / copies,
            pue=self.pue.value, tariff=self.tariff.value, hosting=self.hosting.value,
            upkeep=terms.upkeep, running=terms.running, rent=0.0,
            price_in=read, price_out=written, price_cached=known, grid=sum(self.grid) / 2 if self.grid else 0.0,
        )  # fmt: skip

    def doubts(self, bought: Option | None, rent: Rent | None) -> dict[str, Doubt]:
        """What is not known exactly, as multiples of its value."""
        found: dict[str, Doubt] = {}

        def over(name: str, value: float, low: float, high: float, kind: DoubtKind = "range") -> None:
            if value > 0 and low < high:
                found[name] = Doubt(1.0, low / value, high / value, kind)

        if self.pick.speed is not None:
            over("speed", 1.0, self.pick.speed.total_band.low, self.pick.speed.total_band.high, "interval")
        elif self.pick.run is not None:
            run = self.pick.run
            over("speed", 1.0, run.seconds / run.high, run.seconds / run.low, "interval")
        if bought is not None and (price := bought_for(self.question, bought)) is not None:
            over("purchase price", price.middle, price.low, price.high)
            for name, known in (
                ("resale", self.resale), ("electricity", self.tariff), ("hosting", self.hosting), ("PUE", self.pue),
            ):  # fmt: skip
                over(name, known.value, known.low, known.high)
            if bought.draw is not None:
                over("power", bought.draw.wall, bought.draw.low, bought.draw.high, "interval")
        if rent is not None:
            over("rent", rent.price.value, rent.price.low, rent.price.high)
        if self.api:
            least, most = (self._blends()[place][0] for place in (0, -1))
            over("API price", (least + most) / 2, least, most)
        return found

    def answer(self, bought: Option | None, rented: tuple[Option, tuple[Rent, ...]] | None) -> Costing:
        """All of it, for what is bought and what is rented."""
        rents = rented[1] if rented else ()
        rent = rents[0] if rents else None
        self._look_for_gaps(bought, rent)
        owned = bought or self.pick
        base = self.case(owned)
        cases = {"buy": base} if bought else {}
        if rented and rent:
            cases["rent"] = replace(self.case(rented[0]), rent=rent.hour)
        if self.api:
            cases["api"] = base
        doubts = self.doubts(bought, rent)
        drawn = sensitivity.draws(doubts, ROWS, SEED)
        rows = {way: np.broadcast_to(ownership.total(under(case, drawn), way), ROWS) for way, case in cases.items()}
        names = {
            "buy": _sold(owned), "rent": f"{rented[0].name}, {rent.terms}" if rented and rent else "",
            "api": self._hosted(),
        }  # fmt: skip
        tiers = {"buy": self._tier(owned), "rent": rent.price.tier if rent else "", "api": self._api_tier()}
        ways = tuple(self._way(way, names[way], tiers[way], cases[way], rows[way]) for way in WAYS if way in cases)
        swings_of, compared = _compared(ways)
        best = np.argmin(np.stack([*rows.values()]), axis=0) if rows else np.zeros(0)
        spans = {way: ownership.total(replace(case, load=SPAN), way) for way, case in cases.items()}
        mix, mix_of = self._mix(cases, rents, bought is not None and rented is not None and bought is rented[0])
        wall = float(base.working * ownership.copies(base)[-1])
        drawn_energy = float(ownership.energy(base)[0]) if owned.draw is not None else None
        carbon = None
        if self.grid is not None and drawn_energy is not None:
            low, high = (float(energy.carbon_kg(drawn_energy, intensity)) for intensity in self.grid)
            carbon = (low, high)

        lowest = {way: doubts[name].low for way, name in (("rent", "rent"), ("api", "API price")) if name in doubts}

        def result(changed: Mapping[str, Any]) -> Any:
            at = [ownership.month(under(cases[way], changed), way) for way in compared]
            return at[0] - at[1] if len(at) > 1 else at[0]

        return Costing(
            question=self.question, terms=self.terms, pick=owned, rented=rented[0] if rented else None,
            ways=ways, rents=rents, break_even=tuple(self._break_even(cases, lowest)),
            spans=decisions.cheapest(SPAN, spans) if spans else (), mix=mix, mix_of=mix_of,
            copies=float(ownership.copies(base)[-1]), requests=self.requests,
            tokens_in=float(self.requests * base.prompt), tokens_out=float(self.requests * base.output),
            energy=drawn_energy, carbon=carbon,
            idle=float(ownership.idle_month(base)) if bought and not self.training else None,
            work=float(min(base.busy * ownership.loads(base)[0] * base.planned / ownership.copies(base)[0], 1.0)),
            wall=wall or None, site=self._site(owned, wall) if wall else None,
            books=self._books(base) if bought else None,
            swings=sensitivity.tornado(result, doubts) if ways else (), swings_of=swings_of,
            chance={way: float(np.mean(best == place)) for place, way in enumerate(rows)},
            prices=tuple(self._prices(bought, rents)), missing=tuple(self.missing),
            assumptions=tuple(self._assumptions(bought, rented[0] if rented else None, rent)),
        )  # fmt: skip

    def _site(self, option: Option, wall: float) -> Site:
        """Circuits of a rack for server hardware, of a desk for the rest."""
        america = self.terms.place is not None and self.terms.place[0] in AMERICA
        volts, amperes = (
            energy.RACK if option.device.kind in SERVER_KINDS else energy.DESK_AMERICA if america else energy.DESK
        )
        boards = sold(option.device, option.count)
        alike = [r for r in price_rows("systems.csv") if r["device"] == option.device.id and r["count"] == str(boards)]
        units, noise = (
            max((float(row[column]) for row in alike if row[column]), default=None)
            for column in ("rack_units", "noise_dba")
        )
        return Site(float(energy.heat(wall)), int(energy.circuits(wall, volts, amperes)), volts, amperes, units, noise)

    def _books(self, case: Case) -> Books | None:
        """Depreciation of what is bought today, over the middle of the lives in annual reports."""
        life = prices.facility("life")
        if life is None:
            return None
        price = float(ownership.buy(case)[0])
        left = float(finance.straight_line(price, 0.0, life.value * 12, self.terms.months))
        month = price / (life.value * 12)
        resale = float(case.resale) * price
        capital = float(finance.capital_month(price, resale, self.terms.rate, self.terms.months))
        return Books(life, month, left, capital, resale)

    def _look_for_gaps(self, bought: Option | None, rent: Rent | None) -> None:
        name = self.pick.device.name
        if bought is None:
            self.missing.append(f"buy: no sourced price of {name} (--price '{name}=USD')")
        elif bought.draw is None:
            self.missing.append(f"energy: the draw of {bought.device.name} is not in the catalogue: not counted")
        if rent is None:
            self.missing.append(f"rent: no sourced offer of {name} (--rent '{name}=USD')")
        if self.terms.place is not None and self.grid is None:
            self.missing.append(f"carbon: no figure of {self.terms.place[1] or self.terms.place[2]} (--carbon g/kWh)")

    def _way(self, way: str, what: str, tier: str, case: Case, rows: Any) -> Way:
        flows = ownership.FLOWS[way](case)
        total, month = float(ownership.total(case, way)), float(ownership.month(case, way))
        _, low, high = sensitivity.middle_80(rows)
        work = self.question.workload
        return Way(
            way, what, float(flows[0]), total, min(low, total), max(high, total), month,
            month / work.users if isinstance(work, Service) else None, float(ownership.per_token(case, way)),
            month * 12 / self.terms.runs if self.training else None, tier,
            tuple(float(spent) for spent in decisions.cumulated(flows, case.rate)),
        )  # fmt: skip

    def _hosted(self) -> str:
        if not self.api:
            return ""
        providers = dict.fromkeys(price.provider for price in self.api)
        return f"{self.api[0].name.rpartition('/')[2]}, {', '.join(providers)}"

    def _tier(self, option: Option) -> str:
        found = bought_for(self.question, option)
        return found.tier if found else ""

    def _api_tier(self) -> str:
        if self.terms.api is not None:
            return "measured"
        named = self.terms.api_model or any(price.model == self.question.arch.name for price in self.api)
        return "datasheet" if named else "assumed"

    def _break_even(self, cases: Mapping[str, Case], lowest: Mapping[str, float]) -> Iterator[BreakEven]:
        """Money spent against money spent: the resale, which comes at the end, is left out. ``lowest``: the lowest
        listed price of a way over the one reckoned with."""
        if "buy" not in cases:
            return
        at = np.array(SHOWN_LOADS)
        own = decisions.cumulated(ownership.buy(replace(cases["buy"], load=at, resale=0.0)), self.terms.rate)
        for way in ("rent", "api"):
            if way in cases:
                other = decisions.cumulated(ownership.FLOWS[way](replace(cases[way], load=at)), self.terms.rate)
                for factor, month in zip(SHOWN_LOADS, np.atleast_1d(decisions.break_even(own, other)), strict=True):
                    yield BreakEven(way, factor, float(month))
                if lowest.get(way, 1.0) < 1.0:
                    month = decisions.break_even(own[1], other[1] * lowest[way])
                    yield BreakEven(f"{way}-lowest", 1.0, float(month))

    def _mix(self, cases: Mapping[str, Case], rents: Sequence[Rent], same: bool) -> tuple[decisions.Mix | None, str]:
        """Copies held for the base load, reserved or (of the same hardware) bought; others by the hour for peaks."""
        by_hour = next((rent.hour for rent in rents if rent.terms == "on-demand"), None)
        if self.training or by_hour is None:
            return None, ""
        case, profile = cases["rent"], self.terms.profile
        count = int(ownership.copies(case)[-1])
        if count < 2:
            return None, ""
        level = np.asarray(np.arange(count) * case.capacity / case.peak, dtype=np.float64)
        more = load.time_above_profile(level, profile) if profile else load.time_above(level, self.busy)
        above = (1.0, *np.atleast_1d(more)[1:])  # one copy always stands ready
        held, block = {}, 1
        reserved = [rent.hour for rent in rents if rent.fits and rent.terms.startswith("reserved")]
        if reserved:
            held["reserved"] = min(reserved) * self.hours
        if same and "buy" in cases:
            block = int(cases["buy"].unit_copies)
            unit = replace(cases["buy"], peak=float(block), capacity=1.0, growth=0.0, ramp=0.0, running=0.0)
            held["bought"] = float(ownership.month(unit, "buy"))
        best = [
            (decisions.cheapest_mix(above, self.hours, cost, by_hour, block if how == "bought" else 1), how)
            for how, cost in held.items()
        ]
        return min(best, key=lambda pair: pair[0].cost, default=(None, ""))

    def _prices(self, bought: Option | None, rents: Sequence[Rent]) -> Iterator[Price]:
        """Every figure of money that entered, with its date and sources."""
        own, question = self.terms.own, self.question
        if bought is not None:
            found, device = bought_for(question, bought), bought.device
            assert found is not None
            offer = purchase_price(device, bought.configuration)
            if f"purchase/{device.id}" in own:
                yield own[f"purchase/{device.id}"]
            elif device.id in question.prices:
                yield prices.own("purchase", question.prices[device.id], "USD per device")
            elif offer is not None:
                about = ", ".join(part for part in (offer.terms, offer.condition, offer.region) if part)
                yield Price(
                    "purchase", offer.middle, offer.low, offer.high, "USD per device", offer.as_of,
                    "assumed" if offer.assumed else "datasheet", f"{device.name}: {about}", offer.sources,
                    offer.note, offer.trust,
                )  # fmt: skip
            shell = shell_of(bought)
            if question.host_price is not None and found.hosts:
                yield own.get("host") or prices.own("host", question.host_price, "USD")
            elif shell is not None and found.hosts:
                tier = "assumed" if shell.figure_kind == "assumed" else "datasheet"
                yield Price(
                    "host", (shell.low + shell.high) / 2, shell.low, shell.high, "USD", shell.as_of, tier, shell.kind,
                    shell.sources, shell.note,
                )  # fmt: skip
            yield self.tariff
            if self.hosting.value:
                yield self.hosting
            yield self.pue
            yield self.resale
            if (life := prices.facility("life")) is not None:
                yield life
        for rent in rents:
            yield rent.price
        for price in self.api:
            for part, value in (("input", price.input), ("output", price.output), ("cached", price.cached)):
                if value is not None:
                    amount = value * prices.MILLION
                    yield Price(
                        f"API {part}", amount, amount, amount, "USD per Mtok", price.as_of, self._api_tier(),
                        f"{price.provider}: {price.name}", price.sources, price.note, price.trust,
                    )  # fmt: skip

    def _assumptions(self, bought: Option | None, rented: Option | None, rent: Rent | None) -> Iterator[str]:
        """What was filled in, so that it can be overridden."""
        terms, work = self.terms, self.question.workload
        if not terms.rate:
            yield "money costs nothing over time (--rate 8% discounts or finances)"
        if not terms.running:
            yield "no staff, network or storage is counted (--running USD per month)"
        if not terms.upkeep:
            yield "no maintenance or spares are counted (--upkeep 5% of the purchase per year)"
        if not self.training and not terms.cached:
            yield "no prompt token is billed as known (--cached 50%)"
        if bought is not None and rented is not None and rented is not bought:
            yield f"nobody in the catalogue rents out {bought.name}: renting is that of {rented.name}"
        if bought is not None and bought is not self.pick:
            yield f"nobody in the catalogue sells {self.pick.name}: buying is that of {bought.name}"
        if rent is not None and rent.terms == "spot":
            yield "only spot offers are known: machines that are taken away carry no service alone"
        if self.api and self._api_tier() == "assumed":
            asked, other = self.question.arch.name, self.api[0].name
            yield f"no provider of the catalogue hosts {asked}: {other}, of the same shape, is asked"
        if not isinstance(work, Pretraining | FineTuning):
            yield self._asked(work)
        if isinstance(work, Service):
            yield (
                f"load is {share(work.busy)} of its peak on average over {digits(work.hours_per_day)} hours a day "
                "(--busy, --hours)"
            )
            yield "a larger load takes further copies of the same deployment, a smaller one never less than one"
        if self.training:
            yield f"{digits(terms.runs)} runs a year (--runs); an owned machine is off between them"
        if any(one.terms == "spot" for one in self.rents(rented or self.pick)):
            often = INTERRUPTIONS if terms.interruptions is None else terms.interruptions
            lost = RESTART if terms.restart is None else terms.restart
            yield (
                f"spot machines are interrupted {digits(often)} × a day for {digits(60 * lost)} minutes "
                "(--interruptions, --restart)"
            )

    def _asked(self, work: SingleUser | Service) -> str:
        """How the load is counted, and the flags that change it."""
        flags = "--output, --slo-tpot" if self.reading < READING_SPEED else "--output"
        read = f"{duration(work.output / self.reading)} to read {whole(work.output)} tokens ({flags})"
        same = "the same load for every machine and the API, however fast they answer"
        if isinstance(work, SingleUser):
            busy = f"{share(work.busy)} of {digits(work.hours_per_day)} hours a day (--busy, --hours)"
            return f"one person asks and takes {read}, {busy}; {same}"
        if work.concurrency is not None:
            return f"{digits(work.concurrency)} in flight at the peak (--concurrency), each for {read}; {same}"
        people = f"{digits(self.conversations)} people at the peak (--users, --active)"
        return f"{people}, each takes {read} and {duration(work.think)} until the next question (--think); {same}"


def _sold(option: Option) -> str:
    """What is bought, and the devices that are paid for where they are sold only with others."""
    bought = sold(option.device, option.count)
    return f"{option.name}, paid for {bought}: sold together" if bought > option.count else option.name


def _compared(ways: Sequence[Way]) -> tuple[str, tuple[str, ...]]:
    """What the tornado shows: buying less the cheapest other way, or the only way there is."""
    held = {way.way: way.total for way in ways}
    others = sorted((way for way in held if way != "buy"), key=lambda way: held[way])
    if "buy" in held and others:
        return f"buy less {others[0]}", ("buy", others[0])
    return (others[0], (others[0],)) if others else ("buy", ("buy",))


def sector(question: Question) -> str:
    """Who pays for electricity: a single user at home, everybody else as a business."""
    return "household" if isinstance(question.workload, SingleUser) else "business"

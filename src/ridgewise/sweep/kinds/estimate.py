"""What ``ridgewise estimate`` says, and what it costs: one deployment a case, its loads and prices as columns."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ridgewise.advise.deploy import deploy
from ridgewise.advise.drawing import drawn, serving_effort
from ridgewise.economics import purchase
from ridgewise.economics.cost import (
    HOURS_PER_MONTH,
    SERVER_KINDS,
    TARIFF,
    cheaper,
    energy_month,
    month_owned,
    month_rented,
)
from ridgewise.engines import engine
from ridgewise.errors import RequestError
from ridgewise.hardware.offers import rental_price
from ridgewise.hardware.sheets import device
from ridgewise.models.formats import weight_format
from ridgewise.models.read import load_model
from ridgewise.models.stored import Model
from ridgewise.serving import Setup
from ridgewise.serving.estimate import footprint
from ridgewise.serving.outcome import Load, Outcome, Range, outcome
from ridgewise.serving.together import Together, alike
from ridgewise.timing.power import Effort
from ridgewise.units import Num
from ridgewise.workloads import Service

#: What makes a case, and what it is where nothing is said. ``tp``: a number, or "least": the fewest devices that hold
#: one request of the longest prompt and answer.
NAMES: Mapping[str, Any] = {
    "model": None, "hardware": None, "engine": "usual", "quant": "usual", "kv_bits": "16", "tp": 1, "pp": 1,
    "replicas": 1,
}  # fmt: skip
#: How a service is used where nothing is said.
USUAL: Mapping[str, Any] = {field.name: field.default for field in fields(Service)}
#: The column of every number, its usual value, the lowest and the highest.
NUMBERS: Mapping[str, tuple[str, float, float, float]] = {
    "prompt": ("prompt_tokens", USUAL["prompt"], 1.0, 1e8),
    "output": ("output_tokens", USUAL["output"], 1.0, 1e8),
    "cached": ("cached_share", 0.0, 0.0, 0.999),
    "concurrency": ("concurrency", 1.0, 1.0, 1e6),
    "price": ("price_factor", 1.0, 0.0, 1e3),
    "tariff": ("tariff_usd_per_kwh", TARIFF, 0.0, 100.0),
    "hours": ("hours_per_day", USUAL["hours_per_day"], 0.01, 24.0),
    "busy": ("busy_share", USUAL["busy"], 1e-6, 1.0),
}
WORDS = ("model", "hardware", "engine", "quant", "tier")
SPEED = {"ttft_s": "ttft", "tpot_s": "tpot", "e2e_s": "e2e", "output_tokens_per_s": "output",
         "requests_per_s": "requests"}  # fmt: skip
ENERGY = ("power_w", "joules_per_token")
MONEY = ("buy_usd", "rent_usd_per_h", "energy_usd_per_month", "cost_usd_per_month", "usd_per_million_output_tokens")
COLUMNS = (
    *WORDS, "kv_bits", "tp", "pp", "replicas", "devices", *(column for column, *_ in NUMBERS.values()),
    "fits", "running_requests", "room_requests",
    *(name + end for name in SPEED for end in ("", "_low", "_high")), *ENERGY, *MONEY,
)  # fmt: skip
#: Rows of a part.
PART = 262_144
#: Numbers of devices that "least" tries.
COUNTS = (1, 2, 4, 8, 16)
SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Case:
    """A deployment, or several that are timed as one, and their prices: bought with everything around it, rented per
    device and hour [USD]; of several, columns of shape (rows, 1)."""

    setup: Setup
    bought: Num
    rented: Num

    @property
    def members(self) -> tuple[Setup, ...]:
        return self.setup.members if isinstance(self.setup, Together) else (self.setup,)


def prepared(case: Mapping[str, Any], settings: Mapping[str, Any]) -> Case:
    """The deployment of a case; RequestError where it cannot be."""
    folders = {name: Path(path) if path else None for name, path in settings["own"].items()}
    model = _model(case["model"], folders["models"])
    box = device(case["hardware"], "hardware", folders["hardware"])
    told = None if case["engine"] == "usual" else engine(case["engine"])
    fmt = model.format if case["quant"] == "usual" else weight_format(case["quant"])

    def laid_out(tp: int) -> Setup:
        found = deploy(
            model.arch, box, told, fmt, str(case["kv_bits"]), tp, None, None, int(case["pp"]), blocks=settings["blocks"]
        )  # fmt: skip
        return replace(found, replicas=int(case["replicas"]))

    if case["tp"] != "least":
        return _priced(laid_out(int(case["tp"])))
    longest = settings["longest"]["prompt"] + settings["longest"]["output"]
    for tp in COUNTS:
        try:
            setup = laid_out(tp)
        except RequestError:
            if tp == 1:
                raise
            continue
        if float(footprint(setup, 1.0, longest).left) >= 0:
            return _priced(setup)
    raise RequestError(f"does not fit {COUNTS[-1]} of them, or the layout cannot be", "tp")


@lru_cache(maxsize=16)
def _model(name: str, own: Path | None) -> Model:
    """Cases of one model stand side by side."""
    return load_model(name, own)


def _priced(setup: Setup) -> Case:
    bought, rented = purchase(setup.device, setup.count), rental_price(setup.device)
    middles = ((offer.low + offer.high) / 2 if offer else np.nan for offer in (bought, rented))
    return Case(setup, *middles)


def together(cases: Sequence[Case]) -> Iterator[tuple[list[int], Case]]:
    """Cases that are timed as one, and their places: those of one model whose deployments are alike."""
    groups: dict[Hashable, list[int]] = {}
    for place, case in enumerate(cases):
        setup = case.setup
        groups.setdefault((id(setup.arch), setup.replicas, alike(setup)), []).append(place)
    for places in groups.values():
        some = [cases[place] for place in places]
        prices = (np.array([[getattr(case, name)] for case in some]) for name in ("bought", "rented"))
        yield places, Case(Together.of([case.setup for case in some]), *prices)


def computed(case: Case, numbers: Mapping[str, np.ndarray], needed: set[str]) -> dict[str, Any]:
    """The columns of a case, or those that are needed."""
    setup, plan = case.setup, case.setup.plan
    load = Load(numbers["prompt"], numbers["output"], numbers["concurrency"], numbers["cached"])
    found = outcome(setup, load)
    columns: dict[str, Any] = {
        "model": setup.arch.name, "hardware": [member.device.id for member in case.members],
        "engine": setup.engine.id, "quant": plan.format.id, "tier": [member.tier for member in case.members],
        "kv_bits": float(plan.kv_bits), "tp": plan.tp, "pp": float(plan.pp), "replicas": float(setup.replicas),
        "devices": plan.tp * plan.pp * setup.replicas,
        "fits": np.asarray(found.room) >= 1, "running_requests": found.running, "room_requests": found.room,
    }  # fmt: skip
    for name, field in SPEED.items():
        ranged: Range = getattr(found, field)
        columns |= {name: ranged.value, f"{name}_low": ranged.low, f"{name}_high": ranged.high}
    wanted = needed or set(COLUMNS)
    if wanted & {*ENERGY, *MONEY[2:]}:
        watts, energy = _energy(case, load, found, numbers)
        columns |= {"power_w": watts, "joules_per_token": watts / found.output.value, "energy_usd_per_month": energy}
    if wanted & set(MONEY):
        columns |= _money(case, numbers, found.output.value, columns.get("energy_usd_per_month", np.nan))
    return columns


def _energy(case: Case, load: Load, found: Outcome, numbers: Mapping[str, np.ndarray]) -> tuple[Num, Num]:
    """Watts at the wall, and what a month of them costs [USD]; NaN of devices whose limit is not known."""
    setup = case.setup
    each = found.output.value / setup.replicas
    effort = serving_effort(setup, load.prompt, load.output, found.running, each, load.cached)
    alone = len(case.members) == 1
    bills = [numbers[name] if alone else numbers[name][0] for name in ("hours", "busy", "tariff")]
    watts, energy = [], []
    for place, member in enumerate(case.members):
        own = effort
        if not alone:
            own = Effort(*(np.broadcast_to(part, np.shape(each))[place] for part in (effort.moved, effort.computed)))
        draw = drawn(member, own)
        watts.append(np.nan if draw is None else draw.wall)
        energy.append(np.nan if draw is None else energy_month(member.device, member.count, draw, *bills))
    if alone:
        return watts[0], energy[0]
    across = np.shape(each)[1:]
    rows = [np.array([np.broadcast_to(row, across) for row in column]) for column in (watts, energy)]
    return rows[0], rows[1]


def _money(case: Case, numbers: Mapping[str, np.ndarray], output: Num, energy: Num) -> dict[str, Any]:
    """Prices, and what a month and a million tokens cost in the cheaper way."""
    hours, busy = numbers["hours"], numbers["busy"]
    told = np.array([(float(member.count), member.device.kind in SERVER_KINDS) for member in case.members])
    count, server = told.T[..., np.newaxis] if len(told) > 1 else told[0]
    buy, rent = case.bought * numbers["price"], case.rented * numbers["price"]
    month = cheaper(month_owned(buy, energy), month_rented(rent, count, hours), server > 0)
    tokens = output * busy * hours / 24.0 * HOURS_PER_MONTH * SECONDS_PER_HOUR
    return dict(zip(MONEY, (buy, rent * count, energy, month, 1e6 * month / tokens), strict=True))

"""``ridgewise simulate`` and ``ridgewise capacity``: from flags to loads and systems, and back to an answer."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgewise.app.home import own, write_whole
from ridgewise.app.inspecting import number
from ridgewise.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgewise.advise.question import Question
    from ridgewise.report.capacity import CapacityDocument
    from ridgewise.report.simulation import SimulationDocument
    from ridgewise.serving import Setup
    from ridgewise.simulation.capacity import Shape
    from ridgewise.simulation.fleet import Fleet, Run
    from ridgewise.simulation.metrics import Limit
    from ridgewise.simulation.policies import Policy
    from ridgewise.simulation.request import Requests

Flags = Mapping[str, Any]
#: Mean lengths of chat where nothing is said [tokens]: those of ``plan``, spread as real conversations are.
PROMPT, OUTPUT = 1024, 512
#: Requests of a simulation where nothing is said: enough for a 99th percentile of 20.
REQUESTS = 2000
#: Link between pools where none is named [B/s]: 400 Gbit/s.
LINK = "50 GB/s"
#: Conversations up to which a fleet is simulated with the whole load, not one replica with its share.
WHOLE = 3000
#: Seconds of work before a progress bar appears.
QUIET = 1.0


def limits_of(flags: Flags, default: Mapping[str, str] | None = None) -> tuple[Limit, ...]:
    """The promises that the flags make."""
    from ridgewise.simulation.metrics import limit

    names = {"slo_ttft": "ttft", "slo_tpot": "tpot", "slo_itl": "itl", "slo_e2e": "e2e"}
    given = {**(default or {}), **{name: flags[name] for name in names if flags.get(name)}}
    return tuple(limit(names[name], text, "--" + name.replace("_", "-")) for name, text in given.items())


def policy_from(setup: Setup, flags: Flags) -> Policy:
    """The engine's policy, or the one named, with the settings given: ``--policy max_num_seqs=64``."""
    from ridgewise.simulation.policies import changed, load_policies, policy_of

    chosen = policy_of(setup.engine)
    settings = {}
    for entry in [part for text in flags.get("policy") or () for part in text.split(",")]:
        name, equals, value = entry.partition("=")
        if equals:
            settings[name] = value.strip()
        elif name.strip() in load_policies():
            chosen = load_policies()[name.strip()]
        else:
            raise RequestError(f"unknown policy {name!r}", "--policy", (*load_policies(), "max_num_seqs=64"))
    return changed(chosen, settings)


def people_from(flags: Flags) -> Any:
    """What people do, from the flags."""
    from ridgewise.simulation.arrivals import People

    turns = int(number(str(flags.get("turns") or 1), "1", "--turns", 1, 1000))
    return People(
        number(str(flags["users"]), "1", "--users", 1, 1e7),
        number(str(flags.get("active") or "0.25"), "ratio", "--active", 1e-6, 1),
        turns, number(str(flags.get("think") or "30s"), "s", "--think", 0, 86400), turns > 1,
    )  # fmt: skip


def lengths_from(flags: Flags) -> tuple[Any, Any]:
    from ridgewise.simulation.lengths import OUTPUT_SPREAD, PROMPT_SPREAD, lengths

    prompt = str(flags.get("prompt") or f"lognormal:{PROMPT},{PROMPT_SPREAD:g}")
    output = str(flags.get("output") or f"lognormal:{OUTPUT},{OUTPUT_SPREAD:g}")
    return lengths(prompt, "--prompt"), lengths(output, "--output")


def lengths_told(prompt: Any, output: Any, flags: Flags) -> tuple[str, ...]:
    """The lengths, and where their spread is from when it was not given."""
    return tuple(
        f"{what}: {drawn}{'' if flags.get(flag) else ', spread as conversations in public traces are'} (--{flag})"
        for what, drawn, flag in (("prompts", prompt, "prompt"), ("answers", output, "output"))
    )


def _one_load(flags: Flags, allowed: Sequence[str]) -> str:
    given = [name for name in allowed if flags.get(name)]
    if len(given) > 1:
        raise RequestError(f"--{given[1]} means nothing beside --{given[0]}", f"--{given[1]}", (f"--{given[0]}",))
    if not given:
        raise RequestError("say what is asked", "load", tuple(f"--{name}" for name in allowed))
    foreign = {"users": ("arrivals",), "rate": ("active", "think", "turns"),
               "trace": ("arrivals", "active", "think", "turns", "prompt", "output")}  # fmt: skip
    wrong = [name for name in foreign[given[0]] if flags.get(name)]
    if wrong:
        raise RequestError(f"--{wrong[0]} means nothing with --{given[0]}", f"--{wrong[0]}", (f"--{given[0]}",))
    return given[0]


def load_from(flags: Flags) -> tuple[Requests, tuple[str, ...]]:
    """The requests that the flags describe, and what was assumed of them."""
    from ridgewise.simulation.arrivals import closed_load, open_load
    from ridgewise.simulation.request import MOST, first, scaled
    from ridgewise.simulation.traces import read_trace

    kind = _one_load(flags, ("trace", "users", "rate"))
    count = int(number(str(flags["requests"]), "1", "--requests", 1, MOST)) if flags.get("requests") else None
    speed = number(str(flags.get("speed") or 1), "1", "--speed", 1e-3, 1e3)
    if kind == "trace":
        found = read_trace(Path(flags["trace"]), flags.get("trace_format"), MOST)
        note: tuple[str, ...] = () if speed == 1 else (f"the trace runs at {speed:g} times its speed (--speed)",)
        found = scaled(found, speed) if speed != 1 else found
        return first(found, count) if count else found, note
    if speed != 1:
        raise RequestError("scales the times of a trace", "--speed", ("--trace FILE", "--rate"))
    shape, amount, told = _shape(flags, kind)
    prompt, output, people = shape.prompt, shape.output, shape.people
    if people is not None:
        wanted = count or max(REQUESTS, 8 * people.sessions)
        return closed_load(people, wanted, prompt, output, shape.seed, shape.system_prompt), told
    assert shape.arrivals is not None
    return open_load(shape.arrivals, amount, count or REQUESTS, prompt, output, shape.seed), told


def simulate(model: str, hardware: str, flags: Flags, *, json: bool) -> int:
    """Print what users of one system feel; 1 where a limit breaks or nothing fits."""
    from ridgewise.report.document import as_json
    from ridgewise.report.simulation import show

    found, run = simulated(model, hardware, flags, progress=not json)
    if run is not None:
        write(run, flags)
    if json:
        print(as_json(found))
    else:
        show(found)
    return 0 if found.fits and found.counted and all(one.kept for one in found.limits) else 1


def write(run: Run, flags: Flags) -> None:
    """The table and the timeline, where files were named for them."""
    from ridgewise.simulation.timeline import table, timeline

    for flag, made in (("table", table), ("perfetto", timeline)):
        if flags.get(flag):
            write_whole(Path(flags[flag]), "".join(made(run)))


def simulated(
    model: str, hardware: str, flags: Flags, progress: bool = False
) -> tuple[SimulationDocument, Run | None]:  # fmt: skip
    """One system under one load, as a document; the run itself where there was one."""
    from ridgewise.advise.simulated import spent
    from ridgewise.app.estimating import prepared
    from ridgewise.report.simulation import document, unfit
    from ridgewise.serving.estimate import footprint
    from ridgewise.simulation.interval import interval
    from ridgewise.simulation.system import cache_tokens, system
    from ridgewise.simulation.timeline import STEPS

    promises = limits_of(flags)
    asked, told = load_from(flags)
    seed = int(flags.get("seed") or 0)
    replicas = int(flags.get("replicas") or 1)
    mean = {"prompt": float(asked.prompt.mean()), "output": float(asked.output.mean())}
    setup = prepared(model, hardware, {**flags, **mean, "replicas": 1})
    policy = policy_from(setup, flags)
    context = asked.typical(float(setup.arch.max_context or math.inf))
    smallest = float((asked.prompt + asked.output).min())
    if cache_tokens(setup, context) < 1 <= cache_tokens(setup, smallest):
        context = smallest  # most do not fit, and are refused one by one
    if cache_tokens(setup, context) < 1:
        missing = max(-float(footprint(setup, 1.0, context).left), 0.0)
        return unfit(setup, policy, asked, told, seed, missing), None
    one = system(setup, policy, context)
    fleet = fleet_from(one, asked, flags, replicas)
    began = time.perf_counter()
    with _bar(progress) as watch:
        found = interval(fleet, asked, setup, promises, watch=watch, log=STEPS if flags.get("perfetto") else 0)
    elapsed = time.perf_counter() - began
    return document(found, promises, setup, spent(setup, found.run, found.found), told, seed, elapsed), found.run


def fleet_from(one: Any, asked: Requests, flags: Flags, replicas: int) -> Fleet:
    """Replicas, router, pools, scaling and failures from the flags."""
    from ridgewise.serving.apart import handed_over
    from ridgewise.simulation.fleet import START_DELAY, Failure, Fleet, Scaling, Transfer, router_of

    router = str(flags.get("router") or router_of(replicas, asked.closed))
    failures = []
    for text in flags.get("fail") or ():
        who, at, when = text.rpartition("@")
        replica = int(number(who, "1", "--fail", 0, replicas - 1)) if at else 0
        failures.append(Failure(number(when, "s", "--fail", 0, 1e9), replica,
                                number(str(flags.get("repair") or "30min"), "s", "--repair", 0, 1e9)))  # fmt: skip
    scaling = None
    if flags.get("scale_target"):
        scaling = Scaling(
            int(flags.get("scale_from") or 1), number(str(flags["scale_target"]), "1", "--scale-target", 0.1, 1e6),
            number(str(flags.get("start_delay") or START_DELAY), "s", "--start-delay", 0, 1e6),
        )  # fmt: skip
        if not 1 <= scaling.least <= replicas:
            raise RequestError(f"{scaling.least} of {replicas} replicas", "--scale-from", (f"1 to {replicas}",))
    answers: tuple[Any, ...] = ()
    transfer = None
    if flags.get("decode_replicas"):
        answers = (one,) * int(flags["decode_replicas"])
        link = number(str(flags.get("link") or LINK), "B/s", "--link", 1e6, 1e13)
        transfer = Transfer(partial(handed_over, one.setup), link)
    return Fleet((one,) * replicas, router.replace("-", "_"), scaling, tuple(failures), answers, transfer)


@contextmanager
def _bar(wanted: bool) -> Iterator[Callable[[int, int, float], None] | None]:
    """A progress bar on a terminal once work takes longer than a moment; hears of requests done."""
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    began = time.perf_counter()
    bar = Progress(TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[clock]}"),
                   TimeRemainingColumn(), console=Console(stderr=True), transient=True)  # fmt: skip
    task = bar.add_task("simulating", total=None, clock="", start=True)
    started = False

    def heard(done: int, total: int, clock: float) -> None:
        nonlocal started
        if not started and time.perf_counter() - began > QUIET:
            bar.start()
            started = True
        if started:
            bar.update(task, completed=done, total=total, clock=f"at {clock:,.0f} s" if clock else "")

    try:
        yield heard
    finally:
        if started:
            bar.stop()


def shape_from(flags: Flags) -> tuple[Shape, float, tuple[str, ...]]:
    """The shape of a load for which a system is looked for, its amount, and what was assumed."""
    shape, amount, told = _shape(flags, _one_load(flags, ("users", "rate")))
    if shape.arrivals is not None and (form := shape.arrivals.form) in ("diurnal", "at_once"):
        raise RequestError(f"{form} is no steady load: give the rate of the busiest time", "--arrivals", ("poisson",))
    return shape, amount, told


def _shape(flags: Flags, kind: str) -> tuple[Shape, float, tuple[str, ...]]:
    """The shape of a load, its amount in conversations or requests per second, and what was assumed."""
    from ridgewise.simulation.arrivals import arrivals
    from ridgewise.simulation.capacity import Shape

    prompt, output = lengths_from(flags)
    told = lengths_told(prompt, output, flags)
    seed = int(flags.get("seed") or 0)
    if kind == "users":
        people = people_from(flags)
        system_prompt = int(number(str(flags.get("system_prompt") or 0), "tokens", "--system-prompt", 0, 1e6))
        shape = Shape(prompt, output, people, None, system_prompt, seed)
        return shape, float(people.sessions), (*people.assumptions, *told)
    form = arrivals(str(flags.get("arrivals") or "poisson"))
    rate = number(str(flags["rate"]).removesuffix("/s"), "1", "--rate", 1e-6, 1e6)
    return Shape(prompt, output, None, form, 0, seed), rate, (f"arrivals: {form} (--arrivals)", *told)


#: Limits where none are given: what people put up with, as in ``plan``.
LIMITS = {"slo_ttft": "p95=2s", "slo_tpot": "p95=100ms"}


def capacity(model: str, flags: Flags, report: Path | None = None, *, json: bool) -> int:
    """Print the systems that keep the limits, cheapest first, and write the ``report``; 1 where none does."""
    from ridgewise.report.capacity import show
    from ridgewise.report.document import as_json

    found = sized(model, flags, progress=not json)
    if report is not None:
        from ridgewise.app import reporting

        reporting.write(report, found)
    if json:
        print(as_json(found))
    else:
        show(found)
    return 0 if found.feasible else 1


def sized(model: str, flags: Flags, progress: bool = False) -> CapacityDocument:
    """How much hardware a load needs, as a document."""
    from ridgewise.advise.capacity import Sizing
    from ridgewise.advise.capacity import sized as size_service
    from ridgewise.report.capacity import document

    began = time.perf_counter()
    limits = limits_of(flags, LIMITS)
    shape, amount, told = shape_from(flags)
    question, priced = _question(model, flags, shape)
    # the very requests that simulate would send; of a load that is larger still one replica stands for all
    requests = load_from(flags)[0] if shape.people is None or amount <= WHOLE else None
    asked = Sizing(
        question, shape, amount, limits, lambda setup: policy_from(setup, flags),
        int(flags["tp"]) if flags.get("tp") else None, requests, int(flags.get("top") or 5),
    )  # fmt: skip
    with _bar(progress) as watch:
        found = size_service(asked, (lambda done, most: watch(done, most, 0.0)) if watch else None)
    if not found.found.considered:
        raise RequestError("no candidate runs this model", "--hardware", ("--hardware H100",))
    people = None if shape.people is None else number(str(flags["users"]), "1", "--users", 1, 1e7)
    return document(found, model, people, (*told, *priced), time.perf_counter() - began)


def _question(model: str, flags: Flags, shape: Shape) -> tuple[Question, tuple[str, ...]]:
    """Model, engine, candidates and prices that the flags name, and where the price of electricity is from."""
    from ridgewise.advise.limits import check_decoder
    from ridgewise.advise.question import Question
    from ridgewise.app.anchors import own_blocks
    from ridgewise.app.costing import in_dollars, money_terms
    from ridgewise.engines import engine
    from ridgewise.hardware.sheets import device
    from ridgewise.models.formats import weight_format
    from ridgewise.models.read import load_model
    from ridgewise.workloads import Service

    found = load_model(model, own("models"))
    check_decoder(found.arch)
    money = in_dollars(flags)
    busy = number(str(flags.get("busy") or "30%"), "ratio", "--busy", 0.001, 1)
    asked = Question(
        found.arch, Service(2.0, shape.prompt.mean, shape.output.mean, busy=busy),
        hardware=tuple(device(name, "--hardware", own("hardware")) for name in flags.get("hardware") or ()),
        format=weight_format(flags["quant"]) if flags.get("quant") else found.format,
        engine=engine(flags["engine"]).id if flags.get("engine") else None,
        kv_bits=number(str(flags.get("kv_bits") or 16), "1", "--kv-bits", 2, 32),
        tariff=number(str(money["tariff"]), "1", "--tariff", 0, 100) if flags.get("tariff") else None,
        host_price=number(str(money["host_price"]), "1", "--host-price", 0, 1e9) if flags.get("host_price") else None,
        prices={device(name, "--price", own("hardware")).id: v for name, v in (money.get("prices") or {}).items()},
        blocks=own_blocks(),
    )  # fmt: skip
    asked, terms = money_terms({name: flags.get(name) for name in ("country", "prices", "tariff", "host_price")}, asked)
    price = terms.own.get("electricity")
    place = f"electricity of {price.about}, as of {price.as_of} (--country)" if price and terms.place else ""
    return asked, (place,) if place and not flags.get("tariff") else ()

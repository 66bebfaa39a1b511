"""``ridgewise simulate`` and ``ridgewise capacity``: from flags to loads and systems, and back to an answer."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ridgewise.app.home import own, write_whole
from ridgewise.app.inspecting import number
from ridgewise.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgewise.report.document import Estimate, Tier
    from ridgewise.report.simulation import CapacityDocument, SimulationDocument
    from ridgewise.serving import Setup
    from ridgewise.simulation.capacity import Answer, Candidate, Look, Shape
    from ridgewise.simulation.fleet import Fleet, Run
    from ridgewise.simulation.interval import Interval
    from ridgewise.simulation.metrics import Limit, Metrics
    from ridgewise.simulation.policies import Policy
    from ridgewise.simulation.request import Requests

Flags = Mapping[str, Any]
#: Lengths of chat where nothing is said: those of ``plan``, spread as real conversations are (Azure's public trace of
#: November 2023 has standard deviations of 0.95 and 0.77 of the means).
PROMPT, OUTPUT = "lognormal:1024,0.95", "lognormal:512,0.77"
#: Requests of a simulation where nothing is said: enough for a 99th percentile of 20.
REQUESTS = 2000
#: Link between pools where none is named [B/s]: 400 Gbit/s.
LINK = "50 GB/s"
#: Conversations up to which a fleet is simulated with the whole load, not one replica with its share.
WHOLE = 3000
#: Times the most load at which it is looked for what breaks first: chance lets some loads past the most.
BEYOND = (1.15, 1.5, 2.0)
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
    from ridgewise.simulation.lengths import lengths

    return lengths(str(flags.get("prompt") or PROMPT), "--prompt"), lengths(
        str(flags.get("output") or OUTPUT), "--output"
    )


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
    from ridgewise.simulation.arrivals import arrivals, closed_load, open_load
    from ridgewise.simulation.request import MOST, first, scaled
    from ridgewise.simulation.traces import read_trace

    kind = _one_load(flags, ("trace", "users", "rate"))
    seed = int(flags.get("seed") or 0)
    count = int(number(str(flags["requests"]), "1", "--requests", 1, MOST)) if flags.get("requests") else None
    speed = number(str(flags.get("speed") or 1), "1", "--speed", 1e-3, 1e3)
    if kind == "trace":
        found = read_trace(Path(flags["trace"]), flags.get("trace_format"), MOST)
        note: tuple[str, ...] = () if speed == 1 else (f"the trace runs at {speed:g} times its speed (--speed)",)
        found = scaled(found, speed) if speed != 1 else found
        return first(found, count) if count else found, note
    if speed != 1:
        raise RequestError("scales the times of a trace", "--speed", ("--trace FILE", "--rate"))
    prompt, output = lengths_from(flags)
    told = lengths_told(prompt, output, flags)
    if kind == "users":
        people = people_from(flags)
        wanted = count or max(REQUESTS, 8 * people.sessions)
        system_prompt = int(number(str(flags.get("system_prompt") or 0), "tokens", "--system-prompt", 0, 1e6))
        return closed_load(people, wanted, prompt, output, seed, system_prompt), (*people.assumptions, *told)
    form = arrivals(str(flags.get("arrivals") or "poisson"))
    rate = number(str(flags["rate"]).removesuffix("/s"), "1", "--rate", 1e-6, 1e6)
    return open_load(form, rate, count or REQUESTS, prompt, output, seed), (f"arrivals: {form} (--arrivals)", *told)


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
    from ridgewise.app.estimating import prepared
    from ridgewise.serving.estimate import footprint
    from ridgewise.simulation.interval import interval
    from ridgewise.simulation.system import cache_tokens, system
    from ridgewise.simulation.timeline import STEPS

    promises = limits_of(flags)
    asked, told = load_from(flags)
    context = asked.mean_context
    replicas = int(flags.get("replicas") or 1)
    mean = {"prompt": float(asked.prompt.mean()), "output": float(asked.output.mean())}
    setup = prepared(model, hardware, {**flags, **mean, "replicas": 1})
    policy = policy_from(setup, flags)
    if cache_tokens(setup, context) < 1:
        missing = max(-float(footprint(setup, 1.0, context).left), 0.0)
        return _unfit(setup, policy, asked, told, flags, missing), None
    one = system(setup, policy, context)
    fleet = fleet_from(one, asked, flags, replicas)
    began = time.perf_counter()
    with _bar(progress) as watch:
        found = interval(fleet, asked, setup, promises, watch=watch, log=STEPS if flags.get("perfetto") else 0)
    elapsed = time.perf_counter() - began
    return _document(found, promises, setup, told, flags, elapsed), found.run


def tier_of(setup: Setup) -> Tier:
    """How well measurements support a deployment."""
    return cast("Tier", setup.tier)


def fleet_from(one: Any, asked: Requests, flags: Flags, replicas: int) -> Fleet:
    """Replicas, router, pools, scaling and failures from the flags."""
    from ridgewise.simulation.fleet import START_DELAY, Failure, Fleet, Scaling, Transfer

    router = str(flags.get("router") or ("least_outstanding" if replicas > 1 and not asked.closed else "round_robin"))
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
        per_token = _cache_bytes(one.setup)
        transfer = Transfer(per_token, number(str(flags.get("link") or LINK), "B/s", "--link", 1e6, 1e13))
    return Fleet((one,) * replicas, router.replace("-", "_"), scaling, tuple(failures), answers, transfer)


def _cache_bytes(setup: Setup) -> float:
    """Bytes of cache per token, over all devices of a replica."""
    from ridgewise.serving.estimate import footprint

    held = [float(footprint(setup, 1.0, n).parts["KV cache"]) for n in (65536.0, 131072.0)]
    return (held[1] - held[0]) / 65536.0 * setup.count


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


def _document(
    done: Interval, promises: Sequence[Limit], setup: Setup, told: Sequence[str], flags: Flags, elapsed: float
) -> SimulationDocument:  # fmt: skip
    from ridgewise.report.document import Estimate, Layout
    from ridgewise.report.simulation import NOTES, LimitDocument, SeriesDocument, SimulationDocument
    from ridgewise.simulation import loop
    from ridgewise.simulation.fleet import worth_compiling
    from ridgewise.simulation.metrics import LATENCIES
    from ridgewise.simulation.policies import settings
    from ridgewise.simulation.timeline import refusal

    run, found, tier = done.run, done.found, tier_of(setup)
    latencies = {
        name: {statistic: _estimate(three, setup) for statistic, three in values.items()}
        for name, values in done.latencies.items()
    }
    shown: dict[str, Any] = {f"{name}_s": latencies.get(name, {}) for name in LATENCIES}
    kept = tuple(
        LimitDocument(one.limit.latency, one.limit.statistic, one.limit.most,
                      None if one.range is None else _estimate(one.range, setup), one.likely, one.surely)
        for one in done.kept(promises)
    )  # fmt: skip
    system = run.fleet.systems[0]
    refused = [i for i in range(len(run.asked)) if run.outcomes.status[i] == loop.TOO_LARGE][:1]
    level = found.level
    watts, joules, spread = _energy(setup, run, found)
    per_token = joules / max(float(run.asked.output[run.outcomes.status == loop.SERVED].sum()), 1.0) if joules else None
    count = len(run.fleet.systems) + len(run.fleet.answers)
    return SimulationDocument(
        schema_version=1, command="simulate", model=setup.arch.name, device=setup.device.id, name=setup.device.name,
        devices=setup.count * count, engine=setup.engine.id, format=setup.plan.format.id,
        layout=Layout(int(setup.plan.tp), int(setup.plan.pp), count), router=run.fleet.router,
        policy=settings(system.policy), sequences_limit=system.sequences, step_limit_tokens=system.tokens,
        cache_capacity_tokens=system.capacity, load=run.asked.about, assumptions=tuple(told),
        seed=int(flags.get("seed") or 0), fits=True, missing_bytes=0.0, partial=run.partial, requests=found.asked,
        counted=found.counted, refused=found.refused, refused_reason=refusal(run, refused[0]) if refused else "",
        unfinished=found.unfinished, prompt_tokens_mean=float(run.asked.prompt.mean()),
        output_tokens_mean=float(run.asked.output.mean()), **shown, limits=kept,
        requests_per_s=found.requests, output_tokens_per_s=found.output, total_tokens_per_s=found.total,
        goodput_requests_per_s=found.goodput, goodput_share=found.good, itl_p99_over_p50=found.jitter,
        p99_over_p50=found.spread, running_requests=found.running, cache_share=found.cache,
        cache_peak_share=found.cache_peak, busy_share=found.busy, put_back=found.put_back, prefix_hit_share=found.hit,
        power_w=watts, energy_j=joules,
        energy_j_per_token=None if per_token is None else Estimate(
            per_token, per_token * spread[0], per_token * spread[1], tier),
        span_s=found.span, simulated_s=found.simulated, replica_s=found.up, steps=found.steps, elapsed_s=elapsed,
        compiled=worth_compiling(found.asked),
        series=SeriesDocument(level.width, *(tuple(map(float, column)) for column in (
            level.running, level.waiting, level.cache, level.read, level.made))),
        tier=tier, notes=NOTES,
    )  # fmt: skip


def _estimate(three: tuple[float, float, float], setup: Setup) -> Estimate:
    """A latency with its interval."""
    from ridgewise.report.document import Estimate

    return Estimate(*three, tier_of(setup), (f"calibration.{setup.block.name}",))


def _unfit(
    setup: Setup, policy: Policy, asked: Requests, told: Sequence[str], flags: Flags, missing: float
) -> SimulationDocument:  # fmt: skip
    """The document of a system whose memory does not hold the model and one request."""
    from ridgewise.report.document import Layout
    from ridgewise.report.simulation import SeriesDocument, SimulationDocument
    from ridgewise.simulation.policies import settings
    from ridgewise.units import digits, size

    note = (
        f"{size(missing)} per device are missing for {setup.arch.name} in {setup.plan.format.id} and one request of "
        f"{digits(asked.mean_context)} tokens; try a larger --tp or a smaller --quant"
    )
    names = ("ttft_s", "tpot_s", "itl_s", "e2e_s", "wait_s", "p99_over_p50")
    nothing: dict[str, Any] = {name: {} for name in names}
    zero = dict.fromkeys((
        "requests_per_s", "output_tokens_per_s", "total_tokens_per_s", "goodput_requests_per_s", "goodput_share",
        "itl_p99_over_p50", "running_requests", "cache_share", "cache_peak_share", "busy_share", "prefix_hit_share",
        "span_s", "simulated_s", "replica_s", "elapsed_s"), 0.0)  # fmt: skip
    none: dict[str, Any] = {**nothing, **zero}
    return SimulationDocument(
        schema_version=1, command="simulate", model=setup.arch.name, device=setup.device.id, name=setup.device.name,
        devices=setup.count, engine=setup.engine.id, format=setup.plan.format.id,
        layout=Layout(int(setup.plan.tp), int(setup.plan.pp), 1), router="", policy=settings(policy),
        sequences_limit=0, step_limit_tokens=0, cache_capacity_tokens=0, load=asked.about, assumptions=tuple(told),
        seed=int(flags.get("seed") or 0), fits=False, missing_bytes=missing, partial=False, requests=len(asked),
        counted=0, refused=0, refused_reason="", unfinished=len(asked), prompt_tokens_mean=float(asked.prompt.mean()),
        output_tokens_mean=float(asked.output.mean()), limits=(), put_back=0, power_w=None, energy_j_per_token=None,
        energy_j=None, steps=0, compiled=False, series=SeriesDocument(1.0, (), (), (), (), ()), tier=tier_of(setup),
        notes=(note,), **none,
    )  # fmt: skip


def _energy(
    setup: Setup, run: Run, found: Metrics
) -> tuple[float | None, float | None, tuple[float, float]]:  # fmt: skip
    """Mean watts at the wall, joules in all, and the interval as ratios: at work while replicas compute, idle in the
    rest of the time they are up."""
    from ridgewise.advise.drawing import serving_draw
    from ridgewise.economics.power import host_draw, power_range

    replicas = len(run.fleet.systems) + len(run.fleet.answers)
    busy = max(found.busy, 1e-9)
    each, rate = found.running / replicas / busy, found.output / replicas / busy
    prompt, output = float(run.asked.prompt.mean()), float(run.asked.output.mean())
    draw = serving_draw(setup, prompt, output, max(each, 1.0), max(rate, 1e-9), found.hit)
    board = power_range(setup.device)
    if draw is None or board is None:
        return None, None, (1.0, 1.0)
    idle = board[0] * setup.count + host_draw(setup.device, setup.count)
    watts = busy * draw.wall + (1.0 - busy) * min(idle, draw.wall)
    return watts * replicas, watts * found.up, (draw.low / draw.wall, draw.high / draw.wall)


def shape_from(flags: Flags) -> tuple[Shape, float, tuple[str, ...], float]:
    """The shape of a load, its amount for the loop, what was assumed, and users per conversation (1 at a rate)."""
    from ridgewise.simulation.arrivals import arrivals
    from ridgewise.simulation.capacity import Shape

    kind = _one_load(flags, ("users", "rate"))
    prompt, output = lengths_from(flags)
    told = lengths_told(prompt, output, flags)
    seed = int(flags.get("seed") or 0)
    if kind == "users":
        people = people_from(flags)
        system_prompt = int(number(str(flags.get("system_prompt") or 0), "tokens", "--system-prompt", 0, 1e6))
        shape = Shape(prompt, output, people, None, system_prompt, seed)
        return shape, float(people.sessions), (*people.assumptions, *told), 1.0 / people.active_share
    form = arrivals(str(flags.get("arrivals") or "poisson"))
    if form.form in ("diurnal", "at_once"):
        raise RequestError(
            f"{form.form} is no steady load: give the rate of the busiest time", "--arrivals", ("poisson",)
        )
    rate = number(str(flags["rate"]).removesuffix("/s"), "1", "--rate", 1e-6, 1e6)
    return Shape(prompt, output, None, form, 0, seed), rate, (f"arrivals: {form} (--arrivals)", *told), 1.0


#: Limits where none are given: what people put up with, as in ``plan``.
LIMITS = {"slo_ttft": "p95=2s", "slo_tpot": "p95=100ms"}
#: Formats of a device and layouts of a format that are tried: the widest, and the smallest that hold the model.
FORMATS, LAYOUTS = 3, 3
#: Most devices of a kind that anybody puts together unasked: one desktop's cards, eight workstations of four.
MOST_DEVICES = {"gpu-consumer": 4.0, "gpu-workstation": 32.0}


def candidates(model: str, flags: Flags, context: float) -> Iterator[Candidate]:
    """Kinds of replica worth trying: devices of the catalogue or those named, formats, tensor-parallel degrees.
    ``context``: tokens of a typical request with its answer."""
    from ridgewise.advise.inference import engines_for, formats_for, layouts
    from ridgewise.advise.limits import check_decoder, divides
    from ridgewise.advise.question import Question
    from ridgewise.app.anchors import own_blocks
    from ridgewise.engines import engine as find_engine
    from ridgewise.hardware.machine import Machine, configurations
    from ridgewise.hardware.sheets import device, load_devices
    from ridgewise.models.formats import weight_format
    from ridgewise.models.read import load_model
    from ridgewise.serving import Setup
    from ridgewise.simulation.capacity import Candidate
    from ridgewise.simulation.system import cache_tokens, system
    from ridgewise.work import Plan
    from ridgewise.workloads import Service

    found = load_model(model, own("models"))
    check_decoder(found.arch)
    runner = find_engine(flags["engine"]) if flags.get("engine") else None
    fmt = weight_format(flags["quant"]) if flags.get("quant") else found.format
    bits = number(str(flags.get("kv_bits") or 16), "1", "--kv-bits", 2, 32)
    named = [part.strip() for text in flags.get("hardware") or () for part in text.split(",") if part.strip()]
    devices = [device(name, "--hardware", own("hardware")) for name in named]
    if not devices:
        kinds = ("gpu-datacenter", "gpu-workstation", "gpu-consumer", "tpu", "accelerator")
        devices = [d for d in load_devices().values() if d.status == "available" and d.kind in kinds]
    question = Question(found.arch, Service(users=2.0), format=fmt, engine=runner.id if runner else None, kv_bits=bits,
                        blocks=own_blocks())  # fmt: skip
    for one in devices:
        memory = configurations(one)[0]
        usable = Machine(one, 1, memory).usable
        if usable is None or not one.bandwidth or one.peak("bf16") is None:
            continue
        for engine, backend in engines_for(question, one):
            for chosen in formats_for(question, engine, backend, one)[:FORMATS]:
                tried = 0
                for tp, pp, _ in _single(layouts, engine, backend, Machine(one).per_node, flags):
                    if not divides(found.arch, tp) or tried >= LAYOUTS:
                        continue
                    setup = Setup(found.arch, one, engine, backend, Plan(chosen, float(tp), float(pp), bits), usable,
                                  blocks=question.blocks)  # fmt: skip
                    held = cache_tokens(setup, context)
                    if held < context:
                        continue
                    tried += 1
                    yield Candidate(setup, system(setup, policy_from(setup, flags), context, held), memory)
            break


def _single(layouts: Any, engine: Any, backend: Any, per_node: int, flags: Flags) -> Iterator[tuple[int, int, int]]:
    """Layouts of one replica, fewest devices first; no pipelines where tensor parallelism is known."""
    wanted = int(flags["tp"]) if flags.get("tp") else None
    for count in (1, 2, 4, 8, 16):
        for tp, pp, replicas in layouts(engine, backend, count, per_node):
            in_turn = engine.split == "tensor" and pp > 1
            if replicas == 1 and not in_turn and (wanted is None or wanted == tp * pp):
                yield tp, pp, replicas


def capacity(model: str, flags: Flags, *, json: bool) -> int:
    """Print the systems that keep the limits, cheapest first; 1 where none does."""
    from ridgewise.report.document import as_json
    from ridgewise.report.simulation import show_capacity

    found = sized(model, flags, progress=not json)
    if json:
        print(as_json(found))
    else:
        show_capacity(found)
    return 0 if found.feasible else 1


def sized(model: str, flags: Flags, progress: bool = False) -> CapacityDocument:
    """How much hardware a load needs, as a document."""
    from ridgewise.report.simulation import NOTES, CapacityDocument, GrowthDocument, PointDocument
    from ridgewise.simulation.capacity import LOOKS, Look, breaks_first, knee, look, most_load, search, tuned
    from ridgewise.simulation.fleet import worth_compiling
    from ridgewise.simulation.interval import bands_of, interval
    from ridgewise.units import digits, duration

    began = time.perf_counter()
    promises = limits_of(flags, LIMITS)
    shape, amount, told, users = shape_from(flags)
    unit = "users" if shape.people is not None else "requests/s"

    def month(c: Candidate, replicas: int, running: float, output: float) -> float | None:
        return _month(c, replicas, running, output, flags, shape)

    # the very requests that simulate would send; of a load that is larger still one replica stands for all
    asked = load_from(flags)[0] if shape.people is None or amount <= WHOLE else None

    def together(c: Candidate, replicas: int) -> Look:
        assert asked is not None
        fleet = fleet_from(c.system, asked, flags, replicas)
        fast = worth_compiling(LOOKS * len(asked))
        return Look(amount, interval(fleet, asked, c.setup, promises, fast=fast), promises)

    def largest(c: Candidate) -> float:
        return math.inf if flags.get("hardware") else MOST_DEVICES.get(c.setup.device.kind, math.inf)

    with _bar(progress) as watch:
        tried = search(
            candidates(model, flags, asked.mean_context if asked else shape.context), shape, amount, promises, month,
            largest, int(flags.get("top") or 5), watch=(lambda done, most: watch(done, most, 0.0)) if watch else None,
            together=together if asked else None,
        )  # fmt: skip
    if not tried.considered:
        raise RequestError("no candidate runs this model", "--hardware", ("--hardware H100",))
    text = f"{digits(float(flags['users']) if unit == 'users' else amount)} {unit}" if unit == "requests/s" else (
        f"{digits(number(str(flags['users']), '1', '--users', 1, 1e7))} users, {digits(amount)} conversations at the "
        "busiest time")  # fmt: skip
    missed = tuple(_missing(one) for one in tried.missed[:4])
    base: dict[str, Any] = {
        "schema_version": 1, "command": "capacity", "model": model, "load": text, "amount": amount * users,
        "unit": unit, "limits": tuple(map(str, promises)), "missed": missed, "assumptions": _costs_told(flags, told),
        "considered": tried.considered, "simulated": tried.simulated, "curve_unit": unit,
    }  # fmt: skip
    if not tried.answers:
        return CapacityDocument(
            **base, feasible=False, systems=(), curve=(), breaks_first="", most_when_slow=0.0, most_as_expected=0.0,
            growth=(), spares=(), one_fails="", settings=(), elapsed_s=time.perf_counter() - began, notes=NOTES,
        )  # fmt: skip
    best = tried.answers[0]
    candidate, n, slow = best.candidate, best.replicas, best.most
    likely = max(most_load(candidate, shape, promises, slow, slow=False)[0], slow)
    settings = tuple(
        f"{setting}: {digits(most * n * users)} {unit} at the slow end, {digits(100 * (most / slow - 1))} % more"
        for setting, most in tuned(candidate, shape, promises, slow)
    )
    for more in BEYOND:
        beyond = look(candidate, shape, max(slow * more, slow + (1 if shape.people else 0)), promises)
        if beyond.broken:
            break

    calibrated = bands_of(candidate.setup, best.at.metrics.running)
    curve = tuple(
        PointDocument(
            at.amount * n * users, at.amount / slow, _promised(at, "ttft", candidate.setup),
            _promised(at, "tpot", candidate.setup), at.metrics.output * n, at.likely, at.good,
        )
        for at in knee(candidate, shape, promises, slow, likely)
    )  # fmt: skip

    def grown(replicas: int, load: float) -> GrowthDocument:
        month = _month(candidate, replicas, best.at.metrics.running, best.at.metrics.output, flags, shape)
        return GrowthDocument(replicas, replicas * candidate.devices, load, month)

    alone = "the whole service is down until it is repaired" if n == 1 else (
        f"{n - 1} of {n} replicas carry {digits((n - 1) * slow * users)} {unit} within the limits at the slow end, "
        f"{digits((n - 1) * likely * users)} as expected, of {digits(amount * users)}"
    )  # fmt: skip
    shown = enumerate(tried.answers, 1)
    return CapacityDocument(
        **base, feasible=True,
        systems=tuple(_system(rank, a, amount, users, flags, shape) for rank, a in shown),
        curve=curve, breaks_first=f"{breaks_first(candidate, shape, beyond)} ({_broken(beyond)})",
        most_when_slow=slow * n * users, most_as_expected=likely * n * users,
        growth=tuple(grown(k, k * slow * users) for k in range(n, n + 4)),
        spares=tuple(grown(n + k, amount * users) for k in (1, 2)), one_fails=alone, settings=settings,
        elapsed_s=time.perf_counter() - began,
        notes=(
            "the most load is the most at which every limit is kept at the slow end of the interval: with every step "
            f"{digits(calibrated['tpot'].high)} times as long as expected, and TTFT {digits(calibrated['ttft'].high)} "
            "times or more; nine times in ten the real system does better on each limit", *NOTES,
            *(() if asked else ("the load is so large that one replica with its share stands for all of them",)),
            f"{tried.considered} kinds of replica considered, {tried.simulated} simulated, in "
            f"{duration(time.perf_counter() - began)}; one row per device, the cheapest month first",
        ),
    )  # fmt: skip


def _broken(found: Any) -> str:
    from ridgewise.units import duration

    if not found.broken:
        return f"no limit breaks yet at {100 * (BEYOND[-1] - 1):.0f} % more"
    return ", ".join(f"{one.latency.upper()} {one.statistic} {duration(value)}" for one, value in found.broken)


def _missing(one: Any) -> str:
    """What a kind of replica misses with next to no load."""
    from ridgewise.units import duration

    setup = one.candidate.setup
    parts = ", ".join(
        f"{p.latency.upper()} {p.statistic} {duration(v)} over {duration(p.most)}" for p, v in one.look.broken
    )
    tp = f" TP{int(setup.plan.tp)}" if setup.plan.tp > 1 else ""
    return (
        f"{setup.device.name}, {setup.engine.id} {setup.plan.format.id}{tp}: {parts or 'requests do not fit'} when slow"
    )


def _promised(at: Look, name: str, setup: Setup) -> Estimate | None:
    """A latency at the statistic that is promised."""
    statistic = next((one.statistic for one in at.limits if one.latency == name), "p95")
    three = at.interval.latencies[name].get(statistic)
    return None if three is None else _estimate(three, setup)


def _draw(candidate: Candidate, replicas: int, running: float, output: float, shape: Shape) -> Any:
    from ridgewise.advise.drawing import serving_draw

    setup = replace(candidate.setup, replicas=replicas)
    return serving_draw(setup, shape.prompt.mean, shape.output.mean, max(running, 1.0), max(output, 1.0))


def _cost(candidate: Candidate, replicas: int, running: float, output: float, flags: Flags, shape: Shape) -> Any:
    """Purchase, rent and month of so many replicas."""
    from ridgewise.economics import monthly_cost
    from ridgewise.economics.cost import TARIFF

    tariff = number(str(flags["tariff"]), "1", "--tariff", 0, 100) if flags.get("tariff") else TARIFF
    return monthly_cost(
        candidate.setup.device, candidate.devices * replicas, _draw(candidate, replicas, running, output, shape),
        24.0, _busy(flags), tariff, candidate.memory,
    )  # fmt: skip


def _busy(flags: Flags) -> float:
    return number(str(flags.get("busy") or "30%"), "ratio", "--busy", 0.001, 1)


def _month(
    candidate: Candidate, replicas: int, running: float, output: float, flags: Flags, shape: Shape
) -> float | None:
    found = _cost(candidate, replicas, running, output, flags, shape).month
    return None if found is None else float(found)


def _costs_told(flags: Flags, told: Sequence[str]) -> tuple[str, ...]:
    from ridgewise.economics.cost import AMORTISATION_MONTHS, TARIFF
    from ridgewise.units import digits

    return (
        *told,
        f"a month costs the cheaper of renting all hours and owning: {AMORTISATION_MONTHS} months, busy "
        f"{digits(100 * _busy(flags))} % of them (--busy), electricity at {flags.get('tariff') or TARIFF} USD/kWh "
        "(--tariff)",
    )  # fmt: skip


def _system(rank: int, a: Answer, amount: float, users: float, flags: Flags, shape: Shape) -> Any:
    from ridgewise.economics.cost import sold
    from ridgewise.report.document import Layout
    from ridgewise.report.simulation import SystemDocument

    setup, metrics = a.candidate.setup, a.at.metrics
    cost = _cost(a.candidate, a.replicas, metrics.running, metrics.output, flags, shape)
    draw = _draw(a.candidate, a.replicas, metrics.running, metrics.output, shape)
    first, rest = (_promised(a.whole, name, setup) for name in ("ttft", "tpot"))
    times = f"{a.devices} × " if a.devices > 1 else ""
    assert first is not None and rest is not None
    return SystemDocument(
        rank=rank, name=f"{times}{setup.device.name}", device=setup.device.id, devices=a.devices,
        bought=sold(setup.device, a.devices), replicas=a.replicas, engine=setup.engine.id, format=setup.plan.format.id,
        layout=Layout(int(setup.plan.tp), int(setup.plan.pp), a.replicas), load_per_replica=a.most * users,
        headroom=a.most * a.replicas / amount - 1.0, ttft_s=first, tpot_s=rest,
        output_tokens_per_s=metrics.output * a.replicas, cache_peak_share=metrics.cache_peak,
        power_w=draw.wall if draw else None, purchase_low_usd=cost.buy_low, purchase_high_usd=cost.buy_high,
        rent_low_usd_per_h=cost.rent_low, rent_high_usd_per_h=cost.rent_high, tenure=cost.tenure,
        cost_usd_per_month=cost.month, tier=tier_of(setup),
    )  # fmt: skip

"""The cheapest measurement that would firm an answer up: what to run, where, and how far the interval would narrow."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise.option import Option
from ridgewise.advise.question import Question
from ridgewise.hardware.offers import rental_price
from ridgewise.serving import Setup
from ridgewise.units import digits, money
from ridgewise.workloads import Service, SingleUser

#: Hours of a rented machine that a measurement takes, setting it up included.
HOURS = 1.0


def measurement(question: Question, option: Option) -> Iterator[str]:
    """Sentences; nothing where the deployment was measured already."""
    work, speed = question.workload, option.speed
    if speed is None or not isinstance(work, SingleUser | Service) or option.tier == "measured":
        return
    setup = speed.setup
    prompt, output = int(work.prompt), int(work.output)
    flight = max(round(speed.concurrency / option.replicas), 1)
    yield f"run on {option.count // option.replicas} × {option.device.name}: {command(setup, prompt, output, flight)}"
    now, then = speed.tpot_spread, setup.block.band("tpot", setup.regime(speed.concurrency), "cell")
    low, high = 1 / (speed.tpot * now.high), 1 / (speed.tpot * now.low)
    fast, slow = 1 / (speed.tpot * then.low), 1 / (speed.tpot * then.high)
    if then.high / then.low < now.high / now.low:
        yield (
            f"with such a row (ridgewise import) the high end of the interval is about {digits(fast / slow, 2)} times "
            f"the low one, instead of {digits(high / low, 2)} times ({digits(low, 2)}–{digits(high, 2)} tokens/s) now"
        )
    rent = rental_price(option.device)
    if rent is not None:
        hour = rent.low * option.count / option.replicas * HOURS
        yield f"a rented hour costs {money(hour)} and up"


def command(setup: Setup, prompt: int, output: int, flight: int) -> str:
    """What to type: the tool whose output ``ridgewise import`` reads, at the load of the question."""
    if setup.engine.id == "llama.cpp":
        return f"llama-bench -m MODEL.gguf -p {prompt} -n {output} -d {prompt} -o json"
    if setup.engine.id == "mlx":
        return f"mlx_lm.benchmark --model MODEL -p {prompt} -g {output}"
    return (
        f"vllm bench serve --model MODEL --random-input-len {prompt} --random-output-len {output} "
        f"--max-concurrency {flight} --save-result"
    )

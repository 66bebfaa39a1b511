"""The phase verdict: is this training or inference, and which of a machine's properties decides."""

from __future__ import annotations

from dataclasses import dataclass

from ridgewise.advise.option import Option
from ridgewise.advise.question import Question
from ridgewise.training import flops_per_token
from ridgewise.units import count, digits, power_of_ten, whole
from ridgewise.workloads import FineTuning, Pretraining, Service, SingleUser


@dataclass(frozen=True, slots=True)
class Verdict:
    """phase: "inference" or "training"; ``decides`` what to look at; ``text`` the sentence for people."""

    phase: str
    decides: str
    text: str


def verdict(question: Question, pick: Option | None) -> Verdict:
    """The dividing line for this question, with the pick's ridge point where there is one."""
    work, arch = question.workload, question.arch
    line = _ridge(pick)
    if isinstance(work, SingleUser):
        return Verdict(
            "inference",
            "memory capacity and bandwidth",
            "This is inference for one user: memory capacity and bandwidth decide; training-class compute is "
            f"not needed.{line}",
        )
    if isinstance(work, Service):
        load = ""
        if pick and pick.speed:
            n = digits(pick.speed.concurrency, 2)
            load = f" About {n} {'request is' if n == '1' else 'requests are'} in flight at the busiest time."
        return Verdict(
            "inference",
            "memory for the KV cache, bandwidth, and the load",
            f"This is inference as a service for {whole(work.users)} users: memory for weights and KV cache sets "
            f"how many run at once, bandwidth their speed, concurrency the size.{load}{line}",
        )
    if isinstance(work, Pretraining):
        total = flops_per_token(arch, work.length) * work.tokens
        return Verdict(
            "training",
            "compute, links, power",
            f"This is training: {count(work.tokens)} tokens through {count(arch.parameters_active)} active "
            f"parameters are {power_of_ten(float(total))} FLOP of forward, backward and update; sustained matrix "
            "compute, fast links, power and cooling decide, and faster hardware directly shortens the run.",
        )
    assert isinstance(work, FineTuning)
    method = {"full": "full fine-tuning", "lora": "LoRA fine-tuning", "qlora": "QLoRA fine-tuning"}[work.method]
    holds = {
        "full": "weights, gradients and optimiser (about 16 bytes per parameter)",
        "lora": "the frozen 16-bit weights and small adapters",
        "qlora": "the frozen 4-bit weights and small adapters",
    }[work.method]
    return Verdict(
        "training",
        "memory for the states, then compute",
        f"This is {method}, a short training run: memory must hold {holds}; then compute sets the hours. "
        "What you serve with afterwards is a different question: ask it with --goal infer.",
    )


def _ridge(pick: Option | None) -> str:
    if pick is None or pick.speed is None:
        return ""
    ridge = pick.device.ridge("fp16")
    if ridge is None:
        return ""
    side = "below" if pick.speed.intensity < ridge else "above"
    return (
        f" One decode step does {digits(pick.speed.intensity, 2)} FLOP per byte, {side} the ridge point of "
        f"{digits(ridge, 2)} FLOP/B on {pick.device.name}."
    )

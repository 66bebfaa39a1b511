"""``ridgewise train``: from flags to a training run, and back to an answer or a program's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgewise.app.anchors import own_blocks
from ridgewise.app.home import own
from ridgewise.app.inspecting import held, number
from ridgewise.errors import RequestError, nearest

if TYPE_CHECKING:
    from ridgewise.advise.training import Asked, Training
    from ridgewise.hardware import Device
    from ridgewise.models.architecture import Architecture
    from ridgewise.report.training import ClassicTrainingDocument, TrainingDocument
    from ridgewise.training.layouts import Space

Flags = Mapping[str, Any]
#: Tokens per step and of a sequence where nothing is said, by goal: those of ``plan``; DPO and GRPO as their papers'
#: recipes of a few dozen answers per step.
BATCH_TOKENS, BATCH, LENGTH, TUNED_LENGTH = "4Mi", 16.0, 4096.0, 2048.0
#: Tokens of a data set where nothing is said.
TOKENS = 20e6
#: Flags of language models that mean nothing for the classic ones, and the other way round.
LANGUAGE = ("tokens", "rank", "method", "tp", "pp", "vpp", "cp", "dp", "ep", "zero", "recompute", "group", "answer",
            "prompt", "micro_batch", "export", "deadline", "budget", "goal", "schedule", "offload",
            "imbalance")  # fmt: skip

#: Every flag of the command.
FLAGS = (*LANGUAGE, "count", "samples", "epochs", "batch", "length", "precision", "optimizer", "chunked_loss",
         "program", "tariff", "memory", "top")  # fmt: skip


def run(model: str, hardware: str, flags: Flags, report: Path | None = None, *, json: bool) -> int:
    """Print the answer and write its ``report``; 1 where the run is not possible as asked."""
    from ridgewise.report.document import as_json
    from ridgewise.report.training import ClassicTrainingDocument, show, show_classic

    found = trained(model, hardware, flags)
    if report is not None:
        from ridgewise.app import reporting

        reporting.write(report, found)
    if isinstance(found, ClassicTrainingDocument):
        print(as_json(found)) if json else show_classic(found)
        return 0
    if flags.get("export"):
        return _export(str(flags["export"]), found)
    if json:
        print(as_json(found))
    else:
        show(found)
    return 0 if found.feasible else 1


def trained(model: str, hardware: str, flags: Flags) -> TrainingDocument | ClassicTrainingDocument:
    """A training run as the published document; ``flags`` are those of ``ridgewise train``, with underscores."""
    from ridgewise.advise import classic
    from ridgewise.report.training import classic_document, document

    if (name := classic.anchored(model)) is not None:
        return classic_document(_classic(name, hardware, flags))
    return document(train(model, hardware, **flags))


def _export(name: str, found: Any) -> int:
    from ridgewise.report.exports import EXPORTS

    if name not in EXPORTS:
        raise RequestError(f"no settings of {name!r} are written", "--export", nearest(name, EXPORTS) or tuple(EXPORTS))
    if not found.layouts or not found.layouts[0].fits:
        raise RequestError(f"nothing to write: {found.impossible}", "--export")
    print(EXPORTS[name](found), end="")
    return 0


def train(model: str, hardware: str, **flags: Any) -> Training:
    """A training run on one kind of device: layouts, seconds, bytes, failures, watts and dollars.

    ``flags`` are those of ``ridgewise train`` (count, goal, tokens, samples, epochs, batch, length, precision …),
    numbers or words. ``.plans`` holds the layouts, best first, ``.duration`` the seconds of the run with their 80 %
    interval (``.value``, ``.low``, ``.high``), ``.impossible`` why it cannot be done. Raises
    :class:`ridgewise.errors.RequestError` for what is unknown or contradicts itself.
    """
    from ridgewise.advise.training import answered

    if wrong := sorted(set(flags) - set(FLAGS)):
        raise RequestError(f"unknown flag {wrong[0]!r}", "train", nearest(wrong[0], FLAGS) or FLAGS)
    words = {name: repr(value) if type(value) in (int, float) else value for name, value in flags.items()}
    return answered(asked(model, hardware, words))


def asked(model: str, hardware: str, flags: Flags) -> Asked:
    """The question behind the flags, checked; RequestError names the flag at fault."""
    from ridgewise.advise import classic
    from ridgewise.advise.limits import check_context, check_decoder
    from ridgewise.advise.training import GOALS, METHODS, Asked
    from ridgewise.memory.training import OPTIMISERS
    from ridgewise.models.read import load_model

    arch = load_model(model, own("models")).arch
    try:
        check_decoder(arch)
    except RequestError as error:
        raise RequestError(error.what, error.where, tuple(classic.ALIASES)) from None
    device = _device(hardware)
    goal = _one_of(flags.get("goal") or ("train" if flags.get("tokens") and not flags.get("samples") else "lora"),
                   GOALS, "--goal")  # fmt: skip
    method = METHODS[goal]
    if flags.get("method"):
        if goal in ("train", "finetune", "lora", "qlora"):
            raise RequestError(f"--goal {goal} says how weights are trained", "--method", ("--goal dpo --method full",))
        method = _one_of(flags["method"], ("full", "lora", "qlora"), "--method")
    precision, optimiser = _precision(device, flags), str(flags.get("optimizer") or "adamw").casefold()
    if optimiser not in OPTIMISERS:
        raise RequestError(f"unknown optimiser {optimiser!r}", "--optimizer",
                           nearest(optimiser, OPTIMISERS) or tuple(OPTIMISERS))  # fmt: skip
    if flags.get("rank") and method == "full":
        raise RequestError("a rank is of adapters, and every weight is trained", "--rank", ("--goal lora",))
    group = number(flags.get("group") or "8", "1", "--group", 1, 1024)
    prompt = number(flags.get("prompt") or "512", "tokens", "--prompt", 1, 1e7)
    answer = number(flags.get("answer") or "1024", "tokens", "--answer", 1, 1e7)
    if goal == "grpo" and not flags.get("length"):
        length = prompt + answer
    else:
        usual = LENGTH if goal == "train" else TUNED_LENGTH
        usual = min(usual, float(arch.max_context or usual))
        length = number(flags["length"], "tokens", "--length", 1, 1e8) if flags.get("length") else usual
    check_context(arch, length, "--length", "the sequence")
    count = int(number(flags["count"], "1", "--count", 1, 1e6)) if flags.get("count") else None
    if count and count > 1 and device.complete:
        raise RequestError(f"{device.name} is a whole computer: training several together is not modelled", "--count",
                           ("--count 1",))  # fmt: skip
    space = _space(arch, count, flags)
    if flags.get("offload") not in (None, "none") and device.kind == "unified":
        raise RequestError(f"{device.name} has one memory: there is nowhere to offload to", "--offload",
                           ("--offload none",))  # fmt: skip
    batch, said = _batch(goal, length, group, flags, space)
    epochs = number(flags.get("epochs") or "1", "1", "--epochs", 1e-3, 1e4)
    tokens, samples = _tokens(goal, length, group, epochs, flags)
    return Asked(
        arch, device, goal, method, tokens, length, batch, count, precision, optimiser,
        number(flags.get("rank") or "16", "1", "--rank", 1, 4096), samples, epochs, group, prompt, answer,
        number(flags["deadline"], "s", "--deadline", 1, 3.2e9) if flags.get("deadline") else None,
        number(flags["budget"], "USD", "--budget", 1, 1e12) if flags.get("budget") else None,
        number(flags.get("tariff") or "0.25", "USD", "--tariff", 0, 100),
        held(flags)[0],
        _program(method, flags), flags.get("chunked_loss"), space, int(flags.get("top") or 5), said, own_blocks(),
        _hot(arch, flags),
    )  # fmt: skip


def _device(name: str) -> Device:
    from ridgewise.hardware.sheets import device

    if "," in name:
        raise RequestError("train answers for one kind of device", "--hardware", ("ridgewise plan --goal train",))
    return device(name, "--hardware", own("hardware"))


def _one_of(given: str, known: tuple[Any, ...], flag: str) -> Any:
    if given not in known:
        raise RequestError(f"{given!r} is not one of them", flag, nearest(given, known) or known)
    return given


def _precision(device: Device, flags: Flags) -> str:
    """The precision of the products, which the device must have."""
    from ridgewise.training.estimate import PRECISIONS

    name = str(flags.get("precision") or "bf16").casefold()
    if name not in PRECISIONS:
        raise RequestError(f"unknown precision {name!r}", "--precision", nearest(name, PRECISIONS) or tuple(PRECISIONS))
    dtype = PRECISIONS[name][0]
    found = device.peak(dtype)
    narrower = found is not None and found[1] != dtype and dtype in ("fp8", "fp4")
    if found is None or (narrower and flags.get("precision")):
        able = tuple(other for other, (kind, _) in PRECISIONS.items() if (p := device.peak(kind)) and p[1] == kind)
        raise RequestError(f"{device.name} has no {dtype} matrix units", "--precision", able)
    return name


def _program(method: str, flags: Flags) -> str:
    from ridgewise.training.estimate import TIGHTER

    given = flags.get("program")
    if not given:
        return ""
    return str(_one_of(str(given), TIGHTER[method], "--program"))  # type: ignore[index]


def _batch(goal: str, length: float, group: float, flags: Flags, space: Space) -> tuple[float, tuple[str, ...]]:
    """Sequences per optimiser step: tokens (train), sequences, pairs (dpo) or answers (grpo)."""
    from ridgewise.training.layouts import rounded

    text, said = flags.get("batch"), tuple[str, ...]()
    if goal == "train":
        tokens = number(text or BATCH_TOKENS, "tokens", "--batch", 1, 1e15)
        if tokens < length:
            raise RequestError(f"{tokens:,.0f} tokens are less than one sequence of {length:,.0f}", "--batch",
                               (f"--batch {length:.0f}",))  # fmt: skip
        wanted = tokens / length
        batch = rounded(wanted)
        if abs(batch - wanted) > 1e-9 * wanted:
            said = (f"the batch is {batch:,.0f} sequences ({batch * length:,.0f} tokens), so that replicas share it "
                    "evenly (--batch)",)  # fmt: skip
    else:
        batch = number(text, "1", "--batch", 1, 1e7) if text else (8 * group if goal == "grpo" else BATCH)
        if batch != int(batch):
            raise RequestError(f"{batch:g} sequences", "--batch", (f"--batch {max(int(batch), 1)}",))
        if goal == "grpo" and batch % group:
            near = max(round(batch / group), 1) * group
            raise RequestError(f"{batch:.0f} answers are no whole number of groups of {group:.0f}", "--batch",
                               (f"--batch {near:.0f}",))  # fmt: skip
        batch *= 2.0 if goal == "dpo" else 1.0
    for degree in space.shards or (1,):
        each = degree * (space.micro or (1,))[0]
        if batch % each:
            near = max(round(batch / each), 1) * each
            unit = near * length if goal == "train" else near / (2.0 if goal == "dpo" else 1.0)
            raise RequestError(
                f"{batch:.0f} sequences per step cannot be shared by {degree} replicas in micro-batches of "
                f"{each // degree}", "--batch", (f"--batch {unit:.0f}",),
            )  # fmt: skip
    return batch, said


def _tokens(goal: str, length: float, group: float, epochs: float, flags: Flags) -> tuple[float, float]:
    """Tokens trained in all, and samples of the data set (0: not told)."""
    if flags.get("tokens") and flags.get("samples"):
        raise RequestError("tokens or samples, not both", "--samples", ("--tokens 20M",))
    if flags.get("samples"):
        samples = number(flags["samples"], "1", "--samples", 1, 1e15)
        each = {"dpo": 2.0, "grpo": group}.get(goal, 1.0)
        return samples * each * length * epochs, samples
    if goal == "train" and not flags.get("tokens"):
        raise RequestError("training needs the tokens to train on", "--tokens", ("--tokens 2T",))
    tokens = number(flags["tokens"], "tokens", "--tokens", 1, 1e18) if flags.get("tokens") else TOKENS
    return tokens * epochs, 0.0


def _hot(arch: Architecture, flags: Flags) -> float:
    """Routed tokens of the fullest expert group over the mean."""
    if not flags.get("imbalance"):
        return 1.0
    if not arch.moe:
        raise RequestError(f"{arch.name} routes nothing", "--imbalance", ("a mixture of experts",))
    return number(str(flags["imbalance"]), "1", "--imbalance", 1, 100)


def _space(arch: Architecture, count: int | None, flags: Flags) -> Space:
    """The degrees that the flags fix, which must go together."""
    from ridgewise.training.layouts import ENDS, OFFLOADS, SCHEDULES, Space

    def given(name: str, flag: str) -> int | None:
        return int(number(str(flags[name]), "1", flag, 1, 1e6)) if flags.get(name) is not None else None

    tp, pp, vpp, cp, ep, dp, micro = (
        given(name, f"--{name.replace('_', '-')}") for name in ("tp", "pp", "vpp", "cp", "ep", "dp", "micro_batch")
    )
    heads = max((group.mixer.heads for group in arch.kinds), default=0)
    experts = max((group.feed.experts for group in arch.kinds), default=0)
    if tp and heads and heads % tp:
        able = tuple(f"--tp {n}" for n in (1, 2, 4, 8) if heads % n == 0)
        raise RequestError(f"{heads} heads cannot be shared by {tp} devices", "--tp", able)
    if pp and pp > arch.layers:
        raise RequestError(f"{arch.layers} layers make no {pp} stages", "--pp", (f"--pp {arch.layers}",))
    if vpp and vpp > 1 and pp and (pp == 1 or all((arch.layers + more) % (pp * vpp) for more in (0, ENDS))):
        raise RequestError(f"{arch.layers} layers cannot be cut into {pp} stages of {vpp} equal chunks", "--vpp",
                           ("--vpp 1",))  # fmt: skip
    if ep and ep > 1 and (not experts or experts % ep):
        what = f"{experts} experts cannot be shared by {ep} devices" if experts else f"{arch.name} has no experts"
        raise RequestError(what, "--ep", tuple(f"--ep {n}" for n in (1, 2, 4, 8, 16, 32, 64) if experts % n == 0)[:5]
                           if experts else ("--ep 1",))  # fmt: skip
    held = (tp or 1) * (pp or 1) * (cp or 1)
    if count and count % held:
        raise RequestError(f"{count} devices are no multiple of TP × PP × CP = {held}", "--count",
                           (f"--count {max(round(count / held), 1) * held}",))  # fmt: skip
    if dp and count and (count % dp or (tp and pp and count != held * dp)):
        raise RequestError(f"{dp} replicas do not make up {count} devices", "--dp", (f"--dp {max(count // held, 1)}",))
    zero = int(number(str(flags["zero"]), "1", "--zero", 1, 3)) if flags.get("zero") is not None else None
    if zero == 3 and pp and pp > 1:
        raise RequestError("a pipeline keeps its weights whole for all micro-batches", "--zero", ("--zero 1", "--pp 1"))
    recompute, schedule, offload = flags.get("recompute"), flags.get("schedule"), flags.get("offload")
    if schedule:
        _one_of(schedule, tuple(SCHEDULES), "--schedule")
        if schedule != "1f1b" and (vpp or 1) > 1:
            raise RequestError(f"{schedule} gives a stage one chunk of layers", "--vpp", ("--vpp 1",))
        if schedule != "1f1b" and pp == 1:
            raise RequestError("one stage has no pipeline to schedule", "--schedule", ("--pp 8",))
    if offload:
        _one_of(offload, tuple(OFFLOADS), "--offload")
    if recompute:
        _one_of(recompute, ("none", "selective", "full"), "--recompute")
    fixed: dict[str, Any] = {"tp": tp, "pp": pp, "chunks": vpp, "cp": cp, "ep": ep, "shards": dp, "micro": micro,
                             "stage": zero, "recompute": recompute, "schedule": schedule,
                             "offload": offload}  # fmt: skip
    return replace(Space(), **{name: (value,) for name, value in fixed.items() if value})


def _classic(name: str, hardware: str, flags: Flags) -> Any:
    """A run of a model whose work is anchored on measured runs."""
    from ridgewise.advise import classic

    for flag in LANGUAGE:
        if flags.get(flag) not in (None, False):
            raise RequestError(f"{name} is no language model: the flag says nothing about it",
                               f"--{flag.replace('_', '-')}", ("--samples", "--epochs", "--batch"))  # fmt: skip
    device = _device(hardware)
    count = int(number(flags.get("count") or "1", "1", "--count", 1, 1e5))
    batch = number(flags["batch"], "1", "--batch", 1, 1e7) if flags.get("batch") else None
    if batch is not None and batch % count:
        raise RequestError(f"{batch:.0f} samples per step cannot be shared by {count} devices", "--batch",
                           (f"--batch {max(round(batch / count), 1) * count}",))  # fmt: skip
    samples = number(flags["samples"], "1", "--samples", 1, 1e15) if flags.get("samples") else None
    return classic.trained(
        name, device, count, batch, _precision(device, flags), samples,
        number(flags.get("epochs") or "1", "1", "--epochs", 1e-3, 1e4),
        number(flags.get("length") or "512", "tokens", "--length", 1, 1e6),
        number(flags.get("tariff") or "0.25", "USD", "--tariff", 0, 100), own_blocks(),
    )  # fmt: skip

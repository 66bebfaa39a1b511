"""Training of encoders, vision and diffusion models whose work per sample is anchored on measured runs.

Speed comes from the same blocks and rows that ``validate`` judges; what fits is told by the batches that measured runs
held in memory, not by a formula.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated

from ridgewise.economics import Cost, Draw, wall_power
from ridgewise.economics.cost import AMORTISATION_MONTHS, HOURS_PER_MONTH, TARIFF, cost_of, purchase
from ridgewise.errors import RequestError
from ridgewise.evidence.shipped import shipped
from ridgewise.evidence.tables import KINDS, Row, Table
from ridgewise.facts.names import normal
from ridgewise.hardware import Device
from ridgewise.hardware.offers import rental_price
from ridgewise.hardware.sheets import device as find_device
from ridgewise.hardware.sheets import load_devices
from ridgewise.serving.outcome import Range
from ridgewise.timing import Rates
from ridgewise.timing.coefficients import Block, load_blocks
from ridgewise.timing.power import Effort
from ridgewise.training.estimate import PRECISIONS
from ridgewise.training.planning import DESKS, HOSTS
from ridgewise.units import digits, share, whole
from ridgewise.validation.domains import classic
from ridgewise.validation.predict import predict

#: What people train them with: NVIDIA's public examples, whose kernels nobody tuned for a competition.
FRAMEWORK = "nvidia-dle-pytorch"
FAMILIES: Mapping[str, str] = {
    "microsoft/resnet-50": "vision", "nvidia/ssd300-resnet50": "vision", "google/vit-base-patch16-224": "vision",
    "stabilityai/stable-diffusion-2-base": "diffusion",
}  # fmt: skip
#: Short names people use.
ALIASES: Mapping[str, str] = {
    "resnet-50": "microsoft/resnet-50", "resnet50": "microsoft/resnet-50", "ssd": "nvidia/ssd300-resnet50",
    "vit-base": "google/vit-base-patch16-224", "bert-base": "google-bert/bert-base-uncased",
    "bert-large": "google-bert/bert-large-uncased", "stable-diffusion-2": "stabilityai/stable-diffusion-2-base",
}  # fmt: skip
#: Pictures a core reads, cuts to 224 × 224 and makes floats of in a second, and bytes of one: JPEG of 500 × 375, about
#: ImageNet's mean, by Pillow 13 on a core of an EPYC (``benchmarks/loading.py``).
DECODED, PICTURE = 440.0, 107e3
#: Samples of the data set each is usually trained on, where nothing is said: ImageNet-1k.
SAMPLES: Mapping[str, float] = {"microsoft/resnet-50": 1_281_167.0, "google/vit-base-patch16-224": 1_281_167.0}


@dataclass(frozen=True, slots=True)
class ClassicTraining:
    """A run of a classic model: ``rate`` samples per second of all devices.

    evidence    which batch per device measured runs held, and in how much memory
    bound       "compute", "memory traffic", "launches" or "links"
    """

    model: str
    family: str
    device: Device
    count: int
    batch: float
    precision: str
    samples: float
    epochs: float
    rate: Range
    tier: str
    bound: str
    draw: Draw | None
    cost: Cost
    evidence: str
    risks: tuple[str, ...]
    error: str

    @property
    def duration(self) -> Range:
        """Seconds of the run."""
        return self.rate.inverse * (self.samples * self.epochs)


def anchored(name: str) -> str | None:
    """The classic model called ``name``; None where it is none of them."""
    wanted = normal(name)
    known = {normal(alias): model for alias, model in ALIASES.items()}
    known |= {normal(model): model for model in classic.KNOWN} | {
        normal(model.partition("/")[2]): model for model in classic.KNOWN if "/" in model
    }
    return known.get(wanted)


def trained(
    model: str, device: Device, count: int, batch: float | None, precision: str, samples: float | None, epochs: float,
    length: float = 512.0, tariff: Annotated[float, "USD/kWh"] = TARIFF, blocks: Mapping[str, Block] | None = None,
) -> ClassicTraining:  # fmt: skip
    """Speed, power and cost of training one classic model; RequestError where no run of it was measured."""
    kept = blocks if blocks is not None else load_blocks()
    dtype = PRECISIONS[precision][0]
    total = batch or count * classic.KNOWN[model][3]
    number = samples or SAMPLES.get(model)
    if not number:
        raise RequestError("how many samples has the data set?", "--samples", ("--samples 1M",))
    label = "fp16" if dtype == "bf16" else dtype  # the 16-bit runs of the framework's tables
    row: Row = {
        "row_id": "asked", "device_id": device.id, "n_devices": str(count), "global_batch_seqs": repr(total),
        "precision": label, "framework": FRAMEWORK, "model_id": model, "family": FAMILIES.get(model, "encoder"),
        "calibration": "relative", "metric": "samples_s", "value": "", "use": "context",
        "seq_len": repr(length) if model.startswith(classic.PER_TOKEN) else "",
    }  # fmt: skip
    found = predict(Table(KINDS["training"], (row,)), kept)[0]
    if not found.tier:
        raise RequestError(found.reason.removeprefix("unsupported: "), "MODEL", tuple(ALIASES)[:4])
    read = classic.read(row, device, dtype)
    rate = Range(found.predicted, found.low, found.high)
    peak = device.peak(dtype)
    assert peak is not None and device.bandwidth, "a row without them has no prediction"
    each = found.predicted / count
    compute = read.work * each / read.peak
    traffic = read.values * read.width * each / read.bandwidth
    rated = Rates(peak[0], device.bandwidth)
    keys = {"device": device.id, "stack": "training", "cell": ""}
    draw = wall_power(device, count, Effort(read.values * read.width * each, read.work * each), rated, keys)
    hours = number * epochs / found.predicted / 3600.0
    each_device, risks = total / count, []
    held, where = _held(model, device.memory or 0.0)
    evidence = f"{whole(held)} samples per device ran on {where}" if held else "no run on so little memory was measured"
    if each_device > held:
        risks.append(f"memory: {whole(each_device)} samples per device, but {evidence}")
    if found.tier in ("datasheet", "assumed", "transferred"):
        risks.append("this device was not measured with this program: the work is anchored, the device is not")
    if FAMILIES.get(model) == "vision":
        risks.append(_loading(device, found.predicted))
    return ClassicTraining(
        model, FAMILIES.get(model, "encoder"), device, count, total, precision, number, epochs, rate, found.tier,
        "compute" if compute >= traffic else "memory traffic", draw,
        _cost(device, count, draw, hours, tariff), evidence, tuple(risks), _error(kept, FAMILIES.get(model, "encoder")),
    )  # fmt: skip


def _loading(device: Device, rate: float) -> str:
    """What the host has to do beside so many pictures per second, and what a desk's processor would leave of them."""
    cores = rate / DECODED
    said = (
        f"pictures: {whole(rate)}/s keep {whole(cores)} cores busy decoding ({whole(DECODED)} a second and core with "
        f"Pillow, less work where the card decodes) and read {digits(rate * PICTURE / 1e6)} MB/s; that is not timed"
    )
    desk = find_device(HOSTS[0])
    most = desk.number("cores")
    if device.kind in DESKS and most and cores > most:
        said += f": the {whole(most)} cores of a {desk.name} alone make the run {digits(cores / most)} times as long"
    return said


@cache
def _held(model: str, memory: float) -> tuple[float, str]:
    """The largest batch per device of the shipped runs of a model on a device of no more memory, and that device."""
    devices, best = load_devices(), (0.0, "")
    for table in shipped():
        for row in table.rows if table.kind.name == "training" else ():
            if classic.anchor(row) == model and row.get("global_batch_seqs") and row["device_id"] in devices:
                on = devices[row["device_id"]]
                each = float(row["global_batch_seqs"]) / float(row["n_devices"] or 1)
                if (on.memory or 0.0) <= memory and each > best[0]:
                    best = (each, on.name)
    return best


def _cost(device: Device, count: int, draw: Draw | None, hours: float, tariff: float) -> Cost:
    """Rent of the run, or its energy and share of a bought machine's life."""
    bought, rented = purchase(device, count), rental_price(device)
    energy = draw.wall / 1000 * hours * tariff if draw else None
    if rented is not None:
        return cost_of(bought, rented, count, rented.middle * count * hours, energy, "rent")
    if bought is None or energy is None:
        return cost_of(bought, rented, count, None, energy, "own")
    life = AMORTISATION_MONTHS * HOURS_PER_MONTH
    used = bought.middle * min(hours / life, 1.0)
    return cost_of(bought, rented, count, used + energy, energy, "own")


def _error(blocks: Mapping[str, Block], family: str) -> str:
    block = blocks.get("training-classic")
    found = block.errors.get(f"source samples_s {family}") if block else None
    if found is None:
        return "no measured run of this kind: the interval is a judgement"
    return f"median error {share(found[1])} on {whole(found[0])} runs of publications left out ({family}, samples/s)"

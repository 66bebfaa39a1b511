"""Encoders, vision, diffusion and other models whose work per sample a row does not tell: by anchors.

A step takes ``b·(work/(peak·share) + values·bytes/(bandwidth·share)) + launches + gradients over the links``,
b samples per device. Work and values per sample are anchored per model and recipe on measured rows; devices,
counts and precisions transfer by the physics. A row that says its work is relative is predicted only where its model
was measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ridgewise.errors import RequestError
from ridgewise.evidence import Row
from ridgewise.evidence.tables import number
from ridgewise.hardware.device import Device
from ridgewise.models.read import load
from ridgewise.training import step as physics
from ridgewise.validation.domain import Cases
from ridgewise.validation.pooling import Spec

#: Before any anchor: FLOPs and 16-bit values moved per sample (image, sequence or token) of a training step,
#: parameters, and samples per device and step where a row does not say. Products count twice, backward twice.
KNOWN: Mapping[str, tuple[float, float, float, float]] = {
    "microsoft/resnet-50": (24.6e9, 1.5e8, 25.6e6, 256.0),
    "nvidia/ssd300-resnet50": (60e9, 4e8, 20e6, 128.0),
    "google/vit-base-patch16-224": (105e9, 4e8, 86e6, 64.0),
    "stabilityai/stable-diffusion-2-base": (2.4e12, 8e9, 865e6, 32.0),
    "nvidia/gnmt-v2": (1.2e9, 2e6, 160e6, 128.0),
    "transfo-xl": (0.35e9, 3e6, 192e6, 16.0),
    "transfo-xl large": (1.6e9, 1e7, 257e6, 8.0),
    "google-bert/bert-base-uncased": (0.56e9, 1.5e6, 110e6, 32.0),
    "google-bert/bert-large-uncased": (1.95e9, 4e6, 336e6, 16.0),
}
#: Models whose work above is per token of a sequence: a row tells the length.
PER_TOKEN = ("google-bert/",)
#: Tokens of a sequence where speed is in tokens and the batch in sequences.
LENGTHS: Mapping[str, float] = {"transfo-xl": 192.0, "transfo-xl large": 384.0, "nvidia/gnmt-v2": 50.0}
#: Programs whose kernels were fused for the model by hand: competition entries.
TUNED = ("mlperf",)
#: Values moved per parameter-sized FLOP where nothing else is known.
VALUES_PER_FLOP = 2e-3


@dataclass(frozen=True, slots=True)
class Run:
    """One row, read: per sample FLOPs and values, samples per device and step, what the device offers."""

    work: float
    values: float
    width: float
    plain: float
    batch: float
    parameters: float
    peak: float
    bandwidth: float
    link: float
    network: float
    devices: float
    domain: float
    factor: float
    sign: float
    keys: Mapping[str, str]
    regime: str
    assumed: bool


@dataclass(frozen=True, slots=True)
class Data:
    """The same as columns."""

    work: np.ndarray
    values: np.ndarray
    width: np.ndarray
    plain: np.ndarray
    batch: np.ndarray
    parameters: np.ndarray
    peak: np.ndarray
    bandwidth: np.ndarray
    link: np.ndarray
    network: np.ndarray
    devices: np.ndarray
    domain: np.ndarray
    factor: np.ndarray
    sign: np.ndarray


NUMBERS = tuple(Data.__annotations__)


#: No count, length, size or watt of a run lies outside.
LEAST, MOST = 1e-6, 1e9


def positive(row: Row, column: str) -> float | None:
    """A number above zero, or None; RequestError where no run has so much."""
    value = number(row, column)
    if value is None or value <= 0:
        return None
    if not LEAST <= value <= MOST:
        raise RequestError(f"{value:g} is no plausible value", column)
    return value


def anchored(row: Row) -> bool:
    """Whether a row belongs here whatever its table says."""
    return row.get("family", "") in ("encoder", "vision", "diffusion", "other")


def anchor(row: Row) -> str:
    """The name of a row's model, with its size where one name stands for two."""
    model = row.get("model_id", "")
    large = f"{model} large"
    return large if large in KNOWN and "large" in row.get("model_label", "").casefold() else model


def _known(row: Row) -> tuple[float, float, float, float, bool]:
    """FLOPs and values per sample, parameters, samples per device, and whether all that is a guess."""
    model = anchor(row)
    length = positive(row, "seq_len") or 512.0
    if model in KNOWN:
        work, values, parameters, batch = KNOWN[model]
        times = length if model.startswith(PER_TOKEN) else 1.0
        return work * times, values * times, parameters, batch, False
    size = positive(row, "params_b")
    if size is None and row.get("config_file"):
        size = load(row["config_file"].removesuffix(".json").replace("__", "/")).parameters_total / 1e9
    if not size or size <= 0:
        raise RequestError(f"no anchor for {model or 'an unnamed model'} and its size is not known", "model_id")
    times = length if row.get("seq_len") else 256.0
    return 6e9 * size * times, 6e9 * size * times * VALUES_PER_FLOP, size * 1e9, 32.0, True


def read(row: Row, device: Device, dtype: str) -> Run:
    """A row ready to be predicted; RequestError says why it cannot be."""
    metric = row.get("metric", "")
    if metric not in ("tokens_s_per_gpu", "iter_time_s", "samples_s"):
        raise RequestError(f"{metric} of a model by anchor", "metric")
    work, values, parameters, usual, guessed = _known(row)
    rates = physics.supply(device, dtype)
    if rates is None:
        raise RequestError(f"no peak or bandwidth of {device.id} is known", "device_id")
    n = positive(row, "n_devices") or 1.0
    batch = positive(row, "global_batch_seqs")
    each = max(batch / n, 1e-3) if batch else positive(row, "micro_batch") or usual
    if metric == "tokens_s_per_gpu":
        each *= positive(row, "seq_len") or LENGTHS.get(anchor(row), 1.0)
    factor = {"tokens_s_per_gpu": each, "iter_time_s": 1.0, "samples_s": each * n}[metric]
    model = "|".join((row.get("model_id", ""), row.get("variant", ""), row.get("model_label", "").casefold()))
    framework = row.get("framework", "").casefold()
    keys = {
        "vendor": device.vendor,
        "architecture": device.architecture,
        "device": device.id,
        "class": device.kind,
        "precision": dtype,
        "chip precision": f"{device.architecture} {dtype}",
        "model": anchor(row),
        "recipe": f"{model}|{framework}",
        "recipe precision": f"{model}|{framework}|{dtype}",
        "framework": framework,
        "source": row.get("source_key", ""),
        "stack": framework,
        "cell": "|".join((device.id, framework, row.get("model_id", ""))),
    }
    return Run(
        work, values, 4.0 if dtype in ("tf32", "fp32") else 2.0,
        0.0 if any(word in framework for word in TUNED) else 1.0, each, parameters,
        float(rates.peak), float(rates.bandwidth), float(rates.link), float(rates.network), n,
        float(physics.fast_domain(device)), factor, 1.0 if metric == "iter_time_s" else -1.0, keys,
        row.get("family", "") or "other", guessed,
    )  # fmt: skip


def cases(rows: Sequence[Row], runs: Sequence[tuple[int, Run]]) -> Cases:
    """The block of classic models."""
    found = [run for _, run in runs]
    return Cases(
        "training-classic",
        tuple(rows[place] for place, _ in runs),
        np.array([place for place, _ in runs]),
        {level: tuple(run.keys[level] for run in found) for level in found[0].keys},
        tuple(run.regime for run in found),
        Data(*(np.array([float(getattr(run, name)) for run in found]) for name in NUMBERS)),
        np.array([run.assumed for run in found]),
        tuple(run.keys["model"] if rows[place].get("calibration") == "relative" else "" for place, run in runs),
    )


def predict(rows: Cases, c: Mapping[str, np.ndarray]) -> np.ndarray:
    """Logarithms of the predicted values."""
    d: Data = rows.data
    computing = c["work"] * d.work / (d.peak * c["share"])
    moving = (1.0 + (c["unfused"] - 1.0) * d.plain) * c["values"] * d.values * d.width / (d.bandwidth * c["read"])
    floor = c["floor"]
    each = d.batch * (computing + moving)
    busy = (each**4 + floor**4) ** 0.25 + c["fixed"]
    reach = np.where(d.devices > d.domain, d.network, d.link) * 0.7
    gradients = d.parameters * 2.0 * d.width * (d.devices - 1) / d.devices / reach
    seconds = (busy + c["exposed"] * gradients) * (1.0 + c["scaling"]) ** np.log2(d.devices) * c["pace"]
    return np.asarray(np.log(d.factor) + d.sign * np.log(seconds))


def roofline(rows: Cases) -> np.ndarray:
    """The work before any anchor at the datasheet's peak."""
    d: Data = rows.data
    return np.asarray(np.log(d.factor) + d.sign * np.log(d.batch * d.work / d.peak))


SPECS = (
    Spec("work", 1.0, 0.0, {"model": 0.4, "recipe": 0.3}),
    Spec("share", 0.5, 0.3, {"architecture": 0.15, "precision": 0.2, "chip precision": 0.15}, 0.0, 1.0),
    Spec("values", 1.0, 0.0, {"model": 0.8, "recipe": 0.4}),
    Spec("unfused", 2.0, 0.3),
    Spec("read", 0.7, 0.2, {"architecture": 0.1}, 0.0, 1.0),
    Spec("floor", 0.02, 0.7, {"recipe": 0.5}),
    Spec("fixed", 2e-3, 0.7, {"recipe": 0.5}),
    Spec("exposed", 0.3, 0.5, {"recipe": 0.3}, 0.0, 1.0),
    Spec("scaling", 0.01, 0.7, {"recipe": 0.4}),
    Spec("pace", 1.0, 0.0, {"device": 0.1, "recipe precision": 0.1, "source": 0.05}),
)

"""What every target needs to know of a deployment."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass

from ridgewise.errors import RequestError
from ridgewise.hardware.machine import Machine
from ridgewise.memory.engines import policy
from ridgewise.models.formats import native_format
from ridgewise.serving import Setup
from ridgewise.serving.estimate import footprint, memory_batch, most_sequences, step_budget
from ridgewise.units import count, size, whole

#: Addresses that a server listens on: of this machine alone, and of every network (inside a container).
HERE, EVERYWHERE = "127.0.0.1", "0.0.0.0"
#: Formats that are the published weights in 16 bits, whichever the 16 are.
PLAIN = {"bf16": "bfloat16", "fp16": "float16"}


@dataclass(frozen=True, slots=True)
class Served:
    """A deployment about to be started.

    context    tokens of the longest request, ``request`` of a typical one
    flight     requests in flight per replica, of which an engine with fixed slots makes as many
    weights    repository, folder or file of the weights; empty: the published ones, or a file named after the format
    cache      types of cached keys and values as the engine calls them
    ngl        layers on the card (llama.cpp), ``cpu_moe``: experts in RAM; None, False: everything on the card
    limit      typical requests at once as a plan gives them; 0: what memory holds
    card       bytes on the card where parts are in RAM
    """

    setup: Setup
    context: int
    request: float = 1536.0
    flight: float = 1.0
    weights: str = ""
    cache: tuple[str, str] = ("auto", "auto")
    ngl: int | None = None
    cpu_moe: bool = False
    limit: float = 0.0
    card: float = 0.0

    @property
    def most(self) -> int:
        """Typical requests that one replica runs at once: the engine's limit, or what memory holds."""
        held = self.limit or float(memory_batch(self.setup, self.request))
        return max(int(min(most_sequences(self.setup), held)), 1)

    @property
    def slots(self) -> int:
        """Places of an engine that lays its cache out for requests of full length in advance."""
        held = min(most_sequences(self.setup), float(memory_batch(self.setup, float(self.context))))
        return max(min(math.ceil(self.flight), int(held)), 1)

    @property
    def step_tokens(self) -> int:
        """Tokens one step of an attention group computes at most."""
        return int(step_budget(self.setup) / float(self.setup.plan.attn_dp))

    @property
    def groups(self) -> int:
        """Groups of a replica that attend to sequences of their own."""
        return int(self.setup.plan.attn_dp)

    @property
    def each(self) -> int:
        """Devices of one replica."""
        return int(self.setup.plan.tp * self.setup.plan.pp)

    @property
    def held(self) -> float:
        """Bytes per device when full: one request of full length, or as many typical ones as run at once."""
        if self.card:
            return self.card
        slots = float(self.slots if self.setup.engine.split == "layer" else 1)
        whole, typical = ((slots, float(self.context)), (float(self.most), self.request))
        loads = (whole,) if self.setup.engine.split == "layer" else (whole, typical)
        return max(float(footprint(self.setup, *load).total) for load in loads)

    @property
    def weight_bytes(self) -> float:
        """Weights of one replica, all its devices together."""
        return float(footprint(self.setup, 0.0, 1.0).parts["weights"]) * self.each

    @property
    def native(self) -> bool:
        """The weights are the published ones as they are."""
        fmt, published = self.setup.plan.format.id, native_format(self.setup.arch).id
        return fmt == published or (fmt in PLAIN and published in PLAIN)

    def model(self, loading: tuple[str, ...] = ()) -> str:
        """Where the weights are: as given, the published repository (also where the engine makes the format while
        ``loading``), or a name beside the file after model and format."""
        if self.weights:
            return self.weights
        fmt, name = self.setup.plan.format, self.setup.arch.name.rpartition("/")[2]
        if fmt.family == "gguf":
            return f"./{name}-{fmt.id.removeprefix('gguf-').upper()}.gguf"
        return self.setup.arch.name if self.native or fmt.id in loading else f"./{name}-{fmt.id}"

    def notes(self, loading: tuple[str, ...] = ()) -> list[str]:
        """What a reader must know, as sentences without a mark of any language."""
        setup, fmt = self.setup, self.setup.plan.format
        times = f"{self.each} x " if self.each > 1 else ""
        lines = [
            f"{setup.arch.name} on {times}{setup.device.name}: {fmt.name} weights, "
            f"{float(setup.plan.kv_bits):g} bits per cached value, "
            f"{size(self.held)} of {size(setup.usable)} per device",
        ]
        if setup.replicas > 1:
            lines.append(f"the plan is {whole(setup.replicas)} copies of this")
        made = self.model(loading)
        if not self.weights and made != setup.arch.name:
            lines.append(f"{made} stands for the model in {fmt.name}: name yours with --weights")
        return lines


def header(served: Served, loading: tuple[str, ...] = ()) -> list[str]:
    """The notes as comments of shell and YAML."""
    return [f"# {note}" for note in served.notes(loading)]


def shell(words: list[str]) -> str:
    """A command over several lines: one option with its value on each."""
    lines: list[list[str]] = [[]]
    for word in words:
        if word.startswith("--"):
            lines.append([])
        lines[-1].append(shlex.quote(word))
    return " \\\n  ".join(" ".join(line) for line in lines)


def cache_types(setup: Setup, text: str) -> tuple[str, str]:
    """Types of cached keys and values as the engine calls them, from bits or names (``8``, ``q8_0/f16``)."""
    types = policy(setup.engine.memory).caches
    keys, slash, values = text.partition("/")

    def named(word: str) -> str:
        word = word.strip().casefold()
        if word in types:
            return word
        try:
            bits = float(word)
        except ValueError:
            bits = {"fp16": 16.0, "bf16": 16.0, "f16": 16.0, "auto": 16.0, "fp8": 8.0, "int8": 8.0}.get(word, math.nan)
        near = [name for name, width in types.items() if 0 <= width - bits < 1]
        if not near:
            raise RequestError(f"{setup.engine.name} has no cache type of {word} bits", "--kv-bits", tuple(types)[:6])
        return "auto" if "auto" in near else "f16" if "f16" in near else near[0]

    return named(keys), named(values if slash else keys)


def one_node(served: Served, target: str) -> None:
    """Refuse replicas that span nodes where a target starts one process on one of them."""
    most = Machine(served.setup.device).per_node
    if served.each > most:
        raise RequestError(
            f"one replica takes {count(served.each)} devices and a node holds {count(most)}: {target} starts one node",
            "--to",
            ("vllm", "sglang"),
        )

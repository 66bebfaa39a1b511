"""A server in a container: image, command, devices, and what it takes of its host."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ridgewise.errors import RequestError
from ridgewise.report.manifests import llama_cpp, sglang, tensorrt_llm, vllm
from ridgewise.report.manifests._served import EVERYWHERE, Served, one_node
from ridgewise.units import size

SERVERS = {module.ENGINES[0]: module for module in (vllm, sglang, tensorrt_llm, llama_cpp)}
GIB = 2.0**30
#: What Kubernetes calls a device, by its maker (the makers' device plug-ins).
RESOURCES = {"NVIDIA": "nvidia.com/gpu", "AMD": "amd.com/gpu"}
#: Where a container keeps weights: what engines download goes there by HF_HOME, GGUF files are laid there.
WEIGHTS, MODELS = "/weights", "/models"
#: Host memory of one process per device, assumed: program, driver and staging buffers [B].
PROCESS = 4 * GIB
#: Shared memory of a group (vLLM's Kubernetes guide: 2 GiB) [B].
SHARED = 2 * GIB
#: How fast weights arrive at worst, assumed: a start may take so long [B/s], in probes of so many seconds.
ARRIVAL, PROBE = 50e6, 10


@dataclass(frozen=True, slots=True)
class Container:
    """One replica as a container.

    cores    a core for the server, one for the engine, one per device (vLLM, "Optimization and Tuning": 2 + N); all
             of a processor that computes itself
    memory   host bytes asked for, ``most`` the limit, which leaves room for the weights' file cache
    probes   probes of :data:`PROBE` seconds after which a start has failed
    """

    name: str
    image: str
    command: tuple[str, ...]
    port: int
    ready: str
    devices: int
    resource: str
    cores: int
    memory: float
    most: float
    probes: int

    @property
    def resources(self) -> dict[str, dict[str, object]]:
        """Requests and limits as Kubernetes writes them."""
        devices: dict[str, object] = {self.resource: self.devices} if self.resource else {}
        asked: dict[str, object] = {"cpu": str(self.cores), "memory": quantity(self.memory), **devices}
        return {"requests": asked, "limits": {"memory": quantity(self.most), **devices}}


def quantity(amount: float) -> str:
    """Bytes as Kubernetes writes them, rounded up."""
    return f"{math.ceil(amount / GIB)}Gi"


def container(served: Served, target: str) -> Container:
    """The container of one replica; RequestError where there is no image, or it would span nodes."""
    one_node(served, target)
    setup = served.setup
    if served.ngl is not None or served.cpu_moe:
        raise RequestError("parts in RAM are for a server started by hand", "--to", ("llama.cpp",))
    server = SERVERS[setup.engine.id]
    image = server.IMAGES.get(setup.backend.id)
    cpu = setup.backend.unit == "cpu"
    if image is None or not (cpu or setup.device.vendor in RESOURCES):
        what = f"no container image is known of {setup.engine.name} for {setup.device.name}"
        raise RequestError(what, "--to", (setup.engine.id,))
    words = server.command(served, EVERYWHERE)
    if setup.engine.id == "llama.cpp":
        words = [server.INSIDE, *words[1:]]
        words = [word.replace("./", f"{MODELS}/", 1) if word == served.model() else word for word in words]
    name = re.sub(r"[^a-z0-9]+", "-", setup.arch.name.rpartition("/")[2].casefold()).strip("-")[:50]
    devices = 0 if cpu else served.each
    memory = served.held if cpu else PROCESS * devices + SHARED
    cores = int(setup.device.number("cores") or 1) if cpu else 2 + devices
    return Container(
        name, image, tuple(words), server.PORT, server.READY, devices, "" if cpu else RESOURCES[setup.device.vendor],
        cores, memory, memory + served.weight_bytes,
        max(math.ceil(served.weight_bytes / ARRIVAL / PROBE), 30),
    )  # fmt: skip


def remarks(served: Served, one: Container) -> list[str]:
    """Comments that every container shares."""
    server = SERVERS[served.setup.engine.id]
    return [
        *(f"# {note}" for note in served.notes(getattr(server, "LOADING", ()))),
        f"# the image is the newest: pin the release you tried; {size(one.memory)} of host memory are assumed",
    ]

"""A Docker compose file, by the Compose Specification."""

from __future__ import annotations

from typing import Any

from ridgewise.report.manifests._container import MODELS, SHARED, WEIGHTS, Container, container, quantity, remarks
from ridgewise.report.manifests._served import Served
from ridgewise.report.manifests._yaml import yaml

NAME, ABOUT = "compose", "a Docker compose file"
ENGINES: tuple[str, ...] = ()


def write(served: Served) -> str:
    """One service per copy, each with devices of its own."""
    one = container(served, NAME)
    copies = served.setup.replicas
    services = {one.name + (f"-{copy}" if copies > 1 else ""): _service(served, one, copy) for copy in range(copies)}
    return "\n".join([*remarks(served, one), yaml({"services": services, "volumes": {"weights": {}}})])


def _service(served: Served, one: Container, copy: int) -> dict[str, Any]:
    local = served.setup.engine.id == "llama.cpp"
    service: dict[str, Any] = {
        "image": one.image,
        "entrypoint": list(one.command),
        "ports": [f"127.0.0.1:{one.port + copy}:{one.port}"],
        "volumes": [f"./:{MODELS}" if local else f"weights:{WEIGHTS}"],
        "environment": {} if local else {"HF_HOME": WEIGHTS},
        "shm_size": quantity(SHARED).lower().rstrip("i") + "b",
        "restart": "unless-stopped",
        "mem_limit": quantity(one.most).lower().rstrip("i") + "b",
    }
    if one.devices and served.setup.device.vendor == "NVIDIA":
        ids = [str(copy * one.devices + number) for number in range(one.devices)]
        device = {"driver": "nvidia", "device_ids": ids, "capabilities": ["gpu"]}
        service["deploy"] = {"resources": {"reservations": {"devices": [device]}}}
    elif one.devices:
        shown = ",".join(str(copy * one.devices + number) for number in range(one.devices))
        service |= {"devices": ["/dev/kfd", "/dev/dri"], "group_add": ["video"],
                    "environment": {**service["environment"], "HIP_VISIBLE_DEVICES": shown}}  # fmt: skip
    return service

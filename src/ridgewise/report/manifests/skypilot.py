"""A SkyPilot task. Keys as of SkyPilot 0.14 (``sky/utils/schemas.py``), names of accelerators as in its
``sky/utils/gpu_names.py`` and catalogue."""

from __future__ import annotations

from typing import Any

from ridgewise.errors import RequestError
from ridgewise.report.manifests._container import SERVERS
from ridgewise.report.manifests._served import EVERYWHERE, Served, header, one_node, shell
from ridgewise.report.manifests._yaml import yaml

NAME, ABOUT = "skypilot", "a SkyPilot task, or a service where there are several copies"
ENGINES = ("vllm", "sglang")
#: Device → accelerator.
ACCELERATORS = {
    "nvidia-gb300": "GB300", "nvidia-gb200": "GB200", "nvidia-b300-sxm": "B300", "nvidia-b200-sxm": "B200",
    "nvidia-b100-sxm": "B100", "nvidia-gh200-96gb": "GH200", "nvidia-h200-sxm": "H200", "nvidia-h100-sxm": "H100",
    "nvidia-h100-pcie": "H100", "nvidia-a100-sxm4-80gb": "A100-80GB", "nvidia-a100-pcie-80gb": "A100-80GB",
    "nvidia-a100-sxm4-40gb": "A100", "nvidia-a100-pcie-40gb": "A100", "nvidia-a10g": "A10G", "nvidia-a10": "A10",
    "nvidia-a30": "A30", "nvidia-a40": "A40", "nvidia-rtx-6000-ada": "RTX6000-Ada", "nvidia-l40s": "L40S",
    "nvidia-l40": "L40", "nvidia-l4": "L4", "nvidia-t4": "T4", "nvidia-rtx-4090": "RTX4090", "amd-mi300x": "MI300X",
}  # fmt: skip
#: What installs an engine.
INSTALL = {"vllm": "uv pip install vllm", "sglang": "uv pip install sglang"}


def write(served: Served) -> str:
    """The task."""
    one_node(served, NAME)
    setup, server = served.setup, SERVERS[served.setup.engine.id]
    name = ACCELERATORS.get(setup.device.id)
    if name is None:
        raise RequestError(f"SkyPilot has no name for {setup.device.name}", "--to", (setup.engine.id, "kubernetes"))
    task: dict[str, Any] = {
        "name": setup.arch.name.rpartition("/")[2].casefold().replace(".", "-"),
        "resources": {"accelerators": {name: served.each}, "ports": server.PORT},
        "setup": INSTALL[setup.engine.id],
        "run": shell(server.command(served, EVERYWHERE)),
    }
    if setup.replicas > 1:
        task["service"] = {"readiness_probe": server.READY, "replicas": setup.replicas}
    start = "# sky serve up FILE" if setup.replicas > 1 else "# sky launch FILE"
    return "\n".join([*header(served, server.LOADING), start, yaml(task)])

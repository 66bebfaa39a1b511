"""A Deployment and its Service for Kubernetes (apps/v1, v1)."""

from __future__ import annotations

from typing import Any

from ridgewise.report.manifests._container import (
    MODELS,
    PROBE,
    SHARED,
    WEIGHTS,
    Container,
    container,
    quantity,
    remarks,
)
from ridgewise.report.manifests._served import Served
from ridgewise.report.manifests._yaml import yaml

NAME, ABOUT = "kubernetes", "a Deployment and a Service, with requests and limits"
ENGINES: tuple[str, ...] = ()


def pod(served: Served, one: Container, name: str) -> dict[str, Any]:
    """The specification of a pod: the server, shared memory, and where the weights are kept."""
    check = {"httpGet": {"path": one.ready, "port": one.port}, "periodSeconds": PROBE}
    local = served.setup.engine.id == "llama.cpp"
    place = MODELS if local else WEIGHTS
    return {
        "containers": [
            {
                "name": name,
                "image": one.image,
                "command": list(one.command),
                "env": [] if local else [{"name": "HF_HOME", "value": WEIGHTS}],
                "ports": [{"containerPort": one.port}],
                "resources": one.resources,
                "startupProbe": {**check, "failureThreshold": one.probes},
                "readinessProbe": check,
                "volumeMounts": [{"name": "weights", "mountPath": place}, {"name": "shm", "mountPath": "/dev/shm"}],
            }
        ],
        "volumes": [
            {"name": "weights", "emptyDir": {}},
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": quantity(SHARED)}},
        ],
    }


def write(served: Served) -> str:
    """Both documents."""
    one = container(served, NAME)
    labels = {"app": one.name}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": one.name, "labels": labels},
        "spec": {
            "replicas": served.setup.replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod(served, one, "server")},
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": one.name},
        "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": one.port}]},
    }
    told = ["# the volume `weights` is empty at first: put the weights there, or a claim in its place"]
    lines = [*remarks(served, one), *told, yaml(deployment).rstrip(), "---", yaml(service)]
    return "\n".join(lines)

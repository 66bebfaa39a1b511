"""An InferenceService of KServe (serving.kserve.io/v1beta1) with a container of its own."""

from __future__ import annotations

from ridgewise.report.manifests._container import container, remarks
from ridgewise.report.manifests._served import Served
from ridgewise.report.manifests._yaml import yaml
from ridgewise.report.manifests.kubernetes import pod

NAME, ABOUT = "kserve", "an InferenceService of KServe, with requests and limits"
ENGINES: tuple[str, ...] = ()


def write(served: Served) -> str:
    """The document; KServe sends requests to the container of this name."""
    one, copies = container(served, NAME), served.setup.replicas
    predictor = {
        "minReplicas": copies,
        "maxReplicas": copies,
        "containerConcurrency": served.most,
        **pod(served, one, "kserve-container"),
    }
    service = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": one.name},
        "spec": {"predictor": predictor},
    }
    return "\n".join([*remarks(served, one), yaml(service)])

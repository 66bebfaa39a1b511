"""The program behind :mod:`ridgewise.here.llama_server` where llama.cpp comes as a Python package: one server."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Mapping
from typing import Any


def serve(settings: Mapping[str, Any]) -> None:
    """Serve one model until the process is ended."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings["model"]
    params.hostnames = ["127.0.0.1"]
    params.port = settings["port"]
    params.n_ctx = settings["context"]
    params.n_parallel = settings["slots"]
    params.n_gpu_layers = settings["layers"]
    params.n_batch, params.n_ubatch = settings["batch"], settings["ubatch"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
    params.cache_prompt = False
    params.cache_ram_mib = 0
    params.fit_params = False
    params.endpoint_metrics = True
    server = xllamacpp.Server(params)
    print("listening on", server.listening_address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))

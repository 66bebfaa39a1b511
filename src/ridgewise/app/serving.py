"""``ridgewise serve``: the page and the REST interface on an address of this machine."""

from __future__ import annotations

import os
import secrets

from ridgewise.app.home import home
from ridgewise.errors import RequestError

#: Characters of a token at least.
TOKEN = 16


def run(host: str, port: int, token: str, workers: int, limit: float, hub: bool) -> int:
    """Serve until stopped; RequestError where others could ask without a token."""
    try:
        import uvicorn

        from ridgewise.app.rest.desk import Desk
        from ridgewise.app.rest.guard import LOOPBACK
        from ridgewise.app.rest.service import created
        from ridgewise.app.rest.shelf import Shelf
    except ImportError as error:
        raise RequestError(f"needs {error.name}", "ridgewise serve", ("pip install 'ridgewise[web]'",)) from None

    if host not in LOOPBACK and not token:
        example = f"--token {secrets.token_hex(16)}"
        raise RequestError(f"{host} can be reached by others: name a token they must carry", "--host", (example,))
    if token and len(token) < TOKEN:
        raise RequestError(f"a token has {TOKEN} characters or more", "--token", (f"--token {secrets.token_hex(16)}",))
    app = created(Desk(workers=workers, seconds=limit), Shelf(hub=hub), token)
    config = uvicorn.Config(
        app, host=host.strip("[]"), port=port, log_level="warning", server_header=False, timeout_keep_alive=10,
        limit_concurrency=500, h11_max_incomplete_event_size=32 << 10,
    )  # fmt: skip
    server = uvicorn.Server(config)
    try:
        listening = config.bind_socket()
    except SystemExit:
        raise RequestError(f"cannot listen on {host}:{port}", "--port", ("--port 0",)) from None
    shown = f"[{host}]" if ":" in host.strip("[]") else host
    address = f"http://{shown.replace('[[', '[').replace(']]', ']')}:{listening.getsockname()[1]}/"
    listening.listen(128)  # who asks while workers start waits
    os.environ["RIDGEWISE_HOME"] = str(home().resolve())
    os.chdir(app.state.shelf.folder)  # a name is never taken for a file beside which the server was started
    print(f"Ridgewise is at {address}{'?token=' + token if token else ''} (stop with Ctrl-C)", flush=True)
    server.run(sockets=[listening])
    return 0

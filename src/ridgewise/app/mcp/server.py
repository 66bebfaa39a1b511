"""The protocol: tools listed and called, over standard input and output or over HTTP on this machine."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgewise.app.mcp.tools import Told, tools
from ridgewise.errors import RequestError, RidgewiseError

if TYPE_CHECKING:
    import mcp_types as types
    from mcp.server.lowlevel import Server

#: Addresses of this machine.
LOOPBACK = ("127.0.0.1", "localhost", "::1")
#: Seconds an answer may take, and questions answered at once.
LIMIT, WORKERS = 120.0, 2
INSTRUCTIONS = (
    "Ridgewise answers what hardware an AI workload needs, and why. Numbers come with an 80 % interval (low, high), a "
    "tier of evidence (measured, interpolated, transferred, datasheet, assumed) and sources. Say the interval and the "
    "tier with every number you repeat, name the sources, and say what was assumed. Start with plan; use "
    "search_catalogue when a name is not understood. A feasible of false is an answer, not an error: it says what is "
    "missing. Errors name the option at fault and the nearest valid values."
)


def run(host: str | None, port: int, root: Path | None) -> int:
    """Serve until the other side hangs up; ``host``: over HTTP on this address instead of standard input and output."""
    try:
        import anyio
        import mcp_types  # noqa: F401
    except ImportError as error:
        raise RequestError(f"needs {error.name}", "ridgewise mcp", ("pip install 'ridgewise[mcp]'",)) from None
    if root is not None and not root.is_dir():
        raise RequestError("is no folder", "--root")
    if host is None:
        anyio.run(_stdio, root)
        return 0
    if host not in LOOPBACK:
        raise RequestError(f"{host} can be reached from elsewhere, and nothing asks who calls", "--host", LOOPBACK[:2])
    import uvicorn

    app = made(root).streamable_http_app(host=host, json_response=True, max_request_body_size=1 << 20)
    uvicorn.run(app, host=host, port=port, log_level="warning")
    return 0


async def _stdio(root: Path | None) -> None:
    from mcp.server.stdio import stdio_server

    server = made(root)
    async with stdio_server() as (reads, writes):
        await server.run(reads, writes, server.create_initialization_options())


def made(root: Path | None = None) -> Server[Any]:
    """The server; files are read under ``root`` alone, without it none."""
    import anyio
    import mcp_types as types
    from mcp.server.lowlevel import Server

    from ridgewise import __version__

    limiter: list[anyio.CapacityLimiter] = []

    async def listed(context: Any, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=tool.name, description=tool.about, input_schema=tool.inputs, output_schema=tool.outputs,
                    annotations=types.ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False),
                )
                for tool in tools().values()
            ]
        )  # fmt: skip

    async def called(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        if not limiter:
            limiter.append(anyio.CapacityLimiter(WORKERS))
        try:
            with anyio.fail_after(LIMIT):
                told = await anyio.to_thread.run_sync(
                    _answer, params.name, params.arguments or {}, root, limiter=limiter[0], abandon_on_cancel=True
                )
        except RequestError as error:
            return _refused(error.what, error.where, error.nearest)
        except RidgewiseError as error:
            return _refused(str(error), "", ())
        except TimeoutError:
            return _refused(f"no answer within {LIMIT:.0f} s", params.name, ("fewer hardware names", "a smaller load"))
        except Exception:
            logging.getLogger(__name__).exception("%s failed", params.name)
            return _refused("failed inside; this is a fault of Ridgewise", params.name, ())
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=told.words)], structured_content=told.document
        )

    return Server(
        "ridgewise", version=__version__, title="Ridgewise", instructions=INSTRUCTIONS, on_list_tools=listed,
        on_call_tool=called,
    )  # fmt: skip


def _answer(name: str, given: dict[str, Any], root: Path | None) -> Told:
    from ridgewise.errors import nearest

    known = tools()
    if name not in known:
        raise RequestError(f"no tool {name!r}", "tool", nearest(name, known) or tuple(known))
    return known[name].answer(given, root)


def _refused(what: str, where: str, nearest: tuple[str, ...]) -> types.CallToolResult:
    """An error in words and as the document that every face gives."""
    import mcp_types as types

    field = where.removeprefix("--").replace("-", "_")
    hint = f" (nearest: {', '.join(nearest)})" if nearest else ""
    error = {"what": what, "where": field, "nearest": list(nearest)}
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=f"{field}: {what}{hint}" if field else f"{what}{hint}")],
        structured_content={"schema_version": 1, "error": error},
        is_error=True,
    )

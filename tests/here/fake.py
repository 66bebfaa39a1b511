"""A small OpenAI-compatible server that misbehaves on request."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Fake:
    """Serves ``tiny`` on the loopback address; ``manner`` says what goes wrong, from the ``after``-th request on.

    wait   seconds before the first piece; ``gap``: between pieces
    """

    def __init__(self, manner: str = "", after: int = 0, wait: float = 0.02, gap: float = 0.005) -> None:
        self.manner, self.after, self.wait, self.gap = manner, after, wait, gap
        self.bodies: list[dict[str, Any]] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                self._json(200, {"data": [{"id": "tiny"}]})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                fake.bodies.append(body)
                fake.answer(self, body, fake.manner if len(fake.bodies) > fake.after else "")

            def _json(self, code: int, value: Any) -> None:
                text = json.dumps(value).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Fake:
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler: Any, body: dict[str, Any], manner: str) -> None:
        if manner in ("429", "500"):
            return handler._json(int(manner), {"error": {"message": "too busy" if manner == "429" else "it broke"}})
        if manner == "strict" and "ignore_eos" in body:
            return handler._json(400, {"error": "unknown field ignore_eos"})
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        time.sleep(self.wait)
        count = body["max_tokens"]
        for i in range(count):
            chat = "messages" in body
            piece = {"delta": {"content": f" w{i}"}} if chat else {"text": f" w{i}é"}
            text = f"data: {json.dumps({'choices': [piece]}, ensure_ascii=False)}\n\n".encode()
            if i == count // 2:
                if manner == "cut":
                    return None
                if manner == "bytes":
                    text = b'data: {"choices": [{"text": "\xff\xfe"}]}\n\n'
                if manner == "words":
                    text = b"data: {not json}\n\n"
                if manner == "error":
                    text = b'data: {"error": {"message": "out of memory"}}\n\n'
            half = len(text) - 12 if "é".encode() in text else len(text) // 2
            handler.wfile.write(text[:half])  # chunks end anywhere, in the middle of a character too
            handler.wfile.flush()
            handler.wfile.write(text[half:])
            handler.wfile.flush()
            time.sleep(self.gap)
        usage = {"prompt_tokens": 7, "completion_tokens": count}
        end = [{"choices": [{"text": "", "finish_reason": "length"}]}, {"choices": [], "usage": usage}]
        for event in end:
            handler.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        handler.wfile.write(b"data: [DONE]\n\n")
        return None

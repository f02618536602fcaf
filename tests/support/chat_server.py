"""A chat-completions server on the loopback interface whose replies and faults a test sets in order."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class ChatServer:
    """`script` holds what is sent, in order: a reply's text, or a dictionary such as `{"status": 429}`.

    Keys of a dictionary: `status` and `headers` and `error` (an HTTP error), `drop` (the connection is closed),
    `wait` (seconds before the answer), `text` and `finish` (a reply).
    """

    def __init__(self) -> None:
        self.script: list[Any] = []
        self.requests: list[dict[str, Any]] = []
        self.counts = True
        """Whether replies say how many tokens they took."""
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    @contextmanager
    def running(self) -> Iterator[ChatServer]:
        Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.requests.append(json.loads(body))
                step = server.script.pop(0) if server.script else {"status": 500, "error": "the script is over"}
                server.answer(self, {"text": step} if isinstance(step, str) else step)

        return Handler

    def answer(self, handler: BaseHTTPRequestHandler, step: dict[str, Any]) -> None:
        time.sleep(step.get("wait", 0))
        if step.get("drop"):
            handler.connection.close()
        elif "text" in step:
            self._send(handler, 200, self._completion(step["text"], step.get("finish", "stop")))
        else:
            error = {"message": step.get("error", "a fault"), "type": "fault", "code": step.get("code")}
            self._send(handler, step["status"], {"error": error}, step.get("headers", {}))

    def _completion(self, text: str, finish: str) -> dict[str, Any]:
        request = self.requests[-1]
        sent = sum(len(m["content"]) for m in request["messages"]) // 4
        usage = {"prompt_tokens": sent, "completion_tokens": len(text) // 4, "total_tokens": sent + len(text) // 4}
        return {
            **({"usage": usage} if self.counts else {}),
            "id": "chat-1",
            "object": "chat.completion",
            "created": 0,
            "model": request["model"],
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
        }

    @staticmethod
    def _send(handler: BaseHTTPRequestHandler, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

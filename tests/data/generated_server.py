"""A real HTTP server on this machine that answers as an OpenAI-compatible endpoint does, well or badly."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-test-0123456789"


@dataclass
class Reply:
    """A reply: `body` bytes or plain data, sent after `delay_s`, cut to `send` bytes of the promised length."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    send: int | None = None
    drop: bool = False

    def bytes(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def completion(text: Any, prompt_tokens: int = 100, completion_tokens: int = 10, finish: str = "stop") -> Reply:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
    return Reply(body={"object": "chat.completion", "choices": [choice], "usage": usage})


def error(status: int, message: str = "no", **headers: str) -> Reply:
    return Reply(status, {"error": {"message": message}}, headers)


@dataclass
class Asked:
    """A request as it came."""

    path: str
    key: str | None
    body: dict[str, Any]
    at: float

    @property
    def prompt(self) -> str:
        return str(self.body["messages"][-1]["content"])


class Server:
    """`reply` makes each answer of what was asked and how often this prompt had been asked before."""

    def __init__(self, reply: Callable[[Asked, int], Reply]) -> None:
        self.reply = reply
        self.asked: list[Asked] = []
        self.side_by_side = self.most = 0
        self.lock = threading.Lock()
        self.over = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                asked = Asked(self.path, self.headers.get("Authorization"), body, time.monotonic())
                with server.lock:
                    before = sum(one.prompt == asked.prompt for one in server.asked)
                    server.asked.append(asked)
                    server.side_by_side += 1
                    server.most = max(server.most, server.side_by_side)
                reply = server.reply(asked, before)
                server.over.wait(reply.delay_s)
                with server.lock:  # before it is sent: who has it may ask again at once
                    server.side_by_side -= 1
                with contextlib.suppress(OSError):  # the asker went away
                    self._send(reply)

            def _send(self, reply: Reply) -> None:
                if reply.drop:
                    self.connection.close()
                    return
                content = reply.bytes()
                self.send_response_only(reply.status)  # `send_response` would add a Date of its own
                for name, value in {"Content-Length": str(len(content)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content[: reply.send])

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"


@contextmanager
def serving(reply: Callable[[Asked, int], Reply]) -> Iterator[Server]:
    server = Server(reply)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.http.shutdown()
        server.http.server_close()
        thread.join()

"""A merchant's server: real HTTP, answering as the test says."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = int | Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Got:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """`answers` are used up one a request; then 200. A callable does what it wants with the request."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    got: list[Got] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)

    def hang(self, _: BaseHTTPRequestHandler) -> None:
        self.release.wait(60)

    @staticmethod
    def reset(handler: BaseHTTPRequestHandler) -> None:
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()


@contextlib.contextmanager
def serve() -> Iterator[Receiver]:
    known = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            known.got.append(Got(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            answer = known.answers.pop(0) if known.answers else 200
            if callable(answer):
                answer(self)
                self.close_connection = True
                return
            self.send_response(answer)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"th\0x!")

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # a connection that the test reset

    with Server(("127.0.0.1", 0), Handler) as server:
        known.url = f"http://127.0.0.1:{server.server_port}/hook"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield known
        finally:  # also after a test that failed: the thread would keep pytest from ending
            known.release.set()
            server.shutdown()
            thread.join()

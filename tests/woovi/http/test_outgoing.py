"""A call ends when its time is over, however a merchant's server holds it up."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from woovi.http import outgoing


def drip(connection: socket.socket, start: bytes, over: threading.Event) -> None:
    """Send a little every 50 ms, for as long as the other side stays (at most a minute)."""
    connection.recv(65_536)
    connection.sendall(start)
    for _ in range(1200):
        if over.wait(0.05):
            return
        connection.sendall(b"a")


def never_read(_: socket.socket, __: bytes, over: threading.Event) -> None:
    over.wait(60)


@contextlib.contextmanager
def server(talk: Callable[[socket.socket, bytes, threading.Event], None], start: bytes = b"") -> Iterator[str]:
    over = threading.Event()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    talk(connection, start, over)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        over.set()
        listener.shutdown(socket.SHUT_RDWR)  # wakes one that nobody called
        thread.join()


@pytest.mark.parametrize(
    ("scheme", "talk", "start"),
    [
        ("http", drip, b""),  # the status line
        ("http", drip, b"HTTP/1.1 200 OK\r\nX-A: "),  # a header
        ("http", drip, b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"),  # the body
        ("https", drip, b"\x16\x03\x03\x40\x00"),  # a handshake's record
        ("http", never_read, b""),
    ],
    ids=["status", "header", "body", "handshake", "request"],
)
def test_the_time_out_bounds_the_whole_call(scheme: str, talk: Any, start: bytes) -> None:
    body = b"x" * (20_000_000 if talk is never_read else 2)
    with server(talk, start) as host:
        began = time.monotonic()
        answer = outgoing.post(f"{scheme}://{host}/", body, {}, 0.5)
    assert time.monotonic() - began < 30
    assert not answer.accepted
    assert "Timeout" in answer.error


def test_a_name_that_moved_into_our_network_is_not_called(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = False
    with server(drip) as host:
        port = host.partition(":")[2]
        moved = [(2, 1, 6, "", ("127.0.0.1", 0))]
        monkeypatch.setattr(outgoing.socket, "getaddrinfo", lambda *_, **__: moved)
        answer = outgoing.post(f"http://moved.example:{port}/", b"{}", {}, 2)
    assert answer.error == "its host is not on the public internet"

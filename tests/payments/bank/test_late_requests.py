"""A request that is late leaves no more: its caller's lease may be another's by now."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from payments.bank.port import BankUnavailable
from payments.bank.session import Session

TIMEOUT = 1.0
TOKEN = (b'{"access_token": ', b'"t", ', b'"expires_in": 60}')


class SlowToken(BaseHTTPRequestHandler):
    """A bank that sends its token in parts, each within the time to read; together they take longer."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self._answer(TOKEN)

    def do_PUT(self) -> None:
        self._answer((b"{}",))

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def _answer(self, parts: tuple[bytes, ...]) -> None:
        self.asked.append(f"{self.command} {self.path}")
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(sum(map(len, parts))))
        self.end_headers()
        for part in parts:
            self.wfile.write(part)
            time.sleep(TIMEOUT * 0.6 if part != parts[-1] else 0)


@pytest.fixture
def bank() -> Iterator[str]:
    SlowToken.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), SlowToken) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def call(bank: str) -> object:
    session = Session(bank, "woovi", "secret", timeout=TIMEOUT)
    try:
        return session.call("PUT", "/pix/a", body={}, sends=True)
    finally:
        session.close()


@pytest.mark.django_db(transaction=True)
def test_a_request_leaves_in_time_or_not_at_all(bank: str) -> None:
    with pytest.raises(BankUnavailable):
        call(bank)
    assert SlowToken.asked == ["POST /oauth/token"]


@pytest.mark.django_db(transaction=True)
def test_without_the_bound_it_leaves_late(bank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    monkeypatch.setattr(Session, "_leaves_in_time", lambda self, began: lambda event, info: None)
    assert call(bank) == {}
    assert SlowToken.asked == ["POST /oauth/token", "PUT /pix/a"]

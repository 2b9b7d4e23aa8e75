"""A real server with a Valkey of its own, a relay that is run by hand, and clients."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from payments.models import Company, User
from payments.services import companies
from tests.processes import Process, Valkey, free_port, own_valkey
from woovi import outbox, redis
from woovi.outbox.relay import Relay
from woovi.pubsub import carry

PASSWORD = "correct horse battery"


class Server:
    """A web server of the platform, with less patience than in production."""

    def __init__(self, valkey: Valkey, **env: str) -> None:
        self.valkey, self.port = valkey, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = (
            "-m",
            "uvicorn",
            "tests.realtime.application:application",
            "--port",
            str(self.port),
            "--lifespan",
            "off",
        )
        own = ("--ws", "woovi.http.websocket:WebSocket", "--ws-per-message-deflate", "false", "--ws-max-size", "65536")
        self.process = Process(*command, *own, REDIS_CHANNELS_URL=valkey.url, **env)

    def __enter__(self) -> Server:
        try:
            self.process.wait_for("Uvicorn running")
        except BaseException:
            self.process.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.__exit__()

    def socket(self, who: User | str | None, after: int | str | None = None, **options: Any) -> ClientConnection:
        """A socket of a user, who is logged in for it, or of a session."""
        key = session_of(who) if isinstance(who, User) else who
        known = {
            "additional_headers": {"Cookie": f"sessionid={key}"} if key else {},
            "origin": self.url,
            "compression": None,
            **options,
        }
        path, query = known.pop("path", "/ws/events"), "" if after is None else f"?after={after}"
        return connect(f"ws://127.0.0.1:{self.port}{path}{query}", **known)  # type: ignore[arg-type]


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def session_of(user: User) -> str:
    return str(logged_in(user).cookies["sessionid"].value)


@pytest.fixture(scope="module")
def server(django_db_setup: None) -> Iterator[Server]:
    with own_valkey() as valkey, Server(valkey) as made:
        yield made


@pytest.fixture(autouse=True)
def _same_redis(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process's relay and the server talk through the same Valkey, which is empty."""
    if "server" in request.fixturenames:
        server: Server = request.getfixturevalue("server")
        monkeypatch.setenv("REDIS_CHANNELS_URL", server.valkey.url)
        redis.close()
        redis.client("channels").flushall()
    yield
    redis.close()


def company(number: int = 1) -> Company:
    return companies.onboard(
        official_name=f"Loja {number}", trade_name=f"Loja {number}", tax_id=f"{number:014}", pix_key=f"{number}@a.b"
    )


def merchant(of: Company | None) -> User:
    return User.objects.create_user(f"u{of.pk if of else 0}@example.com", PASSWORD, company=of)


def write(of: Company, *topics: str, **payload: Any) -> None:
    with transaction.atomic():
        outbox.write_many((topic, str(of.pk), payload or {"a": 1}) for topic in topics)


def relay() -> None:
    each = Relay({"": carry})
    while each.once():
        pass


def publish(of: Company, *topics: str, **payload: Any) -> None:
    write(of, *topics, **payload)
    relay()


def receive(socket: ClientConnection, timeout: float = 20) -> dict[str, Any]:
    """The next frame. How soon news comes is no part of what these tests are about: Redis comes and goes in some."""
    while True:
        frame: dict[str, Any] = json.loads(socket.recv(timeout))
        if frame["type"] != "pace":
            return frame


def numbers(socket: ClientConnection, count: int) -> list[int]:
    """Of the next events."""
    return [int(receive(socket)["seq"]) for _ in range(count)]


def code_of(socket: ClientConnection, timeout: float = 20) -> int:
    """The code that the server closes with; what it says before is left aside."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            socket.recv(timeout)
    assert socket.close_code is not None
    return socket.close_code

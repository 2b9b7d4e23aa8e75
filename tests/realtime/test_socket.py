"""The live pages' socket, in a real server: who may listen, what it says, and to whom."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.db import transaction
from django.test import Client
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from payments.models import Company, User
from payments.services import companies
from realtime.wake import wake
from tests.processes import Process, Valkey, free_port, own_valkey, wait_until
from woovi import outbox
from woovi.outbox.relay import Relay

pytestmark = pytest.mark.django_db(transaction=True)


class Server:
    def __init__(self, port: int) -> None:
        self.port = port

    def socket(self, user: User | None, origin: str = "", path: str = "/ws/events") -> ClientConnection:
        headers = {"Cookie": f"sessionid={session_of(user)}"} if user else {}
        return connect(
            f"ws://127.0.0.1:{self.port}{path}",
            additional_headers=headers,
            origin=origin or f"http://127.0.0.1:{self.port}",  # type: ignore[arg-type]
        )


def session_of(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    with own_valkey() as server:
        yield server


@pytest.fixture(scope="module")
def server(valkey: Valkey, django_db_setup: None) -> Iterator[Server]:
    port = free_port()
    command = ("-m", "uvicorn", "woovi.asgi:application", "--port", str(port), "--lifespan", "off")
    with Process(*command, REDIS_CHANNELS_URL=valkey.url) as process:
        process.wait_for("Uvicorn running")
        yield Server(port)


@pytest.fixture
def relay(valkey: Valkey, settings: object) -> Relay:
    settings.CHANNEL_LAYERS = {  # type: ignore[attr-defined]
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [valkey.url], "prefix": "channels"},
        }
    }
    return Relay({"": wake})


def company(number: int) -> Company:
    return companies.onboard(
        official_name=f"Loja {number}", trade_name=f"Loja {number}", tax_id=f"{number:014}", pix_key=f"{number}@a.b"
    )


def merchant(of: Company | None) -> User:
    return User.objects.create_user(f"u{of.pk if of else 0}@example.com", "secret", company=of)


def write(company: Company, *topics: str) -> int:
    with transaction.atomic():
        return outbox.write_many((topic, str(company.pk), {"secret": 1}) for topic in topics)[-1].id


def receive(socket: ClientConnection, timeout: float = 10) -> dict[str, object]:
    frame: dict[str, object] = json.loads(socket.recv(timeout))
    return frame


def test_wakes_the_companys_pages_once_a_batch_and_carries_no_data(server: Server, relay: Relay) -> None:
    shop = company(1)
    first = write(shop, "charge.updated")
    relay.once()
    with server.socket(merchant(shop)) as page:
        assert receive(page) == {"type": "hello", "head": first}
        last = write(shop, "charge.updated", "OPENPIX:CHARGE_CREATED", "charge.updated", "task:nothing")
        relay.once()
        assert receive(page) == {
            "type": "wake",
            "topics": ["charge.updated", "OPENPIX:CHARGE_CREATED"],
            "id": last - 1,
        }
        page.send("ping")
        assert receive(page) == {"type": "pong"}, "nothing came between: the task woke nobody"


def test_another_companys_news_never_arrive(server: Server, relay: Relay) -> None:
    ours, theirs = company(1), company(2)
    with server.socket(merchant(ours)) as page, server.socket(merchant(theirs)) as other:
        assert receive(page) == receive(other) == {"type": "hello", "head": 0}
        event = write(theirs, "charge.updated")
        relay.once()
        assert receive(other)["id"] == event
        page.send('{"type": "ping", "company": 2}')
        assert receive(page) == {"type": "pong"}


@pytest.mark.parametrize(("logged_in", "code"), [(False, 4401), (True, 4403)])
def test_refuses_who_has_no_company(server: Server, logged_in: bool, code: int) -> None:
    with server.socket(merchant(None) if logged_in else None) as page:
        with pytest.raises(ConnectionClosed) as closed:
            page.recv(10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code


def test_refuses_pages_of_other_sites_and_unknown_paths(server: Server) -> None:
    user = merchant(company(1))
    with pytest.raises(InvalidStatus, match="403"):
        server.socket(user, origin="http://evil.example")
    with pytest.raises(InvalidStatus, match="403"):
        server.socket(user, path="/ws/other")


def test_survives_junk(server: Server) -> None:
    with server.socket(merchant(company(1))) as page:
        receive(page)
        for junk in (b"\x00\xff", "", "{", "x" * 100_000, "\0"):
            page.send(junk)
        page.send("ping")
        assert receive(page) == {"type": "pong"}


def test_wakes_again_after_redis_was_killed_and_started(server: Server, relay: Relay, valkey: Valkey) -> None:
    shop = company(1)
    with server.socket(merchant(shop)) as page:
        receive(page)
        valkey.kill()
        lost = write(shop, "charge.updated")
        relay.once()  # Redis is away: the event waits
        valkey.start()

        def woken() -> bool:
            write(shop, "charge.updated")
            relay.once()
            try:
                return receive(page, 0.3)["type"] == "wake"
            except TimeoutError:
                return False

        wait_until(woken)
    with server.socket(merchant_again(shop)) as page:
        assert int(str(receive(page)["head"])) > lost, "the head tells a page what it missed"


def merchant_again(of: Company) -> User:
    return User.objects.get(company=of)

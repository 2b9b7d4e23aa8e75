"""The events' socket, in a real server: who may listen, what it says, and to whom."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable

import pytest
from django.contrib.sessions.backends.db import SessionStore
from websockets.exceptions import ConnectionClosed, InvalidStatus

from payments.models import User
from tests.processes import wait_until
from tests.realtime.conftest import Server, code_of, company, logged_in, merchant, numbers, publish, receive, session_of
from woovi.outbox.models import OutboxEvent

pytestmark = pytest.mark.django_db(transaction=True)


def test_tells_every_event_with_its_number_and_no_instruction_to_ourselves(server: Server) -> None:
    shop = company()
    publish(shop, "old")
    with server.socket(merchant(shop)) as page:
        assert receive(page) == {"type": "hello", "head": 1, "after": 1}
        publish(shop, "charge.updated", "task:nothing", "OPENPIX:CHARGE_CREATED")
        first, second = receive(page), receive(page)
        event = OutboxEvent.objects.get(topic="charge.updated")
        assert first == {
            "type": "event",
            "seq": 2,
            "id": str(event.event_id),
            "topic": "charge.updated",
            "at": event.created_at.isoformat(),
            "payload": {"a": 1},
        }
        assert (second["seq"], second["topic"]) == (3, "OPENPIX:CHARGE_CREATED")
        page.send("ping")
        assert receive(page) == {"type": "pong"}, "nothing came between"


def test_goes_on_after_the_number_that_it_is_given(server: Server) -> None:
    shop = company()
    publish(shop, *["x"] * 40)
    with server.socket(merchant(shop), after=15) as page:
        assert receive(page) == {"type": "hello", "head": 40, "after": 15}
        publish(shop, "x")
        assert numbers(page, 26) == list(range(16, 42))


def test_a_number_above_the_head_is_answered_with_the_head(server: Server) -> None:
    shop = company()
    publish(shop, "x")
    with server.socket(merchant(shop), after=99) as page:
        assert receive(page)["type"] == "hello"
        assert receive(page) == {"type": "reset", "head": 1}
        publish(shop, "x")
        assert numbers(page, 1) == [2]


@pytest.mark.parametrize("after", ["", "-1", "x", "1" * 19, "%D9%A3", "1.5"])
def test_a_number_that_is_none_is_refused(server: Server, after: str) -> None:
    with server.socket(merchant(company()), after=after) as page:
        assert code_of(page) == 4400


@pytest.mark.parametrize(("known", "code"), [(False, 4401), (True, 4403)])
def test_refuses_who_has_no_company(server: Server, known: bool, code: int) -> None:
    with server.socket(merchant(None) if known else None) as page:
        assert code_of(page) == code


def test_refuses_pages_of_other_sites_and_unknown_paths(server: Server) -> None:
    user = merchant(company())
    with pytest.raises(InvalidStatus, match="403"):
        server.socket(user, origin="http://evil.example")
    with pytest.raises(InvalidStatus, match="403"):
        server.socket(user, path="/ws/other")


def test_survives_junk(server: Server) -> None:
    with server.socket(merchant(company())) as page:
        receive(page)
        for junk in (b"\x00\xff", "", "{", "x" * 60_000, "\0"):
            page.send(junk)
        page.send("ping")
        assert receive(page) == {"type": "pong"}


def lock_out(user: User) -> None:
    user.is_active = False
    user.save()


def change_password(user: User) -> None:
    user.set_password("another horse battery")
    user.save()


def change_company(user: User) -> None:
    user.company = company(2)
    user.save()


@pytest.mark.parametrize("act", [lock_out, change_password, change_company])
def test_closes_within_a_second_when_access_ends(server: Server, act: Callable[[User], None]) -> None:
    user = merchant(company())
    with server.socket(user) as page:
        receive(page)
        begun = time.monotonic()
        act(user)
        assert code_of(page) == 4401
        assert time.monotonic() - begun < 20, "a second, and what a busy machine adds; a heartbeat is 25"


def test_closes_when_its_own_session_is_logged_out_and_no_other(server: Server) -> None:
    user = merchant(company())
    browser = logged_in(user)
    with server.socket(user) as other, server.socket(browser.cookies["sessionid"].value) as page:
        receive(page)
        receive(other)
        browser.post("/logout")
        assert code_of(page) == 4401
        other.send("ping")
        assert receive(other) == {"type": "pong"}


def test_who_is_told_of_a_log_out_finds_the_session_gone(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = logged_in(merchant(company()))
    key, left = browser.cookies["sessionid"].value, []
    monkeypatch.setattr("woovi.pubsub.revoke", lambda _: left.append(SessionStore().exists(key)))
    browser.post("/logout")
    assert left == [False]


def test_closes_when_the_session_expires(server: Server) -> None:
    session = logged_in(merchant(company())).session
    session.set_expiry(2)
    session.save()
    with server.socket(session.session_key) as page:
        assert receive(page)["type"] == "hello"
        assert code_of(page) == 4401


def test_a_user_has_so_many_connections_and_no_more(server: Server) -> None:
    key = session_of(merchant(company()))

    def there_is_a_place() -> bool:
        with server.socket(key) as one_more:
            try:
                return bool(receive(one_more)["type"] == "hello")
            except ConnectionClosed:
                assert one_more.close_code == 4429
                return False

    with contextlib.ExitStack() as pages:
        for _ in range(20):
            assert receive(pages.enter_context(server.socket(key)))["type"] == "hello"
        assert not there_is_a_place()
    wait_until(there_is_a_place)


def test_another_companys_events_never_come(server: Server) -> None:
    ours, theirs = company(1), company(2)
    publish(theirs, "x", "x")
    with server.socket(merchant(ours), after=0) as page, server.socket(merchant(theirs), after=0) as other:
        assert receive(page) == {"type": "hello", "head": 0, "after": 0}
        receive(other)
        publish(theirs, "x")
        assert numbers(other, 3) == [1, 2, 3]
        page.send('{"type": "ping", "company": 2}')
        assert receive(page) == {"type": "pong"}


def test_a_deploy_closes_with_1012_and_the_next_server_goes_on(server: Server) -> None:
    shop = company()
    key = session_of(merchant(shop))
    publish(shop, "x")
    with Server(server.valkey) as old, contextlib.ExitStack() as open_ones:
        pages = [open_ones.enter_context(old.socket(key, after=0)) for _ in range(5)]
        assert [receive(page)["type"] for page in pages] == ["hello"] * 5
        old.process.popen.send_signal(signal.SIGTERM)
        assert {code_of(page) for page in pages} == {1012}
        assert old.process.popen.wait(20) in {0, -signal.SIGTERM}
    publish(shop, "x")
    with server.socket(key, after=1) as page:
        receive(page)
        assert numbers(page, 1) == [2]

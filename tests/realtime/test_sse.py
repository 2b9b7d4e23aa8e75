"""Server-Sent Events and the command that listens to them, against a real server."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from payments.models import Company
from payments.services import applications, companies
from realtime.management.commands.listen import Cursor
from tests.processes import Process, wait_until
from tests.realtime.conftest import Server, company, publish
from tests.receiver import serve

pytestmark = pytest.mark.django_db(transaction=True)


def app_id(of: Company) -> str:
    return companies.issue_application(of, "test")[1]


@contextlib.contextmanager
def stream(server: Server, key: str, **headers: str) -> Iterator[Iterator[dict[str, Any]]]:
    """The frames of a stream, each with the id under which it came."""
    known = {"Authorization": key, **headers}
    with httpx.stream("GET", f"{server.url}/api/v1/events", headers=known, timeout=20) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")

        def frames() -> Iterator[dict[str, Any]]:
            last = None
            for line in response.iter_lines():
                if line.startswith("id: "):
                    last = int(line[4:])
                elif line.startswith("data: "):
                    yield {**json.loads(line[6:]), "last_event_id": last}

        yield frames()


def test_tells_events_under_their_numbers_and_goes_on_after_the_last_event_id(server: Server) -> None:
    shop = company()
    key = app_id(shop)
    publish(shop, *["x"] * 3)
    with stream(server, key) as frames:
        assert next(frames) == {"type": "hello", "head": 3, "after": 3, "last_event_id": None}
        publish(shop, "OPENPIX:CHARGE_CREATED", "task:x", "y")
        seen = [next(frames), next(frames)]
        assert [(frame["seq"], frame["last_event_id"]) for frame in seen] == [(4, 4), (5, 5)]
    with stream(server, key, **{"Last-Event-ID": "1"}) as frames:
        assert next(frames)["type"] == "hello"
        assert [next(frames)["seq"] for _ in range(4)] == [2, 3, 4, 5]


def test_curl_works(server: Server) -> None:
    shop = company()
    publish(shop, "x", "y")
    command = [
        "curl",
        "-sN",
        "--max-time",
        "3",
        f"{server.url}/api/v1/events?after=0",
        "-H",
        f"Authorization: {app_id(shop)}",
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    assert "\nid: 1\ndata: {" in said
    assert "\nid: 2\ndata: {" in said


def test_a_number_above_the_head_is_answered_with_the_head(server: Server) -> None:
    shop = company()
    publish(shop, "x")
    with stream(server, app_id(shop), **{"Last-Event-ID": "9"}) as frames:
        next(frames)
        assert next(frames) == {"type": "reset", "head": 1, "last_event_id": 1}


def test_ends_when_the_app_id_is_revoked(server: Server) -> None:
    shop = company()
    application, key = companies.issue_application(shop, "test")
    with stream(server, key) as frames:
        assert next(frames)["type"] == "hello"
        companies.revoke_application(application)
        assert list(frames) == []
    assert httpx.get(f"{server.url}/api/v1/events", headers={"Authorization": key}).status_code == 401


@pytest.mark.parametrize("rights", [{"wanted": ["CHARGE_GET"]}, {"allowed_ips": ["203.0.113.7"]}])
def test_ends_when_the_application_may_no_more_read_events_from_there(server: Server, rights: Any) -> None:
    application, key = companies.issue_application(
        company(), "test", scopes=["EVENT_GET_LIST"], allowed_ips=["127.0.0.1"]
    )
    given = {"wanted": ["EVENT_GET_LIST"], "allowed_ips": ["127.0.0.1"], **rights}
    with stream(server, key) as frames:
        assert next(frames)["type"] == "hello"
        applications.change(application, **given)
        assert list(frames) == []
    assert httpx.get(f"{server.url}/api/v1/events", headers={"Authorization": key}).status_code == 401


def test_refuses_in_the_contracts_words(server: Server) -> None:
    url, key = f"{server.url}/api/v1/events", app_id(company())
    for wrong in ("", "nonsense", "Basic AAAA"):
        answer = httpx.get(url, headers={"Authorization": wrong})
        assert (answer.status_code, answer.json()["errors"]) == (401, [{"message": "appID inválido"}])
    assert httpx.post(url, headers={"Authorization": key}).status_code == 405
    for after in ("x", "-1", "1" * 30):
        answer = httpx.get(url, params={"after": after}, headers={"Authorization": key})
        assert (answer.status_code, answer.json()) == (400, {"error": "after must be a number"})


def listen(server: Server, key: str, *options: str) -> Process:
    return Process("manage.py", "listen", "--url", server.url, "--app-id", key, *options)


def test_listen_prints_forwards_signed_and_goes_on_where_it_stopped(server: Server) -> None:
    shop = company()
    key = app_id(shop)
    publish(shop, "before")
    with serve() as merchant:
        merchant.answers = [200, 500, 200]
        with listen(server, key, "--since", "0", "--forward-to", merchant.url) as listening:
            listening.wait_for("  1  before  ")
            publish(shop, *["OPENPIX:CHARGE_CREATED"] * 2, event="OPENPIX:CHARGE_CREATED", number=1)
            wait_until(lambda: len(merchant.got) == 3)
            wait_until(lambda: Cursor(server.url, key).at == 3)  # killed before, it would tell the third once more
        assert [json.loads(got.body)["event"] for got in merchant.got] == ["OPENPIX:CHARGE_CREATED"] * 3
        assert merchant.got[1].headers["x-webhook-event-id"] == merchant.got[2].headers["x-webhook-event-id"]
        assert all(got.headers["x-webhook-signature"] for got in merchant.got)
        publish(shop, "OPENPIX:CHARGE_EXPIRED", event="OPENPIX:CHARGE_EXPIRED")  # while it is off
        with listen(server, key, "--forward-to", merchant.url) as again:
            again.wait_for("4 -> 200")
            assert "  3  " not in again.log()
    assert len(merchant.got) == 4


def test_listen_ends_where_it_cannot_recover(server: Server) -> None:
    shop = company()
    publish(shop, "x")
    with listen(server, app_id(shop), "--since", "7") as ahead, listen(server, "nonsense") as stranger:
        assert ahead.popen.wait(30) == 1
        assert "Go on with --since 1" in ahead.log()
        assert stranger.popen.wait(30) == 1
        assert "appID inválido" in stranger.log()

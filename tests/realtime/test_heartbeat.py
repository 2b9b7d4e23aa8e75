"""The socket's heartbeat: it tells the head, and ends with the session."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.db import transaction
from django.test import Client

from payments.models import User
from payments.services import companies
from realtime import consumers, routing
from woovi import outbox

pytestmark = pytest.mark.django_db(transaction=True)


def logged_in() -> tuple[Client, User]:
    shop = companies.onboard(official_name="A", trade_name="A", tax_id="1" * 14, pix_key="a@example.com")
    user = User.objects.create_user("a@example.com", "secret", company=shop)
    client = Client()
    client.force_login(user)
    return client, user


def write(user: User) -> int:
    with transaction.atomic():
        return outbox.write("charge.updated", str(user.company_id), {}).id


async def connect(client: Client) -> ApplicationCommunicator:
    cookie = f"sessionid={client.cookies['sessionid'].value}".encode()
    headers = [(b"cookie", cookie), (b"origin", b"http://localhost")]
    page = ApplicationCommunicator(
        routing.application(), {"type": "websocket", "path": "/ws/events", "query_string": b"", "headers": headers}
    )
    await page.send_input({"type": "websocket.connect"})
    assert (await page.receive_output(5))["type"] == "websocket.accept"
    return page


async def frame(page: ApplicationCommunicator) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads((await page.receive_output(5))["text"])
    return sent


async def leave(page: ApplicationCommunicator) -> None:
    await page.send_input({"type": "websocket.disconnect", "code": 1000})
    await page.wait(5)


async def test_tells_the_head_that_a_lost_wake_up_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "HEARTBEAT", 0.05)
    client, user = await sync_to_async(logged_in)()
    page = await connect(client)
    assert await frame(page) == {"type": "hello", "head": 0}
    event = await sync_to_async(write)(user)  # no relay runs: nobody wakes the page
    while (told := await frame(page)) != {"type": "head", "head": event}:
        assert told == {"type": "head", "head": 0}
    await leave(page)


async def test_ends_with_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "HEARTBEAT", 0.05)
    client, _ = await sync_to_async(logged_in)()
    page = await connect(client)
    await sync_to_async(client.logout)()
    while (sent := await page.receive_output(5))["type"] != "websocket.close":
        assert "head" in sent["text"]
    assert sent["code"] == 4401
    await leave(page)

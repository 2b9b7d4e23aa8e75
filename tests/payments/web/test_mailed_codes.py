"""While the alarm is on, strangers without a phone are mailed a code; and nobody's mailbox is flooded."""

from __future__ import annotations

import re
from typing import Any

import pytest

from payments.models import User
from payments.services import devices
from tests.payments.making import arguments
from tests.payments.web.log_in import PASSWORD, THEIRS, browser, give_code, give_password, is_in
from woovi.outbox.models import OutboxEvent
from woovi.ratelimit import alarm
from woovi.ratelimit.device import account_of


@pytest.fixture
def alarmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm, "seconds", lambda: 60.0)


def test_a_stranger_without_a_phone_is_sent_a_code_by_mail(user: User, alarmed: None, mailoutbox: list[Any]) -> None:
    client = browser()
    assert give_password(client)["Location"] == "/login/code"
    assert b"by mail" in client.get("/login/code").content
    event = OutboxEvent.objects.get(topic="task:mail_log_in_code")
    devices.mail_code(**arguments(event))
    (code,) = re.findall(r"\b\d{6}\b", mailoutbox[0].body)
    assert mailoutbox[0].to == ["ana@example.com"]
    assert code not in str(event.payload)
    other = browser()
    other.defaults["REMOTE_ADDR"] = THEIRS
    give_password(other)
    assert give_code(other, code).status_code == 200, "a code is of one log-in"
    assert not is_in(other)
    assert give_code(client, code)["Location"] == "/"
    assert is_in(client)


def test_a_known_device_notices_nothing(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    client = browser()
    give_password(client)
    client.post("/logout")
    monkeypatch.setattr(alarm, "seconds", lambda: 60.0)
    assert give_password(client)["Location"] == "/"
    assert give_password(browser())["Location"] == "/login/code"  # the negative control
    assert account_of(" Ana@Example.com ") == "ana@example.com"


def test_who_knows_the_password_floods_no_mailbox_with_codes(user: User, alarmed: None) -> None:
    User.objects.create_user("bia@example.com", PASSWORD)
    seen = []
    for number in range(7):
        thief = browser()
        thief.defaults["REMOTE_ADDR"] = f"198.51.{number}.7"
        seen.append(give_password(thief).status_code)
    assert seen == [302] * 5 + [429] * 2
    assert OutboxEvent.objects.filter(topic="task:mail_log_in_code").count() == 5
    assert give_password(browser(), email="bia@example.com").status_code == 302, "another mailbox is not concerned"


def test_nor_with_news_of_new_browsers_and_still_gets_in(user: User) -> None:
    for number in range(7):
        client = browser()
        client.defaults["REMOTE_ADDR"] = f"198.51.{number}.7"
        give_password(client)
        assert is_in(client)
    assert OutboxEvent.objects.filter(topic="task:mail_new_device").count() == 5
    User.objects.create_user("bia@example.com", PASSWORD)
    give_password(browser(), email="bia@example.com")
    assert OutboxEvent.objects.filter(topic="task:mail_new_device").count() == 6, "another mailbox is not concerned"

"""A forgotten password: the mail, its link, the new password; and what strangers cannot do with it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from payments.models import User
from payments.services import passwords, second_factor, security
from tests.payments.making import arguments
from tests.payments.web.log_in import PASSWORD, Owner, browser, give_password
from woovi.outbox.models import OutboxEvent

NEW = "another good password"


def ask(client: Client, email: str = "ana@example.com") -> Any:
    return client.post("/password", {"email": email})


def follow(mailoutbox: list[Any]) -> tuple[Client, str]:
    """Carry what is queued, and open the link of the last mail. The browser, and where it ended up."""
    for event in OutboxEvent.objects.filter(topic="task:mail_password_link"):
        passwords.mail_link(**arguments(event))
    (link,) = re.findall(r"https?://\S+", mailoutbox[-1].body)
    client = browser()
    answer = client.get(urlsplit(link).path)
    return client, answer["Location"]


def test_a_new_password_is_chosen_and_the_old_one_ends(user: User, mailoutbox: list[Any]) -> None:
    assert b"If the e-mail has an account" in ask(browser()).content
    client, form = follow(mailoutbox)
    assert mailoutbox[0].to == ["ana@example.com"]
    assert b"New password" in client.get(form).content
    assert client.post(form, {"new_password1": NEW, "new_password2": NEW})["Location"] == "/login"
    user.refresh_from_db()
    events = security.events(user)
    assert [event.kind for event in events] == ["PASSWORD"]
    assert security.sessions(user, events) == [], "nobody has logged in"
    assert b"Your password was changed" in client.get("/login").content
    assert give_password(browser()).status_code == 200
    user.refresh_from_db()
    assert user.check_password(NEW)
    (link,) = re.findall(r"https?://\S+", mailoutbox[-1].body)
    assert b"no longer valid" in browser().get(urlsplit(link).path).content


@pytest.mark.parametrize(
    ("password", "says"),
    [("password1234", b"too common"), ("123", b"too short"), ("ana@example.com", b"too similar")],
)
def test_common_and_easy_passwords_are_refused(user: User, mailoutbox: list[Any], password: str, says: bytes) -> None:
    ask(browser())
    client, form = follow(mailoutbox)
    answer = client.post(form, {"new_password1": password, "new_password2": password})
    assert says in answer.content
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_an_unknown_e_mail_is_answered_and_queued_the_same(user: User, mailoutbox: list[Any]) -> None:
    known, unknown = ask(browser()), ask(browser(), "nobody@example.com")
    first_page, second_page = (re.sub(rb'value="\w{64}"', b"", answer.content) for answer in (known, unknown))  # CSRF
    assert first_page == second_page
    first, second = map(arguments, OutboxEvent.objects.order_by("id"))
    assert (first, second) == ({"user_id": user.pk}, {"user_id": 0})
    passwords.mail_link(**second)
    assert mailoutbox == []


def test_one_mailbox_gets_three_an_hour_and_the_owners_browser_three_of_its_own(user: User) -> None:
    mine = browser()
    give_password(mine)
    mine.post("/logout")
    seen = []
    for number in range(5):
        thief = browser()
        thief.defaults["REMOTE_ADDR"] = f"198.51.{number}.7"
        seen.append(ask(thief).status_code)
    assert seen == [200] * 3 + [429] * 2
    assert [ask(mine).status_code for _ in range(4)] == [200] * 3 + [429]


def test_one_address_asks_for_five_an_hour(user: User) -> None:
    assert [ask(browser(), f"user{number}@example.com").status_code for number in range(6)] == [200] * 5 + [429]


def test_a_new_password_does_not_get_past_the_second_factor(user: User, mailoutbox: list[Any]) -> None:
    Owner(user)
    ask(browser())
    client, form = follow(mailoutbox)
    client.post(form, {"new_password1": NEW, "new_password2": NEW})
    assert "_auth_user_id" not in client.session
    answer = client.post("/login", {"username": "ana@example.com", "password": NEW})
    assert answer["Location"] == "/login/code"
    assert second_factor.is_on(user)

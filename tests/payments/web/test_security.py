"""A person's own security: sessions, a new password, what happened."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from payments.models import SecurityEvent, User
from payments.services import security
from tests.payments.web.log_in import MINE, PASSWORD, browser, give_password, is_in

pytestmark = pytest.mark.django_db
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile/15E148 Safari/604.1"
NEW = "another horse and battery"


def logged_in(agent: str = "") -> Client:
    client = browser()
    client.defaults["HTTP_USER_AGENT"] = agent
    give_password(client)
    assert is_in(client)
    return client


def sessions(client: Client) -> list[str]:
    """The browsers that the page lists as logged in."""
    page = client.get("/security").content.decode()
    return re.findall(r'class="row session">\s*<span class="row-what"><strong>([^<]+)', page)


def kinds(user: User) -> list[str]:
    return [event.kind for event in security.events(user)]


def test_other_sessions_are_seen_and_ended(user: User) -> None:
    desk, phone = logged_in("Mozilla/5.0 (Windows NT 10.0) Chrome/120.0 Safari/537.36"), logged_in(PHONE)
    page = desk.get("/security").content.decode()
    assert sessions(desk) == ["Safari, iPhone", "Chrome, Windows"]
    assert (page.count("This one"), MINE in page) == (1, True)
    for session in (desk, phone):
        assert session.session.session_key not in page, "a secret"
    asked = desk.get("/security/sessions").content.decode()
    assert "<dt>Sessions that end</dt><dd>1</dd>" in asked
    assert phone.get("/security").status_code == 200, "asking ends nothing"
    desk.post("/security/sessions")
    assert phone.get("/security")["Location"].startswith("/login")
    assert sessions(desk) == ["Chrome, Windows"]
    assert kinds(user) == ["OTHERS_ENDED", "LOG_IN", "LOG_IN"]
    desk.post("/logout")
    assert sessions(logged_in(PHONE)) == ["Safari, iPhone"]


def test_the_password_is_changed_by_who_knows_it(user: User) -> None:
    desk, phone = logged_in(), logged_in(PHONE)
    form = {"password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    for changes, field in (
        ({"password": "x"}, "password"),
        ({"password": ""}, "password"),
        ({"new_password2": "y"}, "new_password2"),
        ({"new_password1": "123", "new_password2": "123"}, "new_password2"),
    ):
        answer = desk.post("/security/password", {**form, **changes})
        assert (answer.status_code, f'id="id_{field}_error"' in answer.content.decode()) == (422, True), changes
    assert phone.get("/security").status_code == 200
    assert desk.post("/security/password", form)["Location"] == "/security"
    assert desk.get("/security").status_code == 200
    assert phone.get("/security")["Location"].startswith("/login")
    user.refresh_from_db()
    assert user.check_password(NEW)
    assert kinds(user)[0] == "PASSWORD"


def test_guesses_of_the_password_are_counted_as_log_ins(user: User) -> None:
    desk = logged_in()
    form = {"password": "guess", "new_password1": NEW, "new_password2": NEW}
    codes = [desk.post("/security/password", form).status_code for _ in range(7)]
    assert codes[0] == 422
    assert codes[-1] == 429


def test_only_the_newest_events_of_each_person_are_kept(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "KEPT", 2)
    other = SecurityEvent.objects.create(user=User.objects.create_user("bia@example.com"), kind="LOG_IN")
    for _ in range(4):
        logged_in()
    assert SecurityEvent.objects.filter(user=user).count() == 2
    assert SecurityEvent.objects.filter(pk=other.pk).exists()


def test_a_session_that_is_listed_no_more_can_be_ended(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who knows the password could log in often enough to hide one of their sessions."""
    hidden = logged_in(PHONE)
    monkeypatch.setattr(security, "KEPT", 1)
    desk = logged_in()
    assert len(sessions(desk)) == 1
    assert 'href="/security/sessions"' in desk.get("/security").content.decode()
    desk.post("/security/sessions")
    assert hidden.get("/security").status_code == 302

"""A code after the password: who is asked, what counts as a code, how often it may be tried, how it is switched on."""

from __future__ import annotations

import re
import threading
import time
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import connections
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from payments.models import Company, User
from payments.services import devices, second_factor
from payments.services.errors import Duplicate, Invalid
from tests.payments.web.conftest import PASSWORD
from woovi.outbox.models import OutboxEvent
from woovi.ratelimit import alarm
from woovi.ratelimit.device import account_of

MINE, THEIRS = "203.0.113.9", "198.51.100.7"


def phone(secret: str, steps: int = 0) -> str:
    """The code that a phone with this secret shows, `steps` half minutes from now."""
    made = TOTP(bytes.fromhex(secret))
    made.time = time.time() + 30 * steps
    return f"{made.token():06}"


class Owner:
    """A user with a phone and recovery codes."""

    def __init__(self, user: User) -> None:
        self.user, self.secret = user, second_factor.new_secret()
        self.recovery = second_factor.switch_on(user, self.secret, phone(self.secret, -1))

    @property
    def code(self) -> str:
        return phone(self.secret)


@pytest.fixture
def owner(user: User) -> Owner:
    return Owner(user)


def browser() -> Client:
    return Client(HTTP_ACCEPT_LANGUAGE="en", REMOTE_ADDR=MINE)


def give_password(client: Client, path: str = "/login", email: str = "ana@example.com", **fields: str) -> Any:
    return client.post(path, {"username": email, "password": PASSWORD, **fields})


def give_code(client: Client, code: str) -> Any:
    return client.post("/login/code", {"code": code})


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


@pytest.mark.parametrize(("path", "goes_to"), [("/login", "/charges"), ("/admin/login/", "/charges")])
def test_the_password_alone_opens_nothing(owner: Owner, path: str, goes_to: str) -> None:
    client = browser()
    assert give_password(client, path, next=goes_to)["Location"] == "/login/code"
    assert not is_in(client)
    assert client.get("/").status_code == 302
    assert b"app shows" in client.get("/login/code").content
    assert give_code(client, owner.code)["Location"] == goes_to
    assert is_in(client)


def test_who_has_none_is_not_asked(user: User) -> None:
    """The negative control."""
    client = browser()
    assert give_password(client)["Location"] == "/"
    assert is_in(client)


def test_an_operator_is_asked_too(owner: Owner) -> None:
    operator = Owner(User.objects.create_superuser("op@example.com", PASSWORD))
    client = browser()
    assert client.get("/admin/")["Location"] == "/admin/login/?next=/admin/"
    give_password(client, "/admin/login/", "op@example.com", next="/admin/")
    assert client.get("/admin/").status_code == 302
    assert give_code(client, operator.code)["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_a_code_is_taken_once(owner: Owner) -> None:
    first, second, code = browser(), browser(), owner.code
    for client in (first, second):
        give_password(client)
    assert give_code(first, code).status_code == 302
    assert b"wrong, or was used before" in give_code(second, code).content
    assert not is_in(second)


@pytest.mark.parametrize("wrong", ["000000", "", "12345", "１２３４５６", "abcd-efgh-ijkl-mnop", "9" * 40])
def test_what_is_no_code_is_refused(owner: Owner, wrong: str) -> None:
    client = browser()
    give_password(client)
    assert give_code(client, wrong).status_code == 200
    assert not is_in(client)


def test_a_recovery_code_works_once_and_is_kept_as_a_digest(owner: Owner) -> None:
    assert len(owner.recovery) == 10
    kept = set(StaticDevice.objects.values_list("token_set__token", flat=True))
    assert not kept & {code.replace("-", "") for code in owner.recovery}
    client = browser()
    give_password(client)
    assert give_code(client, owner.recovery[0].upper()).status_code == 302
    again = browser()
    give_password(again)
    assert give_code(again, owner.recovery[0]).status_code == 200
    assert second_factor.recovery_codes_left(owner.user) == 9


def test_anothers_code_does_not_open_this_account(owner: Owner, company: Company) -> None:
    bia = Owner(User.objects.create_user("bia@example.com", PASSWORD, company=company))
    client = browser()
    give_password(client)
    for code in (bia.code, bia.recovery[0]):
        assert give_code(client, code).status_code == 200


def test_the_code_page_needs_a_recent_password(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    client = browser()
    assert give_code(client, owner.code)["Location"] == "/login"
    give_password(client)
    later = time.time() + 601
    monkeypatch.setattr("payments.web.sessions.time.time", lambda: later)
    assert client.get("/login/code")["Location"] == "/login"
    monkeypatch.undo()
    owner.user.set_password("another good password")
    owner.user.save()
    assert client.get("/login/code")["Location"] == "/login"


def test_codes_are_tried_five_times_and_the_right_one_then_helps_no_more(owner: Owner) -> None:
    seen = []
    for number in range(8):  # from everywhere: the account counts
        thief = browser()
        thief.defaults["REMOTE_ADDR"] = f"198.51.{number}.7"
        give_password(thief)
        seen.append(give_code(thief, f"{number:06}").status_code)
    assert seen == [200] * 5 + [429] * 3
    assert give_code(thief, owner.code).status_code == 429


def test_the_owner_gets_in_on_a_known_device_meanwhile(owner: Owner) -> None:
    mine = browser()
    give_password(mine)
    assert give_code(mine, owner.recovery[0]).status_code == 302
    mine.post("/logout")
    test_codes_are_tried_five_times_and_the_right_one_then_helps_no_more(owner)
    give_password(mine)
    assert give_code(mine, owner.code).status_code == 302
    stranger = browser()  # the negative control
    give_password(stranger)
    assert give_code(stranger, owner.recovery[1]).status_code == 429


def test_one_code_at_once_from_many_opens_one(transactional_db: None, settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    owner = Owner(User.objects.create_user("ana@example.com", PASSWORD))
    code, barrier, opened = owner.code, threading.Barrier(4), []

    def one() -> None:
        try:
            barrier.wait()
            opened.append(second_factor.check(owner.user, code))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(opened) == [False] * 3 + [True]


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def shown_secret(merchant: Client) -> str:
    page = merchant.get("/second-factor").content.decode()
    assert "data:image/svg+xml" in page
    (secret,) = re.findall(r'id="secret">([A-Z2-7 ]+)<', page)
    import base64

    return base64.b32decode(secret.replace(" ", "")).hex()


def test_it_is_switched_on_and_off(merchant: Client, user: User, mailoutbox: list[Any]) -> None:
    secret = shown_secret(merchant)
    assert shown_secret(merchant) == secret, "a reload keeps it"
    form = {"password": PASSWORD, "code": phone(secret, -1)}
    assert b"password is wrong" in merchant.post("/second-factor", {**form, "password": "x"}).content
    assert b"code is wrong" in merchant.post("/second-factor", {**form, "code": "000000"}).content
    assert not second_factor.is_on(user)
    assert not TOTPDevice.objects.exists()
    page = merchant.post("/second-factor", form).content.decode()
    codes = re.findall(r"<li>([a-z2-7-]{19})</li>", page)
    assert len(codes) == 10
    assert second_factor.is_on(user)
    devices.mail_second_factor(**OutboxEvent.objects.get(topic="task:mail_second_factor").payload)
    assert "foi ligado" in mailoutbox[0].body
    assert codes[0] not in merchant.get("/second-factor").content.decode()
    other = merchant.post("/second-factor", {"code": phone(secret), "recovery": "on"}).content.decode()
    assert codes[0] not in other
    assert merchant.post("/second-factor", {"code": codes[0]}).status_code == 200, "the former ones have ended"
    new = re.findall(r"<li>([a-z2-7-]{19})</li>", other)
    assert merchant.post("/second-factor", {"code": new[0]}).status_code == 302
    assert not second_factor.is_on(user)


def test_a_found_session_cannot_guess_the_code_that_switches_it_off(merchant: Client, owner: Owner) -> None:
    seen = [merchant.post("/second-factor", {"code": f"{number:06}"}).status_code for number in range(7)]
    assert seen == [200] * 5 + [429] * 2


def test_strangers_log_in_first(client: Client, db: None) -> None:
    assert client.get("/second-factor")["Location"] == "/login?next=/second-factor"


def test_it_is_not_switched_on_twice_or_with_a_wrong_code(owner: Owner, company: Company) -> None:
    with pytest.raises(Duplicate):
        second_factor.switch_on(owner.user, owner.secret, owner.code)
    bia = User.objects.create_user("bia@example.com", PASSWORD, company=company)
    with pytest.raises(Invalid):
        second_factor.switch_on(bia, second_factor.new_secret(), "000000")
    assert not second_factor.is_on(bia)


def test_an_operator_switches_it_off_for_who_lost_the_phone_and_sees_no_secret(owner: Owner) -> None:
    boss = browser()
    boss.force_login(User.objects.create_superuser("op@example.com", PASSWORD))
    page = boss.get(f"/admin/payments/user/{owner.user.pk}/change/").content.decode()
    assert ">On</a>" in page
    assert owner.secret not in page
    assert not admin.site.is_registered(TOTPDevice)
    assert not admin.site.is_registered(StaticDevice)
    asked = {"action": "switch_off", "_selected_action": str(owner.user.pk)}
    assert b"password will be enough" in boss.post("/admin/payments/user/", asked).content
    assert second_factor.is_on(owner.user)
    boss.post("/admin/payments/user/", {**asked, "confirmed": "yes"})
    assert not second_factor.is_on(owner.user)
    assert "switched off" in LogEntry.objects.get().change_message


def test_only_superusers_switch_off_an_operators(owner: Owner) -> None:
    from django.contrib.auth.models import Permission

    chief = Owner(User.objects.create_superuser("op@example.com", PASSWORD))
    staff = User.objects.create_user("staff@example.com", PASSWORD, is_staff=True)
    staff.user_permissions.add(*Permission.objects.filter(codename__in=["change_user", "view_user"]))
    client = browser()
    client.force_login(staff)
    asked = {"action": "switch_off", "_selected_action": [str(chief.user.pk), str(owner.user.pk)], "confirmed": "yes"}
    page = client.post("/admin/payments/user/", asked, follow=True).content.decode()
    assert "Only superusers may change another operator" in page
    assert second_factor.is_on(chief.user)
    assert not second_factor.is_on(owner.user)


def test_a_merchant_who_comes_to_the_admin_is_told_so(merchant: Client) -> None:
    answer = merchant.get("/admin/", follow=True)
    assert answer.status_code == 403
    assert b"Log in as somebody else" in answer.content


# ── while the alarm is on ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def alarmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm, "seconds", lambda: 60.0)


def test_a_stranger_without_a_phone_is_sent_a_code_by_mail(user: User, alarmed: None, mailoutbox: list[Any]) -> None:
    client = browser()
    assert give_password(client)["Location"] == "/login/code"
    assert b"by mail" in client.get("/login/code").content
    event = OutboxEvent.objects.get(topic="task:mail_log_in_code")
    devices.mail_code(**event.payload)
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

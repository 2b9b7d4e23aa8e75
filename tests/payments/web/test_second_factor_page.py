"""Where the second factor is switched on and off, by people themselves and by operators."""

from __future__ import annotations

import base64
import re
import time
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from payments.models import Company, User
from payments.services import devices, second_factor
from payments.services.errors import Duplicate, Invalid
from tests.payments.making import arguments
from tests.payments.web.log_in import PASSWORD, Owner, browser, phone
from woovi.outbox.models import OutboxEvent


def shown_secret(merchant: Client) -> str:
    page = merchant.get("/second-factor").content.decode()
    assert "data:image/svg+xml" in page
    (secret,) = re.findall(r'id="secret">([A-Z2-7 ]+)<', page)
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
    devices.mail_second_factor(**arguments(OutboxEvent.objects.get(topic="task:mail_second_factor")))
    assert "foi ligado" in mailoutbox[0].body
    assert codes[0] not in merchant.get("/second-factor").content.decode()
    other = merchant.post("/second-factor", {"code": phone(secret), "recovery": "on"}).content.decode()
    assert codes[0] not in other
    assert merchant.post("/second-factor", {"code": codes[0]}).status_code == 200, "the former ones have ended"
    new = re.findall(r"<li>([a-z2-7-]{19})</li>", other)
    assert merchant.post("/second-factor", {"code": new[0]}).status_code == 302
    assert not second_factor.is_on(user)


def test_the_secret_is_another_after_ten_minutes(merchant: Client, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever saw the page once, perhaps long ago, must not know the secret that is confirmed now."""
    first, now = shown_secret(merchant), time.time()
    monkeypatch.setattr(time, "time", lambda: now + 599)
    assert shown_secret(merchant) == first, "the negative control"
    monkeypatch.setattr(time, "time", lambda: now + 601)
    page = merchant.post("/second-factor", {"password": PASSWORD, "code": phone(first, -1)}).content
    assert b"code is wrong" in page
    assert not second_factor.is_on(user)
    second = shown_secret(merchant)
    assert second != first
    merchant.post("/second-factor", {"password": PASSWORD, "code": phone(second, -1)})
    assert second_factor.is_on(user)


def test_a_found_session_cannot_guess_the_code_that_switches_it_off(owner: Owner, merchant: Client) -> None:
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

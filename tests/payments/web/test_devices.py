"""Browsers that have logged in before: when they are strangers again, whose sessions end, how many codes they try."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from payments.models import User
from payments.services import second_factor
from tests.payments.web.log_in import PASSWORD, Owner, browser, give_code, give_password, phone
from tests.payments.web.test_second_factor_page import shown_secret
from woovi.ratelimit import device, store


def is_known(client: Client) -> bool:
    return device.known({name: morsel.value for name, morsel in client.cookies.items()}, "ana@example.com") is not None


def is_logged_in(client: Client) -> bool:
    return client.get("/second-factor").status_code == 200


@pytest.fixture
def mine(user: User) -> Client:
    client = browser()
    give_password(client)
    assert is_known(client)
    return client


def test_a_new_password_makes_every_browser_a_stranger(mine: Client, user: User) -> None:
    user.set_password("another good password")
    user.save()
    assert not is_known(mine)
    assert not is_logged_in(mine)
    mine.post("/login", {"username": "ana@example.com", "password": "another good password"})
    assert is_known(mine)


def test_a_password_that_is_only_hashed_anew_is_no_new_one(mine: Client, user: User, settings: Any) -> None:
    """The negative control: Django does so at a log-in, where its hashes have become stronger."""
    before = user.password
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher", *settings.PASSWORD_HASHERS]
    other = browser()
    give_password(other)
    user.refresh_from_db()
    assert user.password != before
    assert is_known(mine)
    assert is_logged_in(other)


def test_who_switches_the_second_factor_on_stays_and_all_others_leave(mine: Client, user: User) -> None:
    thief = browser()
    give_password(thief)
    assert is_logged_in(thief)
    form = {"password": PASSWORD, "code": phone(shown_secret(mine), -1)}
    assert b"recovery" in mine.post("/second-factor", form).content.lower()
    assert second_factor.is_on(user)
    assert (is_logged_in(mine), is_logged_in(thief)) == (True, False)
    assert (is_known(mine), is_known(thief)) == (True, False)


def test_so_it_is_when_it_is_switched_off(owner: Owner) -> None:
    first, second = browser(), browser()
    for number, client in enumerate((first, second)):
        give_password(client)
        give_code(client, owner.recovery[number])
    assert first.post("/second-factor", {"code": owner.code}).status_code == 302
    assert not second_factor.is_on(owner.user)
    assert (is_logged_in(first), is_logged_in(second)) == (True, False)
    assert (is_known(first), is_known(second)) == (True, False)


def test_a_password_given_before_the_second_factor_was_on_opens_nothing(user: User) -> None:
    Owner(user)
    client = browser()
    give_password(client)
    second_factor.switch_off(user)
    again = Owner(user)
    assert give_code(client, again.code)["Location"] == "/login"


@pytest.mark.parametrize(("policy", "known"), [("login.code.devices", True), ("login.code.day", False)])
@pytest.mark.parametrize(("mode", "eighth"), [("enforce", 429), ("off", 200)])  # off: the negative control
def test_all_devices_of_an_account_share_the_days_codes(
    owner: Owner, monkeypatch: pytest.MonkeyPatch, policy: str, known: bool, mode: Any, eighth: int
) -> None:
    limits = {**store.current().defaults, policy: replace(store.shipped()[policy], limit=7, mode=mode)}
    limits["login.code"] = replace(limits["login.code"], limit=100)
    browsers = [browser(), browser()]
    for number, client in enumerate(browsers):
        give_password(client)
        if known:
            give_code(client, owner.recovery[number])
            client.post("/logout")
            give_password(client)
    monkeypatch.setattr(store._store, "_limits", store.Limits(limits))
    seen = [give_code(client, f"{number:06}").status_code for client in browsers for number in range(4)]
    assert seen == [200] * 7 + [eighth]

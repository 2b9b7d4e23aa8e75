"""A code after the password: who is asked, what counts as a code, and how often it may be tried."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from django.db import connections
from django_otp.plugins.otp_static.models import StaticDevice

from payments.models import Company, User
from payments.services import second_factor
from tests.payments.web.log_in import PASSWORD, Owner, browser, give_code, give_password, is_in


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

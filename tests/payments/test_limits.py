"""The platform's limits where they matter: log-ins, AppIDs, payment pages, lists; and the owner, who always gets in."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth import hashers
from django.db import connections
from django.test import Client

from payments import limits
from payments.models import Company, User
from payments.services import companies, devices
from tests.payments import making
from tests.payments.api.conftest import Merchant
from woovi.outbox.models import OutboxEvent
from woovi.ratelimit import store

PASSWORD = "correct horse battery"
MINE, THEIRS = "203.0.113.9", "198.51.100.7"


class SlowHasher(hashers.MD5PasswordHasher):
    """Counts, and holds whoever asks until all have had the chance to get past the limit."""

    algorithm = "slow"
    asked = 0
    barrier: threading.Barrier | None = None
    patience = 0.5  # seconds
    mutex = threading.Lock()

    def verify(self, password: str, encoded: str) -> bool:
        with self.mutex:
            type(self).asked += 1
        if self.barrier:
            with _patient():
                self.barrier.wait(self.patience)
        return super().verify(password, encoded)


class _patient:
    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is threading.BrokenBarrierError


@pytest.fixture
def hasher(settings: Any) -> type[SlowHasher]:
    settings.PASSWORD_HASHERS = [f"{__name__}.SlowHasher"]
    SlowHasher.asked, SlowHasher.barrier, SlowHasher.patience = 0, None, 0.5
    return SlowHasher


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give one policy other figures."""

    def change(name: str, number: int, per: float = 36_000, **fields: Any) -> None:
        now = store.current().defaults
        changed = replace(now[name], limit=number, per=per, **{"burst": 0, **fields})
        monkeypatch.setattr(store._store, "_limits", store.Limits({**now, name: changed}))

    return change


@pytest.fixture
def company(db: None) -> Company:
    return making.company()


@pytest.fixture
def ana(company: Company, hasher: type[SlowHasher]) -> User:
    return User.objects.create_user("ana@example.com", PASSWORD, company=company)


def log_in(browser: Client, email: str = "ana@example.com", password: str = "wrong", peer: str = MINE) -> Any:
    return browser.post(
        "/login", {"username": email, "password": password}, REMOTE_ADDR=peer, headers={"Accept-Language": "en"}
    )


def test_five_wrong_passwords_and_the_sixth_is_not_looked_at(ana: User, hasher: type[SlowHasher]) -> None:
    answers = [log_in(Client()) for _ in range(8)]
    assert [a.status_code for a in answers] == [200] * 5 + [429] * 3
    assert hasher.asked == 5
    assert b"Too many tries" in answers[-1].content
    assert 50 < int(answers[-1]["Retry-After"]) <= 60


def test_an_unknown_account_is_answered_and_counted_the_same(ana: User, hasher: type[SlowHasher]) -> None:
    known = [log_in(Client()) for _ in range(6)]
    unknown = [log_in(Client(), "nobody@example.com", peer=THEIRS) for _ in range(6)]
    assert [a.status_code for a in known] == [a.status_code for a in unknown]
    assert known[-1].content == unknown[-1].content


@pytest.mark.parametrize("email", ["ana@example.com", "off@example.com", "none@example.com", "nobody@example.com"])
def test_every_wrong_password_costs_one_look(
    ana: User, company: Company, hasher: type[SlowHasher], monkeypatch: pytest.MonkeyPatch, email: str
) -> None:
    """Known, deactivated, without a password, unknown: each takes the time of one hash, so that none is told apart."""
    User.objects.create_user("off@example.com", PASSWORD, company=company, is_active=False)
    User.objects.create_user("none@example.com", company=company)
    looks: list[str] = []
    real = SlowHasher.encode
    monkeypatch.setattr(SlowHasher, "encode", lambda *given: looks.append(given[1]) or real(*given))
    log_in(Client(), email)
    assert len(looks) == 1


def test_right_passwords_are_never_counted(ana: User) -> None:
    for _ in range(30):
        assert log_in(Client(), password=PASSWORD).status_code == 302


def test_the_case_of_an_email_makes_no_new_account(ana: User, hasher: type[SlowHasher]) -> None:
    for number in range(10):
        log_in(Client(), "ana@example.com" if number % 2 else " ANA@Example.com")
    assert hasher.asked == 5


def test_the_owner_gets_in_on_a_known_device_while_the_account_is_attacked(ana: User) -> None:
    browser = Client()
    assert log_in(browser, password=PASSWORD).status_code == 302
    browser.post("/logout")
    for number in range(60):
        log_in(Client(), peer=f"198.51.{number}.7")
    assert (
        log_in(Client(), password=PASSWORD, peer=THEIRS).status_code == 429
    )  # a stranger, though it knows the password
    answer = log_in(browser, password=PASSWORD, peer="198.51.5.7")
    assert answer.status_code == 302


def test_without_its_cookie_the_owner_is_locked_out(ana: User) -> None:
    """The negative control."""
    browser = Client()
    log_in(browser, password=PASSWORD)
    browser.post("/logout")
    for number in range(60):
        log_in(Client(), peer=f"198.51.{number}.7")
    for name in [name for name in browser.cookies if name.startswith("device_")]:
        del browser.cookies[name]
    assert log_in(browser, password=PASSWORD).status_code == 429


def test_a_cookie_is_its_accounts_alone_and_cannot_be_made_up(ana: User, company: Company) -> None:
    User.objects.create_user("bia@example.com", PASSWORD, company=company)
    bias = Client()
    log_in(bias, "bia@example.com", PASSWORD)
    (name, morsel) = next((n, m) for n, m in bias.cookies.items() if n.startswith("device_"))
    assert morsel["httponly"]
    assert morsel["samesite"] == "Lax"
    mine = Client()
    log_in(mine, password=PASSWORD)
    own = next(n for n in mine.cookies if n.startswith("device_"))
    assert own != name
    for number in range(6):
        log_in(Client(), peer=f"198.51.{number}.7")
    for forged in (morsel.value, mine.cookies[own].value[:-1] + "x", "", "x:y:z"):
        thief = Client()
        thief.cookies[own] = forged
        assert log_in(thief, password=PASSWORD, peer=THEIRS).status_code == 429


def test_a_known_device_has_tries_of_its_own_and_no_more(ana: User, hasher: type[SlowHasher]) -> None:
    browser = Client()
    log_in(browser, password=PASSWORD)
    browser.post("/logout")
    hasher.asked = 0
    assert [log_in(browser).status_code for _ in range(7)] == [200] * 5 + [429] * 2
    assert hasher.asked == 5


@pytest.mark.parametrize("path", ["/login", "/admin/login/"])
def test_every_log_in_is_guarded(ana: User, hasher: type[SlowHasher], path: str) -> None:
    form = {"username": "ana@example.com", "password": "wrong"}
    answers = [Client().post(path, form, REMOTE_ADDR=MINE).status_code for _ in range(6)]
    assert answers == [200] * 5 + [429]
    assert hasher.asked == 5


def test_stuffing_from_one_network_is_stopped_by_the_network(ana: User, hasher: type[SlowHasher]) -> None:
    for number in range(100):
        log_in(Client(), f"user{number}@example.com", peer=f"203.0.113.{number}")
    assert hasher.asked <= 31


def test_stuffing_from_everywhere_is_stopped_by_the_worlds_limit(ana: User, hasher: type[SlowHasher]) -> None:
    browser = Client()
    log_in(browser, password=PASSWORD)
    browser.post("/logout")
    hasher.asked = 0
    for number in range(150):
        log_in(Client(), f"user{number}@example.com", peer=f"100.{number}.1.1")
    assert hasher.asked <= 105
    assert log_in(browser, password=PASSWORD).status_code == 302


def test_a_hundred_at_once_get_five_looks(transactional_db: None, hasher: type[SlowHasher]) -> None:
    User.objects.create_user("ana@example.com", PASSWORD, company=making.company())
    assert _crowd(hasher) == 5


def test_counting_afterwards_would_give_them_more(
    transactional_db: None, hasher: type[SlowHasher], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: Django's own backend, with what axes and its like do: count when it has failed."""
    User.objects.create_user("ana@example.com", PASSWORD, company=making.company())
    from django.contrib.auth.backends import ModelBackend

    from woovi.ratelimit import Ask, Subject, take
    from woovi.ratelimit.login import GuardedBackend

    asked = Ask(store.shipped()["login.account"], Subject("account", "ana"))

    def afterwards(self: Any, request: Any, username: Any = None, password: Any = None, **_: Any) -> Any:
        if take(asked._replace(cost=0)).remaining < 1:
            return None
        found = ModelBackend.authenticate(self, request, username, password)
        if found is None:
            take(asked)
        return found

    monkeypatch.setattr(GuardedBackend, "authenticate", afterwards)
    hasher.patience = 20  # all come here, be the machine as busy as it may
    assert _crowd(hasher) > 5


def _crowd(hasher: type[SlowHasher]) -> int:
    """Sixteen threads, a hundred wrong passwords. How many were looked at."""
    hasher.barrier = threading.Barrier(16)
    left = iter(range(100))

    def work() -> None:
        try:
            for number in left:
                log_in(Client(), peer=f"100.64.{number}.1")
        finally:
            connections.close_all()

    crowd = [threading.Thread(target=work) for _ in range(16)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    return hasher.asked


def test_a_log_in_from_a_new_browser_is_told_by_mail(ana: User, mailoutbox: list[Any]) -> None:
    browser = Client()
    for _ in range(3):
        log_in(browser, password=PASSWORD)
        browser.post("/logout")
    events = list(OutboxEvent.objects.filter(topic="task:mail_new_device"))
    assert len(events) == 1  # afterwards it is known
    devices.mail(**making.arguments(events[0]))
    (sent,) = mailoutbox
    assert sent.to == ["ana@example.com"]
    assert MINE in sent.body
    assert PASSWORD not in sent.body


# ── programs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_guessed_app_ids_are_refused_before_the_database(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = companies.authenticate
    monkeypatch.setattr(companies, "authenticate", lambda key: asked.append(key) or real(key))
    guesses = [
        Client().get("/api/v1/company", REMOTE_ADDR=MINE, headers={"Authorization": companies.app_id("x", str(n))})
        for n in range(25)
    ]
    assert [g.status_code for g in guesses] == [401] * 20 + [429] * 5
    assert len(asked) == 20
    assert guesses[-1].json()["errorCode"] == "TOO_MANY_REQUESTS"
    assert guesses[-1]["Retry-After"]


def test_the_merchant_is_not_refused_for_guesses_from_its_own_address(company: Company) -> None:
    key = companies.issue_application(company, "Test")[1]

    def ask(header: str) -> int:
        return Client().get("/api/v1/company", REMOTE_ADDR=MINE, headers={"Authorization": header}).status_code

    assert ask(key) == 200
    for number in range(25):
        ask(companies.app_id("x", str(number)))
    assert ask(companies.app_id("x", "once more")) == 429
    assert ask(key) == 200


def test_a_revoked_app_id_is_no_friend(company: Company) -> None:
    application, key = companies.issue_application(company, "Test")
    shop = Merchant(company, key)
    assert shop.get("/api/v1/company").status_code == 200
    assert limits.known(key) == str(company.pk)
    companies.revoke_application(application)
    assert shop.get("/api/v1/company").status_code == 401
    assert limits.known(key) is None


def test_a_company_is_told_its_limits(company: Company) -> None:
    shop = Merchant(company, companies.issue_application(company, "Test")[1])
    shop.get("/api/v1/company")
    answer = shop.get("/api/v1/company")
    assert answer["RateLimit-Policy"].startswith('"api.company";q=6000;w=30')
    assert answer["RateLimit"].startswith('"api.company";r=')


def test_looking_for_charges_that_do_not_exist_is_dear(company: Company, limit: Callable[..., None]) -> None:
    limit("api.lookups", 200)
    shop = Merchant(company, companies.issue_application(company, "Test")[1])
    mine = making.charge(company)
    seen = [shop.get(f"/api/v1/charge/{number:032x}").status_code for number in range(12)]
    assert seen == [400] * 10 + [429] * 2
    # Another company is not charged for it.
    other = making.company()
    rival = Merchant(other, companies.issue_application(other, "Test")[1])
    assert rival.get(f"/api/v1/charge/{mine.public_id}").status_code == 400


def test_charges_that_exist_cost_one(company: Company, limit: Callable[..., None]) -> None:
    limit("api.lookups", 200)
    shop = Merchant(company, companies.issue_application(company, "Test")[1])
    mine = making.charge(company)
    assert {shop.get(f"/api/v1/charge/{mine.public_id}").status_code for _ in range(20)} == {200}


def test_lists_are_charged_by_row(company: Company, limit: Callable[..., None]) -> None:
    limit("api.rows", 12)
    shop = Merchant(company, companies.issue_application(company, "Test")[1])
    for _ in range(3):
        making.charge(company)
    assert [shop.get("/api/v1/charge", limit=6).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert shop.get("/api/v1/charge", limit=3).status_code == 200


def test_payment_links_cannot_be_tried_one_after_another(db: None, limit: Callable[..., None]) -> None:
    limit("pay.links", 20)
    charge = making.charge(making.company())
    link = f"/pay/{charge.payment_link_id}"
    assert {Client().get(link, REMOTE_ADDR=MINE).status_code for _ in range(40)} == {200}
    seen = [Client().get(f"/pay/{uuid.uuid4()}", REMOTE_ADDR=MINE).status_code for _ in range(40)]
    assert seen.count(404) in range(17, 22)
    assert seen[-1] == 429
    assert Client().get(link, REMOTE_ADDR=THEIRS).status_code == 200


def test_the_bank_is_never_limited(db: None, settings: Any, limit: Callable[..., None]) -> None:
    limit("http.address", 5)

    def call(token: str) -> int:
        headers = {"X-Bank-Callback-Token": token}
        body = '{"pix": []}'
        return (
            Client()
            .post("/bank/pix", body, content_type="application/json", REMOTE_ADDR=MINE, headers=headers)
            .status_code
        )

    assert [call("a guess") for _ in range(7)] == [401] * 5 + [429] * 2
    assert {call(settings.BANK_CALLBACK_TOKEN) for _ in range(10)} == {200}

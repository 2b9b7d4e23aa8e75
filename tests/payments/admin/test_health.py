"""The pages that an operator looks at first: health, and the day's money beside last week's."""

from __future__ import annotations

import html
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import strip_tags

from payments import checks, tasks
from payments.admin.alerts import alerts
from payments.bank.session import CALLS
from payments.models import BankDifference, LedgerCheck, Payment, User, WebhookDelivery
from payments.selectors import health, today
from payments.services.charges import receiving
from payments.services.reconciliation import bank_days
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.admin.test_admin import operator, world
from woovi import redis
from woovi.cache import metrics
from woovi.outbox.models import OutboxEvent

__all__ = ["operator"]


@pytest.fixture(autouse=True)
def _no_calls_before() -> None:
    """This hour's calls of a bank, some of them failed on purpose, may be other tests'."""
    metrics.flush()
    client: Any = redis.client("cache")
    client.delete(*(metrics._key(CALLS, ago) for ago in (0, 1)))


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return html.unescape(answer.content.decode()).replace("\u00a0", " ")


@pytest.mark.django_db
def test_health_names_what_is_wrong_and_nothing_else() -> None:
    assert health.read()["problems"] == ["ledger"], "it was never checked"
    tasks.check_ledger()
    assert health.read()["ok"]
    one = world(making.company())
    now = timezone.now()
    Payment.objects.update(unknown_since=now)
    difference = BankDifference.objects.create(day=now.date(), kind="MISSING_HERE", bank_value=5, our_value=0)
    found = health.read()
    assert found["problems"] == ["payments_unknown", "differences_open"]
    assert found["work"]["webhooks_failed"] == 1
    bank_days.resolve(difference, "a fee")
    assert health.read()["problems"] == ["payments_unknown"]
    late = health.read(now + timedelta(hours=1))
    assert {"outbox_oldest_seconds", "refunds_oldest_seconds", "payments_oldest_seconds"} < set(late["problems"])
    assert late["queues"]["payments"]["waiting"] == Payment.objects.filter(pk=one[Payment].pk).count()
    assert "ledger" in health.read(now + timedelta(hours=27))["problems"]


@pytest.mark.django_db
def test_a_wrong_ledger_is_kept_with_its_offenders(caplog: pytest.LogCaptureFixture) -> None:
    payment = world(making.company())[Payment]
    Payment.objects.update(contradicted_at=timezone.now())
    tasks.check_ledger()
    kept = LedgerCheck.objects.get()
    assert (kept.failed, kept.passed) == (1, len(checks.ALL) - 1)
    assert [(one["count"], one["offenders"]) for one in kept.findings] == [(1, [str(payment.pk)])]
    assert "a payment ended at the bank as it did here: 1" in caplog.text
    found = health.read()
    assert {"ledger", "payments_contradicted"} <= set(found["problems"])


@pytest.mark.django_db
def test_a_role_of_redis_that_is_away_is_named_with_its_breaker(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    tasks.check_ledger()
    monkeypatch.setenv("REDIS_LOCKS_URL", "redis://127.0.0.1:9/0")
    redis.close()
    try:
        for _ in range(3):
            found = health.read()
        assert found["problems"] == ["redis_locks"]
        assert found["redis"]["locks"]["answers"] is False
        assert list(found["redis"]["locks"]["breakers"].values()) == ["open"]
        assert found["redis"]["cache"]["answers"]
    finally:
        monkeypatch.undo()
        redis.close()


@pytest.mark.django_db(transaction=True)
def test_the_banks_calls_of_all_processes_are_counted(bank: BankProcess) -> None:
    tasks.reconcile()
    before = health.read()["bank"]
    assert before["calls"] >= 1
    assert before["p99_milliseconds"] > 0
    bank.faults(unavailable_percent=100)
    tasks.reconcile()
    after = health.read()["bank"]
    assert after["failed"] > before["failed"]


@pytest.mark.django_db
def test_the_command_says_the_same_and_fails_where_something_is_wrong() -> None:
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("health", json=True, stdout=out)
    assert json.loads(out.getvalue())["problems"] == ["ledger"]
    tasks.check_ledger()
    out = io.StringIO()
    call_command("health", json=True, stdout=out)
    told = json.loads(out.getvalue())
    assert (told["ok"], set(told)) == (True, set(health.read()))
    call_command("health", stdout=(out := io.StringIO()))
    assert out.getvalue().endswith("ok\n")


def test_the_pages_lead_to_the_rows_and_ask_as_often_for_many_as_for_one(operator: Client) -> None:
    world(making.company())
    tasks.check_ledger()
    asked = []
    for pages in range(2):
        for _ in range(4 * pages):
            world(making.company())
        counted = []
        for address in ("/admin/", "/admin/health/"):
            operator.get(address)
            with CaptureQueriesContext(connection) as queries:
                page = text(operator, address)
            counted.append(len(queries))
            for link in {part.split('"')[0] for part in page.split('href="')[1:]}:
                if link.startswith("/admin/") and "logout" not in link and not pages:
                    assert operator.get(link).status_code == 200, link
        asked.append(counted)
    assert asked[0] == asked[1]
    assert max(asked[0]) < 45


def test_each_alert_says_what_to_do_and_where(operator: Client) -> None:
    world(making.company())
    names = [*health.MOST, *(f"redis_{role}" for role in redis.ROLES), "bank", "ledger"]
    told = alerts({**health.read(), "problems": names})
    assert len(told) == len(names) + 1, "and a proposal, which waits"
    assert all(str(each.words) and each.shown and str(each.do) for each in told)
    assert {operator.get(url).status_code for url in {each.url for each in told}} == {200}
    page = text(operator, "/admin/")
    assert "The books never Choose “Check the books now”." in " ".join(strip_tags(page).split())
    assert "Somebody else than who proposed it approves or refuses it." in page
    assert "Roles of Redis that answer" in page
    assert "Choose “Check the books now”." in text(operator, "/admin/health/")


def test_the_day_is_shown_beside_the_same_hours_last_week(operator: Client) -> None:
    now = timezone.localtime().replace(hour=15, minute=0)
    shop = making.company()
    for at, value in (
        (now - timedelta(hours=1), 10_000),
        (now - timedelta(days=7, hours=1), 4_000),
        (now - timedelta(days=7) + timedelta(hours=1), 900),  # later in the day
        (now - timedelta(days=1), 70),
    ):
        receiving.receive(making.pix(making.charge(shop, value, created_at=at, expires_at=now), paid_at=at))
    making.charge(shop, created_at=now - timedelta(hours=2))
    day, week = today.read(now)
    assert (day.received.value, day.received.count, week.received.value) == (10_000, 1, 4_000)
    assert (day.charges.good, day.charges.all, day.charges.percent) == (1, 2, 50)
    assert day.payments.percent is None


def test_each_sees_what_the_rights_allow_and_the_books_are_checked_on_demand(operator: Client) -> None:
    clerk = User.objects.create_user("clerk@example.com", "x", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_charge"))
    reader = Client(headers={"Accept-Language": "pt-br"})
    reader.force_login(clerk)
    page = text(reader, "/admin/")
    assert "Cobranças pagas" in page
    assert "/admin/payments/receivedpix/" not in page
    assert "/admin/health/" not in page
    assert reader.get("/admin/health/").status_code == 403
    assert reader.post("/admin/health/check-ledger/").status_code == 403
    assert operator.get("/admin/health/check-ledger/").status_code == 403
    assert not OutboxEvent.objects.filter(topic="task:check_ledger").exists()
    assert operator.post("/admin/health/check-ledger/", follow=True).status_code == 200
    assert OutboxEvent.objects.filter(topic="task:check_ledger").count() == 1
    assert Client().get("/admin/health/").status_code == 302


def test_the_pages_speak_portuguese_and_no_number_is_without_its_words(operator: Client) -> None:
    operator.defaults["HTTP_ACCEPT_LANGUAGE"] = "pt-br"
    WebhookDelivery.objects.filter(pk=world(making.company())[WebhookDelivery].pk).update(status="FAILED")
    page = text(operator, "/admin/health/")
    for words in ("Saúde", "Diferenças em relação ao banco", "Webhooks desistidos", "Verificar os livros agora"):
        assert words in page
    page = text(operator, "/admin/")
    assert "/admin/payments/receivedpix/?paid_at" in page
    for words in ("Dinheiro que entrou", "Precisa de um operador agora", "Há uma semana"):
        assert words in page

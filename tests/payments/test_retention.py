"""What is over its period goes, what proves money stays, and a running system does not notice."""

from __future__ import annotations

import io
import json
import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.utils import timezone

from payments import checks
from payments.models import (
    Company,
    LedgerTransaction,
    PixKeyMovement,
    ReceivedPix,
    RetentionMark,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)  # fmt: skip
from payments.services import retention
from payments.services.charges import receiving
from payments.services.webhooks import deliveries
from tests.payments import making
from tests.receiver import serve
from woovi.outbox.models import OutboxEvent
from woovi.queue.periodic import Daily
from woovi.schedule import SCHEDULE

NOW = timezone.now()
OLD, NEW = NOW - timedelta(days=100), NOW - timedelta(days=1)
Status = WebhookDelivery.Status
PEOPLE = {
    "event": "OPENPIX:CHARGE_COMPLETED",
    "charge": {
        "value": 1000,
        "comment": "for Ana's birthday",
        "customer": {"name": "Ana", "taxID": {"taxID": "11144477735"}, "email": "ana@example.com"},
        "payer": {"name": "Bia"},
        "paymentMethods": {"pix": {"additionalInfo": [{"key": "child", "value": "Caio"}]}},
        "splits": [{"value": 1, "pixKey": "+5511987654321", "splitType": "SPLIT_PARTNER"}],
        "subaccount": {"name": "Elisa", "pixKey": "93541134780"},
    },
    "pix": {"endToEndId": "E1", "infoPagador": "kisses", "debitParty": {"holder": {"name": "Bia"}}},
    "payment": {
        "value": 1,
        "destinationAlias": "davi@example.com",
        "holder": {"name": "Davi"},
        "account": {"account": "7654321", "branch": "4321", "accountType": "CACC"},
    },
    "company": {"name": "Loja"},
    "account": {"environment": "TESTING"},
}
NAMES = (
    "Ana", "Bia", "Caio", "kisses", "11144477735", "davi", "Davi",
    "98765432", "Elisa", "93541134780", "7654321", '"4321"',
)  # fmt: skip


@pytest.fixture
def company(db: None) -> Company:
    return making.company()


def event(company: Company, at: datetime, topic: str = "OPENPIX:CHARGE_COMPLETED", **fields: Any) -> OutboxEvent:
    number = OutboxEvent.objects.filter(tenant=company.pk).count() + 1
    fields = {"seq": None if topic[0].islower() else number, "relayed_at": at, "payload": PEOPLE, **fields}
    return OutboxEvent.objects.create(topic=topic, tenant=str(company.pk), created_at=at, **fields)


def delivery(told: OutboxEvent, status: str = Status.DELIVERED) -> WebhookDelivery:
    endpoint = WebhookEndpoint.objects.create(
        company_id=int(told.tenant), name="x", event=told.topic, url="http://127.0.0.1:9/", secret="s"
    )
    made = WebhookDelivery.objects.create(endpoint=endpoint, event=told, status=status, created_at=told.created_at)
    WebhookAttempt.objects.create(delivery=made, number=1, request_body=json.dumps(PEOPLE), response_body="thanks, Ana")
    return made


def personal(told: OutboxEvent) -> bool:
    told.refresh_from_db()
    return any(name in json.dumps(told.payload) for name in NAMES)


def test_people_leave_events_and_the_events_stay(company: Company) -> None:
    old, young = event(company, OLD), event(company, NEW)
    counts = retention.prune(now=NOW)
    assert (counts["events"], personal(old), personal(young)) == (1, False, True)
    assert (old.seq, old.topic) == (1, "OPENPIX:CHARGE_COMPLETED")
    assert old.payload["charge"]["value"] == 1000
    assert old.payload["pix"] == {"endToEndId": "E1"}
    assert old.payload["company"] == {"name": "Loja"}
    assert old.payload["account"] == {"environment": "TESTING"}


def test_old_deliveries_go_with_their_bodies_and_their_events_people_follow(company: Company) -> None:
    told = event(company, OLD)
    gone = delivery(told)
    kept = delivery(event(company, NEW))
    assert retention.prune(now=NOW)["webhook_deliveries"] == 1
    assert list(WebhookDelivery.objects.all()) == [kept]
    assert [attempt.delivery_id for attempt in WebhookAttempt.objects.all()] == [kept.pk]
    assert not personal(told)
    assert gone.pk != kept.pk


@pytest.mark.parametrize("state", ["to be told", "to be carried"])
def test_what_is_not_finished_stays_whole(company: Company, state: str) -> None:
    waits = event(company, OLD, relayed_at=None if state == "to be carried" else OLD)
    if state == "to be told":
        delivery(waits, Status.PENDING)
    after = event(company, OLD)
    assert retention.prune(now=NOW)["events"] == 1
    assert (personal(waits), personal(after)) == (True, False)
    WebhookDelivery.objects.update(status=Status.DELIVERED)
    OutboxEvent.objects.update(relayed_at=OLD)
    assert retention.prune(now=NOW)["events"] == 1, "the next night it is looked at again"
    assert not personal(waits)


def test_instructions_go_and_their_addresses_with_them(company: Company) -> None:
    event(company, OLD, "task:mail_new_device", payload={"user_id": 1, "address": "203.0.113.9"})
    fresh = event(company, NEW, "task:send_refund")
    due = event(company, OLD, "task:send_refund", relayed_at=None)
    told = event(company, OLD, "refund.requested", seq=9)
    assert retention.prune(now=NOW)["instructions"] == 1
    assert set(OutboxEvent.objects.all()) == {fresh, due, told}


def test_what_was_done_is_not_walked_over_again(company: Company) -> None:
    for _ in range(3):
        event(company, OLD)
    last = event(company, OLD)
    retention.prune(now=NOW)
    assert RetentionMark.objects.get().upto == last.pk
    assert retention.prune(now=NOW)["events"] == 0
    RetentionMark.objects.update(upto=last.pk + 100)
    event(company, OLD)
    retention.prune(now=NOW)
    assert RetentionMark.objects.get().upto == last.pk + 100, "a mark is never set back"


def test_it_goes_in_batches_and_may_be_stopped_between_them(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    for _ in range(5):
        delivery(event(company, OLD))
    assert retention.prune(now=NOW, seconds=0) == dict.fromkeys(retention.prune(now=NOW, seconds=0), 0)
    counts = retention.prune(now=NOW)
    assert (counts["webhook_deliveries"], counts["events"]) == (5, 5)


def test_looked_up_keys_and_ended_sessions_go(company: Company) -> None:
    fields = {
        "company": company,
        "operation": "REMOVE",
        "reason": "DICT_LOOKUP",
        "tokens": 1,
        "tokens_before": 5,
        "tokens_after": 4,
    }
    old, new = (PixKeyMovement.objects.create(**fields, pix_key="ana@example.com", created_at=at) for at in (OLD, NEW))
    Session.objects.create(session_key="a", session_data="", expire_date=NOW - timedelta(seconds=1))
    Session.objects.create(session_key="b", session_data="", expire_date=NOW + timedelta(days=1))
    counts = retention.prune(now=NOW)
    assert (counts["pix_keys"], counts["sessions"]) == (1, 1)
    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.pix_key, old.tokens, new.pix_key) == ("", 1, "ana@example.com")
    assert [session.session_key for session in Session.objects.all()] == ["b"]


def test_the_ledger_and_received_pix_stay(company: Company) -> None:
    charge = making.charge(company)
    receiving.receive(making.pix(charge, payer_name="Ana", payer_tax_id=making.ANA))
    booked, far = LedgerTransaction.objects.count(), NOW + timedelta(days=5_000)
    OutboxEvent.objects.update(relayed_at=NOW)
    assert retention.prune(now=far)["events"]
    assert LedgerTransaction.objects.count() == booked > 0
    assert ReceivedPix.objects.get().payer_name == "Ana"
    assert not [finding for finding in checks.run() if finding.count]


def test_the_command_counts_first_and_speaks_json(company: Company) -> None:
    told = event(company, OLD)
    delivery(event(company, OLD))

    def run(*options: str) -> dict[str, Any]:
        out = io.StringIO()
        call_command("prune", "--json", *options, stdout=out)
        return dict(json.loads(out.getvalue()))

    dry = run("--dry-run")
    assert dry["dry_run"]
    assert dry["webhook_deliveries"] == 1
    assert personal(told)
    assert not RetentionMark.objects.exists()
    wet = run()
    assert not wet["dry_run"]
    assert (wet["webhook_deliveries"], wet["events"]) == (1, 2)
    out = io.StringIO()
    call_command("prune", stdout=out)
    assert "0 webhook deliveries gone" in out.getvalue()


def test_it_runs_every_night() -> None:
    assert isinstance(SCHEDULE["prune"], Daily)


@pytest.mark.django_db(transaction=True)
def test_what_somebody_works_on_is_neither_waited_for_nor_deleted() -> None:
    company = making.company()
    held, free = delivery(event(company, OLD)), delivery(event(company, OLD))
    locked, done = threading.Event(), threading.Event()

    def operator() -> None:
        try:
            with transaction.atomic():
                WebhookDelivery.objects.select_for_update().get(pk=held.pk)
                locked.set()
                done.wait(20)
        finally:
            connections.close_all()

    other = threading.Thread(target=operator)
    other.start()
    assert locked.wait(20)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
        assert retention.prune(now=NOW)["webhook_deliveries"] == 1
    finally:
        done.set()
        other.join(20)
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")
    assert list(WebhookDelivery.objects.all()) == [held]
    assert free.pk != held.pk
    assert retention.prune(now=NOW)["webhook_deliveries"] == 1


@pytest.mark.django_db
def test_every_try_sends_the_same_body_and_the_first_keeps_it(company: Company) -> None:
    with serve() as receiver:
        receiver.answers = [500]
        endpoint = WebhookEndpoint.objects.create(
            company=company, name="x", event="OPENPIX:CHARGE_COMPLETED", url=receiver.url, secret="s"
        )
        made = WebhookDelivery.objects.create(endpoint=endpoint, event=event(company, NEW))
        now = timezone.now()
        deliveries.deliver(made.pk, 0, now)
        deliveries.deliver(made.pk, 1, now + timedelta(minutes=1))
    assert receiver.got[0].body == receiver.got[1].body
    kept = WebhookAttempt.objects.filter(delivery=made).order_by("number").values_list("request_body", flat=True)
    assert list(kept) == [receiver.got[0].body.decode(), ""]

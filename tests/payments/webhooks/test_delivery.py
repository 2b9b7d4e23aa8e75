"""A delivery, from the event to the merchant's answer. Time is given, not waited for."""

from __future__ import annotations

import contextlib
import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from payments.models import Company, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from payments.services import companies, webhooks
from payments.services.errors import Invalid
from payments.services.webhooks import breaker, deliveries
from payments.services.webhooks.deliveries import deliver, fan_out, resend, sweep
from payments.services.webhooks.signing import hmac_signature
from tests.processes import a_session_waits_for_a_lock, wait_until
from tests.receiver import Receiver
from woovi import celery, outbox
from woovi.outbox.models import OutboxEvent
from woovi.queue.models import PeriodicJob

pytestmark = pytest.mark.django_db(transaction=True)

EVENT = "OPENPIX:CHARGE_CREATED"
Status = WebhookDelivery.Status


@pytest.fixture
def endpoint(company: Company, receiver: Receiver) -> WebhookEndpoint:
    return WebhookEndpoint.objects.create(
        company=company, name="a", event=EVENT, url=receiver.url, authorization="Basic x", secret="s"
    )


class Hints:
    """What the queue holds; taking it empties it."""

    def take(self) -> set[tuple[int, int]]:
        told = set()
        with celery.app.connection_for_read() as broker, broker.SimpleQueue("webhooks") as queue:
            while True:
                try:
                    message = queue.get_nowait()
                except queue.Empty:
                    return told
                kwargs = message.payload[1]
                told.add((kwargs["delivery_id"], kwargs["after"]))
                message.ack()


@pytest.fixture(autouse=True)
def hints() -> Hints:
    queue = Hints()
    queue.take()
    return queue


def event(company: Company, topic: str = EVENT, payload: dict[str, Any] | None = None) -> OutboxEvent:
    with transaction.atomic():
        return outbox.write(topic, str(company.pk), payload or {"event": topic, "charge": {"b": 1, "a": "ção"}})


def delivery_of(event: OutboxEvent) -> WebhookDelivery:
    return WebhookDelivery.objects.get(event=event)


def test_fans_out_once_to_the_active_endpoints_that_want_it(
    company: Company, endpoint: WebhookEndpoint, hints: Hints
) -> None:
    other = companies.onboard(official_name="B", trade_name="B", tax_id="2" * 14, pix_key="b@example.com")
    rows = {"name": "x", "url": endpoint.url, "secret": "s"}
    second = WebhookEndpoint.objects.create(company=company, event=EVENT, **rows)
    WebhookEndpoint.objects.create(company=company, event=EVENT, is_active=False, **rows)
    WebhookEndpoint.objects.create(company=company, event="OPENPIX:CHARGE_EXPIRED", **rows)
    WebhookEndpoint.objects.create(company=other, event=EVENT, **rows)
    made = event(company)
    fan_out([made])
    fan_out([made])  # the relay died before it marked the event
    assert set(WebhookDelivery.objects.values_list("endpoint", "event")) == {
        (endpoint.pk, made.pk),
        (second.pk, made.pk),
    }
    assert hints.take() == {(d.pk, 0) for d in WebhookDelivery.objects.all()}


def test_carries_the_event_signed_and_records_the_try(
    company: Company, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    made = event(company)
    fan_out([made])
    assert deliver(delivery_of(made).pk, 0) == Status.DELIVERED
    [got] = receiver.got
    assert json.loads(got.body) == made.payload
    assert "ção" in got.body.decode()
    assert got.headers["x-webhook-event-id"] == str(made.event_id)
    assert got.headers["authorization"] == "Basic x"
    assert got.headers["x-openpix-signature"] == hmac_signature("s", got.body)
    attempt = WebhookAttempt.objects.get()
    assert (attempt.number, attempt.status_code, attempt.error) == (1, 200, "")
    assert attempt.request_body.encode() == got.body
    assert attempt.response_body == "th\ufffdx!"
    assert attempt.milliseconds is not None
    assert deliver(delivery_of(made).pk, 1) is None, "delivered is final"


def test_a_refund_is_told_under_its_older_name_to_who_registered_that(company: Company, receiver: Receiver) -> None:
    rows = {"company": company, "name": "x", "url": receiver.url, "secret": "s"}
    names = ("OPENPIX:TRANSACTION_REFUND_RECEIVED", "PIX_TRANSACTION_REFUND_SENT_CONFIRMED")
    for name in names:
        WebhookEndpoint.objects.create(event=name, **rows)
    told = {"event": names[1], "originalTransaction": {"charge": {"correlationID": "1"}}}
    made = event(company, f"OPENPIX:{names[1]}", told)
    fan_out([made])
    for due in WebhookDelivery.objects.order_by("endpoint"):
        assert deliver(due.pk, 0) == Status.DELIVERED
    older, newer = [json.loads(got.body) for got in receiver.got]
    assert newer == told
    assert older == {**told, "event": names[0], "pix": told["originalTransaction"], "charge": {"correlationID": "1"}}


def test_tries_eight_times_with_growing_waits_and_the_same_bytes(
    company: Company, endpoint: WebhookEndpoint, receiver: Receiver, settings: Any
) -> None:
    settings.WEBHOOK_TIMEOUT = 0.3
    receiver.answers = [500, receiver.hang, receiver.reset, 404, 429, 301, 503, 500, 200]
    made = event(company)
    fan_out([made])
    delivery, now = delivery_of(made), datetime.now(UTC)
    for failures in range(1, 9):
        state = deliver(delivery.pk, failures - 1, now)
        delivery.refresh_from_db()
        assert delivery.attempts == failures
        if failures < 8:
            assert state == Status.PENDING
            assert delivery.next_attempt_at - now == timedelta(seconds=10 * 2 ** (failures - 1))
            early = delivery.next_attempt_at - timedelta(seconds=1)
            assert deliver(delivery.pk, failures, early) is None
            now = delivery.next_attempt_at
    assert delivery.status == Status.FAILED
    assert deliver(delivery.pk, 8, now + timedelta(days=1)) is None
    assert len({(got.body, got.headers["x-webhook-event-id"]) for got in receiver.got}) == 1
    tries = list(WebhookAttempt.objects.order_by("number").values_list("status_code", "error"))
    assert [code for code, _ in tries] == [500, None, None, 404, 429, 301, 503, 500]
    assert "ReadTimeout" in tries[1][1]
    assert tries[2][1]

    resend(delivery, now)
    assert deliver(delivery.pk, 8, now) == Status.DELIVERED
    WebhookEndpoint.objects.update(is_active=False)
    deleted = WebhookDelivery.objects.get()
    with pytest.raises(Invalid):
        resend(deleted, now)


def test_of_two_claims_at_the_same_moment_one_wins(company: Company, endpoint: WebhookEndpoint) -> None:
    made = event(company)
    fan_out([made])
    pk, now = delivery_of(made).pk, datetime.now(UTC)
    second: list[object] = []

    def rival() -> None:
        try:
            second.append(deliveries._begin(pk, 0, now))
        finally:
            connection.close()

    thread = threading.Thread(target=rival)
    with transaction.atomic():
        assert deliveries._begin(pk, 0, now)
        thread.start()
        wait_until(a_session_waits_for_a_lock)
    thread.join()
    assert second == [None]


def test_a_deleted_endpoint_is_not_called(company: Company, endpoint: WebhookEndpoint, receiver: Receiver) -> None:
    made = event(company)
    fan_out([made])
    WebhookEndpoint.objects.update(is_active=False)
    assert deliver(delivery_of(made).pk, 0) is None
    assert delivery_of(made).status == Status.FAILED
    assert not receiver.got


def test_a_delivery_that_a_deletion_overlooked_ends_though_its_hint_is_lost(
    company: Company, endpoint: WebhookEndpoint, hints: Hints, receiver: Receiver
) -> None:
    made = event(company)
    webhooks.delete(company, endpoint.public_id)
    # Made by a fan-out that had read the endpoint while it was active.
    late = WebhookDelivery.objects.create(endpoint=endpoint, event=made)
    now = datetime.now(UTC)
    job = PeriodicJob.objects.create(name="sweep_webhooks", due_at=now)
    assert sweep(now=now) == 1
    [hint] = hints.take()
    assert hint == (late.pk, 0)
    job.refresh_from_db()
    assert job.requeued == 0, "nobody had hinted it"
    assert deliver(*hint, now) is None
    assert delivery_of(made).status == Status.FAILED
    assert sweep(now=now + timedelta(days=1)) == 0
    assert not receiver.got


def two_hints(receiver: Receiver, delivery: WebhookDelivery) -> int:
    """Two workers get the same hint; the second while the merchant still answers the first. Returns the calls."""
    receiver.answers = [receiver.hang]

    def worker() -> None:
        try:
            deliver(delivery.pk, 0)
        finally:
            connection.close()

    first = threading.Thread(target=worker)
    first.start()
    wait_until(lambda: receiver.got)
    deliver(delivery.pk, 0)
    calls = len(receiver.got)
    receiver.release.set()
    first.join()
    return calls


def test_of_doubled_hints_one_calls(company: Company, endpoint: WebhookEndpoint, receiver: Receiver) -> None:
    made = event(company)
    fan_out([made])
    assert two_hints(receiver, delivery_of(made)) == 1


def test_without_the_claim_both_would_call(
    company: Company, endpoint: WebhookEndpoint, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = event(company)
    fan_out([made])

    def begin(delivery_id: int, after: int, now: datetime) -> tuple[WebhookAttempt, breaker.Entry]:
        number = WebhookAttempt.objects.count() + 1
        delivery = WebhookDelivery.objects.select_related("endpoint", "event").get(pk=delivery_id)
        attempt = WebhookAttempt.objects.create(delivery=delivery, number=number, request_body="{}")
        return attempt, breaker.Entry.PLAIN

    monkeypatch.setattr(deliveries, "_begin", begin)
    assert two_hints(receiver, delivery_of(made)) == 2


def test_a_try_whose_worker_died_is_hinted_again_when_its_lease_ends(
    company: Company, endpoint: WebhookEndpoint, receiver: Receiver, hints: Hints, settings: Any
) -> None:
    made = event(company)
    fan_out([made])
    delivery, now = delivery_of(made), datetime.now(UTC)
    deliveries._begin(delivery.pk, 0, now)  # and the worker dies here
    hints.take()
    assert sweep(now=now + timedelta(seconds=settings.WEBHOOK_TIMEOUT)) == 0, "it may still be at work"
    later = now + timedelta(seconds=settings.WEBHOOK_TIMEOUT + 21)
    job = PeriodicJob.objects.create(name="sweep_webhooks", due_at=now)
    assert sweep(now=later) == 1
    job.refresh_from_db()
    assert (job.requeued, job.requeued_at) == (1, later)
    WebhookEndpoint.objects.update(failures=4)
    assert sweep(now=later + timedelta(minutes=1)) == 1
    WebhookEndpoint.objects.update(failures=0)
    job.refresh_from_db()
    assert job.requeued == 1, "hints of an endpoint that fails are dropped, not lost"
    assert hints.take() == {(delivery.pk, 1)}
    assert sweep(now=later) == 0, "hinted once a while"
    assert deliver(delivery.pk, 1, later) == Status.DELIVERED
    assert receiver.got[0].headers["x-webhook-event-id"] == str(made.event_id)
    assert list(WebhookAttempt.objects.order_by("number").values_list("status_code", flat=True)) == [None, 200]


def test_a_late_success_counts_and_a_late_failure_does_not(
    company: Company, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    made = event(company)
    fan_out([made])
    delivery, now = delivery_of(made), datetime.now(UTC)
    slow = deliveries._begin(delivery.pk, 0, now)
    taken = deliveries._begin(delivery.pk, 1, now)
    assert slow
    assert taken
    failure = deliveries.outgoing.Answer(500, "", "", 1)
    deliveries._finish(slow[0], failure, now)
    delivery.refresh_from_db()
    assert delivery.leased_until, "the other try's lease stands"
    deliveries._finish(slow[0], deliveries.outgoing.Answer(200, "", "", 1), now)
    deliveries._finish(taken[0], failure, now)
    delivery.refresh_from_db()
    assert delivery.status == Status.DELIVERED


def test_a_hint_that_cannot_be_given_is_left_to_the_sweep(
    company: Company, endpoint: WebhookEndpoint, hints: Hints, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(messages: Any) -> None:
        raise outbox.Unavailable("gone")

    made = event(company)
    with monkeypatch.context() as broker:
        broker.setattr(deliveries.queue, "send", away)
        fan_out([made])
    assert sweep() == 1
    assert hints.take() == {(delivery_of(made).pk, 0)}


def test_keeps_the_start_of_an_endless_answer(company: Company, endpoint: WebhookEndpoint, receiver: Receiver) -> None:
    def flood(handler: Any) -> None:
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):  # the other side hangs up
            while True:
                handler.wfile.write(b"x" * 65536)

    receiver.answers = [flood]
    made = event(company)
    fan_out([made])
    assert deliver(delivery_of(made).pk, 0) == Status.DELIVERED
    assert len(WebhookAttempt.objects.get().response_body) == 65_536


@pytest.mark.parametrize("fair", [True, False], ids=["by turns", "by age alone"])
def test_a_company_with_thousands_due_delays_nobodys_one(
    endpoint: WebhookEndpoint, hints: Hints, monkeypatch: pytest.MonkeyPatch, fair: bool
) -> None:
    if not fair:  # the negative control
        monkeypatch.setattr(deliveries, "FAIR", ("next_attempt_at",))
    other = companies.onboard(official_name="B", trade_name="B", tax_id="2" * 14, pix_key="b@example.com")
    quiet = WebhookEndpoint.objects.create(company=other, name="b", event=EVENT, url=endpoint.url, secret="s")
    now = datetime.now(UTC)
    with transaction.atomic():
        written = outbox.write_many((EVENT, str(endpoint.company_id), {"n": n}) for n in range(3_000))
    WebhookDelivery.objects.bulk_create(
        WebhookDelivery(endpoint=endpoint, event=each, next_attempt_at=now - timedelta(hours=1)) for each in written
    )
    mine = WebhookDelivery.objects.create(endpoint=quiet, event=event(other), next_attempt_at=now)
    assert sweep(now=now) == 500
    assert ((mine.pk, 0) in hints.take()) is fair

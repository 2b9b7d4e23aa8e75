"""A merchant that hangs holds a few workers, and its other deliveries are made by them afterwards."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from payments.models import Company, WebhookDelivery, WebhookEndpoint
from payments.services import companies
from payments.services.webhooks import breaker, worker
from payments.services.webhooks.deliveries import fan_out
from tests.processes import wait_until
from tests.receiver import Receiver, serve
from woovi import celery, outbox

pytestmark = pytest.mark.django_db(transaction=True)

EVENT = "OPENPIX:CHARGE_CREATED"


class Workers:
    """Workers of one process, each with a hint of another delivery of a company whose endpoints hang."""

    def __init__(self, company: Company, receiver: Receiver, endpoints: int = 1, events: int = 10) -> None:
        rows = {"company": company, "name": "a", "event": EVENT, "url": receiver.url, "secret": "s"}
        WebhookEndpoint.objects.bulk_create(WebhookEndpoint(**rows) for _ in range(endpoints))
        with transaction.atomic():
            written = outbox.write_many((EVENT, str(company.pk), {"n": n}) for n in range(events))
        fan_out(written)
        hints = WebhookDelivery.objects.values_list("pk", "attempts", "endpoint_id")
        self.threads = [threading.Thread(target=self.work, args=hint) for hint in hints]
        receiver.answers = [receiver.hang] * endpoints * events
        for thread in self.threads:
            thread.start()

    @staticmethod
    def work(*hint: int) -> None:
        try:
            worker.work(*hint)
        finally:
            connection.close()

    def busy(self) -> int:
        return sum(thread.is_alive() for thread in self.threads)


def test_a_hanging_endpoint_holds_a_few_workers(
    company: Company, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "FAILURES", 100)  # it would be paused after the four
    workers = Workers(company, receiver)
    wait_until(lambda: len(receiver.got) == 4 == workers.busy())
    receiver.answers = []
    receiver.release.set()
    wait_until(lambda: not workers.busy())
    assert len(receiver.got) == 10, "the four went on with the others' deliveries"
    # The four that hung were answered by a closed connection and wait for their next try.
    assert WebhookDelivery.objects.filter(status="DELIVERED").count() == 6
    assert set(WebhookDelivery.objects.values_list("attempts", flat=True)) == {1}


def test_a_company_that_hangs_everywhere_holds_a_quarter_of_the_workers(company: Company, receiver: Receiver) -> None:
    workers = Workers(company, receiver, endpoints=9, events=2)
    wait_until(lambda: len(receiver.got) == 8 == workers.busy())
    other = companies.onboard(official_name="B", trade_name="B", tax_id="2" * 14, pix_key="b@example.com")
    with serve() as healthy:
        WebhookEndpoint.objects.create(company=other, name="b", event=EVENT, url=healthy.url, secret="s")
        with transaction.atomic():
            event = outbox.write(EVENT, str(other.pk), {})
        fan_out([event])
        worker.work(*WebhookDelivery.objects.values_list("pk", "attempts", "endpoint_id").get(event=event))
        assert len(healthy.got) == 1
    receiver.answers = []
    receiver.release.set()
    wait_until(lambda: not workers.busy())
    assert len(receiver.got) == 18, "the eight went on with what the company's other endpoints are owed"


def test_without_the_bound_it_would_hold_all(
    company: Company, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "ENDPOINT_AT_ONCE", 100)
    monkeypatch.setattr(worker, "_company_at_once", lambda: 100)
    workers = Workers(company, receiver)
    wait_until(lambda: len(receiver.got) == 10 == workers.busy())
    receiver.release.set()
    wait_until(lambda: not workers.busy())


@pytest.mark.parametrize(("threads", "share"), [(32, 8), (4, 1), (1, 1)])
def test_a_companys_share_is_of_the_threads_that_the_worker_has(
    monkeypatch: pytest.MonkeyPatch, threads: int, share: int
) -> None:
    monkeypatch.setitem(celery.app.conf.changes, "worker_concurrency", threads)
    assert worker._company_at_once() == share

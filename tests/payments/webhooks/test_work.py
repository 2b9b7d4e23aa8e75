"""A merchant that hangs holds a few workers, and its other deliveries are made by them afterwards."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from payments.models import Company, WebhookDelivery, WebhookEndpoint
from payments.services import webhook_work
from payments.services.webhook_delivery import fan_out
from tests.processes import wait_until
from tests.receiver import Receiver
from woovi import outbox

pytestmark = pytest.mark.django_db(transaction=True)

EVENT = "OPENPIX:CHARGE_CREATED"


class Workers:
    """Ten workers of one process, each with a hint of another delivery of one hanging endpoint."""

    def __init__(self, company: Company, receiver: Receiver) -> None:
        WebhookEndpoint.objects.create(company=company, name="a", event=EVENT, url=receiver.url, secret="s")
        with transaction.atomic():
            events = outbox.write_many((EVENT, str(company.pk), {"n": n}) for n in range(10))
        fan_out(events)
        hints = WebhookDelivery.objects.values_list("pk", "attempts", "endpoint_id")
        self.threads = [threading.Thread(target=self.work, args=hint) for hint in hints]
        receiver.answers = [receiver.hang] * 10
        for thread in self.threads:
            thread.start()

    @staticmethod
    def work(*hint: int) -> None:
        try:
            webhook_work.work(*hint)
        finally:
            connection.close()

    def busy(self) -> int:
        return sum(thread.is_alive() for thread in self.threads)


def test_a_hanging_endpoint_holds_a_few_workers(company: Company, receiver: Receiver) -> None:
    workers = Workers(company, receiver)
    wait_until(lambda: len(receiver.got) == 4 == workers.busy())
    receiver.answers = []
    receiver.release.set()
    wait_until(lambda: not workers.busy())
    assert len(receiver.got) == 10, "the four went on with the others' deliveries"
    # The four that hung were answered by a closed connection and wait for their next try.
    assert WebhookDelivery.objects.filter(status="DELIVERED").count() == 6
    assert set(WebhookDelivery.objects.values_list("attempts", flat=True)) == {1}


def test_without_the_bound_it_would_hold_all(
    company: Company, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_work, "AT_ONCE", 100)
    workers = Workers(company, receiver)
    wait_until(lambda: len(receiver.got) == 10 == workers.busy())
    receiver.release.set()
    wait_until(lambda: not workers.busy())

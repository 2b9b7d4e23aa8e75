"""What Prometheus reads about work that waits or is in doubt."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from payments.models import Payment, PayoutBatch, PayoutChunk, User
from payments.selectors import work
from payments.services import payments
from payments.services.charges import receiving
from payments.services.payments import PaymentOrder
from tests.payments import making
from woovi.queue.models import PeriodicJob

pytestmark = pytest.mark.django_db


def test_figures_of_what_is_open() -> None:
    assert set(work.read()) == set(work.FIGURES)
    shop = making.company()
    receiving.receive(making.pix(pix_key=shop.pix_key, value=10_000))
    payments.create(shop, PaymentOrder("a", 100, pix_key="ana@exemplo.com"))
    payments.approve(shop, "a")
    Payment.objects.update(unknown_since=timezone.now())
    seen = work.read(timezone.now() + timedelta(seconds=100))
    assert (seen["payments_open"], seen["payments_unknown"]) == (1, 1)
    assert 100 <= seen["payments_oldest_seconds"] < 130
    assert seen["outbox_waiting"] >= 2
    assert seen["outbox_oldest_seconds"] >= 100


def test_figures_of_batches_that_wait_and_of_workers_that_died() -> None:
    shop, now = making.company(), timezone.now()
    maker = User.objects.create_user("maker@example.com", company=shop)
    batch = PayoutBatch.objects.create(
        company=shop, maker=maker, status="RUNNING", approved_at=now - timedelta(hours=1)
    )
    chunk = PayoutChunk.objects.create(batch=batch, number=1, first_line=2, last_line=3, attempts=3)
    seen = work.read(now)
    assert (seen["chunks_waiting"], seen["chunks_in_doubt"], seen["chunks_taken_over"]) == (1, 1, 2)
    assert seen["chunks_oldest_seconds"] == 3600
    batch.served_at = now - timedelta(seconds=5)
    batch.save()
    assert work.read(now)["chunks_oldest_seconds"] == 5
    PayoutChunk.objects.filter(pk=chunk.pk).update(leased_until=now + timedelta(seconds=9))
    assert work.read(now)["chunks_oldest_seconds"] == 0


def test_a_large_number_is_exact_and_what_only_grows_is_a_counter(settings: Any) -> None:
    settings.METRICS_TOKEN = "a-token"
    PeriodicJob.objects.create(name="sweep_webhooks", due_at=timezone.now(), requeued=12_345_678)
    told = Client().get("/metrics/work", headers={"Authorization": "Bearer a-token"}).content.decode()
    assert "# TYPE woovi_requeued_total counter\nwoovi_requeued_total 12345678\n" in told
    assert "# TYPE woovi_payments_open gauge\n" in told


def test_only_who_has_the_token_reads_them(settings: Any) -> None:
    assert Client().get("/metrics/work").status_code == 404
    settings.METRICS_TOKEN = "a-token"
    assert Client().get("/metrics/work", headers={"Authorization": "Bearer other"}).status_code == 404
    answer = Client().get("/metrics/work", headers={"Authorization": "Bearer a-token"})
    assert answer.status_code == 200
    assert "woovi_payments_open 0\n" in answer.content.decode()

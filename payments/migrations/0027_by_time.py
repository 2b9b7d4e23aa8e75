"""Indexes by time for operators' figures of a day, made beside a running system. BRIN: a few pages, next to free to write."""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("payments", "0026_qr_code_label")]

    operations = [
        AddIndexConcurrently("charge", BrinIndex(fields=["created_at"], name="charge_by_time")),
        AddIndexConcurrently("receivedpix", BrinIndex(fields=["paid_at"], name="received_by_time")),
        AddIndexConcurrently("refund", BrinIndex(fields=["resolved_at"], name="refund_by_time")),
        AddIndexConcurrently("payment", BrinIndex(fields=["resolved_at"], name="payment_by_time")),
        AddIndexConcurrently("webhookdelivery", BrinIndex(fields=["created_at"], name="webhook_by_time")),
        AddIndexConcurrently(
            "refund",
            models.Index(fields=["id"], name="refund_contradicted", condition=Q(contradicted_at__isnull=False)),
        ),
    ]

"""Indexes for the operators' search over everything, made beside a running system."""

from __future__ import annotations

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import Q

BEGINNING = {"opclasses": ["varchar_pattern_ops"]}


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("payments", "0031_webhook_deliveries")]

    operations = [
        AddIndexConcurrently("charge", models.Index(fields=["correlation_id"], name="charge_by_id", **BEGINNING)),
        AddIndexConcurrently("refund", models.Index(fields=["correlation_id"], name="refund_by_id", **BEGINNING)),
        AddIndexConcurrently("refund", models.Index(fields=["end_to_end_id"], name="refund_by_bank_id", **BEGINNING)),
        AddIndexConcurrently("customer", models.Index(fields=["correlation_id"], name="customer_by_id", **BEGINNING)),
        AddIndexConcurrently("customer", models.Index(fields=["tax_id"], name="customer_by_tax_id")),
        AddIndexConcurrently("customer", models.Index(fields=["email"], name="customer_by_email")),
        AddIndexConcurrently(
            "bankdifference", models.Index(fields=["end_to_end_id"], name="bank_difference_by_id", **BEGINNING)
        ),
        AddIndexConcurrently(
            "receivedpix",
            models.Index(fields=["payer_tax_id"], name="received_by_payer", condition=~Q(payer_tax_id="")),
        ),
        # One for the beginning of an id in place of one for whole ids, which it serves too.
        AddIndexConcurrently("payment", models.Index(fields=["end_to_end_id"], name="payment_by_bank_id", **BEGINNING)),
        RemoveIndexConcurrently("payment", "payment_by_end_to_end_id"),
    ]

"""Indexes for the list of a company's transactions, newest first, built while money moves."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

LISTED = [
    "transfer", "split_transfer", "split_partner", "transfer_in", "split_transfer_in", "split_partner_in",
    "payment_hold", "refund_hold", "payout_hold", "payment_void", "refund_void", "payout_void",
]  # fmt: skip


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("payments", "0051_phone")]

    operations = [
        AddIndexConcurrently("refund", models.Index(fields=["company", "-created_at"], name="refund_by_company")),
        AddIndexConcurrently("payment", models.Index(fields=["company", "-created_at"], name="payment_by_company")),
        AddIndexConcurrently(
            "ledgertransaction",
            models.Index(
                condition=models.Q(("kind__in", LISTED)), fields=["company", "-created_at"], name="ledger_by_company"
            ),
        ),
    ]

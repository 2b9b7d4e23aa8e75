"""Returns that the bank makes by itself, what a company owes for one, and which accounts may go negative."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Q


def transaction() -> models.OneToOneField:
    return models.OneToOneField(
        "payments.LedgerTransaction", null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+"
    )


class Migration(migrations.Migration):
    dependencies = [("payments", "0006_caches")]

    operations = [
        migrations.AlterField(
            "account",
            "kind",
            models.CharField(
                choices=[
                    ("MERCHANT", "merchant's money"),
                    ("CLEARING", "money at the bank (negative: the bank owes)"),
                    ("FEES", "the platform's fees"),
                    ("SUSPENSE", "received, waiting to be returned"),
                    ("RECEIVABLE", "owed by the company (negative)"),
                ],
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            "account",
            models.CheckConstraint(
                name="account_negative_by_kind",
                condition=Q(may_go_negative=False) | Q(kind__in=["CLEARING", "RECEIVABLE"]),
            ),
        ),
        migrations.AddConstraint(
            "account",
            models.CheckConstraint(
                name="account_receivable_is_debt", condition=~Q(kind="RECEIVABLE") | Q(posted__lte=0)
            ),
        ),
        migrations.AddIndex(
            "account",
            models.Index(fields=["company"], name="account_receivable", condition=Q(kind="RECEIVABLE")),
        ),
        migrations.AddField("charge", "returned_by_bank", models.BigIntegerField(default=0, db_default=0)),
        migrations.RemoveConstraint("charge", "charge_refund_range"),
        migrations.AddConstraint(
            "charge",
            models.CheckConstraint(
                name="charge_refund_range",
                condition=Q(refunded__gte=0) & Q(refunded__lte=F("value") + F("returned_by_bank")),
            ),
        ),
        migrations.AddField("refund", "by_bank", models.BooleanField(default=False, db_default=False)),
        migrations.AddField("refund", "debit", transaction()),
        migrations.AddField("refund", "correction", transaction()),
        migrations.AlterField("refund", "hold", transaction()),
        migrations.AlterField("refund", "return_id", models.CharField(db_index=True, max_length=35)),
        migrations.AddConstraint(
            "refund",
            models.UniqueConstraint(fields=["received", "return_id"], name="refund_return_id_once"),
        ),
        migrations.AddConstraint(
            "refund",
            models.CheckConstraint(
                name="refund_holds_or_is_the_banks", condition=Q(by_bank=True) | Q(hold__isnull=False)
            ),
        ),
    ]

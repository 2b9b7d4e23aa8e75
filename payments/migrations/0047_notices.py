"""When a person last read the notices, since when a webhook fails, and indexes for both of the rarer notices."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # the tables may be large: they are indexed while payments go on
    dependencies = [("payments", "0046_refund_maker")]

    operations = [
        migrations.AddField("user", "notices_read_at", models.DateTimeField(editable=False, null=True)),
        migrations.AddField("webhookendpoint", "failing_since", models.DateTimeField(editable=False, null=True)),
        AddIndexConcurrently(
            "refund",
            models.Index(
                condition=models.Q(("automatic", False), ("resolved_at__isnull", False)),
                fields=["company", "status", "-resolved_at"],
                name="refunds_ended",
            ),
        ),
        AddIndexConcurrently(
            "payment",
            models.Index(
                condition=models.Q(("batch", None), ("status", "FAILED")),
                fields=["company", "-resolved_at"],
                name="payments_failed",
            ),
        ),
    ]

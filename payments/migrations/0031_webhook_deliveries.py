"""Indexes for the pages of a webhook's deliveries, built while deliveries go on."""

import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("payments", "0030_charge_splits")]

    operations = [
        AddIndexConcurrently("webhookdelivery", models.Index(fields=["endpoint", "id"], name="webhook_deliveries")),
        AddIndexConcurrently(
            "webhookdelivery",
            models.Index(
                fields=["endpoint", "status"],
                name="webhook_unfinished",
                condition=models.Q(("status", "DELIVERED"), _negated=True),
            ),
        ),
        migrations.AlterField(
            "webhookdelivery",
            "endpoint",
            models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="deliveries",
                to="payments.webhookendpoint",
            ),
        ),
    ]

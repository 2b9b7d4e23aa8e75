"""Find a row of a batch by its reference."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0013_customers")]

    operations = [
        migrations.AddIndex(
            model_name="payoutrow", index=models.Index(fields=["batch", "reference"], name="payout_reference")
        )
    ]

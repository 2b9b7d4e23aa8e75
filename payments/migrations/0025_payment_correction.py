"""The posting with which an operator corrected a payment."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0024_transfer_limits"),
    ]

    operations = [
        migrations.AddField(
            "payment",
            "correction",
            models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="payments.ledgertransaction",
            ),
        ),
    ]

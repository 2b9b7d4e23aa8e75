"""How much a company may send, and how much it has sent in each period (filled by `transfer_periods`)."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0023_refund_sent_at"),
    ]

    operations = [
        migrations.AddField("company", "payment_limit", models.BigIntegerField(blank=True, null=True)),
        migrations.AddField("company", "day_limit", models.BigIntegerField(blank=True, null=True)),
        migrations.AddField("company", "night_limit", models.BigIntegerField(blank=True, null=True)),
        migrations.AddField("payoutbatch", "round_began_at", models.DateTimeField(null=True)),
        migrations.CreateModel(
            name="TransferPeriod",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("starts_at", models.DateTimeField()),
                ("used", models.BigIntegerField(default=0)),
                (
                    "company",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payments.company",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("company", "starts_at"), name="transfer_period_once")],
            },
        ),
    ]

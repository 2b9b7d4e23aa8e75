"""How much a company may send. Natural persons get the Central Bank's limit by night; the period of now is counted."""

import django.db.models.deletion
from django.db import migrations, models

FILL = """
UPDATE payments_company SET night_limit = 100000 WHERE length(tax_id) = 11;
UPDATE payments_payoutbatch SET round_began_at = approved_at WHERE reserved > 0;
INSERT INTO payments_transferperiod (company_id, starts_at, used)
SELECT company_id, starts_at, sum(value)
FROM (
    SELECT company_id, value, (date_trunc('day', at) + CASE WHEN at::time < '14:00' THEN interval '6 hours'
        ELSE interval '20 hours' END) AT TIME ZONE 'America/Sao_Paulo' AS starts_at
    FROM (
        SELECT company_id, value, approved_at AT TIME ZONE 'America/Sao_Paulo' - interval '6 hours' AS at
        FROM payments_payment
        WHERE approved_at > now() - interval '14 hours'
          AND (status = 'CONFIRMED' OR batch_id IS NULL AND status IN ('APPROVED', 'PROCESSING'))
        UNION ALL
        SELECT company_id, reserved, approved_at AT TIME ZONE 'America/Sao_Paulo' - interval '6 hours'
        FROM payments_payoutbatch WHERE reserved > 0 AND approved_at > now() - interval '14 hours'
    ) sent
) placed
WHERE starts_at > now() - CASE WHEN extract(hour FROM starts_at AT TIME ZONE 'America/Sao_Paulo') = 6
    THEN interval '14 hours' ELSE interval '10 hours' END
GROUP BY company_id, starts_at
"""


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0017_refund_sent_at"),
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
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]

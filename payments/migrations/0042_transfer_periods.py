"""Natural persons get the Central Bank's limit by night, and what was sent in the period of now is counted.

It reads all payments, so it is apart from what locks a table, and each statement commits by itself; after a failure it may
run again. What former processes approve after it is not counted (`payments/checks.py` knows when it ran).
"""

from django.db import migrations

PERIODS = """
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
ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("payments", "0041_received_by_qr_code")]

    operations = [
        migrations.RunSQL(statement, migrations.RunSQL.noop)
        for statement in (
            "UPDATE payments_company SET night_limit = 100000 WHERE length(tax_id) = 11 AND night_limit IS NULL",
            "UPDATE payments_payoutbatch SET round_began_at = approved_at WHERE reserved > 0 AND round_began_at IS NULL",
            PERIODS,
        )
    ]

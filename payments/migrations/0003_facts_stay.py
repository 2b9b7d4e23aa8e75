"""A received Pix is append-only, and a refund remembers that the bank told the opposite of how it ended."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("payments", "0002_ledger_guards")]

    operations = [
        migrations.AddField("refund", "contradicted_at", models.DateTimeField(null=True)),
        migrations.RunSQL(
            (SQL / "received_guards.sql").read_text(), "DROP TRIGGER received_append_only ON payments_receivedpix"
        ),
    ]

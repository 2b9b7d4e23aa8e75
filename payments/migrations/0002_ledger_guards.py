"""The ledger's rules in the database: triggers, and the function that posts."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent / "sql"
UNDO = """
DROP FUNCTION ledger_post;
DROP FUNCTION ledger_apply_entries, ledger_check_holds, ledger_refuse_change, ledger_refuse_opening_balance CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_initial"), ("outbox", "0001_initial")]

    operations = [
        migrations.RunSQL((SQL / "ledger_guards.sql").read_text(), UNDO),
        migrations.RunSQL((SQL / "ledger_post.sql").read_text(), migrations.RunSQL.noop),
    ]

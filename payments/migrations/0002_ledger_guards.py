"""The ledger's rules in the database: numbered lines, triggers, and the function that posts."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

SQL = Path(__file__).parent / "sql"
UNDO = """
DROP FUNCTION ledger_post;
DROP FUNCTION ledger_apply_entries, ledger_check_holds, ledger_refuse_change, ledger_refuse_opening_balance CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="entry", name="line", field=models.SmallIntegerField(default=1), preserve_default=False
        ),
        migrations.AlterField(
            model_name="entry",
            name="transaction",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="payments.ledgertransaction",
            ),
        ),
        migrations.AddConstraint(
            model_name="entry",
            constraint=models.UniqueConstraint(fields=("transaction", "line"), name="entry_line_once"),
        ),
        migrations.AddConstraint(
            model_name="entry",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount", 0), _negated=True) | models.Q(("pending", 0), _negated=True),
                name="entry_moves_something",
            ),
        ),
        migrations.RunSQL((SQL / "ledger_guards.sql").read_text(), UNDO),
        migrations.RunSQL((SQL / "ledger_post.sql").read_text(), migrations.RunSQL.noop),
    ]

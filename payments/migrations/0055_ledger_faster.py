"""The ledger's guards in less time: balances are guarded by their columns, entries checked before they move them."""

import re
from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent / "sql"
FUNCTIONS = r"FUNCTION (?:ledger_apply_entries|ledger_post)\b.*?END \$\$;"
GUARDS = r"TRIGGER (?:ledger_balance_guard|ledger_account_keeps)\b.*?;"
TEXT = "".join((SQL / name).read_text() for name in ("ledger_guards.sql", "ledger_post.sql"))


class Migration(migrations.Migration):
    dependencies = [("payments", "0054_application_approval")]

    operations = [
        migrations.RunSQL(f"CREATE OR REPLACE {found}", migrations.RunSQL.noop)
        for found in re.findall(rf"^CREATE ({FUNCTIONS}|{GUARDS})$", TEXT, re.M | re.S)
    ]

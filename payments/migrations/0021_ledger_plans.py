"""The ledger's functions look rows up by key, however empty the tables were when a session planned them."""

import re
from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent / "sql"
FUNCTION = re.compile(r"^CREATE (FUNCTION (?:ledger_apply_entries|ledger_check_holds|ledger_post)\b.*?END \$\$;)$", re.M | re.S)
TEXT = "".join((SQL / name).read_text() for name in ("ledger_guards.sql", "ledger_post.sql"))


class Migration(migrations.Migration):
    dependencies = [("payments", "0020_ledger_check")]

    operations = [
        migrations.RunSQL(f"CREATE OR REPLACE {found}", migrations.RunSQL.noop) for found in FUNCTION.findall(TEXT)
    ]

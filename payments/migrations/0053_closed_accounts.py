"""When a further account was closed. Null columns and constraints that are validated later lock nothing for long."""

from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("payments", "0052_transactions_by_company")]

    operations = [
        migrations.AddField("account", "closed_at", models.DateTimeField(editable=False, null=True)),
        AddConstraintNotValid(
            "account",
            models.CheckConstraint(
                condition=models.Q(
                    ("closed_at", None),
                    models.Q(("is_default", False), ("pending_out", 0), ("posted", 0)),
                    _connector="OR",
                ),
                name="account_closed_is_empty",
            ),
        ),
        ValidateConstraint("account", "account_closed_is_empty"),
    ]

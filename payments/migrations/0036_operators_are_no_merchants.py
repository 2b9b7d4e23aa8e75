"""Nobody is an operator and a merchant's person at once. Who was both stays an operator: nobody is locked out of the admin."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models
from django.db.models import Q


def part(apps: Any, schema_editor: Any) -> None:
    users = apps.get_model("payments", "User").objects.filter(company__isnull=False)
    users.filter(Q(is_staff=True) | Q(is_superuser=True)).update(company=None)


class Migration(migrations.Migration):
    dependencies = [("payments", "0035_user_role")]

    operations = [
        migrations.RunPython(part, migrations.RunPython.noop),
        migrations.AddConstraint(
            "user",
            models.CheckConstraint(
                name="user_is_merchants_or_operator",
                condition=Q(company=None) | Q(is_staff=False, is_superuser=False),
                violation_error_message="Nobody is an operator and a merchant's person at once.",
            ),
        ),
    ]

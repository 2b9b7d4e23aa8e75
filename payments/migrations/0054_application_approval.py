"""Who asked that an application may send money, and who approved it. Few rows, of which each is null."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def person():
    return models.ForeignKey(
        db_index=False,
        editable=False,
        null=True,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to=settings.AUTH_USER_MODEL,
    )


class Migration(migrations.Migration):
    dependencies = [("payments", "0053_closed_accounts")]

    operations = [
        migrations.AddField("application", "asked_by", person()),
        migrations.AddField("application", "approved_by", person()),
        migrations.AddConstraint(
            "application",
            models.CheckConstraint(
                condition=models.Q(
                    ("approved_by", None),
                    models.Q(("approved_by", models.F("asked_by")), _negated=True),
                    _connector="OR",
                ),
                name="application_asker_is_not_approver",
            ),
        ),
    ]

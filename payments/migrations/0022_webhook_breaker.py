"""An endpoint that fails is left alone for a while."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0021_ledger_plans")]

    operations = [
        migrations.AddField(
            "webhookendpoint", "failures", models.PositiveIntegerField(db_default=0, default=0, editable=False)
        ),
        migrations.AddField("webhookendpoint", "paused_until", models.DateTimeField(editable=False, null=True)),
    ]

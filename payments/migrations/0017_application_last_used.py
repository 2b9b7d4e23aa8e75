"""When an AppID was last used."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0016_payments_once")]

    operations = [migrations.AddField("application", "last_used_at", models.DateTimeField(editable=False, null=True))]
